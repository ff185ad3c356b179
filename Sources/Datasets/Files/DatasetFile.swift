// A data file of any format that is known: what it holds, without its values.

import FileFormats
import Glibc
import JobSpec

/// What is in a data file.
package enum FileSchema: Sendable, Hashable {
    case table(TableSchema)
    /// The shape with the rows, and the range of the values.
    case array(format: String, shape: [Int], type: String, minimum: Double, maximum: Double)
    /// The Unicode scalars.
    case text([UInt32])
    /// A checkpoint that Flax or this server wrote; what is in it, a plan finds out.
    case checkpoint(bytes: Int)

    package var rows: Int {
        switch self {
        case .table(let table): table.rows
        case .array(_, let shape, _, _, _): shape.first ?? 0
        case .text(let scalars): scalars.count
        case .checkpoint: 0
        }
    }

    package var json: JSONValue {
        switch self {
        case .table(let table): table.json
        case .array(_, let shape, let type, let minimum, let maximum):
            [
                "rows": JSONValue(rows),
                "arrays": [
                    [
                        "shape": JSONValue(shape), "type": .string(type), "min": .double(minimum),
                        "max": .double(maximum),
                    ]
                ],
            ]
        case .checkpoint(let bytes): ["rows": 0, "checkpoint": ["bytes": JSONValue(bytes)]]
        case .text(let scalars):
            [
                "rows": JSONValue(rows),
                "text": ["characters": JSONValue(scalars.count), "distinct": JSONValue(Set(scalars).count)],
            ]
        }
    }
}

package struct DatasetFile: Sendable {
    /// Formats that `DatasetLocation.format` can be. Arrays and texts may be compressed with gzip.
    package static let formats = ["csv", "npy", "idx", "text", "flax"]

    package let path: String
    package let format: String
    private let maximumBytes: Int

    package init(path: String, format: String, maximumBytes: Int = 4 << 30) {
        self.path = path
        self.format = format
        self.maximumBytes = maximumBytes
    }

    /// The format of a file that is uploaded: of arrays by their first bytes, of anything else by its media type.
    package static func format(ofFileAt path: String, mediaType: String?) throws(DatasetError) -> String {
        let file = DatasetFile(path: path, format: "")
        let head = try file.read(atMost: 1 << 16)
        if Gzip.isCompressed(head) {
            let contents = try file.contents()
            if let array = try ArrayFile(contents) { return array.format }
            return "text"
        }
        if head.starts(with: NumPyHeader.magic) { return "npy" }
        if head.count >= 4, head[0] == 0, head[1] == 0 { return "idx" }
        if mediaType?.contains("msgpack") == true { return "flax" }
        return mediaType?.hasPrefix("text/plain") == true ? "text" : "csv"
    }

    /// What the file holds; reads all of it.
    package func inspect() throws(DatasetError) -> FileSchema {
        switch format {
        case "csv": return .table(try CSVTable(path: path).inspect())
        case "text": return .text(try text())
        case "flax": return .checkpoint(bytes: try read(atMost: maximumBytes).count)
        case "npy", "idx":
            let array = try array()
            let range = array.range()
            return .array(
                format: array.format, shape: array.shape, type: array.type, minimum: range.minimum,
                maximum: range.maximum)
        default:
            throw DatasetError(
                "the format \(format) is not known; there is \(Self.formats.joined(separator: ", "))")
        }
    }

    func array() throws(DatasetError) -> ArrayFile {
        guard let array = try ArrayFile(try contents()) else {
            throw DatasetError("the file is no NPY and no IDX array")
        }
        return array
    }

    /// The text as Unicode scalars.
    func text() throws(DatasetError) -> [UInt32] {
        guard let text = String(validating: try contents(), as: UTF8.self) else {
            throw DatasetError("the text is not valid UTF-8")
        }
        guard !text.isEmpty else { throw DatasetError("the text is empty") }
        return text.unicodeScalars.map(\.value)
    }

    /// The first rows of an array or a text, in the form of `CSVTable.preview`.
    package func preview(rows: Int) throws(DatasetError) -> JSONValue {
        switch format {
        case "text":
            let lines = String(decoding: try contents(), as: UTF8.self).split(
                separator: "\n", maxSplits: rows, omittingEmptySubsequences: false)
            return [
                "columns": ["text"],
                "rows": .array(lines.prefix(rows).map { [.string(excerpt(String($0)))] }),
                "truncated": .bool(lines.count > rows),
            ]
        case "npy", "idx":
            let array = try array()
            let width = array.shape.dropFirst().reduce(1, *)
            let shown = max(0, min(rows, array.rows, 100_000 / max(1, width)))
            let values = try array.floats()
            return [
                "columns": JSONValue((0..<width).map(String.init)),
                "rows": .array(
                    (0..<shown).map { row in
                        .array(values[row * width..<(row + 1) * width].map { .double(Double($0)) })
                    }),
                "truncated": .bool(shown < array.rows),
            ]
        default: return try CSVTable(path: path).preview(rows: rows)
        }
    }

    /// All bytes, decompressed.
    private func contents() throws(DatasetError) -> [UInt8] {
        let bytes = try read(atMost: maximumBytes + 1)
        guard bytes.count <= maximumBytes else {
            throw DatasetError("the file has more than \(maximumBytes) bytes")
        }
        guard Gzip.isCompressed(bytes) else { return bytes }
        do throws(FormatError) {
            return try Gzip.decompress(bytes, limit: maximumBytes)
        } catch {
            throw DatasetError(
                error.kind == .tooLarge
                    ? "the file holds more than \(maximumBytes) bytes when decompressed"
                    : "the compressed file is damaged or ends too early: \(error)")
        }
    }

    private func read(atMost limit: Int) throws(DatasetError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw DatasetError("cannot open \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw DatasetError("\(path) is not a file")
        }
        var bytes = [UInt8](repeating: 0, count: min(limit, Int(status.st_size)))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw DatasetError("cannot read \(path): \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            filled += count
        }
        bytes.removeLast(bytes.count - filled)
        return bytes
    }
}
