// safetensors, npy and npz against files of the real libraries, damaged files, and the ways that names become trees.
import Foundation
import TensorEngine
import TestSupport
import Testing

@testable import Serialization

private func fixture(_ name: String) throws -> [UInt8] {
    try Repository.bytes(Repository.fixture("arrays/" + name))
}

/// What `make.py` puts into an array of this type: 0, 2, 4, 1, 3, 0, less 2 where the type has signs.
private func values(_ dtype: String) -> [Double] {
    dtype == "bool"
        ? [0, 1, 1, 1, 1, 0] : [0, 2, 4, 1, 3, 0].map { dtype.hasPrefix("u") ? $0 : $0 - 2 }
}

private let dtypes = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64",
]

private func bytes(_ array: StateArray?) throws -> [UInt8] {
    try #require(array).withUnsafeBytes { Array($0) }
}

private func tensor(_ array: StateArray) throws -> Tensor {
    guard case .tensor(let tensor) = array else {
        throw SerializationError(.structure, "test", expected: "", got: "")
    }
    return tensor
}

@Suite struct SafeTensorsTests {
    @Test("a file of the real library gives every type, and is written again with the same bytes")
    func realFile() throws {
        let file = try fixture("all.safetensors")
        let (arrays, metadata) = try safetensorsRestore(file)
        #expect(metadata == ["format": "np"])
        for dtype in dtypes + ["bfloat16"] {
            let tensor = try arrays.tensor("all/\(dtype)")
            #expect(tensor.dtype.description == dtype)
            #expect(tensor.shape == [2, 3])
            #expect(try tensor.doubles() == values(dtype), "\(dtype)")
        }
        #expect(arrays["all/complex64"]?.dtypeName == "complex64")
        #expect(try arrays.tensor("scalar").item() == 2.5)
        #expect(try arrays.tensor("empty").shape == [0, 4])
        #expect(try arrays.tensor("name with \"quotes\", \\ and ünïcode").doubles() == [1, 2])
        #expect(try safetensorsSerialize(arrays, metadata: metadata) == file)
        let plain = try fixture("plain.safetensors")
        #expect(try safetensorsSerialize(try safetensorsRestore(plain).arrays) == plain)
    }

    @Test("an empty file of no arrays is one")
    func empty() throws {
        let file = try safetensorsSerialize(NamedArrays())
        #expect(try safetensorsRestore(file).arrays.count == 0)
    }

    @Test(
        "a header that lies is refused",
        arguments: [
            // Offsets beyond the file, in the wrong order, with a gap, overlapping, or leaving bytes.
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            // Shapes that do not fit the bytes, or no number at all.
            #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#,
            // Names twice, fields missing or unknown, types unknown, and JSON that is none.
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"#,
            #"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}"#,
            #"{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}"#,
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}"#,
            #"{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            #" {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            #"[]"#, #"{"#, "",
        ])
    func lies(header: String) throws {
        let file = Self.file(header, data: 8)
        #expect(throws: SerializationError.self) { try safetensorsRestore(file) }
    }

    @Test("escapes in names are understood, beyond 16 bits too")
    func escapes() throws {
        let file = Self.file(
            #"{"\u0061\ud83d\ude00\n":{"shape":[2],"dtype":"F32","data_offsets":[0,8]}}"#, data: 8)
        #expect(try safetensorsRestore(file).arrays.names == ["a😀\n"])
    }

    @Test("a header's length beyond the file is refused")
    func lengths() throws {
        for length: UInt64 in [3, 100, .max, 1 << 63] {
            let file = withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array("{}".utf8)
            let error = #expect(throws: SerializationError.self) { try safetensorsRestore(file) }
            #expect(error?.byteOffset == 0)
        }
    }

    private static func file(_ header: String, data: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
            + [UInt8](repeating: 0, count: data)
    }
}

@Suite struct NumPyTests {
    @Test(
        "npy files of the real library give their values, and are written again with the same bytes",
        arguments: dtypes)
    func realFiles(dtype: String) throws {
        let file = try fixture("\(dtype).npy")
        let array = try npyRestore(file)
        #expect(array.dtypeName == dtype)
        #expect(try tensor(array).doubles() == values(dtype))
        #expect(try npySerialize(array) == file)
    }

    @Test("other shapes and versions, complex numbers and bfloat16 too")
    func others() throws {
        for name in ["scalar", "vector", "complex64", "bfloat16"] {
            let file = try fixture("\(name).npy")
            #expect(try npySerialize(try npyRestore(file)) == file, "\(name)")
        }
        #expect(try tensor(npyRestore(try fixture("bfloat16.npy"))).dtype == .bfloat16)
        for name in ["version2", "version3", "fortran", "bigendian"] {
            let tensor = try tensor(npyRestore(try fixture("\(name).npy")))
            #expect(tensor.shape == [2, 3])
            #expect(try tensor.doubles() == values("float32"), "\(name)")
        }
    }

