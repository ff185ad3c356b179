// Everything the server can be told: where to listen, its limits and deadlines, how its own errors look.
import Logging

package struct ServerConfiguration: Sendable {
    /// A numeric IPv4 or IPv6 address.
    package var host = "127.0.0.1"
    /// 0 lets the system choose; `HTTPServer.start` returns the port.
    package var port: UInt16 = 7070
    /// Serial I/O queues that share the connections.
    package var ioQueueCount = 2
    package var limits = Limits()
    package var deadlines = Deadlines()
    /// Value of the `Server` field; nil for none.
    package var serverName: String? = "spindle"
    /// Renders the errors that the server itself answers (a malformed request, 404, 405, 413, …).
    package var errorBody: @Sendable (ServerProblem) -> ErrorBody = ErrorBody.plain
    /// Asked for every request before its route's own admission; see `Route.admission`. For authentication.
    package var admission: (@Sendable (HTTPRequest) -> HTTPResponse?)?
    package var logger = Logger(label: "spindle.http")

    package init() {}

    package struct Limits: Sendable {
        package var headerBlockBytes = 32 * 1024
        package var headerFields = 100
        package var targetBytes = 8 * 1024
        package var connections = 1024
        package var connectionsPerAddress = 64
        /// Whether 127.0.0.0/8 and ::1 are outside of `connectionsPerAddress`.
        package var loopbackIsExempt = false
        /// Of one stream body, before `StreamWriter.offer` overflows.
        package var streamUnsentBytes = 1024 * 1024
        /// Input held for pipelined requests, and output above which no further request is started.
        package var pipelineBytes = 256 * 1024
        /// Of one upload between socket and disk, before the reading stops.
        package var uploadWindowBytes = 1024 * 1024
        package init() {}
    }

    package struct Deadlines: Sendable {
        /// From the first byte of a request to the end of its header block (408 after).
        package var headerSeconds = 10.0
        /// Between two bytes of a body, and the grace before the minimum rate counts.
        package var bodyIdleSeconds = 20.0
        package var bodyMinimumBytesPerSecond = 1000.0
        package var keepAliveSeconds = 60.0
        /// Without the client taking any byte of a waiting response.
        package var writeStallSeconds = 60.0
        /// After an error response: how long unread input is thrown away before the close.
        package var lingerSeconds = 2.0
        /// Deadlines are looked at this often.
        package var sweepSeconds = 1.0
        package init() {}
    }
}

/// An error that the server itself answers.
package struct ServerProblem: Sendable {
    package let status: Int
    /// Stable snake_case word, e.g. `header_block_too_large`.
    package let code: String
    package let detail: String
    package let requestID: String
    /// Percent-decoded; nil when the request line was not understood.
    package let path: String?
    /// The limit that was passed, for 413, 414 and 431.
    package let limitBytes: Int64?
}

package struct ErrorBody: Sendable {
    package let contentType: String
    package let bytes: [UInt8]

    package init(contentType: String, bytes: [UInt8]) {
        self.contentType = contentType
        self.bytes = bytes
    }

    package static let plain: @Sendable (ServerProblem) -> ErrorBody = { problem in
        ErrorBody(
            contentType: "text/plain; charset=utf-8",
            bytes: Array("\(problem.status) \(problem.code): \(problem.detail)\n".utf8))
    }
}
