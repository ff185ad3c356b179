// What must hold for every primitive, checked for each row of the table.
import Testing

@testable import TensorEngine

/// Every primitive against plain loops, differences, loops over members, and itself in other surroundings.
@Suite struct PrimitiveRuleTests {
    @Test("a primitive gives the values of plain loops", arguments: PrimitiveTable.all)
    func values(sample: PrimitiveSample) throws {
        guard case .reference(let slack, let reference) = sample.evidence else { return }
        for sample in sample.allTypes {
            let operands = try sample.draw()
            let results = try sample.call(operands)
            let expected = reference(try operands.map { try PlainArray($0) })
            #expect(results.count == expected.count)
            for (result, want) in zip(results, expected) {
                #expect(result.shape.dimensions == want.shape)
                let tolerance = result.dtype.sampleTolerance * slack
                for (got, want) in zip(try result.doubles(), want.values) {
                    #expect(isNear(got, want, tolerance, result.dtype), "\(sample.testDescription)")
                }
            }
        }
    }

    private func isNear(_ got: Double, _ want: Double, _ tolerance: Double, _ dtype: DType) -> Bool {
        if want.isNaN {
            // What integers have in the place of NaN.
            return dtype.isFloating
                ? got.isNaN : got == (dtype.isSignedInteger ? -dtype.largestFinite - 1 : dtype.largestFinite)
        }
        return got == want || abs(got - want) <= tolerance * max(1, abs(want))
    }

    @Test(
        "jvp agrees with central differences in float64, vjp with jvp, linearize with both",
        arguments: PrimitiveTable.all)
    func firstDerivative(sample: PrimitiveSample) throws {
        let operands = try sample.draw()
        let active = sample.activeInputs.map { operands[$0] }
        let function = sample.differentiable(operands)
        guard !active.isEmpty else { return }
        let directions = try random(like: active, seed: 11)
        if case .missing = sample.derivative {
            let error = #expect(throws: TensorError.self) { try jvp(function, active, directions) }
            #expect(error?.kind == .tracing)
            return
        }
        try checkDerivative(function, active, directions, tolerance: 1e-7, sample.derivative)
    }

    @Test(
        "second derivatives, forward over reverse and reverse over reverse, agree with differences of the gradient",
        arguments: PrimitiveTable.all)
    func secondDerivative(sample: PrimitiveSample) throws {
        guard case .smooth = sample.derivative else { return }
        let operands = try sample.draw()
        let active = sample.activeInputs.map { operands[$0] }
        let function = sample.differentiable(operands)
        let cotangents = try random(like: try function(active), seed: 12)
        try checkDerivative(
            { x in try vjp(function, x).pullback(cotangents) }, active, try random(like: active, seed: 13),
            tolerance: 1e-6, .smooth)
    }

    /// Compares the derivative in a direction with differences, and the pullback with it.
    private func checkDerivative(
        _ function: @escaping ([Tensor]) throws -> [Tensor], _ x: [Tensor], _ direction: [Tensor],
        tolerance: Double, _ derivative: SampleDerivative
    ) throws {
        let value = try function(x)
        let step = 0x1p-17
        func moved(_ by: Double) throws -> [Tensor] {
            try function(try zip(x, direction).map { try $0 + $1 * by })
        }
        // Where there is no value (an index outside) there is no difference either.
        var slope = try zip(value, zip(try moved(step), try moved(-step))).map { value, ends in
            try select(equal(value, value), (ends.0 - ends.1) / (2 * step), 0)
        }
        var reverseTolerance = tolerance
        switch derivative {
        case .reverseOnly: break
        default:
            let (again, tangent) = try jvp(function, x, direction)
            #expect(try bits(again) == bits(value))
            if case .zero = derivative {
                #expect(try tangent.allSatisfy { try $0.doubles().allSatisfy { $0 == 0 } })
            } else {
                #expect(try largestDifference(tangent, slope) < tolerance)
            }
            (slope, reverseTolerance) = (tangent, 1e-10)
        }
        let cotangents = try random(like: value, seed: 14)
        if case .forwardOnly = derivative {
            #expect(throws: TensorError.self) { try vjp(function, x).pullback(cotangents) }
            return
        }
        let pulled = try vjp(function, x).pullback(cotangents)
        #expect(pulled.map(\.type) == x.map(\.type))
        let (forward, reverse) = (try innerProduct(cotangents, slope), try innerProduct(pulled, direction))
        #expect(forward == reverse || abs(forward - reverse) < reverseTolerance * (1 + abs(forward)))
        if case .reverseOnly = derivative { return }
        let (_, linear) = try linearize(function, x)
        #expect(try largestDifference(try linear(direction), slope) < 1e-12)
    }

    /// Numbers between -1 and 1 of the same types.
    private func random(like tensors: [Tensor], seed: UInt64) throws -> [Tensor] {
        try tensors.enumerated().map { k, tensor in
            let uniform = try PRNGKey(seed: Int(seed)).foldIn(k).uniform(tensor.shape, low: -1.0, high: 1.0)
            return try uniform.astype(tensor.dtype)
        }
    }

