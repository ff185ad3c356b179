// A failed socket call, with what was tried and where.
import Glibc

package struct SocketError: Error, Sendable, CustomStringConvertible {
    package let action: String
    package let address: String
    /// The errno value.
    package let code: Int32

    package var description: String {
        "\(action) at \(address): \(String(cString: strerror(code))) (errno \(code)). \(advice)"
    }

    private var advice: String {
        switch code {
        case EADDRINUSE: "Another process listens there; choose another port or stop it."
        case EADDRNOTAVAIL: "This machine has no such address; use 127.0.0.1 or 0.0.0.0."
        case EACCES: "Ports below 1024 need more rights; choose a higher one."
        default: "Check the host and the port."
        }
    }
}
