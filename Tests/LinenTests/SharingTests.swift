// One instance, one set of variables.
import TensorEngine
import Testing

@testable import Linen

@Suite("Sharing of submodules")
struct SharingTests {
    @Test("an instance that is called twice has one set of parameters")
    func calledTwice() throws {
        let model = Custom { _, x in
            let dense = Dense(features: 3)
            return try dense(relu(dense(x)))
        }
        let variables = try model.initialize(key(), sampleInput())
        #expect(paths(variables) == ["params/Dense_0/bias", "params/Dense_0/kernel"])
        let kernel = try variables.tensor(at: "params/Dense_0/kernel")
        let x = try sampleInput()
        let expected = try matmul(relu(matmul(x, kernel)), kernel).doubles()
        #expect(try model.apply(variables, x).doubles() == expected)
    }

    @Test("a module that is called twice runs its compact call with the same submodules")
    func compactCalledTwice() throws {
        let block = { CompactMLP(features: [3]) }
        let variables = try Custom { _, x in
            let shared = block()
            return try shared(shared(x))
        }.initialize(key(), sampleInput())
        #expect(
            paths(variables) == ["params/CompactMLP_0/layers_0/bias", "params/CompactMLP_0/layers_0/kernel"])
    }

    @Test("a submodule that is handed to another one keeps its first owner")
    func handedDown() throws {
        final class Decoder: Module, Layer {
            let embed: Embed
            init(_ embed: Embed) {
                self.embed = embed
                super.init()
            }
            func forward(_ x: Tensor) throws -> Tensor { try embed.attend(x) }
        }
        final class Tied: Module, Layer {
            let decoder: Decoder
            let embed: Embed
            init() {
                embed = Embed(count: 5, features: 3)
                decoder = Decoder(embed)
                super.init()
            }
            func forward(_ ids: Tensor) throws -> Tensor { try decoder(embed(ids)) }
        }
        let ids = try Tensor([0, 4] as [Int32])
        let variables = try Tied().initialize(key(), ids)
        #expect(paths(variables) == ["params/embed/embedding"])
        #expect(try Tied().apply(variables, ids).shape == [2, 5])
    }

    @Test("several methods share the parameters, and apply can run any of them")
    func methods() throws {
        let embed = Embed(count: 4, features: 2)
        let variables = try embed.initialize(key()) { try $0.attend(zeros([1, 2])) }
        let rows = try embed.apply(variables) { try $0(arange(4)) }
        let table = try variables.tensor(at: "params/embedding")
        #expect(try rows.doubles() == table.doubles())
        #expect(try embed.apply(variables) { try $0.attend(zeros([3, 2])) }.shape == [3, 4])
    }

    @Test("a stored module used inside of a call of a module that does not have it is an error that says so")
    func strayModule() throws {
        let stray = Dense(features: 2)
        let error = moduleError {
            _ = try Custom { _, x in try stray(x) }.initialize(key(), sampleInput())
        }
        #expect(error?.kind == .misplaced)
        #expect(error?.fix.contains("property") == true)
    }
}
