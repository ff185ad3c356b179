// Values that somebody brings in a file: Flax msgpack, safetensors or npz, whatever made it. Every file becomes the state dict that a
// checkpoint of Flax is, or an error that says where the file is wrong.
import TensorEngine

/// The values of a file from outside, checked: dictionaries of arrays and numbers, with `params` at the top.
package struct BroughtState: Sendable {
    /// The formats that are known by their first bytes.
    package enum Format: String, Sendable, CaseIterable {
        case messagePack = "flax-msgpack"
        case safetensors
        case npz

        /// Nil where the bytes begin no file of these formats.
        init?(beginning bytes: some Collection<UInt8>) {
            let head = Array(bytes.prefix(9))
            if head.starts(with: [0x50, 0x4B]) {
                self = .npz
            } else if head.count == 9, head[8] == UInt8(ascii: "{"), head[5...7].allSatisfy({ $0 == 0 }) {
                // The header's length in eight bytes, then JSON. A map of MessagePack never begins with a small length.
                self = .safetensors
            } else if let first = head.first, (0x80...0x8F).contains(first) || [0xDE, 0xDF].contains(first) {
                self = .messagePack
            } else {
                return nil
            }
        }
    }

    package let format: Format
    package let state: StateDict
    package private(set) var arrayCount = 0
    package private(set) var elementCount = 0

    /// The parts of the state, such as `params` and `batch_stats`.
    package var parts: [String] { (state.entries ?? []).map(\.key.description) }

    /// Reads a file. Names of arrays are paths, with "/" or "." between their keys: "params/Dense_0/kernel". A file without `params`
    /// holds the parameters themselves.
    ///
    /// - Parameter maximumBytes: of all arrays together, when they are decompressed.
    /// - Throws: `SerializationError` with its place in the file; `CheckpointError` where it cannot be read.
    package init(fileAt path: String, maximumBytes: Int) throws {
        guard let format = try MappedFile(path).withBytes({ Format(beginning: $0) }) else {
            throw SerializationError(
                .malformed, "import", byteOffset: 0,
                expected: "a file of Flax msgpack (a dictionary), safetensors or npz", got: "other bytes")
        }
        self.format = format
        let found: StateDict
        switch format {
        case .messagePack:
            found = try msgpackRestore(fileAt: path, allowsRepeatedKeys: false)
        case .safetensors:
            found = try Self.tree(
                try safetensorsRestore(try readCheckpointFile(path, expecting: nil)).arrays)
        case .npz:
            found = try Self.tree(
                try npzRestore(
                    try readCheckpointFile(path, expecting: nil), maximumBytes: maximumBytes))
        }
        state = found["params"] == nil ? .dictionary([.init("params", found)]) : found
        try check(state, "")
        guard arrayCount > 0 else {
            throw SerializationError(.structure, "import", expected: "arrays", got: "a file with none")
        }
    }

    private static func tree(_ arrays: NamedArrays) throws -> StateDict {
        try arrays.stateDict(separator: arrays.names.contains { $0.contains("/") } ? "/" : ".")
    }

    /// Counts, and throws at the first value that a checkpoint cannot have.
    private mutating func check(_ value: StateDict, _ path: String) throws {
        switch value {
        case .dictionary(let entries):
            for entry in entries { try check(entry.value, path + "/" + entry.key.description) }
        case .array(.complex), .scalar(.complex):
            throw refused(value, path)
        case .array(let array), .scalar(let array):
            arrayCount += 1
            elementCount += array.shape.elementCount
        case .int, .float, .bool, .none:
            break
        case .unsigned, .complex, .string, .bytes, .extension, .list, .tuple, .record, .frozenDictionary:
            throw refused(value, path)
        }
    }

    private func refused(_ value: StateDict, _ path: String) -> SerializationError {
        SerializationError(
            .unsupported, "import", path: String(path.prefix(256)),
            expected: "dictionaries, arrays of real numbers, and numbers", got: value.kindName)
    }
}
