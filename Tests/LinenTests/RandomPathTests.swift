// Which key a parameter is drawn from.
import Hashing
import TensorEngine
import Testing

@testable import Linen

@Suite("Keys of parameters")
struct RandomPathTests {
    @Test("are the base key with the SHA-1 of the path and the count folded in")
    func pathHash() throws {
        let body = { (module: Custom, x: Tensor) in
            // The constant moves the count, though it draws nothing.
            _ = try module.param("first", .zeros, [])
            return try module.param("second", Initializer { key, _, _ in key.data }, [2])
        }
        let variables = try Custom { _, x in try Custom(name: "né", body)(x) }.initialize(
            key(5), sampleInput())
        let digest = SHA1.hash(Array("né".utf8) + [2]).prefix(4)
        let word = digest.reduce(0) { $0 << 8 | Int($1) }
        let expected = try key(5).foldIn(word).data.doubles()
        #expect(try variables.tensor(at: "params/né/second").doubles() == expected)
    }

    @Test("write counts beyond 255 in two bytes")
    func longCounts() throws {
        let model = Custom { module, x in
            for index in 1..<300 { _ = try module.param("p\(index)", .zeros, []) }
            return try module.param("last", Initializer { key, _, _ in key.data }, [2])
        }
        let variables = try model.initialize(key(), sampleInput())
        let word = SHA1.hash([1, 44]).prefix(4).reduce(0) { $0 << 8 | Int($1) }
        #expect(try variables.tensor(at: "params/last").doubles() == key().foldIn(word).data.doubles())
    }
}
