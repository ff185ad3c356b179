// Where encoded bytes go: memory, a counter, or (CheckpointFile) a file.

/// Takes bytes in order.
protocol ByteSink {
    mutating func write(_ bytes: UnsafeRawBufferPointer) throws

    /// Takes a range of the bytes of an array's elements. A sink that needs only their number need not read them.
    mutating func write(_ range: Range<Int>, of array: StateArray) throws
}

extension ByteSink {
    mutating func write(_ range: Range<Int>, of array: StateArray) throws {
        // Only one array's bytes are ever in hand, and they are not copied on the way to the sink.
        var sink = self
        try array.withUnsafeBytes { try sink.write(UnsafeRawBufferPointer(rebasing: $0[range])) }
        self = sink
    }

    mutating func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }
}

/// Collects the bytes.
struct MemorySink: ByteSink {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ bytes: UnsafeRawBufferPointer) { self.bytes.append(contentsOf: bytes) }

    mutating func write(_ range: Range<Int>, of array: StateArray) throws {
        try array.withUnsafeBytes { bytes.append(contentsOf: $0[range]) }
    }
}

/// Counts the bytes, without reading any array: works for tensors that have no values yet.
struct CountingSink: ByteSink {
    private(set) var count = 0

    mutating func write(_ bytes: UnsafeRawBufferPointer) { count += bytes.count }

    mutating func write(_ range: Range<Int>, of array: StateArray) { count += range.count }
}
