// Suite random: keys, bits and distributions of jax.random.
import JobSpec
import TensorEngine
import Testing

@Suite("Random numbers are JAX's")
struct RandomParityTests {
    static let groups = [
        "keys", "bits", "uniform", "normal", "truncated_normal", "bernoulli", "permutation", "integers",
        "choice", "categorical", "continuous",
    ]

    @Test("every case of the suite random gives JAX's numbers", arguments: groups)
    func random(group: String) throws {
        try checkParity("random", group, notBuilt: 0) { parityCase in
            let got: Tensor
            if parityCase.config["op"] == "PRNGKey" {
                let seed = try parityCase.config.member("args").member("seed").intValue ?? 0
                got = try PRNGKey(seed: seed).data
            } else {
                got = try RandomCall(parityCase).draw(parityCase.config.member("key").prngKey())
            }
            try expectClose(got, try parityCase.expected.member("out"), parityCase.tolerance)
        }
    }

    @Test("a draw has the same bits eagerly, compiled, and for keys of a batch", arguments: groups)
    func sameBits(group: String) throws {
        for parityCase in try ParitySuite.load("random", group)
        where parityCase.config["key"] != nil && !parityCase.expectsError {
            let call = RandomCall(parityCase)
            let draw = { (words: Tensor) in try call.draw(PRNGKey(data: words)) }
            let key = try parityCase.config.member("key").prngKey()
            let other = try key.foldIn(1)
            let expected = try [draw(key.data), draw(other.data)]
            try expectSameBits(try jit(draw)(key.data), expected[0], "\(parityCase.path) compiled")
            let batch = try vmap(draw)(stack([key.data, other.data]))
            try expectSameBits(batch, stack(expected), "\(parityCase.path) for a batch of keys")
        }
    }

    private func expectSameBits(_ got: Tensor, _ expected: Tensor, _ what: String) throws {
        #expect(got.type == expected.type, "\(what)")
        let isEqual = try got.withUnsafeBytes { mine in
            try expected.withUnsafeBytes { mine.elementsEqual($0) }
        }
        #expect(isEqual, "\(what): \(expected) is now \(got)")
    }
}
