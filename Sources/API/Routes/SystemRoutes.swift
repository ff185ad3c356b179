// Health, version, metrics and the OpenAPI document.
import HTTPServer
import JobSpec

package enum SystemRoutes {
    package static let all = [livez, readyz, healthz, version, metrics, openAPI, dashboard]

    static let livez = APIRoute(
        "GET", "/livez", "getLiveness", tag: "system", scope: .open, "Whether the server answers at all",
        answers: [.json(200, status, "alive")],
        handler: .immediate { _ in .json(["status": "ok"]) })

    static let readyz = APIRoute(
        "GET", "/readyz", "getReadiness", tag: "system", scope: .open,
        "Whether jobs can be submitted: recovery is done, the store can write, the server is not stopping",
        answers: [.json(200, status, "ready")],
        handler: .immediate { call in
            let readiness = call.context.readinessState
            guard readiness != .ready else { return .json(["status": "ok"]) }
            throw readiness.problem
        })

    static let healthz = APIRoute(
        "GET", "/healthz", "getHealth", tag: "system", scope: .open,
        "What liveness and readiness are made of",
        parameters: [.query("verbose", Schema.string(), "accepted for the sake of other servers' probes")],
        answers: [
            .json(
                200, Schema.object([.init("status", .string()), .init("checks", .map(.string()))]), "healthy")
        ],
        handler: .immediate { call in
            let readiness = call.context.readinessState
            let checks: JSONValue = ["live": "ok", "ready": .string(readiness.rawValue)]
            guard readiness == .ready else { throw readiness.problem.with("checks", checks) }
            return .json(["status": "ok", "checks": checks])
        })

    static let version = APIRoute(
        "GET", "/version", "getVersion", tag: "system", scope: .open,
        "The version, and every limit that this server applies",
        answers: [
            .json(
                200,
                Schema.object([
                    .init("name", .string()), .init("version", .string()), .init("api", .string()),
                    .init("limits", .map(.number())),
                ]), "the version")
        ],
        handler: .immediate { call in
            let configuration = call.context.configuration
            return .json([
                "name": "spindle", "version": .string(configuration.version), "api": "v1",
                "limits": configuration.limits.json(server: configuration.server),
            ])
        })

    static let metrics = APIRoute(
        "GET", "/metrics", "getMetrics", tag: "system", scope: .open, "Prometheus metrics, text format 0.0.4",
        answers: [.media(200, [("text/plain", Schema.string())], "the metrics")],
        handler: .asynchronous { call in
            let text = call.context.prometheusText()
            return .bytes(
                Array(text.utf8), contentType: PrometheusText.mediaType,
                headers: [HTTPField("Cache-Control", "no-store")])
        })

    static let openAPI = APIRoute(
        "GET", "/openapi.json", "getOpenAPI", tag: "system", scope: .open,
        "This API as an OpenAPI 3.1 document",
        parameters: [.ifNoneMatch],
        answers: [.json(200, .map(.any), "the document", headers: ["ETag"]), .empty(304, "unchanged")],
        handler: .immediate { call in
            let document = call.context.openAPI()
            if EntityTag.noneMatchHits(call.request.headers["If-None-Match"], document.tag) {
                return .notModified(tag: document.tag)
            }
            return .resource(document.bytes, tag: document.tag)
        })

    static let dashboard = APIRoute(
        "GET", "/", "getDashboard", tag: "system", scope: .open, "The dashboard",
        answers: [
            .media(200, [("text/html", Schema.string())], "the page"), .empty(304, "unchanged"),
            .empty(206, "a part of the page"), .empty(412, "the entity tag differs"),
            .empty(416, "no such part"),
        ], errors: [404],
        handler: .asynchronous { call in
            guard let folder = call.context.configuration.publicFolder,
                let page = DashboardFiles.files(folder).response(relativePath: "")
            else {
                throw Problem(.notFound, "No dashboard is installed; start the server with --public FOLDER.")
            }
            return page
        })

    private static let status = Schema.object([.init("status", .string())])
}
