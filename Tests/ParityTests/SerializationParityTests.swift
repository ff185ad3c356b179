// The suite `serialization`: Flax's bytes, state dicts and restoring.
import Foundation
import Hashing
import JobSpec
import Serialization
import Testing

@Suite struct SerializationParityTests {
    @Test("values are written byte for byte as Flax writes them, and read back the same")
    func values() throws { try checkParity("serialization", "values", notBuilt: 0, check) }

    @Test("large arrays are split as Flax splits them")
    func chunked() throws { try checkParity("serialization", "chunked", notBuilt: 0, check) }

    @Test("state dicts have Flax's keys")
    func stateDicts() throws { try checkParity("serialization", "state_dict", notBuilt: 0, check) }

    @Test("restoring into a template accepts and refuses what Flax does")
    func restore() throws { try checkParity("serialization", "restore", notBuilt: 0, check) }

    private func check(_ parityCase: ParityCase) throws {
        let config = parityCase.config
        func value(_ key: String) throws -> StateDict { try config.member(key).stateValue() }
        switch config["func"]?.stringValue {
        case "to_bytes", "msgpack_serialize":
            let limit = config["max_chunk_size"]?.intValue.map { Int($0) } ?? defaultMaximumChunkBytes
            let bytes =
                config["func"]?.stringValue == "to_bytes"
                ? try toBytes(value("value"), maximumChunkBytes: limit)
                : try msgpackSerialize(value("value"), maximumChunkBytes: limit)
            if parityCase.expectsError { return }
            let file = try parityCase.expected.member("file").stringValue ?? ""
            let golden = try Data(
                contentsOf: ParitySuite.folder.appendingPathComponent("serialization/\(file)"))
            guard bytes == [UInt8](golden) else {
                throw ParityMismatch("bytes differ from \(file): \(hexadecimal(bytes.prefix(200)))")
            }
            if let sha256 = parityCase.expected["sha256"]?.stringValue {
                guard SHA256.hash(bytes).hex == sha256 else { throw ParityMismatch("SHA-256 differs") }
            }
            try expectSame(msgpackRestore(bytes), parityCase.expected.member("restored").stateValue())
        case "to_state_dict":
            try expectSame(toStateDict(value("value")), parityCase.expected.member("out").stateValue())
        case "from_bytes":
            let bytes = try config["hex"]?.stringValue?.hexBytes() ?? toBytes(value("value"))
            let restored = try fromBytes(value("target"), bytes)
            if parityCase.expectsError { return }
            try expectSame(restored, parityCase.expected.member("out").stateValue())
        case "msgpack_restore":
            let restored = try msgpackRestore(try (config.member("hex").stringValue ?? "").hexBytes())
            if parityCase.expectsError { return }
            try expectSame(restored, parityCase.expected.member("out").stateValue())
        case let other:
            throw ParityMismatch("unknown function \(other ?? "none")")
        }
    }
}
