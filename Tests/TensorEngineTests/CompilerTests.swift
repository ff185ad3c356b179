// The compiler: passes keep programs legal, state is updated in place, memory is reused.
import Testing

@testable import TensorEngine

@Suite struct CompilerTests {
    @Test("passes remove dead and repeated work, and fold constants")
    func passes() throws {
        let program = try makeProgram(
            { (x: Tensor) in
                _ = try exp(x)
                let a = try sin(x) + sin(x)
                return try a * (full([], 2) + full([], 3))
            }, try Tensor([1, 2] as [Float]))
        let optimized = try Pipeline.run(program)
        try optimized.verify()
        let names = optimized.equations.map(\.primitive.name)
        #expect(names.filter { $0 == "sin" }.count == 1)
        #expect(!names.contains("exp"))
        #expect(names.filter { $0 == "add" }.count == 1)
    }

    @Test("carried state is updated in place where that is safe, and is right where it is not")
    func carriedState() throws {
        // The first state can be replaced while it is read; the second is still needed after its successor is known.
        let program = try makeProgram(
            { (state: [Tensor]) in
                let a = try state[0] * 2 + 1
                let b = try sum(state[1]) + state[1]
                return [a, b, try sum(b * state[1])]
            }, [try Tensor([1, 2, 3] as [Float]), try Tensor([1, 1, 1] as [Float])])
        let executable = try Executable(program, carry: [0, 1, nil])
        let bound = try BoundExecution(
            executable, inputs: [try Tensor([1, 2, 3] as [Float]), try Tensor([1, 1, 1] as [Float])])
        bound.run(repetitions: 3)
        #expect(try bound.output(0).elements(as: Float.self) == [15, 23, 31])
        #expect(try bound.output(1).elements(as: Float.self) == [64, 64, 64])
        #expect(try bound.output(2).item() == Double(3 * 64 * 16))
        #expect(executable.plan.inputOfOutput[0] == 0)
    }

    @Test("parts of a concatenation are computed in their place", arguments: [0, 1])
    func concatenation(axis: Int) throws {
        func f(_ v: [Tensor]) throws -> Tensor {
            let parts = try [sin(v[0]), v[0] * v[1], cos(v[1])]
            return try matmul(concatenate(parts, axis: axis), v[2])
        }
        let key = try PRNGKey(seed: 2)
        let v = try [
            key.normal([24, 40]), key.foldIn(1).normal([24, 40]),
            key.foldIn(2).normal([axis == 0 ? 40 : 120, 8]),
        ]
        let executable = try Executable(makeProgram({ [try f($0)] }, v))
        #expect(!executable.plan.steps.contains { $0.kernelName == "copy" }, "\(executable.planDescription)")
        #expect(try executable.run(v)[0].doubles() == f(v).doubles())
    }

    @Test("a part that others read, or that comes twice, is copied into a concatenation")
    func sharedParts() throws {
        func f(_ v: [Tensor]) throws -> [Tensor] {
            let a = try v[0] * 2
            let b = try v[0] + 1
            return [
                try concatenate([a, a, b], axis: 1), b, try concatenate([concatenate([b, exp(b)]), a]),
            ]
        }
        let v = [try PRNGKey(seed: 2).normal([3, 17])]
        let results = try Executable(makeProgram({ try f($0) }, v)).run(v)
        for (result, expected) in zip(results, try f(v)) {
            #expect(try result.doubles() == expected.doubles())
        }
    }

    @Test("results that stand twice, and inputs that are handed on, are written by the step that knows them")
    func repeatedOutputs() throws {
        let program = try makeProgram(
            { (v: [Tensor]) in
                let next = try v[0] + v[1]
                return [v[1], next, next]
            }, [try Tensor([1, 2, 3] as [Float]), try Tensor([5, 5, 6] as [Float])])
        let executable = try Executable(program, carry: [0, 1, nil])
        #expect(executable.plan.steps.count == 1)
        // Fibonacci's numbers, each state in the other's place.
        for steps in [1, 2, 5] {
            let bound = try BoundExecution(
                executable, inputs: [try Tensor([1, 2, 3] as [Float]), try Tensor([5, 5, 6] as [Float])])
            bound.run(repetitions: steps)
            var (a, b): ([Float], [Float]) = ([1, 2, 3], [5, 5, 6])
            for _ in 0..<steps { (a, b) = (b, zip(a, b).map { $0 + $1 }) }
            #expect(try bound.output(0).elements(as: Float.self) == a)
            #expect(try bound.output(1).elements(as: Float.self) == b)
            #expect(try bound.output(2).elements(as: Float.self) == b)
        }
    }

    @Test("temporaries that do not live together share memory")
    func arena() throws {
        let program = try makeProgram(
            { (x: Tensor) in
                var y = x
                for _ in 0..<20 { y = try tanh(matmul(y, x)) }
                return y
            }, try zeros([64, 64]))
        let executable = try Executable(program)
        #expect(executable.arenaByteCount <= 4 * 64 * 64 * 4)
    }

    @Test("a group with more values than registers is split, with the same result")
    func manyRegisters() throws {
        func f(_ x: Tensor) throws -> Tensor {
            let parts = try (0..<90).map { try x * Double($0) }
            var total = parts[0]
            for part in parts.reversed() { total = try total + part * part }
            return total
        }
        let x = try Tensor([0.5, -1.25] as [Float])
        #expect(try jit(f)(x).elements(as: Float.self) == f(x).elements(as: Float.self))
    }

    @Test("a program of 20,000 equations compiles and runs without deep recursion")
    func longProgram() throws {
        func f(_ x: Tensor) throws -> Tensor {
            var y = x
            for _ in 0..<10_000 { y = try (y + 1) * 0.5 }
            return y
        }
        #expect(try jit(f)(try Tensor(Float(0))).item() == 1)
    }

    @Test("views chain, and a reshape that no strides describe is copied", arguments: [false, true])
    func views(isCompiled: Bool) throws {
        func f(_ x: Tensor) throws -> Tensor {
            let turned = try transpose(reshape(x, [2, 3, 4]), axes: [2, 0, 1])
            return try reshape(flip(turned, axes: [0]), [4, 6]) + arange(6).astype(.float32)
        }
        let x = try arange(24).astype(.float32)
        let result = isCompiled ? try jit(f)(x) : try f(x)
        let expected = (0..<24).map { index -> Float in
            let (i, rest) = (3 - index / 6, index % 6)
            return Float(rest * 4 + i) + Float(rest)
        }
        #expect(try result.elements(as: Float.self) == expected)
    }
}
