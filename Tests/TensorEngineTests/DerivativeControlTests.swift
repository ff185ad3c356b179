// Rematerialisation, derivatives of one's own, whole Jacobians, and what jit says about its compilations.
import Testing

@testable import TensorEngine

private func bytes(_ tensors: [Tensor]) throws -> [[UInt8]] {
    try tensors.map { try $0.withUnsafeBytes { Array($0) } }
}

private func layer(_ x: Tensor, _ w: Tensor) throws -> Tensor { try sin(matmul(tanh(matmul(x, w)), w)) }

@Suite struct DerivativeControlTests {
    @Test("remat gives the same bits, and computes again what it did not keep")
    func remat() throws {
        let (x, w) = (try PRNGKey(seed: 1).normal([8, 8]), try PRNGKey(seed: 2).normal([8, 8]))
        let checkpointed = TensorEngine.remat(layer)
        // With respect to x: contributions to w, which all blocks share, are summed in another order.
        func loss(_ f: @escaping (Tensor, Tensor) throws -> Tensor) -> (Tensor) throws -> Tensor {
            { x in try sum(f(f(f(x, w), w), w)) }
        }
        let plain = try grad(loss(layer))(x)
        #expect(try bytes([grad(loss { try checkpointed($0, $1) })(x)]) == bytes([plain]))
        #expect(
            try bytes([jit { (x: Tensor) in try grad(loss { try checkpointed($0, $1) })(x) }(x)])
                == bytes([plain]))

