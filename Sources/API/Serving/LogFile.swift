// The log of an attempt: the whole file (with ranges), or its last lines.
import Glibc
import HTTPServer

enum LogFile {
    private static let contentType = "text/plain; charset=utf-8"
    private static let tailBytes = 1 << 20

    /// - RouteParameter tailLines: nil for the file itself. A log that does not exist yet is empty.
    static func response(path: String, tailLines: Int?) throws -> HTTPResponse {
        let noStore = HTTPField("Cache-Control", "no-store")
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            return .bytes([], contentType: contentType, headers: [noStore])
        }
        defer { close(descriptor) }
        guard let tailLines else {
            return .file(
                FileContent(path: path, contentType: contentType, entityTag: nil), headers: [noStore])
        }
        let size = lseek(descriptor, 0, SEEK_END)
        let start = max(0, size - off_t(tailBytes))
        var bytes = [UInt8](repeating: 0, count: max(0, Int(size - start)))
        var filled = 0
        while filled < bytes.count {
            let wanted = bytes.count - filled
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + filled }, wanted, start + off_t(filled))
            }
            if count <= 0 { break }
            filled += count
        }
        return .bytes(
            tail(Array(bytes[..<filled]), lines: tailLines, startsInside: start > 0),
            contentType: contentType,
            headers: [noStore])
    }

    /// The last `lines` lines; a first line that was cut is left out.
    static func tail(_ bytes: [UInt8], lines: Int, startsInside: Bool) -> [UInt8] {
        let lineFeed = UInt8(ascii: "\n")
        var index = bytes.count
        var found = 0
        // The line feed that ends the last line does not begin another one.
        if bytes.last == lineFeed { index -= 1 }
        while index > 0 {
            if bytes[index - 1] == lineFeed {
                found += 1
                if found == lines { return Array(bytes[index...]) }
            }
            index -= 1
        }
        if startsInside, let first = bytes.firstIndex(of: lineFeed) { return Array(bytes[(first + 1)...]) }
        return bytes
    }
}
