// Files from outside: what they become, and that damaged ones are errors, whatever their bytes.
import Foundation
import TensorEngine
import TestSupport
import Testing

@testable import Serialization

private let limit = 1 << 20

private func sample() throws -> StateDict {
    [
        "step": 3,
        "params": [
            "Dense_0": [
                "kernel": .array(.tensor(try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]))),
                "bias": .array(.tensor(try Tensor([7, 8, 9] as [Float]))),
            ]
        ],
        "batch_stats": ["mean": .array(.tensor(try Tensor([0.5] as [Float])))],
    ]
}

private func arrays(_ state: StateDict) throws -> [String: [Double]] {
    let named = try NamedArrays(state, separator: "/")
    return try Dictionary(uniqueKeysWithValues: named.names.map { ($0, try named.tensor($0).doubles()) })
}

@Suite struct BroughtStateTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func bring(_ bytes: [UInt8], maximumBytes: Int = limit) throws -> BroughtState {
        try BroughtState(fileAt: try folder.write("file", bytes), maximumBytes: maximumBytes)
    }

    @Test("every format gives the same values, by names with dots and with slashes")
    func formats() throws {
        let state = try sample()
        let expected = try arrays(state)
        for separator in [".", "/"] {
            let named = try NamedArrays(state, separator: separator)
            for bytes in [
                try msgpackSerialize(state), try safetensorsSerialize(named, metadata: ["format": "pt"]),
                try npzSerialize(named),
            ] {
                let brought = try bring(bytes)
                #expect(try arrays(brought.state) == expected, "\(brought.format)")
                #expect(Set(brought.parts) == ["step", "params", "batch_stats"])
                #expect(brought.elementCount == (brought.format == .messagePack ? 10 : 11))
            }
        }
    }

    @Test("a file without params holds the parameters, and the file that is written is Flax's")
    func bareParameters() throws {
        let bare = try #require(try sample()["params"])
        let brought = try bring(try npzSerialize(try NamedArrays(bare, separator: "/")))
        #expect(brought.parts == ["params"])
        let path = folder.path("out.msgpack")
        let written = try StateFile.writeMessagePack(brought.state, to: path)
        let bytes = try Repository.bytes(URL(filePath: path))
        #expect(written.byteCount == bytes.count)
        #expect(
            try arrays(try msgpackRestore(bytes)).mapValues(\.count) == [
                "params/Dense_0/kernel": 6, "params/Dense_0/bias": 3,
            ])
        #expect(try arrays(try msgpackRestore(fileAt: path)) == (try arrays(try msgpackRestore(bytes))))
    }

    @Test("what a checkpoint cannot have is refused with what it is")
    func refused() throws {
        let values: [(got: String, value: StateDict)] = [
            ("a string", .string("text")), ("a byte string", .bytes([1])),
            ("a complex number", .complex(real: 1, imaginary: 2)), ("a list", .list([.int(1)])),
            ("a file with none", .int(1)),
        ]
        for (got, value) in values {
            let params = StateDict.dictionary([StateDict.Entry("a", value)])
            let bytes = try msgpackSerialize(.dictionary([StateDict.Entry("params", params)]))
            let error = #expect(throws: SerializationError.self) { try bring(bytes) }
            #expect(error?.got.contains(got) == true, "\(got): \(error?.description ?? "")")
        }
    }

    @Test("a key twice is an error here, though Python takes the last")
    func repeatedKeys() throws {
        // {"params": {…}, "params": {…}}
        let inner = try msgpackSerialize(["a": .array(.tensor(try Tensor([1] as [Float])))])
        let key: [UInt8] = [0xA6] + Array("params".utf8)
        let bytes: [UInt8] = [0x82] + key + inner + key + inner
        #expect(try msgpackRestore(bytes)["params"] != nil)
        let error = #expect(throws: SerializationError.self) { try bring(bytes) }
        #expect(error?.description.contains("'params' again") == true)
        #expect(error?.byteOffset == 1 + key.count + inner.count)
    }

    @Test("arrays that grow beyond the limit when they are decompressed are refused before that")
    func bomb() throws {
        let named = NamedArrays([("a", .tensor(try zeros([1000])))])
        let error = #expect(throws: SerializationError.self) {
            try bring(try npzSerialize(named), maximumBytes: 1000)
        }
        #expect(error?.kind == .limit)
    }

    @Test("other bytes are no file of these formats", arguments: ["", "x", "{\"a\": 1}", "PK", "\u{7f}ELF"])
    func otherBytes(text: String) throws {
        #expect(throws: SerializationError.self) { try bring(Array(text.utf8)) }
    }

    @Test("a file that is cut short anywhere is an error", arguments: BroughtState.Format.allCases)
    func truncated(format: BroughtState.Format) throws {
        let whole = try file(format)
        for count in 0..<whole.count {
            #expect(throws: SerializationError.self, "\(count) bytes") { try bring(Array(whole[..<count])) }
        }
    }

    @Test(
        "damaged files are errors or other values, and nothing else", arguments: BroughtState.Format.allCases)
    func fuzz(format: BroughtState.Format) throws {
        var generator = SeededGenerator(seed: 11)
        let whole = try file(format)
        var refusals = 0
        for round in 0..<1500 {
            var bytes = whole
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1: bytes[place] = [0, 0x7F, 0x80, 0xDF, 0xFF].randomElement(using: &generator) ?? 0
                case 2: bytes.remove(at: place)
                default: bytes.insert(.random(in: 0...255, using: &generator), at: place)
                }
            }
            do {
                let brought = try bring(bytes)
                let output = folder.path("out-\(round)")
                _ = try StateFile.writeMessagePack(brought.state, to: output)
                try FileManager.default.removeItem(atPath: output)
            } catch is SerializationError {
                refusals += 1
                try? FileManager.default.removeItem(atPath: folder.path("out-\(round)"))
            }
        }
        #expect(refusals > 300, "\(refusals)")
    }

    private func file(_ format: BroughtState.Format) throws -> [UInt8] {
        let state = try sample()
        return switch format {
        case .messagePack: try msgpackSerialize(state)
        case .safetensors: try safetensorsSerialize(try NamedArrays(state, separator: "."))
        case .npz: try npzSerialize(try NamedArrays(state, separator: "/"))
        }
    }
}

