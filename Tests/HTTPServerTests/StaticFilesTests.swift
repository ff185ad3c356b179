// A served folder: types, tags, the index, and no way out of it.
import Glibc
import Testing

@testable import HTTPServer

struct StaticFilesTests {
    private static func route(_ folder: String) -> Route {
        let files = StaticFiles(folder: folder, contentSecurityPolicy: "default-src 'self'")
        return Route(
            .get, "/{path...}",
            handler: .inline {
                files.response(relativePath: $0.pathParameters["path"] ?? "") ?? HTTPResponse(status: 404)
            })
    }

    @Test("files come with type, policy and tag, and the tag gives 304")
    func files() async throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("index.html", Array("<p>".utf8))
        _ = try folder.write("app.js", Array("1".utf8))
        _ = try folder.write("data.bin", [0])
        try await withServer([Self.route(folder.path)]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                for (target, type) in [
                    ("/", "text/html; charset=utf-8"), ("/index.html", "text/html; charset=utf-8"),
                    ("/app.js", "text/javascript; charset=utf-8"), ("/data.bin", "application/octet-stream"),
                ] {
                    client.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
                    let response = try #require(client.readResponse())
                    #expect(response.status == 200, "\(target)")
                    #expect(response.header("content-type") == type)
                    #expect(response.header("content-security-policy") == "default-src 'self'")
                    let tag = try #require(response.header("etag"))
                    client.send("GET \(target) HTTP/1.1\r\nHost: a\r\nIf-None-Match: \(tag)\r\n\r\n")
                    #expect(client.readResponse()?.status == 304)
                }
            }
        }
    }

    @Test("nothing outside of the folder, no dotfile and no folder is served")
    func containment() throws {
        let outside = try TemporaryFolder()
        let secret = try outside.write("secret", [1])
        let folder = try TemporaryFolder()
        _ = try folder.write(".hidden", [1])
        _ = try folder.write("shown", [1])
        symlink(secret, folder.path + "/link")
        symlink(outside.path, folder.path + "/way")
        let files = StaticFiles(folder: folder.path, contentSecurityPolicy: "")
        #expect(files.response(relativePath: "shown") != nil)
        for path in [
            ".hidden", "link", "way/secret", "../\(outside.path.dropFirst(5))/secret", secret, "/etc/passwd",
            "//etc/passwd",
            "shown/", "", "missing", "shown\u{0}", "a\\..\\shown", ".", "..", "way/../shown",
            String(repeating: "a/", count: 600),
        ] {
            #expect(files.response(relativePath: path) == nil, "\(path)")
        }
    }
}
