// What leaves a loop, before it and behind it, and that this changes no bits.
import Testing

@testable import TensorEngine

private func bytes(_ tensors: [Tensor]) throws -> [[UInt8]] {
    try tensors.map { try $0.withUnsafeBytes { Array($0) } }
}

/// The names of a program's equations, without those of programs inside.
private func names(_ program: Program) -> [String] { program.equations.map(\.primitive.name) }

private func loops(_ program: Program) -> [Scan] { program.equations.compactMap { $0.primitive as? Scan } }

private func count(_ name: String, in program: Program) -> Int { names(program).count { $0 == name } }

/// A gated step with two kernels each for input and state, as in a recurrent cell: values are the kernels, state, input.
private func cell(_ v: [Tensor]) throws -> Tensor {
    let sums =
        try matmul(v[5], concatenate([v[0], v[1]], axis: 1))
        + matmul(v[4], concatenate([v[2], v[3]], axis: 1))
    let width = v[4].shape[1]
    let gate = try tanh(slice(sums, axis: 1, 0..<width))
    return try gate * cos(slice(sums, axis: 1, width..<(2 * width))) + v[4] * gate
}

/// Arguments: four kernels [8, 8], the state [2, 8], inputs [6, 2, 8].
private func recurrent(_ v: [Tensor], reverse: Bool = false, isRematerialized: Bool = false) throws -> Tensor
{
    let step = remat { (v: [Tensor]) in try cell(v) }
    let (last, results) = try scan(
        { (state: Tensor, x: Tensor) in
            let next = try isRematerialized ? step(v[..<4] + [state, x]) : cell(v[..<4] + [state, x])
            return (next, try next * next)
        }, initial: v[4], over: v[5], reverse: reverse)
    return try sum(results) + sum(last)
}

private func unrolled(_ v: [Tensor], reverse: Bool) throws -> Tensor {
    var state = v[4]
    var results: [Int: Tensor] = [:]
    for k in reverse ? (0..<6).reversed() : Array(0..<6) {
        state = try cell(v[..<4] + [state, squeeze(slice(v[5], axis: 0, k..<(k + 1)), axes: [0])])
        results[k] = try state * state
    }
    return try sum(stack((0..<6).compactMap { results[$0] })) + sum(state)
}

private func example(_ seed: Int = 3) throws -> [Tensor] {
    let keys = try PRNGKey(seed: seed).split(6)
    return try keys[..<4].map { try $0.normal([8, 8]) } + [
        keys[4].normal([2, 8]), keys[5].normal([6, 2, 8]),
    ]
}

@Suite struct LoopCompilationTests {
    @Test("what depends on constants alone, and products of the slices, are computed before the loop")
    func hoisting() throws {
        let program = try makeProgram({ try recurrent($0) }, try example())
        let loop = try #require(loops(program).first)
        #expect(count("concatenate", in: loop.body) == 0)
        #expect(count("dotGeneral", in: loop.body) == 1)
        #expect(count("concatenate", in: program) == 2)
        let product = try #require(program.equations.first { $0.primitive is DotGeneral })
        #expect(program.type(of: product.outputs[0]).shape == [6, 2, 16])
        // The slices of the input are read by nobody any more.
        #expect(loop.body.inputTypes.map(\.shape) == [[8, 16], [2, 8], [2, 16]])
    }

    @Test("a loop with work before it is the unrolled one, bit for bit", arguments: [false, true])
    func hoistedBits(reverse: Bool) throws {
        let v = try example()
        let expected = try bytes([unrolled(v, reverse: reverse)])
        #expect(try bytes([recurrent(v, reverse: reverse)]) == expected)
        #expect(try bytes([jit { (v: [Tensor]) in try recurrent(v, reverse: reverse) }(v)]) == expected)
    }

    @Test("a product of more data than weights stays in the loop, and one with the carry does")
    func largeProducts() throws {
        let (weights, x) = (try zeros([4, 4]), try zeros([3, 16, 4]))
        let program = try makeProgram(
            { (v: [Tensor]) in
                try scan(
                    { (c: Tensor, x: Tensor) in (try c + matmul(x, v[0]), try matmul(c, v[0])) },
                    initial: zeros([16, 4]), over: v[1]
                ).carry
            }, [weights, x])
        #expect(count("dotGeneral", in: program) == 0)
        #expect(try count("dotGeneral", in: #require(loops(program).first).body) == 2)
    }

