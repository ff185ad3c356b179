// Serves a folder, such as the dashboard: content types by extension, entity tags, no way out of the folder.
import Glibc

package struct StaticFiles: Sendable {
    private let folder: String
    private let headers: [HTTPField]
    private let index: String

    /// - Parameters:
    ///   - folder: whose files are served; symbolic links inside of it are followed only as far as the folder
    ///     itself.
    ///   - contentSecurityPolicy: sent with every file, e.g. `default-src 'self'`.
    ///   - index: the file for the folder itself and for paths that end in `/`.
    package init(
        folder: String, contentSecurityPolicy: String, cacheControl: String = "no-cache",
        index: String = "index.html"
    ) {
        self.folder = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        self.index = index
        self.headers = [
            HTTPField("Content-Security-Policy", contentSecurityPolicy),
            HTTPField("Cache-Control", cacheControl),
            HTTPField("Referrer-Policy", "no-referrer"),
        ]
    }

    /// The file at a path relative to the folder, as `{path...}` gives it; nil if there is none to be shown.
    package func response(relativePath: String) -> HTTPResponse? {
        var relative = relativePath
        if relative.isEmpty || relative.hasSuffix("/") { relative += index }
        guard Self.isPlain(relative), let resolved = Self.resolve(folder + "/" + relative),
            let root = Self.resolve(folder), resolved.hasPrefix(root == "/" ? root : root + "/")
        else { return nil }
        var status = stat()
        guard stat(resolved, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        // Changes with the file's content, as far as the file system tells; size and time are no secret.
        let stamp =
            UInt64(bitPattern: Int64(status.st_mtim.tv_sec)) &* 1_000_000_000
            &+ UInt64(bitPattern: Int64(status.st_mtim.tv_nsec))
        let parts = [stamp, UInt64(bitPattern: Int64(status.st_size)), UInt64(status.st_ino)]
        let tag = "\"" + parts.map { String($0, radix: 36) }.joined(separator: "-") + "\""
        return .file(
            FileContent(
                path: resolved, contentType: Self.contentType(of: relative), entityTag: tag,
                lastModified: Int64(status.st_mtim.tv_sec)),
            headers: headers)
    }

    /// Segments with visible names only: no dotfiles, no `..`, no empty ones, no backslash or control
    /// character.
    private static func isPlain(_ relative: String) -> Bool {
        guard relative.utf8.count <= 1024,
            !relative.utf8.contains(where: { $0 < 0x20 || $0 == 0x5C || $0 == 0x7F })
        else { return false }
        return relative.split(separator: "/", omittingEmptySubsequences: false)
            .allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
    }

    /// The path without symbolic links, or nil if it does not exist.
    private static func resolve(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    package static func contentType(of path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        let ending = name.contains(".") ? name.split(separator: ".").last.map { $0.lowercased() } ?? "" : ""
        return switch ending {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "json", "map": "application/json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "ico": "image/x-icon"
        case "webp": "image/webp"
        case "woff2": "font/woff2"
        case "csv": "text/csv; charset=utf-8"
        case "txt", "md": "text/plain; charset=utf-8"
        case "webmanifest": "application/manifest+json"
        case "wasm": "application/wasm"
        default: "application/octet-stream"
        }
    }
}
