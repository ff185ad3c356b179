// Interceptors, as Flax's intercept_methods: order, changed inputs and results, methods left out.
import TensorEngine
import Testing

@testable import Linen

@Suite("Interceptors of methods")
struct InterceptionTests {
    @Test("the outermost interceptor is called first, and each module in the order of its calls")
    func order() throws {
        let model = CompactMLP(features: [3, 2])
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        var seen: [String] = []
        func note(_ name: String) -> MethodInterceptor {
            { call in
                seen.append("\(name) \(call.path) \(call.isMainCall)")
                return try call.proceed()
            }
        }
        let plain = try model.apply(variables, x)
        let result = try interceptMethods(note("a")) {
            try interceptMethods(note("b")) { try model.apply(variables, x) }
        }
        #expect(
            seen == [
                "a / true", "b / true", "a /layers_0 true", "b /layers_0 true", "a /layers_1 true",
                "b /layers_1 true",
            ])
        #expect(try result.doubles() == plain.doubles())
        // Nothing is left behind.
        _ = try model.apply(variables, x)
        #expect(seen.count == 6)
    }

    @Test("inputs and results can be changed")
    func changes() throws {
        let model = Dense(features: 2)
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        let changed = try interceptMethods({ call in
            let doubled = try call.input?.map { try 2 * $0 }
            return try call.proceed(input: doubled).map { try $0 + 1 }
        }) { try model.apply(variables, x) }
        #expect(try changed.doubles() == (model.apply(variables, 2 * x) + 1).doubles())
    }

    @Test("a method can be left out, and other interceptors passed by")
    func skips() throws {
        let model = CompactMLP(features: [3, 2])
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        let zeros = try interceptMethods({ call in
            call.module.name == "layers_1" ? .tensor(try TensorEngine.zeros([1])) : try call.proceed()
        }) { try model.apply(variables, x) }
        #expect(try zeros.doubles() == [0])
        var inner = 0
        let result = try interceptMethods({ call in try call.proceedDirectly() }) {
            try interceptMethods({ call in
                inner += 1
                return try call.proceed()
            }) { try model.apply(variables, x) }
        }
        #expect(inner == 0)
        #expect(try result.doubles() == model.apply(variables, x).doubles())
    }

    @Test(
        "an interceptor runs in the module's method: what it sows is the module's, and captures see its result"
    )
    func scope() throws {
        let model = CompactMLP(features: [3, 2])
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        let (_, updates) = try interceptMethods({ call in
            let result = try call.proceed().map { try 0 * $0 }
            if let tensor = result.tensor { try call.module.sow("seen", "result", tensor) }
            return result
        }) { try model.apply(variables, x, mutable: ["seen"], captureIntermediates: true) }
        #expect(updates.value(at: "seen/layers_0/result") != nil)
        let captured = try #require(updates.value(at: "intermediates/layers_0/__call__"))
        #expect(try captured.leaves.allSatisfy { try $0.doubles().allSatisfy { $0 == 0 } })
    }

    @Test("methods in compact are intercepted too, without an input; the type of a result is kept")
    func methods() throws {
        final class Pair: Module {
            func halves(_ x: Tensor) throws -> [Tensor] {
                try compact { [try Dense(features: 2)(x), try Dense(features: 2)(x)] }
            }
        }
        let model = Pair()
        let x = try sampleInput()
        let variables = try model.initialize(key()) { try $0.halves(x) }
        var calls: [Bool] = []
        let plain = try model.apply(variables) { try $0.halves(x) }
        let result = try interceptMethods({ call in
            calls.append(call.input == nil)
            guard !call.isMainCall else { return try call.proceed() }
            return try call.proceed().map { try -$0 }
        }) { try model.apply(variables) { try $0.halves(x) } }
        #expect(calls == [true, false, false])
        #expect(try result[1].doubles() == plain[1].doubles().map { -$0 })
    }

    @Test("a result of another kind than the method's is an error with the module's path")
    func wrongResult() throws {
        let model = CompactMLP(features: [3])
        let x = try sampleInput()
        let variables = try model.initialize(key(), x)
        let error = moduleError {
            _ = try interceptMethods({ call in
                call.path == "/layers_0" ? .tuple([]) : try call.proceed()
            }) { try model.apply(variables, x) }
        }
        #expect(error?.path == "/layers_0")
    }
}
