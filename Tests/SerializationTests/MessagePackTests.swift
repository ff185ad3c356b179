// The MessagePack writer and reader: smallest encodings, and bytes that may be anything.
import Foundation
import TestSupport
import Testing

@testable import Serialization

@Suite struct MessagePackTests {
    /// Expected bytes from the specification's format table, at each border between two encodings.
    @Test(
        "integers take the smallest encoding",
        arguments: [
            (0, [0x00]), (127, [0x7F]), (128, [0xCC, 0x80]), (255, [0xCC, 0xFF]), (256, [0xCD, 0x01, 0x00]),
            (65535, [0xCD, 0xFF, 0xFF]), (65536, [0xCE, 0, 1, 0, 0]),
            (4_294_967_296, [0xCF, 0, 0, 0, 1, 0, 0, 0, 0]),
            (-1, [0xFF]), (-32, [0xE0]), (-33, [0xD0, 0xDF]), (-128, [0xD0, 0x80]),
            (-129, [0xD1, 0xFF, 0x7F]),
            (-32769, [0xD2, 0xFF, 0xFF, 0x7F, 0xFF]),
            (Int64.min, [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ] as [(Int64, [UInt8])])
    func integers(value: Int64, expected: [UInt8]) throws {
        #expect(try msgpackSerialize(.int(value)) == expected)
        #expect(try msgpackRestore(expected).intValue == value)
    }

    @Test(
        "a broken value is an error that says at which byte",
        arguments: [
            ("", 0), ("c1", 0), ("81a16", 0), ("81a161", 3), ("dcffff", 0), ("dfffffffff", 0),
            ("c6ffffffff00", 0),
            ("92c0", 0), ("91a2", 1), ("a2c3", 0), ("a1ff", 1), ("0101", 1), ("81c001", 1),
            ("c70301939102", 3),
            ("d6019301a101", 2),
        ])
    func broken(hex: String, offset: Int) throws {
        let digits = Array(hex.utf8)
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
        let error = #expect(throws: SerializationError.self) { try msgpackRestore(bytes) }
        #expect(error?.kind == .malformed)
        #expect(error?.byteOffset == offset, "\(error?.description ?? "")")
    }

    @Test("nesting beyond the limit is refused, in reading and in writing, instead of overflowing the stack")
    func depth() throws {
        let bytes = [UInt8](repeating: 0x91, count: 100_000) + [0xC0]
        #expect(#expect(throws: SerializationError.self) { try msgpackRestore(bytes) }?.kind == .limit)
        var value = StateDict.none
        for _ in 0..<200 { value = .list([value]) }
        #expect(#expect(throws: SerializationError.self) { try msgpackSerialize(value) }?.kind == .limit)
        #expect(throws: SerializationError.self) { try toBytes(value) }
    }

    @Test(
        "damaged files give a value or an error, never a trap, and a value that was read can be written again"
    )
    func fuzz() throws {
        let folder = Repository.fixture("parity/serialization")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .filter { $0.hasSuffix(".msgpack") && !$0.hasPrefix("ext32") && !$0.hasPrefix("map32") }
        #expect(names.count > 50)
        var random = SplitMix64(state: 7)
        var refused = 0
        for name in names {
            let original = try Repository.bytes(folder.appending(path: name))
            for _ in 0..<120 {
                var bytes = original
                for _ in 0...random.below(4) where !bytes.isEmpty {
                    let place = random.below(bytes.count)
                    switch random.below(4) {
                    case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                    case 1: bytes[place] ^= 1 << UInt8(random.below(8))
                    case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(8)))
                    default:
                        bytes.insert(contentsOf: [0xDF, 0xFF, 0xFF].prefix(1 + random.below(3)), at: place)
                    }
                }
                do {
                    let value = try msgpackRestore(bytes)
                    let again = try toBytes(value)
                    // What was written is canonical: reading and writing it once more changes nothing.
                    #expect(try toBytes(try msgpackRestore(again)) == again, "\(name)")
                } catch is SerializationError {
                    refused += 1
                }
            }
        }
        #expect(refused > 1000)
    }
}

/// A small seeded generator, so that a failure repeats.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
