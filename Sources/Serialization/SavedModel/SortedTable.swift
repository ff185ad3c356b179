// leveldb's immutable table of sorted keys, which TensorFlow's tensor index is:
// https://github.com/google/leveldb/blob/main/doc/table_format.md.
import Hashing
import Protobuf

/// Builds a table from keys in ascending order. Blocks are not compressed.
struct SortedTable {
    /// A block's entries are cut here, as TensorFlow does.
    private static let blockByteCount = 1 << 18
    private static let magic: UInt64 = 0xDB47_7524_8B80_FB57

    private(set) var bytes: [UInt8] = []
    private var block = Block()
    private var index = Block(restartInterval: 1)
    private var lastKey: [UInt8] = []
    /// Where the last finished block lies, whose entry of the index waits for the next block's first key.
    private var waiting: [UInt8]?

    mutating func append(key: [UInt8], value: [UInt8]) {
        if let handle = waiting {
            index.append(key: Self.separator(lastKey, key), value: handle)
            waiting = nil
        }
        block.append(key: key, value: value)
        lastKey = key
        if block.byteCount >= Self.blockByteCount { finishBlock() }
    }

    private mutating func finishBlock() {
        guard !block.isEmpty else { return }
        waiting = write(block)
        block = Block()
    }

    /// A short key that is not before `last`, and before `next`.
    private static func separator(_ last: [UInt8], _ next: [UInt8]) -> [UInt8] {
        let shared = zip(last, next).prefix { $0 == $1 }.count
        guard shared < last.count, shared < next.count, last[shared] < .max, last[shared] + 1 < next[shared]
        else { return last }
        return last[..<shared] + [last[shared] + 1]
    }

    /// A short key that is not before `last`.
    private static func successor(_ last: [UInt8]) -> [UInt8] {
        guard let place = last.firstIndex(where: { $0 < .max }) else { return last }
        return last[..<place] + [last[place] + 1]
    }

    /// Appends a block with its trailer; returns its handle, which is where it lies.
    private mutating func write(_ block: Block) -> [UInt8] {
        let contents = block.finished()
        var handle: [UInt8] = []
        ProtobufWriter.append(varint: UInt64(bytes.count), to: &handle)
        ProtobufWriter.append(varint: UInt64(contents.count), to: &handle)
        // Type 0: not compressed. The checksum covers it.
        let sealed = contents + [0]
        var checksum = CRC32C()
        checksum.update(sealed)
        bytes += sealed
        appendLittleEndian(checksum.masked, to: &bytes)
        return handle
    }

    /// The whole table.
    mutating func finish() -> [UInt8] {
        finishBlock()
        if let handle = waiting { index.append(key: Self.successor(lastKey), value: handle) }
        let filters = write(Block())
        let indexHandle = write(index)
        var footer = filters + indexHandle
        footer += [UInt8](repeating: 0, count: 40 - footer.count)
        bytes += footer
        appendLittleEndian(Self.magic, to: &bytes)
        return bytes
    }
}

extension SortedTable {
    /// Entries whose keys leave out what they share with the key before, except at restart points.
    struct Block {
        private var entries: [UInt8] = []
        private var restarts: [UInt32] = [0]
        private var sinceRestart = 0
        private var lastKey: [UInt8] = []
        private let restartInterval: Int

        init(restartInterval: Int = 16) { self.restartInterval = restartInterval }

        var byteCount: Int { entries.count + 4 * (restarts.count + 1) }
        var isEmpty: Bool { entries.isEmpty }

        mutating func append(key: [UInt8], value: [UInt8]) {
            var shared = 0
            if sinceRestart < restartInterval {
                shared = zip(lastKey, key).prefix { $0 == $1 }.count
            } else {
                restarts.append(UInt32(truncatingIfNeeded: entries.count))
                sinceRestart = 0
            }
            for length in [shared, key.count - shared, value.count] {
                ProtobufWriter.append(varint: UInt64(length), to: &entries)
            }
            entries += key[shared...]
            entries += value
            lastKey = key
            sinceRestart += 1
        }

        /// The entries, then where the restart points are, and how many.
        func finished() -> [UInt8] {
            var bytes = entries
            for restart in restarts { appendLittleEndian(restart, to: &bytes) }
            appendLittleEndian(UInt32(truncatingIfNeeded: restarts.count), to: &bytes)
            return bytes
        }
    }
}

func appendLittleEndian(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
}
