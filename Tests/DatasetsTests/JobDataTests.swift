// From spec and files to shapes and batches, and what is said when they do not fit.

import Datasets
import JobSpec
import OrderedCollections
import TestSupport
import Testing

struct JobDataTests {
    static func digits() throws -> JSONValue {
        try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
    }

    static let locations: OrderedDictionary<String, DatasetLocation> = [
        "digits": DatasetLocation(
            path: Repository.fixture("data/digits.csv").path(percentEncoded: false), format: "csv"),
        "iris": DatasetLocation(
            path: Repository.fixture("data/iris.csv").path(percentEncoded: false), format: "csv"),
        "other": DatasetLocation(path: "/", format: "parquet"),
    ]

    static func shape(_ spec: JSONValue) throws -> DataShape {
        try DataShape(JobSpec.decode(spec)) { (reference) throws(DatasetError) in
            try JobData.file(of: reference, in: locations).inspect()
        }
    }

    static func noGenerator(_ spec: GeneratorSpec) throws -> ArrayDataset {
        throw DatasetError("no generator was expected")
    }

    @Test("the digits example has the shape and the data that it should")
    func digitsExample() throws {
        let shape = try Self.shape(Self.digits())
        #expect(shape.features == 64)
        #expect(shape.outputs == 1)
        #expect(shape.classes == 10)
        #expect(shape.trainRows == 1_437)
        #expect(shape.validationRows == 360)
        #expect(shape.batchesPerEpoch == 44)

        let data = try JobData(
            JobSpec.decode(Self.digits()), datasets: Self.locations, generate: Self.noGenerator)
        #expect(data.train.data.rows == 1_437)
        #expect(data.train.batchesPerEpoch == 44)
        #expect(data.validation?.data.rows == 360)
        #expect(data.validation?.batchesPerEpoch == 12)
        #expect(data.transforms == [.scale(by: 0.0625)])
        #expect(data.inputNames?.first == "pixel_0_0")
        #expect(data.train.data.inputs.floats.max() == 1)
    }

    @Test("a generator's data comes from the caller, and its shape from the spec")
    func generated() throws {
        let basics = try JSONValue(parsing: Repository.bytes(Repository.example("flax-basics.json")))
        let shape = try Self.shape(basics)
        #expect(shape.features == 10)
        #expect(shape.outputs == 5)
        #expect(shape.trainRows == 20)
        #expect(shape.classes == nil)
        let data = try JobData(JobSpec.decode(basics), datasets: [:]) { generator in
            #expect(generator.name == "linear_regression")
            return ArrayDataset(
                rows: 20, features: 10, inputs: Array(repeating: 1, count: 200),
                target: .values(Array(repeating: 2, count: 100), outputs: 5))
        }
        #expect(data.train.batchesPerEpoch == 1)
        #expect(data.validation == nil)
        #expect(data.inputNames == nil)
    }

    @Test("standardize learns from the training split only, and a resumed run keeps what was learned")
    func standardized() throws {
        let spec = try JobSpec.decode(
            Self.digits().setting("/data/transforms", to: ["standardize"])
                .setting("/data/train", to: ["dataset": "iris", "split": "0:100"])
                .setting("/data/validation", to: ["dataset": "iris", "split": "100:"]))
        let data = try JobData(spec, datasets: Self.locations, generate: Self.noGenerator)
        guard case .standardize(let mean, _) = data.transforms.first else {
            Issue.record("not standardized")
            return
        }
        // Means of the first 100 rows, from NumPy.
        let expected: [Float] = [5.471, 3.099, 2.861, 0.786]
        for (got, wanted) in zip(mean, expected) { #expect(abs(got - wanted) < 1e-4) }
        let resumed = try JobData(
            spec, datasets: Self.locations, fitted: data.transforms, generate: Self.noGenerator)
        #expect(resumed.train.data.inputs == data.train.data.inputs)
        #expect(resumed.validation?.data.inputs == data.validation?.data.inputs)
    }

    @Test(
        "specs that do not fit their data are refused with their place",
        arguments: [
            ("/data/target", "label", "unknown_name", "#/data/target", "no column"),
            ("/data/target", "targte", "unknown_name", "#/data/target", "did you mean target?"),
            (
                "/data/inputs", ["pixel_0_0", "pixel_9_9"], "unknown_name", "#/data/inputs/1",
                "did you mean pixel"
            ),
            ("/data/train/split", "2000:", "empty_split", "#/data/train/split", "has none"),
            ("/data/batch_size", 2000, "conflict", "#/data/batch_size", "1437 or less"),
            ("/data/validation/dataset", "iris", "shape_mismatch", "#/data/validation", "has 4 inputs"),
            ("/data/train/dataset", "none", "data_error", "#/data/train/dataset", "not given"),
            ("/data/train/dataset", "other", "data_error", "#/data/train/dataset", "parquet"),
        ] as [(String, JSONValue, String, String, String)])
    func unfit(change: String, value: JSONValue, code: String, pointer: String, detail: String) throws {
        let spec = try Self.digits().setting(change, to: value)
        let errors = try #require(throws: SpecErrors.self) { try Self.shape(spec) }
        let problem = try #require(errors.problems.first { $0.pointer == pointer }, "\(errors)")
        #expect(problem.code == code)
        #expect(problem.detail.contains(detail), "\(problem)")
    }

    @Test("texts, empty cells and fractions as labels are refused when planning")
    func columns() throws {
        let folder = try TemporaryFolder()
        let cases = [
            ("a,target\nx,1\n2,2\n", "wrong_type", "#/data/inputs", "has texts"),
            ("a,target\n1,1\n,2\n", "missing_values", "#/data/inputs", "1 empty cells"),
            ("a,target\n1,1.5\n2,2\n", "wrong_type", "#/data/target", "has float values from 1.5 to 2.0"),
            ("a,target\n1,-1\n2,2\n", "wrong_type", "#/data/target", "from -1.0 to 2.0"),
            ("target\n1\n", "conflict", "#/data/target", "no input"),
            ("a,target\n1\n", "data_error", "#/data/train/dataset", "row 1"),
        ]
        let spec = try JobSpec.decode(
            Self.digits().setting("/data/validation", to: nil).setting("/evaluation", to: nil)
                .setting("/checkpoint", to: nil).setting("/data/batch_size", to: 1))
        for (text, code, pointer, detail) in cases {
            let path = try folder.write("t.csv", text)
            let errors = try #require(throws: SpecErrors.self) {
                try DataShape(spec) { (_) throws(DatasetError) in
                    try DatasetFile(path: path, format: "csv").inspect()
                }
            }
            let problem = try #require(errors.problems.first { $0.pointer == pointer }, "\(errors)")
            #expect(problem.code == code)
            #expect(problem.detail.contains(detail), "\(problem)")
        }
    }
}
