// The dashboard's static files: every file that is in the folder when the server starts has a route of its own, so that unknown paths
// stay unknown (404 with a suggestion, `unmatched` in the metrics).
import Foundation
import HTTPServer

package enum DashboardFiles {
    private static let maxFiles = 500

    /// Scripts and styles from this server only, nothing inline, no framing.
    static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    static func files(_ folder: String) -> StaticFiles {
        StaticFiles(folder: folder, contentSecurityPolicy: contentSecurityPolicy)
    }

    /// One route per file.
    static func routes(folder: String) -> [Route] {
        let files = files(folder)
        return paths(in: folder).map { path in
            Route(
                .get, "/" + path,
                handler: .asynchronous { request in
                    files.response(relativePath: path)
                        ?? Problem(.notFound, "The file is not there any more.").response(
                            instance: request.path, requestID: request.requestID.description)
                })
        }
    }

    /// Names below the folder that are also plain paths of a URL.
    static func paths(in folder: String) -> [String] {
        guard let enumerator = FileManager.default.enumerator(atPath: folder) else { return [] }
        let files = files(folder)
        var paths = [String]()
        for case let path as String in enumerator where path.utf8.allSatisfy(isPlain) {
            guard files.response(relativePath: path) != nil else { continue }
            paths.append(path)
            if paths.count == maxFiles { break }
        }
        return paths.sorted()
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
