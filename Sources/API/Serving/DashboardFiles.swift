// The dashboard's static files: every file that is in the folder when the server starts, each under its own path. Nothing that a
// request says becomes part of a file name.
import Foundation
import Glibc
import HTTPServer

package enum DashboardFiles {
    private static let maxFiles = 500

    /// Scripts and styles from this server only, nothing inline, no framing.
    static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

    /// One route per file.
    package static func routes(folder: String) -> [Route] {
        files(in: folder).map { path in
            Route(
                .get, path,
                handler: .asynchronous { _ in
                    do {
                        return try response(path: folder + path)
                    } catch {
                        return HTTPResponse(status: 404)
                    }
                })
        }
    }

    /// Paths below the folder, with a leading slash. Hidden files, links and names that are no plain path are left out.
    static func files(in folder: String) -> [String] {
        guard let enumerator = FileManager.default.enumerator(atPath: folder) else { return [] }
        var paths = [String]()
        for case let path as String in enumerator {
            let isPlain = path.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "/"):
                    true
                default: false
                }
            }
            let isHidden = path.split(separator: "/").contains { $0.hasPrefix(".") }
            guard isPlain, !isHidden, status(folder + "/" + path) != nil else { continue }
            paths.append("/" + path)
            if paths.count == maxFiles { break }
        }
        return paths.sorted()
    }

    static func response(path: String) throws -> HTTPResponse {
        guard let status = status(path) else {
            throw Problem(.notFound, "The dashboard's file is not there any more.")
        }
        // Size and time of the last change: the folder is the administrator's, not content-addressed.
        let tag = EntityTag.quoted(
            "\(status.size)-\(status.modifiedSeconds).\(status.modifiedNanoseconds)")
        return .file(
            FileContent(
                path: path, contentType: contentType(path), entityTag: tag, lastModified: status.modifiedSeconds),
            headers: [
                HTTPField("Cache-Control", "no-cache"),
                HTTPField("Content-Security-Policy", contentSecurityPolicy),
                HTTPField("Referrer-Policy", "no-referrer"),
            ])
    }

    private struct FileStatus {
        var size: Int64
        var modifiedSeconds: Int64
        var modifiedNanoseconds: Int64
    }

    /// nil for anything but a regular file.
    private static func status(_ path: String) -> FileStatus? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return FileStatus(
            size: Int64(status.st_size), modifiedSeconds: Int64(status.st_mtim.tv_sec),
            modifiedNanoseconds: Int64(status.st_mtim.tv_nsec))
    }

    private static func contentType(_ path: String) -> String {
        let types = [
            "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
            "mjs": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
            "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "ico": "image/x-icon",
            "txt": "text/plain; charset=utf-8", "woff2": "font/woff2", "webmanifest": "application/manifest+json",
        ]
        let ending = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
        return types[ending] ?? "application/octet-stream"
    }
}
