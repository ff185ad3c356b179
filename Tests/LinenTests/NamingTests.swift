// Which name, and so which parameters, a submodule gets.
import TensorEngine
import Testing

@testable import Linen

@Suite("Names of submodules")
struct NamingTests {
    private func parameterPaths(_ body: @escaping (Custom, Tensor) throws -> Tensor) throws -> [String] {
        paths(try Custom(body).initialize(key(), sampleInput()))
    }

    @Test("are counted per class in the order of creation, not of the first call")
    func creationOrder() throws {
        let variables = try Custom { _, x in
            let first = Dense(features: 4)
            let second = Dense(features: 5)
            return try first(Dense(features: 3)(second(x)))
        }.initialize(key(), sampleInput())
        #expect(try variables.tensor(at: "params/Dense_0/kernel").shape == [3, 4])
        #expect(try variables.tensor(at: "params/Dense_1/kernel").shape == [3, 5])
        #expect(try variables.tensor(at: "params/Dense_2/kernel").shape == [5, 3])
    }

    @Test("given explicitly do not advance the counter")
    func explicitNames() throws {
        let names = try parameterPaths { _, x in
            try Dense(features: 2, useBias: false)(
                Dense(features: 2, useBias: false, name: "middle")(Dense(features: 2, useBias: false)(x)))
        }
        #expect(names == ["params/Dense_0/kernel", "params/Dense_1/kernel", "params/middle/kernel"])
    }

    @Test("count a module that is never called")
    func unusedModule() throws {
        let names = try parameterPaths { _, x in
            _ = Dense(features: 9)
            return try Dense(features: 2, useBias: false)(x)
        }
        #expect(names == ["params/Dense_1/kernel"])
    }

    @Test(
        "come from properties in setup style, and the parameters are those of compact style with the same names"
    )
    func setupEqualsCompact() throws {
        let setup = try SetupMLP(features: [4, 2]).initialize(key(1), sampleInput())
        let compact = try CompactMLP(features: [4, 2]).initialize(key(1), sampleInput())
        #expect(
            paths(setup) == [
                "params/layers_0/bias", "params/layers_0/kernel", "params/layers_1/bias",
                "params/layers_1/kernel",
            ])
        #expect(paths(setup) == paths(compact))
        for (a, b) in zip(setup.leaves, compact.leaves) { #expect(try a.doubles() == b.doubles()) }
    }

    @Test("of lazy properties, dictionaries, optionals and nested modules come from the properties too")
    func propertyKinds() throws {
        final class Inner: Module, Layer {
            let dense = Dense(features: 2, useBias: false)
            func forward(_ x: Tensor) throws -> Tensor { try dense(x) }
        }
        final class Outer: Module, Layer {
            lazy var late = Dense(features: 2, useBias: false)
            let table = ["a": Dense(features: 2, useBias: false)]
            let maybe: Dense? = Dense(features: 2, useBias: false)
            let inner = Inner()
            func forward(_ x: Tensor) throws -> Tensor {
                var x = try late(x)
                if let dense = table["a"] { x = try dense(x) }
                if let maybe { x = try maybe(x) }
                return try inner(x)
            }
        }
        let expected = [
            "params/inner/dense/kernel", "params/late/kernel", "params/maybe/kernel", "params/table_a/kernel",
        ]
        let model = Outer()
        #expect(paths(try model.initialize(key(), sampleInput())) == expected)
        // Once more, now that the lazy property exists; and inside of another module's call.
        let variables = try model.initialize(key(), sampleInput())
        #expect(paths(variables) == expected)
        _ = try model.apply(variables, sampleInput())
        let nested = try parameterPaths { _, x in try Dense(features: 2, useBias: false)(Outer()(x)) }
        #expect(
            nested == ["params/Dense_0/kernel"]
                + expected.map { $0.replacing("params", with: "params/Outer_0") })
    }

    @Test("of modules passed to a Sequential in a call are the caller's, in a property the Sequential's")
    func passedModules() throws {
        func steps() -> Sequential {
            Sequential {
                Dense(features: 2, useBias: false)
                relu
                Dense(features: 2, useBias: false)
            }
        }
        final class Holder: Module, Layer {
            let net: Sequential
            init(_ net: Sequential) {
                self.net = net
                super.init()
            }
            func forward(_ x: Tensor) throws -> Tensor { try net(x) }
        }
        #expect(
            try parameterPaths { _, x in try Dense(features: 2, useBias: false)(steps()(x)) }
                == ["params/Dense_0/kernel", "params/Dense_1/kernel", "params/Dense_2/kernel"])
        #expect(
            paths(try Holder(steps()).initialize(key(), sampleInput()))
                == ["params/net/layers_0/kernel", "params/net/layers_2/kernel"])
        #expect(
            paths(try steps().initialize(key(), sampleInput()))
                == ["params/layers_0/kernel", "params/layers_2/kernel"])
    }

    @Test("are an error when two submodules share one")
    func collision() throws {
        let error = moduleError {
            _ = try parameterPaths { _, x in
                try Dense(features: 2, name: "same")(Dense(features: 2, name: "same")(x))
            }
        }
        #expect(error?.kind == .nameInUse)
        #expect(error?.description.contains("'same'") == true)
        #expect(error?.path == "/")
    }

    @Test("of parameters and submodules must differ, and those of two parameters")
    func parameterCollisions() throws {
        let clash = moduleError {
            _ = try parameterPaths { module, x in
                _ = try module.param("w", .ones, [2])
                return try Dense(features: 2, name: "w")(x)
            }
        }
        let twice = moduleError {
            _ = try parameterPaths { module, x in
                try module.param("w", .ones, []) * module.param("w", .ones, []) * x
            }
        }
        #expect(clash?.kind == .nameInUse)
        #expect(twice?.kind == .nameInUse)
    }
}