    @Test("an empty array with dimensions whose product is beyond all numbers is refused")
    func hugeEmpty() throws {
        var header = Array(
            "{'descr': '<f4', 'fortran_order': True, 'shape': (4611686018427387904, 8, 0), }\n".utf8)
        header = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.count), 0] + header
        #expect(#expect(throws: SerializationError.self) { try npyRestore(header) }?.kind == .limit)
    }

    @Test("objects and structures are refused as such", arguments: ["object", "structured"])
    func unsupported(name: String) throws {
        let error = #expect(throws: SerializationError.self) { try npyRestore(try fixture("\(name).npy")) }
        #expect(error?.kind == .unsupported)
    }

    @Test("archives of the real library are read, stored and compressed")
    func archives() throws {
        let stored = try npzRestore(try fixture("stored.npz"))
        for dtype in dtypes + ["bfloat16"] {
            #expect(try stored.tensor("all_\(dtype)").doubles() == values(dtype), "\(dtype)")
        }
        #expect(try stored.tensor("empty").shape == [0, 4])
        let deflated = try npzRestore(try fixture("deflated.npz"))
        #expect(deflated.names == ["repeated", "random", "nested/name"])
        #expect(
            try deflated.tensor("repeated").doubles() == (0..<4096).map { Double($0 % 64) })
        #expect(try deflated.tensor("random").shape == [700])
    }

    @Test("an archive that was written is read again")
    func written() throws {
        let arrays = try npzRestore(try fixture("stored.npz"))
        let again = try npzRestore(try npzSerialize(arrays))
        #expect(again.names == arrays.names)
        for name in arrays.names { #expect(try bytes(again[name]) == bytes(arrays[name]), "\(name)") }
    }

    @Test("a changed byte of an array is noticed")
    func checksum() throws {
        var file = try npzSerialize(NamedArrays([("x", .tensor(try zeros([4])))]))
        let place = try #require(file.firstIndex(of: 0x0A)) + 3
        file[place] ^= 1
        let error = #expect(throws: SerializationError.self) { try npzRestore(file) }
        #expect(error?.expected.hasPrefix("the checksum") == true)
        #expect(error?.path == "x")
    }
}

@Suite struct ArrayFileFuzzTests {
    /// Every reader with files that it reads.
    private static let readers: [(name: String, files: [String], read: @Sendable ([UInt8]) throws -> Void)] =
        [
            ("safetensors", ["all.safetensors", "plain.safetensors"], { _ = try safetensorsRestore($0) }),
            (
                "npy", ["float32.npy", "fortran.npy", "bigendian.npy", "version2.npy", "structured.npy"],
                { _ = try npyRestore($0) }
            ),
            ("npz", ["stored.npz", "deflated.npz"], { _ = try npzRestore($0) }),
        ]

    @Test("damaged files give arrays or an error, never a trap", arguments: readers.indices)
    func damaged(index: Int) throws {
        let reader = Self.readers[index]
        let files = try reader.files.map(fixture)
        var generator = SeededGenerator(seed: UInt64(index) + 1)
        let deadline = ContinuousClock.now + .seconds(3)
        for round in 0..<20_000 where ContinuousClock.now < deadline {
            var file = files[round % files.count]
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                let place = Int.random(in: file.indices, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: file[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1: file[place] = .random(in: 0...255, using: &generator)
                case 2: file.removeSubrange(place..<min(place + 8, file.count))
                case 3: file.insert(.random(in: 0...255, using: &generator), at: place)
                default: file[place] = [0, 0xFF, 0x7F, 0x80, 0x39].randomElement(using: &generator) ?? 0
                }
                if file.isEmpty { file = [0] }
            }
            do { try reader.read(file) } catch is SerializationError {}
        }
    }

    @Test("damaged compressed data gives bytes or an error, whatever its size claims")
    func deflate() throws {
        let file = try fixture("deflated.npz")
        let member = try #require(try ZipDirectory(file).members.first)
        #expect(member.isCompressed)
        var generator = SeededGenerator(seed: 9)
        let deadline = ContinuousClock.now + .seconds(3)
        for _ in 0..<20_000 where ContinuousClock.now < deadline {
            var stream = Array(file[member.data])
            for _ in 0...3 {
                stream[Int.random(in: stream.indices, using: &generator)] = .random(
                    in: 0...255, using: &generator)
            }
            do { _ = try inflate(stream[...], count: member.size) } catch is SerializationError {}
        }
        #expect(throws: SerializationError.self) { try inflate([0x03, 0x00], count: .max / 2) }
    }

