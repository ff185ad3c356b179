// Transforms: fitted on the training split, applied to any, saved as JSON.

import Datasets
import JobSpec
import TestSupport
import Testing

struct FittedTransformTests {
    static func specs(_ transforms: JSONValue) throws -> [TransformSpec] {
        try JobSpec.decode(
            JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
                .setting("/data/transforms", to: transforms)
        ).data.transforms
    }

    static func data(_ inputs: [Float], features: Int) -> ArrayDataset {
        let rows = inputs.count / features
        return ArrayDataset(
            rows: rows, features: features, inputs: inputs,
            target: .classes(Array(repeating: 0, count: rows)))
    }

    @Test(
        "scale multiplies; standardize takes mean and deviation of each column; a constant column stays finite"
    )
    func fitting() throws {
        var data = Self.data([1, 10, 5, 3, 20, 5], features: 3)
        let fitted = try FittedTransform.fit(
            Self.specs([["type": "scale", "by": 2], "standardize"]), on: &data)
        #expect(fitted == [.scale(by: 2), .standardize(mean: [4, 30, 10], deviation: [2, 10, 1])])
        #expect(data.inputs.floats == [-1, -1, 0, 1, 1, 0])
        var other = Self.data([2, 15, 6], features: 3)
        for transform in fitted { try transform.apply(to: &other) }
        #expect(other.inputs.floats == [0, 0, 2])
    }

    @Test("fitted transforms survive JSON, bit for bit")
    func json() throws {
        let transforms: [FittedTransform] = [
            .scale(by: 0.1), .standardize(mean: [0.1, -3.3e-20], deviation: [1, 7.7e10]),
        ]
        for transform in transforms {
            let text = transform.json.serialized()
            #expect(try FittedTransform(json: JSONValue(parsing: text)) == transform)
        }
        for wrong in [[:], ["type": "scale"], ["type": "standardize", "mean": [1], "deviation": []]]
            as [JSONValue]
        {
            #expect(FittedTransform(json: wrong) == nil)
        }
    }

    @Test("a transform fitted on other columns is an error")
    func wrongWidth() {
        var data = Self.data([1, 2], features: 2)
        #expect(throws: DatasetError.self) {
            try FittedTransform.standardize(mean: [0], deviation: [1]).apply(to: &data)
        }
    }
}
