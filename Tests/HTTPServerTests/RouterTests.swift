// Which template a path belongs to, and which route tables are refused.
import Testing

@testable import HTTPServer

struct RouterTests {
    private func route(_ method: HTTPMethod, _ template: String) -> Route {
        Route(method, template, handler: .inline { _ in HTTPResponse(status: 200) })
    }

    private func match(_ router: Router, _ method: String, _ target: String) throws -> RoutingResult {
        router.route(try RequestHead(parsing: Array("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)))
    }

    @Test("literals beat parameters, affixed parameters beat bare ones, and the rest comes last")
    func precedence() throws {
        let router = try Router(
            [
                "/{path...}", "/v1/jobs/{id}", "/v1/jobs/{id}:pause", "/v1/jobs/latest", "/v1/jobs:batch",
                "/v1/{kind}/{id}", "/v1/jobs/{id}/events", "/", "/v1/jobs",
            ].map { route(.get, $0) })
        for (target, template, name, value) in [
            ("/v1/jobs/latest", "/v1/jobs/latest", "", ""), ("/v1/jobs/j1", "/v1/jobs/{id}", "id", "j1"),
            ("/v1/jobs/j1:pause", "/v1/jobs/{id}:pause", "id", "j1"),
            ("/v1/jobs:batch", "/v1/jobs:batch", "", ""),
            ("/v1/jobs/:pause", "/v1/jobs/{id}", "id", ":pause"),
            ("/v1/data/d1", "/v1/{kind}/{id}", "kind", "data"),
            ("/v1/jobs/a%2Fb", "/v1/jobs/{id}", "id", "a/b"), ("/v1/j%6Fbs", "/v1/jobs", "", ""),
            ("/", "/", "", ""),
            ("/app/x.js", "/{path...}", "path", "app/x.js"), ("/v1/jobs/", "/{path...}", "path", "v1/jobs/"),
            ("/v1/jobs/j1/events?x=/y", "/v1/jobs/{id}/events", "id", "j1"),
        ] {
            guard case .match(let match) = try match(router, "GET", target) else {
                Issue.record("\(target) is not found")
                continue
            }
            #expect(match.route.template == template, "\(target)")
            if !name.isEmpty { #expect(match.parameters[name] == value, "\(target)") }
        }
    }

    @Test("methods are told apart, HEAD follows GET, and Allow lists what there is")
    func methods() throws {
        let router = try Router([route(.get, "/a"), route(.post, "/a"), route(.delete, "/b")])
        guard case .match(let head) = try match(router, "HEAD", "/a") else {
            Issue.record("HEAD is not derived")
            return
        }
        #expect(head.route.method == .get)
        guard case .wrongMethod(let allowed, "/a") = try match(router, "PUT", "/a"),
            case .wrongMethod(let other, "/b") = try match(router, "HEAD", "/b")
        else {
            Issue.record("not refused")
            return
        }
        #expect(allowed == ["GET", "HEAD", "POST", "OPTIONS"])
        #expect(other == ["DELETE", "OPTIONS"])
    }

    @Test(
        "ambiguous and malformed tables are refused",
        arguments: [
            ["/a", "/a"], ["/a/{x}", "/a/{y}"], ["a"], ["/{x"], ["/x}"], ["/{}"], ["/{x}{y}"], ["/{x}/{x}"],
            ["/{rest...}/a"], ["/a{rest...}"],
        ])
    func refusedTables(_ templates: [String]) {
        #expect(throws: RouteError.self) { try Router(templates.map { route(.get, $0) }) }
    }
}