    @Test(
        "vmap over every choice of operands gives the bits of a loop, compiled too",
        arguments: PrimitiveTable.all)
    func vectorized(sample: PrimitiveSample) throws {
        for sample in sample.allTypes {
            try checkVectorized(sample, members: 3) { try sample.call($0) }
        }
    }

    @Test("vmap of the gradient gives the bits of a loop", arguments: PrimitiveTable.all)
    func vectorizedGradient(sample: PrimitiveSample) throws {
        guard sample.hasGradient, !sample.activeInputs.isEmpty else { return }
        for sample in sample.allTypes where !sample.activeInputs.isEmpty {
            try checkVectorized(sample, members: 3) { operands in
                let function = sample.differentiable(operands)
                let (value, pullback) = try vjp(function, sample.activeInputs.map { operands[$0] })
                return try pullback(try value.map { try onesLike($0) })
            }
        }
    }

    @Test("the gradient through vmap is that of each member", arguments: PrimitiveTable.all)
    func gradientThroughVectorized(sample: PrimitiveSample) throws {
        switch sample.derivative {
        case .smooth, .zero, .reverseOnly: break
        case .missing, .forwardOnly: return
        }
        guard !sample.activeInputs.isEmpty else { return }
        func gradient(_ function: ([Tensor]) throws -> [Tensor], _ x: [Tensor]) throws -> [Tensor] {
            let (value, pullback) = try vjp(
                { active in
                    var all = x
                    for (position, tensor) in zip(sample.activeInputs, active) { all[position] = tensor }
                    return try function(all).filter(\.dtype.isFloating)
                }, sample.activeInputs.map { x[$0] })
            return try pullback(try value.map { try onesLike($0) })
        }
        let members = try (0..<2).map { try sample.draw(seed: UInt64($0)) }
        let vectorized = vmap { (x: [Tensor]) in try sample.call(x) }
        let through = try gradient({ try vectorized($0) }, try batch(members))
        let expected = try batch(members.map { try gradient(sample.call, $0) })
        #expect(try largestDifference(through, expected) < 1e-9, "\(sample.testDescription)")
    }

    @Test("vmap over no members gives results without members", arguments: PrimitiveTable.all)
    func vectorizedOverNothing(sample: PrimitiveSample) throws {
        guard !sample.inputs.isEmpty else { return }
        let expected = try sample.call(try sample.draw())
        let none = try sample.draw().map { try zeros(Shape([0] + $0.shape.dimensions), dtype: $0.dtype) }
        let results = try vmap { (x: [Tensor]) in try sample.call(x) }(none)
        for (result, one) in zip(results, expected) {
            #expect(result.type == TensorType(one.dtype, Shape([0] + one.shape.dimensions)))
        }
    }

    private func checkVectorized(
        _ sample: PrimitiveSample, members: Int, _ function: @escaping ([Tensor]) throws -> [Tensor]
    ) throws {
        let drawn = try (0..<members).map { try sample.draw(seed: UInt64($0)) }
        for choice in 1..<max(1 << sample.inputs.count, 1) {
            let mapped = sample.inputs.indices.filter { choice & (1 << $0) != 0 }
            func operands(_ member: [Tensor]) -> [Tensor] {
                var all = drawn[0]
                for (position, tensor) in zip(mapped, member) { all[position] = tensor }
                return all
            }
            let chosen = drawn.map { member in mapped.map { member[$0] } }
            let vectorized = vmap { (x: [Tensor]) in try function(operands(x)) }
            let stacked = try batch(chosen)
            let eager = try vectorized(stacked)
            let compiled = try jit { (x: [Tensor]) in try vectorized(x) }(stacked)
            #expect(try bits(eager) == bits(compiled), "\(sample.testDescription), mapped \(mapped)")
            for member in 0..<members {
                let expected = try bits(function(operands(chosen[member])))
                let got = try eager.map { try Bits($0, member: member) }
                #expect(got == expected, "\(sample.testDescription), mapped \(mapped), member \(member)")
            }
        }
    }