@Suite struct FileArrayTests {
    @Test("arrays of a file, split ones too, have the values that are in memory")
    func splitArrays() throws {
        let folder = try TemporaryFolder()
        let state: StateDict = [
            "whole": .array(.tensor(try Tensor([1, -2, 3] as [Int32]))),
            "split": .array(.tensor(try Tensor((0..<40).map { Float($0) }, shape: [5, 8]))),
            "flags": .array(.tensor(try Tensor([true, false, true]))),
        ]
        let path = try folder.write("state", try msgpackSerialize(state, maximumChunkBytes: 28))
        let read = try msgpackRestore(fileAt: path)
        #expect(try arrays(read) == (try arrays(state)))
        guard case .array(.file(let array))? = read["split"] else {
            Issue.record("the array is in memory")
            return
        }
        #expect(array.shape == [5, 8] && array.byteCount == 160)
    }
}

@Suite struct TarArchiveTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("a folder comes back from its archive, and is always the same archive")
    func roundTrip() throws {
        let files = FileManager.default
        let source = folder.path("model")
        try files.createDirectory(atPath: source + "/variables", withIntermediateDirectories: true)
        let contents = ["saved_model.pb": 1000, "variables/variables.index": 0, "variables/data": 512]
        for (name, count) in contents {
            try Data(repeating: 7, count: count).write(to: URL(filePath: source + "/" + name))
        }
        let summary = try TarArchive.write(source, to: folder.path("a.tar"))
        #expect(summary.byteCount == 512 * (1 + 2 + 1 + 1 + 2 + 2))
        #expect(try TarArchive.write(source, to: folder.path("b.tar")) == summary)
        try TarArchive.extract(folder.path("a.tar"), to: folder.path("copy"))
        for (name, count) in contents {
            let copy = try Data(contentsOf: URL(filePath: folder.path("copy") + "/" + name))
            #expect(copy == Data(repeating: 7, count: count), "\(name)")
        }
    }

    @Test(
        "names that leave the folder, links and cut archives are refused, and nothing stays",
        arguments: ["../evil", "/evil", "a/../../evil", "a//b", "./a", ""])
    func hostile(name: String) throws {
        let source = folder.path("model")
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        try Data([1, 2, 3]).write(to: URL(filePath: source + "/file"))
        _ = try TarArchive.write(source, to: folder.path("good.tar"))
        var bytes = try Repository.bytes(URL(filePath: folder.path("good.tar")))
        for index in 0..<100 { bytes[index] = 0 }
        for (index, byte) in name.utf8.enumerated() { bytes[index] = byte }
        seal(&bytes)
        try refuse(bytes)
        bytes[0] = UInt8(ascii: "f")
        bytes[156] = UInt8(ascii: "2")
        seal(&bytes)
        try refuse(bytes)
        try refuse(Array(try Repository.bytes(URL(filePath: folder.path("good.tar")))[..<600]))
    }

    private func refuse(_ bytes: [UInt8]) throws {
        let path = try folder.write("bad.tar", bytes)
        #expect(throws: SerializationError.self) { try TarArchive.extract(path, to: folder.path("out")) }
        #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
        #expect(!FileManager.default.fileExists(atPath: folder.path("evil")))
    }

    /// Makes the header's checksum right again.
    private func seal(_ bytes: inout [UInt8]) {
        for index in 148..<156 { bytes[index] = 0x20 }
        let sum = bytes[..<512].reduce(0) { $0 + Int($1) }
        let digits = Array(String(sum, radix: 8).utf8)
        let padded = [UInt8](repeating: 0x30, count: 6 - digits.count) + digits
        bytes.replaceSubrange(148..<155, with: padded + [0])
    }
}
