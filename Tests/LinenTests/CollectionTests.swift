// Variables besides parameters: mutable collections, intermediate results, random streams.
import TensorEngine
import Testing

@testable import Linen

@Suite("Collections and random streams")
struct CollectionTests {
    @Test(
        "apply returns the updated mutable collections, and initialize leaves running statistics as they begin"
    )
    func updates() throws {
        let module = RunningMean()
        let x = try sampleInput(width: 1)
        let variables = try module.initialize(key(), x)
        #expect(try variables.tensor(at: "batch_stats/mean").doubles() == [0])
        let (_, updates) = try module.apply(variables, x, mutable: ["batch_stats"])
        #expect(paths(updates) == ["batch_stats/mean"])
        let expected = Double(Float(0.1) * Float((0.25 - 0.5 - 0.5) / 2))
        #expect(abs(try updates.tensor(at: "batch_stats/mean").item() - expected) < 1e-7)
        #expect(try variables.tensor(at: "batch_stats/mean").doubles() == [0])
    }

    @Test("sow collects in a tuple where the collection is mutable, and nothing elsewhere")
    func sow() throws {
        let module = Custom { module, x in
            try module.sow("intermediates", "h", x)
            try module.sow("intermediates", "h", 2 * x)
            return x
        }
        let x = try sampleInput()
        #expect(try module.initialize(key(), x).isEmpty)
        let (_, updates) = try module.apply([:], x, mutable: ["intermediates"])
        #expect(paths(updates) == ["intermediates/h/0", "intermediates/h/1"])
        #expect(try module.apply([:], x, mutable: ["other"]).updates.isEmpty)
    }

    @Test("captured intermediates are the results of every module's main call")
    func capture() throws {
        let model = CompactMLP(features: [4, 2])
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        let (output, updates) = try model.apply(variables, x, mutable: .none, captureIntermediates: true)
        #expect(
            paths(updates) == [
                "intermediates/__call__/0", "intermediates/layers_0/__call__/0",
                "intermediates/layers_1/__call__/0",
            ])
        #expect(try updates.tensor(at: "intermediates/__call__/0").doubles() == output.doubles())
    }

    @Test("two dropouts, and two calls of one, draw different masks; the same key draws the same ones")
    func randomStreams() throws {
        let model = Custom { _, x in
            let shared = Dropout(rate: 0.5)
            return try concatenate([shared(x), shared(x), Dropout(rate: 0.5)(x)], axis: 0)
        }
        let x = try ones([1, 64])
        func run(_ seed: Int) throws -> [Double] {
            try model.apply([:], x, rngs: ["dropout": key(seed)], training: true).doubles()
        }
        let values = try run(1)
        let masks = (0..<3).map { Array(values[($0 * 64)..<(($0 + 1) * 64)]) }
        #expect(Set(masks).count == 3)
        #expect(try run(1) == values)
        #expect(try run(2) != values)
        #expect(try model.apply([:], x, training: false).doubles().allSatisfy { $0 == 1 })
    }

    @Test("a running module knows its path and its variables")
    func pathAndVariables() throws {
        let model = Custom { _, x in
            try Custom(name: "inner") { module, x in
                let y = try Dense(features: 2)(x)
                #expect(try module.boundPath == ["inner"])
                #expect(try paths(module.boundVariables) == ["params/Dense_0/bias", "params/Dense_0/kernel"])
                return y
            }(x)
        }
        _ = try model.initialize(key(), sampleInput())
        #expect(moduleError { _ = try model.boundPath }?.kind == .unbound)
    }
}
