// The wire formats below SavedModel and ONNX, byte by byte.
import Protobuf
import TensorEngine
import Testing

@testable import Serialization

/// Bytes from hexadecimal digits.
private func hex(_ digits: String) -> [UInt8] {
    let digits = Array(digits.filter { !$0.isWhitespace })
    return stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(digits[$0...($0 + 1)]), radix: 16)
    }
}

@Suite("Protocol buffers, written")
struct ProtobufWriterTests {
    @Test("numbers, texts and nested messages are the examples of the format's description")
    func documentedExamples() {
        var message = ProtobufWriter()
        message.integer(1, 150)
        #expect(message.bytes == hex("089601"))
        message = ProtobufWriter()
        message.string(2, "testing")
        #expect(message.bytes == hex("120774657374696e67"))
        message = ProtobufWriter()
        message.message(3) { $0.integer(1, 150) }
        #expect(message.bytes == hex("1a03089601"))
        message = ProtobufWriter()
        message.packed(6, [3, 270, 86942])
        #expect(message.bytes == hex("3206038e029ea705"))
    }

    @Test("a negative number takes ten bytes, a field above 15 a tag of two, a float its bits")
    func edges() {
        var message = ProtobufWriter()
        message.integer(1, -2)
        #expect(message.bytes == hex("08feffffffffffffffff01"))
        message = ProtobufWriter()
        message.bool(17, true)
        #expect(message.bytes == hex("880101"))
        message = ProtobufWriter()
        message.float(2, 1.5)
        #expect(message.bytes == hex("150000c03f"))
    }
}

@Suite("Tensor bundles")
struct TensorBundleTests {
    @Test("index and data are, byte by byte, those that TensorFlow 2.21 writes")
    func sameAsTensorFlow() throws {
        var bundle = TensorBundle(data: RecordingSink())
        try bundle.append("a/b", .init(path: "a/b", tensor: Tensor([1.5, -2] as [Float])))
        try bundle.append("a/c", .init(path: "a/c", tensor: Tensor([7] as [Int32], shape: [1, 1])))
        try bundle.append("text", text: Array("spindle".utf8))
        #expect(bundle.data.bytes == hex("0000c03f000000c00700000007a78d9d887370696e646c65"))
        // tf.raw_ops.SaveV2 of the same tensors.
        let expected = """
            00000608011a02080100030f612f6208011204120208022808353d33c8f40201156308031208120208011202080120082804
            35a78d9d8800040d7465787408071200200c280c35ce66e70c0000000001000000000653c5c5000000000100000000c0f2a1
            b0000102750053000000000100000000cf05d5b85808650e0000000000000000000000000000000000000000000000000000
            0000000000000000000057fb808b247547db
            """
        #expect(bundle.index() == hex(expected))
    }

    @Test("the index is sorted by name, whatever the order of the tensors")
    func sorted() throws {
        func index(_ names: [String]) throws -> [UInt8] {
            var bundle = TensorBundle(data: RecordingSink())
            for name in names { try bundle.append(name, .init(path: name, tensor: Tensor([1] as [Float]))) }
            return bundle.index()
        }
        // Equal tensors at equal places: only the names are at stake.
        let (first, second) = (try index(["a", "b"]), try index(["b", "a"]))
        #expect(first.count == second.count && first != second)
        #expect(first.prefix(9) == second.prefix(9))
    }

    @Test(
        "a table of more keys than a block holds has several blocks, and an index with short keys between them"
    )
    func manyBlocks() {
        var table = SortedTable()
        let value = [UInt8](repeating: 7, count: 1 << 17)
        for key in ["aaa", "aab", "abb", "c"] { table.append(key: Array(key.utf8), value: value) }
        let bytes = table.finish()
        // The second block ends at "c", whose successor is "d"; the first is cut from it between "aab" and "abb".
        let tail = bytes.suffix(200)
        #expect(tail.contains(UInt8(ascii: "d")))
        #expect(bytes.suffix(8).elementsEqual([0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB]))
        #expect(bytes.count > 4 << 17)
    }
}

/// Keeps the bytes, and how many of them were not an array's.
struct RecordingSink: ByteSink {
    private(set) var bytes: [UInt8] = []
    private(set) var plainByteCount = 0

    mutating func write(_ bytes: UnsafeRawBufferPointer) {
        self.bytes.append(contentsOf: bytes)
        plainByteCount += bytes.count
    }

    mutating func write(_ range: Range<Int>, of array: StateArray) throws {
        try array.withUnsafeBytes { bytes.append(contentsOf: $0[range]) }
    }
}
