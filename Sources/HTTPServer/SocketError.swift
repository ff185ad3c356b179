// A failed system call on a socket or file, with what was tried and where.
import Glibc

package struct SocketError: Error, Sendable, CustomStringConvertible {
    package let action: String
    package let address: String
    /// The errno value.
    package let code: Int32

    package var description: String {
        "\(action) at \(address): \(Self.reason(code)) (errno \(code)).\(advice)"
    }

    var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
    var isNotFound: Bool { code == ENOENT || code == ENOTDIR }

    /// `strerror` shares a buffer between threads; this one does not.
    private static func reason(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "unknown error" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private var advice: String {
        switch code {
        case EADDRINUSE: " Another process listens there; choose another port or stop it."
        case EADDRNOTAVAIL: " This machine has no such address; use 127.0.0.1 or 0.0.0.0."
        case EACCES: " Ports below 1024 need more rights; choose a higher one."
        default: ""
        }
    }
}
