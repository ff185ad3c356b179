// The API behind a listening socket: the route table given to the HTTP server, with the access rules of the configuration.
import Glibc
import HTTPServer
import Logging
import Scheduler
import Store

package struct APIServerError: Error, CustomStringConvertible {
    package let description: String
}

package final class APIServer: Sendable {
    package let context: APIContext
    private let http: HTTPServer

    /// - Throws: `APIServerError` when the address is not loopback and nothing says who may call.
    package init(
        configuration: APIConfiguration, store: Store, scheduler: Scheduler,
        readiness: Readiness = Readiness(),
        allowsOpenNetwork: Bool = false, logger: Logger
    ) throws {
        guard configuration.token != nil || configuration.listensOnLoopback || allowsOpenNetwork else {
            throw APIServerError(
                description:
                    "\(configuration.server.host) can be reached from other machines, and anybody there could run jobs. "
                    + "Give --token-file FILE, or --insecure-no-auth if that is what you want.")
        }
        let context = APIContext(
            configuration: configuration, store: store, scheduler: scheduler, readiness: readiness,
            cursorKey: CursorKey.load(folder: store.folder.path), logger: logger)
        let access = AccessGuard(
            token: configuration.token, listensOnLoopback: configuration.listensOnLoopback,
            port: configuration.server.port, allowedHosts: configuration.allowedHosts)
        let dispatcher = Dispatcher(context: context, access: access)
        var routes = RouteCatalog.all.map(dispatcher.route)
        if let folder = configuration.publicFolder {
            routes += DashboardFiles.routes(folder: folder)
        }
        var server = configuration.server
        let templates = RouteCatalog.all.map(\.template)
        server.errorBody = { ErrorBody.problem($0, templates: templates) }
        server.logger = logger
        self.context = context
        http = try HTTPServer(configuration: server, routes: routes, observer: context.metrics.observer())
    }

    /// Binds and listens; returns the port.
    package func start() throws -> UInt16 {
        try http.start()
    }

    /// Requests in flight may finish; long polls answer at once, streams end.
    package func shutdown(graceSeconds: Double) async {
        context.readiness.become(.draining)
        await http.shutdown(graceSeconds: graceSeconds)
    }
}

/// The key that signs cursors: a file in the data folder, so that cursors survive a restart.
enum CursorKey {
    private static let byteCount = 32

    /// A fresh key that is forgotten with the process when the file can be neither read nor made.
    static func load(folder: String) -> [UInt8] {
        let path = folder + "/cursor.key"
        if let known = read(path) { return known }
        var generator = SystemRandomNumberGenerator()
        let key = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return key }
        defer { close(descriptor) }
        _ = write(descriptor, key, key.count)
        return key
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: byteCount)
        return Glibc.read(descriptor, &bytes, byteCount) == byteCount ? bytes : nil
    }
}
