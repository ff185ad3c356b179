// The dashboard's files: complete, from this server only, and served as the content policy needs them.
import Foundation
import TestSupport
import Testing

@Suite("Dashboard files")
struct DashboardFilesTests {
    static let folder = Repository.folder.appending(path: "Public")

    static func files(_ ending: String) throws -> [URL] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        return paths.filter { $0.hasSuffix(ending) }.sorted().map { folder.appending(path: $0) }
    }

    @Test("the page has no inline script, style or handler, and names no other server")
    func page() throws {
        let text = try String(contentsOf: Self.folder.appending(path: "index.html"), encoding: .utf8)
        #expect(!text.contains(/<script(?![^>]*\ssrc=)/))
        #expect(!text.contains("<style"))
        #expect(!text.contains(/\s(on[a-z]+|style)=/))
        #expect(!text.contains(/https?:\/\//))
    }

    @Test("scripts make no markup from text and call no other server")
    func scripts() throws {
        for file in try Self.files(".js") {
            let text = try String(contentsOf: file, encoding: .utf8)
            for word in [
                "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
            ] {
                #expect(!text.contains(word), "\(file.lastPathComponent) uses \(word)")
            }
            let addresses = text.matches(of: /https?:\/\/[^"'` )]+/).map(\.output)
            #expect(
                addresses.allSatisfy { $0.contains("www.w3.org/2000/svg") },
                "\(file.lastPathComponent): \(addresses)")
        }
    }

    @Test("every module that is imported and every file that the page names is there")
    func references() throws {
        for file in try Self.files(".js") {
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /from "(\.[^"]+)"/) {
                let target = file.deletingLastPathComponent().appending(path: String(match.output.1))
                    .standardized
                #expect(
                    FileManager.default.fileExists(atPath: target.path),
                    "\(file.lastPathComponent): \(match.output.1)")
            }
        }
        let page = try String(contentsOf: Self.folder.appending(path: "index.html"), encoding: .utf8)
        for match in page.matches(of: /(?:src|href)="([a-z][^"]*)"/) {
            let target = Self.folder.appending(path: String(match.output.1))
            #expect(FileManager.default.fileExists(atPath: target.path), "index.html: \(match.output.1)")
        }
    }

    @Test("the examples to start from are those of deploy/examples")
    func examples() throws {
        let text = try String(
            contentsOf: Self.folder.appending(path: "scripts/examples.js"), encoding: .utf8)
        let shown = try text.matches(of: /text: `([^`]*)`/).map { try json(String($0.output.1)) }
        let files = try ["digits.json", "flax-basics.json"].map { try ServerHarness.example($0) }
        #expect(shown == files)
    }
}

extension EndToEnd {
    @Suite("Dashboard over HTTP")
    struct DashboardOverHTTP {
        @Test("every file is served with its type under a strict policy")
        func served() throws {
            let server = try ServerHarness(arguments: ["--public", DashboardFilesTests.folder.path])
            let page = try server.client.get("/")
            #expect(page.status == 200)
            #expect(page.headers["content-type"]?.hasPrefix("text/html") == true)
            let policy = page.headers["content-security-policy"] ?? ""
            #expect(policy.contains("script-src 'self'") || policy.contains("default-src 'self'"))
            #expect(!policy.contains("unsafe"))
            for (ending, type) in [
                (".js", "text/javascript"), (".css", "text/css"), (".svg", "image/svg+xml"),
            ] {
                for file in try DashboardFilesTests.files(ending) {
                    let path = file.path.dropFirst(DashboardFilesTests.folder.path.count)
                    let reply = try server.client.get(String(path))
                    #expect(reply.status == 200, "\(path)")
                    #expect(reply.headers["content-type"]?.hasPrefix(type) == true, "\(path)")
                }
            }
            #expect(try server.client.get("/..%2f..%2fetc/passwd").status >= 400)
        }
    }
}