    @Test("gradients of kernels are one contraction behind the backward loop, which carries no sums")
    func gradientSums() throws {
        let program = try Pipeline.run(
            makeProgram({ (v: [Tensor]) in try grad { try recurrent($0) }(v) }, try example()))
        let backward = try #require(loops(program).last)
        #expect(backward.carryCount == 1)
        #expect(count("dotGeneral", in: backward.body) == 1)
        #expect(count("pad", in: backward.body) == 0)
        #expect(count("concatenate", in: backward.body) == 1)
        let contractions = program.equations.compactMap { $0.primitive as? DotGeneral }
        #expect(contractions.count { $0.lhsContracting == [0, 1] && $0.rhsContracting == [0, 1] } == 2)
    }

    @Test(
        "gradients of a loop are the same bits eagerly, compiled, of a rematerialised body, and for each member",
        arguments: [false, true])
    func gradientBits(reverse: Bool) throws {
        func gradient(_ v: [Tensor], isRematerialized: Bool = false) throws -> [Tensor] {
            try grad { try recurrent($0, reverse: reverse, isRematerialized: isRematerialized) }(v)
        }
        let v = try example()
        let eager = try gradient(v)
        #expect(try bytes(jit { (v: [Tensor]) in try gradient(v) }(v)) == bytes(eager))
        #expect(try bytes(gradient(v, isRematerialized: true)) == bytes(eager))
        #expect(
            try bytes(jit { (v: [Tensor]) in try gradient(v, isRematerialized: true) }(v)) == bytes(eager))
        let members = try [v, example(4)]
        let together = try vmap { (v: [Tensor]) in try gradient(v) }(
            v.indices.map { k in try stack(members.map { $0[k] }) })
        let each = try members.map { try gradient($0) }
        #expect(
            try bytes(together) == bytes(v.indices.map { k in try stack(each.map { $0[k] }) }))
        for (value, expected) in zip(eager, try grad { try unrolled($0, reverse: reverse) }(v)) {
            for (a, b) in zip(try value.doubles(), try expected.doubles()) {
                #expect(abs(a - b) <= 1e-4 * max(1, abs(b)))
            }
        }
    }

    @Test("what a product in a loop would pack in each iteration is laid out once, with the same bits")
    func preparedOperands() throws {
        let keys = try PRNGKey(seed: 9).split(3)
        let v = try [keys[0].normal([64, 32]), keys[1].normal([3, 64]), keys[2].normal([5, 3, 32])]
        func step(_ state: Tensor, _ x: Tensor) throws -> Tensor {
            try tanh(matmul(matmul(state, v[0]) + x, transpose(v[0])) + state)
        }
        func loop(_ v: [Tensor]) throws -> Tensor {
            try scan(
                { (state: Tensor, x: Tensor) in
                    (try tanh(matmul(matmul(state, v[0]) + x, transpose(v[0])) + state), [Tensor]())
                }, initial: v[1], over: v[2]
            ).carry
        }
        var expected = v[1]
        for k in 0..<5 {
            expected = try step(expected, squeeze(slice(v[2], axis: 0, k..<(k + 1)), axes: [0]))
        }
        #expect(try bytes([loop(v)]) == bytes([expected]))
        #expect(try bytes([jit { (v: [Tensor]) in try loop(v) }(v)]) == bytes([expected]))

        let plan = try Executable(makeProgram({ try loop($0) }, v)).plan
        let place = try #require(plan.steps.firstIndex { !$0.bodies.isEmpty })
        let written = plan.steps[..<place].flatMap(\.writes)
        let panels = try #require(written.first { plan.buffers[$0].type.shape == [2, 32, 32] })
        #expect(plan.steps[place].reads.contains(panels))
        #expect(plan.steps[place].bodies[0].contains { $0.kernelName == "gemm" && $0.reads.contains(panels) })
    }

    @Test("a sum of products and other contributions: what is no product is added up in the loop")
    func mixedSums() throws {
        func loss(_ v: [Tensor]) throws -> Tensor {
            try sum(
                scan(
                    { (c: Tensor, x: Tensor) in
                        let next = try tanh(matmul(c, v[0]) + x + sum(v[0] * c[0][0], axes: [0]))
                        return (next, try next * v[0][1])
                    }, initial: v[1], over: v[2]
                ).results)
        }
        let keys = try PRNGKey(seed: 8).split(3)
        let v = [try keys[0].normal([6, 6]), try keys[1].normal([2, 6]), try keys[2].normal([5, 2, 6])]
        func flat(_ v: [Tensor]) throws -> Tensor {
            var c = v[1]
            var total = try Tensor(Float(0))
            for k in 0..<5 {
                let x = try squeeze(slice(v[2], axis: 0, k..<(k + 1)), axes: [0])
                c = try tanh(matmul(c, v[0]) + x + sum(v[0] * c[0][0], axes: [0]))
                total = try total + sum(c * v[0][1])
            }
            return total
        }
        for (value, expected) in zip(try grad(loss)(v), try grad(flat)(v)) {
            for (a, b) in zip(try value.doubles(), try expected.doubles()) {
                #expect(abs(a - b) <= 1e-4 * max(1, abs(b)))
            }
        }
        #expect(try bytes(jit { (v: [Tensor]) in try grad(loss)(v) }(v)) == bytes(grad(loss)(v)))
    }

    @Test("a loop of no iterations has gradients of zeros, whatever is computed before and behind it")
    func noIterations() throws {
        var v = try example()
        v[5] = try zeros([0, 2, 8])
        let gradients = try grad { try recurrent($0) }(v)
        for k in 0..<4 { #expect(try gradients[k].doubles() == Array(repeating: 0, count: 64)) }
        #expect(try gradients[4].doubles() == Array(repeating: 1, count: 16))
    }

    @Test("a while loop computes what its iterations share once, also where there is none")
    func whileInvariants() throws {
        func loop(_ v: [Tensor]) throws -> Tensor {
            try whileLoop(
                { (x: Tensor) in try less(sum(x), sum(v[0] * v[0])) },
                { (x: Tensor) in try x * 2 + sum(exp(v[0])) }, initial: v[1])
        }
        let v = [try Tensor([3, 4] as [Float]), try Tensor(1 as Float)]
        let program = try makeProgram(loop, v)
        let primitive = try #require(program.equations.compactMap { $0.primitive as? While }.first)
        #expect(count("exp", in: primitive.body) == 0)
        #expect(count("exp", in: program) == 1)
        #expect(count("reduceSum", in: primitive.condition) <= 1)
        var x: Float = 1
        let shared = try sum(exp(v[0])).elements(as: Float.self)[0]
        while x < 25 { x = x * 2 + shared }
        #expect(try loop(v).elements(as: Float.self) == [x])
        #expect(try loop([v[0], Tensor(100 as Float)]).item() == 100)
    }

    @Test(
        "cotangents of disjoint slices are put side by side, with zeros between; others are padded and added")
    func slices() throws {
        func program(_ ranges: [Range<Int>]) throws -> (Program, [Double]) {
            func loss(_ x: Tensor) throws -> Tensor {
                try ranges.enumerated().map { k, range in
                    try sum(slice(x, axis: 1, range) * Double(k + 1))
                }.reduce(Tensor(Float(0))) { try $0 + $1 }
            }
            let x = try zeros([2, 5])
            return (
                try Pipeline.run(makeProgram({ (x: Tensor) in try grad(loss)(x) }, x)),
                try Array(grad(loss)(x).doubles().prefix(5))
            )
        }
        let (side, values) = try program([3..<5, 0..<2])
        #expect(values == [2, 2, 0, 1, 1])
        #expect(count("pad", in: side) == 0 && count("concatenate", in: side) == 1)
        let (overlapping, sums) = try program([0..<3, 2..<5])
        #expect(sums == [1, 1, 3, 2, 2])
        #expect(count("pad", in: overlapping) == 2)
        let (single, padded) = try program([1..<2])
        #expect(padded == [0, 1, 0, 0, 0])
        #expect(count("pad", in: single) == 1)
        let (empty, others) = try program([1..<1, 2..<4])
        #expect(others == [0, 0, 2, 2, 0])
        #expect(count("concatenate", in: empty) == 0)
    }
}