        func tanhs(_ f: @escaping (Tensor, Tensor) throws -> Tensor) throws -> Int {
            let program = try makeProgram({ (x: Tensor) in try grad(loss(f))(x) }, x)
            return try Pipeline.run(program).equations.count { $0.primitive.name == "tanh" }
        }
        #expect(try tanhs(layer) == 3)
        // The last block's forward values serve nobody but its own derivative.
        #expect(try tanhs { try checkpointed($0, $1) } == 5)
    }

    @Test("remat keeps less: the arena of a deep gradient is smaller")
    func rematMemory() throws {
        let checkpointed = TensorEngine.remat { (x: Tensor, w: Tensor) in
            var x = x
            for _ in 0..<8 { x = try layer(x, w) }
            return x
        }
        let plain: (Tensor, Tensor) throws -> Tensor = { x, w in
            var x = x
            for _ in 0..<8 { x = try layer(x, w) }
            return x
        }
        let w = try PRNGKey(seed: 2).normal([32, 32])
        func arena(_ block: @escaping (Tensor, Tensor) throws -> Tensor) throws -> Int {
            let program = try makeProgram(
                { (x: Tensor) in
                    try grad { (x: Tensor) in try sum(block(block(block(block(x, w), w), w), w)) }(x)
                }, w)
            return try Executable(program).arenaByteCount
        }
        #expect(try arena { try checkpointed($0, $1) } * 2 < arena(plain))
    }

    @Test(
        "a custom reverse rule is used by grad, under jit, vmap and inside a scan; forward mode says what is missing"
    )
    func customReverse() throws {
        let clipped = customVJP(
            { (x: Tensor) in try x * 3 }, forward: { (x: Tensor) in (try x * 3, [x]) },
            backward: { (kept: [Tensor], cotangent: Tensor) in try cotangent * 100 + kept[0] * 0 })
        let x = try Tensor([1, 2] as [Float])
        #expect(try clipped(x).doubles() == [3, 6])
        #expect(try grad { (x: Tensor) in try sum(clipped(x)) }(x).doubles() == [100, 100])
        #expect(
            try jit { (x: Tensor) in try grad { (x: Tensor) in try sum(clipped(x)) }(x) }(x).doubles() == [
                100, 100,
            ])
        #expect(
            try vmap { (x: Tensor) in try grad { (x: Tensor) in try clipped(x) }(x) }(x).doubles() == [
                100, 100,
            ])
        #expect(try grad { (x: Tensor) in try sum(vmap { try clipped($0) }(x)) }(x).doubles() == [100, 100])
        let scanned = try grad { (x: Tensor) in
            try sum(scan({ (c: Tensor) in (try clipped(c), [Tensor]()) }, initial: x, length: 2).carry)
        }(x)
        #expect(try scanned.doubles() == [10_000, 10_000])
        #expect {
            try jvp({ try clipped($0) }, x, x)
        } throws: {
            "\($0)".contains("customJVP")
        }
    }

    @Test("a custom derivative refuses a differentiated value that it captures")
    func capturedValue() throws {
        #expect {
            try grad { (w: Tensor) in
                let scaled = customJVP(
                    { (x: Tensor) in try x * w }, rule: { (x, t) in (try x * w, try t * w) })
                return try scaled(w)
            }(try Tensor(2 as Float))
        } throws: {
            "\($0)".contains("Pass the value as an argument")
        }
    }

    @Test("a custom forward rule serves forward, reverse, batched and second derivatives")
    func customForward() throws {
        let cube = customJVP(
            { (x: Tensor) in try x * x * x },
            rule: { (x: Tensor, t: Tensor) in (try x * x * x, try 3 * x * x * t) })
        let x = try Tensor([1, 2] as [Float])
        #expect(try jvp({ try cube($0) }, x, try onesLike(x)).tangent.doubles() == [3, 12])
        #expect(try grad { (x: Tensor) in try sum(cube(x)) }(x).doubles() == [3, 12])
        #expect(
            try vmap { (x: Tensor) in try grad { (x: Tensor) in try cube(x) }(x) }(x).doubles() == [3, 12])
        #expect(
            try grad { (x: Tensor) in try sum(grad { (x: Tensor) in try sum(cube(x)) }(x)) }(x).doubles() == [
                6, 12,
            ])
        let mixed = try vmap(
            { (x: Tensor, y: Tensor) in
                let product = customJVP(
                    { (v: [Tensor]) in try v[0] * v[1] },
                    rule: { (v, t) in (try v[0] * v[1], try t[0] * v[1] + t[1] * v[0]) })
                return try grad { (v: [Tensor]) in try product(v) }([x, y])
            }, inAxes: [0, nil])(x, try Tensor(5 as Float))
        #expect(try mixed[0].doubles() == [5, 5])
        #expect(try mixed[1].doubles() == [1, 2])
    }

    @Test("Jacobians have the value's shape first, and both modes agree")
    func jacobians() throws {
        let w = try PRNGKey(seed: 4).normal([3, 2])
        func f(_ x: Tensor) throws -> Tensor { try tanh(matmul(x, w)) }
        let x = try PRNGKey(seed: 5).normal([4, 3])
        let (forward, reverse) = (try jacfwd(f)(x), try jacrev(f)(x))
        #expect(forward.shape == [4, 2, 4, 3])
        for (a, b) in zip(try forward.doubles(), try reverse.doubles()) { #expect(abs(a - b) < 1e-6) }
        let second = try hessian { try sum($0 * $0 * $0) }(try Tensor([1, 2] as [Float]))
        #expect(try second.doubles() == [6, 0, 0, 12])
    }

    @Test("jit explains each compilation by what changed")
    func explanations() throws {
        let double = jit { (x: FrozenDict, y: Tensor) in try x.map { try $0 * 2 + sum(y) } }
        let y = try Tensor(1 as Float)
        for size in [3, 3, 4] {
            _ = try double(["Dense_0": .dictionary(["kernel": .tensor(try zeros([size]))])], y)
        }
        #expect(
            double.compilations == [
                "compiled because first call",
                "compiled because argument 0/Dense_0/kernel changed from float32[3] to float32[4]",
            ])
        _ = try double(["other": .tensor(try zeros([4]))], y)
        #expect(double.compilations.last?.contains("structure") == true)
        let power = jit(static: { (exponent: Int, x: Tensor) in
            var result = x
            for _ in 1..<exponent { result = try result * x }
            return result
        })
        #expect(try power(3, try Tensor(2 as Float)).item() == 8)
        #expect(try power(4, try Tensor(2 as Float)).item() == 16)
        #expect(try power(3, try Tensor(3 as Float)).item() == 27)
        #expect(power.compilations.count == 2)
    }

    @Test("two trees that do not match are refused with the path")
    func structureErrors() throws {
        let one = try Tensor(1 as Float)
        let a: FrozenDict = ["Dense_0": .dictionary(["bias": .tensor(one), "kernel": .tensor(one)])]
        let b: FrozenDict = ["Dense_0": .dictionary(["bias": .tensor(one), "scale": .tensor(one)])]
        #expect {
            try a.map(b) { try $0 + $1 }
        } throws: {
            "\($0)".contains("'Dense_0/kernel' in the first, 'Dense_0/scale' in the second")
        }
    }
}
