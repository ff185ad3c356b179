// Misuse of modules: each error says what, where, and what to do.
import TensorEngine
import Testing

@testable import Linen

@Suite("Errors of modules")
struct ModuleErrorTests {
    private let model = CompactMLP(features: [4, 2], name: nil)

    @Test("calling an unbound module")
    func unbound() throws {
        let error = moduleError { _ = try Dense(features: 2)(sampleInput()) }
        #expect(error?.kind == .unbound)
        #expect(error?.description.contains("initialize(key, x)") == true)
        let parameter = moduleError { _ = try Dense(features: 2).param("w", .zeros, []) }
        #expect(parameter?.kind == .unbound)
    }

    @Test("a parameter of the wrong shape names it, its module and both shapes, each as what it is")
    func parameterShape() throws {
        var variables = try model.initialize(key(), sampleInput())
        var layers = try #require(variables["params"]?.dictionary)
        layers["layers_0"] = .dictionary([
            "kernel": .tensor(try zeros([7, 4])), "bias": .tensor(try zeros([4])),
        ])
        variables["params"] = .dictionary(layers)
        let error = moduleError { _ = try model.apply(variables, sampleInput()) }
        #expect(error?.kind == .parameterShape)
        #expect(error?.path == "/layers_0")
        #expect(error?.expected.contains("'kernel' of shape [3, 4]") == true)
        #expect(error?.got.contains("[7, 4]") == true)
    }

    @Test("a missing parameter and a missing collection")
    func missing() throws {
        let layer: FrozenDict = ["kernel": .tensor(try zeros([3, 4]))]
        let without: FrozenDict = ["params": .dictionary(["layers_0": .dictionary(layer)])]
        let parameter = moduleError { _ = try model.apply(without, sampleInput()) }
        #expect(parameter?.kind == .missingParameter)
        #expect(parameter?.description.contains("'bias'") == true)
        #expect(parameter?.path == "/layers_0")
        let collection = moduleError { _ = try model.apply([:], sampleInput()) }
        #expect(collection?.kind == .missingCollection)
        #expect(collection?.fix.contains("initialize") == true)
    }

    @Test("a random stream that was not given is named, and params stands in for any other")
    func missingStream() throws {
        let dropout = Dropout(rate: 0.5)
        let error = moduleError { _ = try dropout.apply([:], sampleInput(), training: true) }
        #expect(error?.kind == .missingRandomStream)
        #expect(error?.description.contains("'dropout'") == true)
        _ = try dropout.apply([:], sampleInput(), rngs: ["params": key()], training: true)
        let initialization = moduleError {
            _ = try model.initialize(rngs: ["dropout": key()], sampleInput())
        }
        #expect(initialization?.kind == .missingRandomStream)
    }

    @Test("a change of an immutable collection says how to make it mutable")
    func immutable() throws {
        let module = RunningMean()
        let variables = try module.initialize(key(), sampleInput())
        let error = moduleError { _ = try module.apply(variables, sampleInput()) }
        #expect(error?.kind == .immutableCollection)
        #expect(error?.fix.contains("mutable: [\"batch_stats\"]") == true)
    }

    @Test("a method that declares parameters without saying that it is one")
    func noCompact() throws {
        final class Forgetful: Module {
            func scale(_ x: Tensor) throws -> Tensor { try x * param("scale", .ones, []) }
        }
        let error = moduleError { _ = try Forgetful().initialize(key()) { try $0.scale(sampleInput()) } }
        #expect(error?.kind == .misplaced)
        #expect(error?.fix.contains("compact") == true)
    }

    @Test("a module that calls itself without end is an error, not a crash")
    func endlessRecursion() throws {
        let error = moduleError {
            _ = try Custom { module, x in try module(x) }.initialize(key(), sampleInput())
        }
        #expect(error?.kind == .argument)
    }

    @Test("errors of the engine show the module's path")
    func enginePath() throws {
        let inner = { Custom(name: "inner") { _, x in try matmul(x, x) } }
        do {
            _ = try Custom { _, x in try inner()(x) }.initialize(key(), sampleInput())
            Issue.record("matmul of [2, 3] with itself must fail")
        } catch let error as TensorError {
            #expect(error.path == "/inner")
        }
    }
}