    @Test("streams of each block type, as zlib writes them")
    func blocks() throws {
        // zlib.compressobj(level, zlib.DEFLATED, -15) of b"abc" * 5: stored (level 0), fixed (level 9); of nothing.
        #expect(
            try inflate([0x01, 0x03, 0x00, 0xFC, 0xFF, 0x61, 0x62, 0x63], count: 3) == Array("abc".utf8))
        #expect(
            try inflate([0x4B, 0x4C, 0x4A, 0x4E, 0x44, 0x42, 0x00], count: 15)
                == Array(String(repeating: "abc", count: 5).utf8))
        #expect(try inflate([0x03, 0x00], count: 0) == [])
    }
}

@Suite struct NamedArraysTests {
    @Test("a tree becomes names and a tree again")
    func trees() throws {
        let tree: Tree = [
            "params": ["Dense_0": ["bias": .tensor(try zeros([2])), "kernel": .tensor(try ones([3, 2]))]]
        ]
        let arrays = try NamedArrays(tree)
        #expect(arrays.names == ["params.Dense_0.bias", "params.Dense_0.kernel"])
        let again = try safetensorsRestore(try safetensorsSerialize(arrays)).arrays.tree()
        #expect(again.structureDifference(from: tree) == nil)
        #expect(try again["params"]?["Dense_0"]?["kernel"]?.tensor?.doubles() == [1, 1, 1, 1, 1, 1])
    }

    @Test("keys with the separator, and names that are both array and prefix, are refused")
    func ambiguous() throws {
        let leaf = Tree.tensor(try zeros([]))
        #expect(throws: SerializationError.self) { try NamedArrays(["a.b": leaf] as Tree) }
        #expect(try NamedArrays(["a.b": leaf] as Tree, separator: "/").names == ["a.b"])
        let array = StateArray.tensor(try zeros([]))
        for names in [["a", "a.b"], ["a.b", "a"]] {
            let arrays = NamedArrays(names.map { ($0, array) })
            #expect(throws: SerializationError.self) { try arrays.tree() }
        }
    }
}

@Suite struct PartialRestoreTests {
    private func params(_ width: Int, _ names: [String]) throws -> Tree {
        .dictionary(FrozenDict(try names.map { ($0, .tensor(try ones([width]))) }))
    }

    @Test("a partial restore takes what fits, keeps the rest, and says which is which")
    func partial() throws {
        let template: Tree = [
            "encoder": try params(2, ["bias", "scale"]), "head": try params(3, ["bias"]),
            "step": .tensor(try zeros([], dtype: .int32)),
        ]
        let saved: Tree = [
            "encoder": .dictionary([
                "bias": .tensor(try full([2], 5)), "scale": .tensor(try full([4], 5)),
                "other": .tensor(try zeros([])),
            ]), "old_head": try params(3, ["bias"]), "step": .tensor(try full([], 7, dtype: .int32)),
        ]
        let (value, report) = try restore(template, from: try toStateDict(saved), mode: .partial)
        #expect(report.restored.sorted() == ["encoder/bias", "step"])
        #expect(report.missing == ["head/bias"])
        #expect(report.unused.sorted() == ["encoder/other", "old_head/bias"])
        #expect(report.mismatched.map(\.path) == ["encoder/scale"])
        #expect(try value["encoder"]?["bias"]?.tensor?.doubles() == [5, 5])
        #expect(try value["encoder"]?["scale"]?.tensor?.doubles() == [1, 1])
        #expect(try value["step"]?.tensor?.item() == 7)
        let error = #expect(throws: SerializationError.self) {
            try restore(template, from: try toStateDict(saved))
        }
        for text in ["'head/bias'", "'encoder/other'", "'encoder/scale' (expected an array of float32 [2]"] {
            #expect(error?.got.contains(text) == true, "\(error?.got ?? "")")
        }
    }

    @Test("another element type is a mismatch, unless types are cast")
    func types() throws {
        let state = try toStateDict(["x": .tensor(try full([2], 1.5, dtype: .bfloat16))] as Tree)
        let template: Tree = ["x": .tensor(try zeros([2]))]
        #expect(try restore(template, from: state, mode: .partial).report.mismatched.count == 1)
        let (value, report) = try restore(template, from: state, castsTypes: true)
        #expect(report.isComplete)
        #expect(value["x"]?.tensor?.dtype == .float32)
        #expect(try value["x"]?.tensor?.doubles() == [1.5, 1.5])
    }

    @Test("an optimizer's state comes back whole from its state dict in strict mode")
    func optimizerState() throws {
        let state = Tree.tuple([
            .record(
                name: "ScaleByAdamState",
                fields: [
                    Tree.Field("count", .tensor(try full([], 3, dtype: .int32))),
                    Tree.Field("mu", ["w": .tensor(try ones([2]))]),
                ]), .emptyState,
        ])
        let template = try state.map { try zerosLike($0) }
        let restored = try restore(template, from: try msgpackRestore(try toBytes(state)))
        #expect(restored.report.isComplete)
        #expect(try restored.value["0"]?["count"]?.tensor?.item() == 3)
    }
}