    @Test(
        "compiled gives the bits of eager: as it is, of constants, and of operands that lie transposed, backwards or repeated",
        arguments: PrimitiveTable.all)
    func compiled(sample: PrimitiveSample) throws {
        for sample in sample.allTypes {
            let operands = try sample.draw()
            let expected = try bits(sample.call(operands))
            func check(_ results: [Tensor], _ how: String) throws {
                #expect(try bits(results) == expected, "\(sample.testDescription), \(how)")
            }
            try check(try jit { (x: [Tensor]) in try sample.call(x) }(operands), "as it is")
            try check(try jit { (x: [Tensor]) in try sample.call(operands) }([]), "of constants")
            let transposed = jit { (x: [Tensor]) in try sample.call(try x.map { try transpose($0) }) }
            try check(try transposed(try operands.map { try transpose($0) }), "transposed")
            func reversed(_ x: Tensor) throws -> Tensor { try flip(x, axes: Array(0..<x.rank)) }
            let backwards = jit { (x: [Tensor]) in try sample.call(try x.map(reversed)) }
            try check(try backwards(try operands.map(reversed)), "backwards")

            let scalars = try operands.map { x in
                x.shape.elementCount == 0
                    ? try zeros([], dtype: x.dtype) : try reshape(slice(reshape(x, [-1]), axis: 0, 0..<1), [])
            }
            func repeated(_ scalars: [Tensor]) throws -> [Tensor] {
                try zip(scalars, operands).map { try broadcastTo($0, $1.shape) }
            }
            let ofRepeated = try jit { (x: [Tensor]) in try sample.call(try repeated(x)) }(scalars)
            #expect(
                try bits(ofRepeated) == bits(sample.call(try repeated(scalars))),
                "\(sample.testDescription), repeated")
        }
    }

    @Test(
        "the compiled gradient, and the gradient of the compiled, have the bits of the eager gradient",
        arguments: PrimitiveTable.all)
    func compiledGradient(sample: PrimitiveSample) throws {
        guard sample.hasGradient else { return }
        for sample in sample.allTypes where !sample.activeInputs.isEmpty {
            let operands = try sample.draw()
            let active = sample.activeInputs.map { operands[$0] }
            let function = sample.differentiable(operands)
            func gradient(_ function: ([Tensor]) throws -> [Tensor], _ x: [Tensor]) throws -> [Tensor] {
                let (value, pullback) = try vjp(function, x)
                return try pullback(try value.map { try onesLike($0) })
            }
            let expected = try bits(gradient(function, active))
            let compiled = try jit { (x: [Tensor]) in try gradient(function, x) }(active)
            #expect(try bits(compiled) == expected, "\(sample.testDescription)")
            let inner = jit { (x: [Tensor]) in try function(x) }
            #expect(try bits(gradient({ try inner($0) }, active)) == expected, "\(sample.testDescription)")
        }
    }

    @Test(
        "programs verify after every pass: of the function, of its gradient, of both over a batch",
        arguments: PrimitiveTable.all)
    func passes(sample: PrimitiveSample) throws {
        let operands = try sample.draw()
        func check(_ arguments: [Tensor], _ function: @escaping ([Tensor]) throws -> [Tensor]) throws {
            var program = try makeProgram(function, arguments)
            try program.verify()
            for (name, pass) in Pipeline.standard {
                program = try pass(program)
                #expect(throws: Never.self, "after \(name)") { try program.verify() }
            }
        }
        let traced = try makeProgram({ (x: [Tensor]) in try sample.call(x) }, operands)
        #expect(
            traced.equations.contains { $0.primitive.name == sample.name }, "the row calls \(sample.name)")
        try check(operands) { try sample.call($0) }
        guard !operands.isEmpty else { return }
        let stacked = try batch([operands, operands])
        try check(stacked) { try vmap { (x: [Tensor]) in try sample.call(x) }($0) }
        guard sample.hasGradient, !sample.activeInputs.isEmpty else { return }
        func gradient(_ x: [Tensor]) throws -> [Tensor] {
            let (value, pullback) = try vjp(sample.differentiable(x), sample.activeInputs.map { x[$0] })
            return try pullback(try value.map { try onesLike($0) })
        }
        try check(operands, gradient)
        try check(stacked) { try vmap { (x: [Tensor]) in try gradient(x) }($0) }
    }

    @Test("operations on any shape take empty ones, scalars and rank 8", arguments: PrimitiveTable.all)
    func emptyShapes(sample: PrimitiveSample) throws {
        guard sample.isShapeFree else { return }
        for shape in [[0], [2, 0, 3], [], [1, 2, 1, 2, 1, 2, 1, 2]] as [Shape] {
            for sample in sample.with(shape).allTypes {
                let operands = try sample.draw()
                let eager = try sample.call(operands)
                #expect(eager.allSatisfy { $0.shape == shape })
                let compiled = try jit { (x: [Tensor]) in try sample.call(x) }(operands)
                #expect(try bits(compiled) == bits(eager))
                if shape.rank < TensorLimits.largestRank {
                    try checkVectorized(sample, members: 2) { try sample.call($0) }
                }
                guard sample.hasGradient else { continue }
                let active = sample.activeInputs.map { operands[$0] }
                let (value, pullback) = try vjp(sample.differentiable(operands), active)
                #expect(try pullback(value).map(\.type) == active.map(\.type))
            }
        }
    }

    @Test("one thread and two give the same bits", arguments: PrimitiveTable.all)
    func threads(sample: PrimitiveSample) throws {
        // Long enough to be cut into several tiles.
        let sample = sample.isShapeFree ? sample.with([3, 20_001]) : sample
        for sample in sample.allTypes.prefix(2) {
            let operands = try sample.draw()
            let program = try makeProgram({ (x: [Tensor]) in try sample.call(x) }, operands)
            let executable = try Executable(program)
            let expected = try bits(executable.run(operands, threads: 1))
            #expect(try bits(executable.run(operands, threads: 2)) == expected)
        }
    }
}
