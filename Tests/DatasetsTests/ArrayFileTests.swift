// Arrays and texts in files: the formats of NumPy and of MNIST, compressed or not, and what is damaged.

import Datasets
import Foundation
import JobSpec
import OrderedCollections
import TestSupport
import Testing

struct ArrayFileTests {
    static func npy(_ descriptor: String, _ shape: String, _ data: [UInt8]) -> Data {
        var header = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': \(shape), }"
        while (10 + header.utf8.count + 1) % 64 != 0 { header += " " }
        header += "\n"
        return Data(
            [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + data)
    }

    static func file(_ folder: TemporaryFolder, _ name: String, _ data: Data) throws -> String {
        let path = folder.path + "/" + name
        try data.write(to: URL(filePath: path))
        return path
    }

    @Test("the images and labels of MNIST are read from compressed IDX files")
    func mnist() throws {
        func inspect(_ name: String) throws -> FileSchema {
            let path = Repository.fixture("data/mnist5k/\(name).gz").path(percentEncoded: false)
            #expect(try DatasetFile.format(ofFileAt: path, mediaType: nil) == "idx")
            return try DatasetFile(path: path, format: "idx").inspect()
        }
        #expect(
            try inspect("train-images-idx3-ubyte")
                == .array(format: "idx", shape: [4000, 28, 28], type: "uint8", minimum: 0, maximum: 255))
        #expect(
            try inspect("t10k-labels-idx1-ubyte")
                == .array(format: "idx", shape: [1000], type: "uint8", minimum: 0, maximum: 9))
    }

    @Test(
        "NPY arrays of all types are read, in both byte orders",
        arguments: [
            ("<f4", "(2, 1)", [0, 0, 128, 63, 0, 0, 0, 192], "float32", [1, -2]),
            (">i2", "(2,)", [255, 254, 0, 7], "int16", [-2, 7]),
            ("|u1", "(3,)", [0, 128, 255], "uint8", [0, 128, 255]),
            ("<f8", "(1,)", [0, 0, 0, 0, 0, 0, 224, 63], "float64", [0.5]),
            ("<i8", "(1,)", [255, 255, 255, 255, 255, 255, 255, 255], "int64", [-1]),
        ] as [(String, String, [UInt8], String, [Double])])
    func types(descriptor: String, shape: String, data: [UInt8], type: String, values: [Double]) throws {
        let folder = try TemporaryFolder()
        let path = try Self.file(folder, "a.npy", Self.npy(descriptor, shape, data))
        #expect(try DatasetFile.format(ofFileAt: path, mediaType: nil) == "npy")
        guard
            case .array(_, _, let found, let minimum, let maximum) = try DatasetFile(
                path: path, format: "npy"
            ).inspect()
        else {
            Issue.record("no array")
            return
        }
        #expect(found == type)
        #expect(minimum == values.min())
        #expect(maximum == values.max())
    }

    @Test("arrays that are damaged or of other types are errors, not crashes")
    func damaged() throws {
        let folder = try TemporaryFolder()
        let whole = Self.npy("<f4", "(2, 1)", [0, 0, 128, 63, 0, 0, 0, 192])
        let files: [Data] = [
            whole.prefix(9), whole.prefix(40), whole.dropLast(), whole + [0],
            Self.npy("<c8", "(1,)", Array(repeating: 0, count: 8)),
            Self.npy("<f4", "()", [0, 0, 0, 0]), Self.npy("<f4", "(9223372036854775807, 3)", []),
            Self.npy("<f4", "(0,)", []), Data([0, 0, 8, 3, 0, 0]), Data([0, 0, 8, 1, 255, 255, 255, 255, 1]),
        ]
        for (index, data) in files.enumerated() {
            let path = try Self.file(folder, "a", data)
            #expect(throws: DatasetError.self, "file \(index)") {
                try DatasetFile(path: path, format: "npy").inspect()
            }
        }
        let compressed = try Data(contentsOf: Repository.fixture("data/mnist5k/t10k-labels-idx1-ubyte.gz"))
        for index in stride(from: 0, to: compressed.count, by: 7) {
            var bytes = compressed
            bytes[index] ^= 0x55
            let path = try Self.file(folder, "b", bytes)
            // Only what the checksum does not cover, such as the time in the header, may change unnoticed.
            let schema = try? DatasetFile(path: path, format: "idx").inspect()
            if let schema { #expect(schema.rows == 1000, "byte \(index)") }
            let short = try Self.file(folder, "c", compressed.prefix(index))
            #expect(throws: DatasetError.self) { try DatasetFile(path: short, format: "idx").inspect() }
        }
    }

    @Test("windows of a text are its characters' places, and the target the next ones")
    func windows() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("t.txt", "abcabcabdx")
        let spec = try JobSpec.decode([
            "model": ["type": "RecurrentLM", "vocab_size": "auto", "hidden": 2],
            "data": [
                "train": ["dataset": "t", "split": "0:9"], "validation": ["dataset": "t", "split": "5:"],
                "target": ["shift": 1],
                "transforms": ["tokenize_chars", ["type": "window", "length": 3, "stride": 2]],
                "batch_size": 2,
            ],
            "loss": "softmax_cross_entropy_with_integer_labels",
            "optimizer": ["type": "sgd", "learning_rate": 0.1],
            "budget": ["steps": 1],
        ])
        let datasets: OrderedDictionary<String, DatasetLocation> = [
            "t": DatasetLocation(path: path, format: "text")
        ]
        let shape = try DataShape(spec) { (reference) throws(DatasetError) in
            try JobData.file(of: reference, in: datasets).inspect()
        }
        #expect(shape.vocabulary == 5)
        #expect(shape.classes == 5)
        #expect(shape.inputShape == [3])
        #expect(shape.targetShape == [3])
        let data = try JobData(spec, datasets: datasets) { _ in throw DatasetError("no generator") }
        #expect(data.vocabulary == 5)
        #expect(shape.trainRows == data.train.data.rows)
        #expect(shape.validationRows == data.validation?.data.rows)
        var (inputs, targets) = ([Int32](repeating: -1, count: 6), [Int32](repeating: -1, count: 6))
        try inputs.withUnsafeMutableBytes {
            try data.train.copyInputs(ofBatch: 0, order: [2, 0, 1], into: $0)
        }
        try targets.withUnsafeMutableBytes {
            try data.train.copyTargets(ofBatch: 0, order: [2, 0, 1], into: $0)
        }
        // abc abc abd: rows begin at 0, 2, 4.
        #expect(inputs == [1, 2, 0, 0, 1, 2])
        #expect(targets == [2, 0, 1, 1, 2, 0])
        // cabdx: x is unknown to the training split.
        var last = [Int32](repeating: -1, count: 3)
        try last.withUnsafeMutableBytes { try data.validation?.copyTargets(ofBatch: 0, order: nil, into: $0) }
        #expect(last == [0, 1, 3])
    }
}
