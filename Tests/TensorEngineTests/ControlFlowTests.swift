// Loops and choices against the same thing written out, under every transformation.
import Testing

@testable import TensorEngine

private func bytes(_ tensors: [Tensor]) throws -> [[UInt8]] {
    try tensors.map { try $0.withUnsafeBytes { Array($0) } }
}

/// A recurrent step with a matrix that all iterations share.
private func step(_ weight: Tensor, _ carry: Tensor, _ x: Tensor) throws -> (Tensor, Tensor) {
    let next = try tanh(matmul(carry, weight) + x)
    return (next, try sum(next * next))
}

private func looped(_ arguments: [Tensor]) throws -> Tensor {
    let (carry, losses) = try scan(
        { (carry: Tensor, x: Tensor) in try step(arguments[0], carry, x) }, initial: arguments[1],
        over: arguments[2])
    return try sum(losses) + sum(carry)
}

private func unrolled(_ arguments: [Tensor]) throws -> Tensor {
    var carry = arguments[1]
    var losses: [Tensor] = []
    for k in 0..<arguments[2].shape[0] {
        let x = try squeeze(
            slice(arguments[2], starts: [k, 0], limits: [k + 1, arguments[2].shape[1]]), axes: [0])
        let (next, loss) = try step(arguments[0], carry, x)
        carry = next
        losses.append(loss)
    }
    return try sum(stack(losses)) + sum(carry)
}

private func example() throws -> [Tensor] {
    let keys = try PRNGKey(seed: 5).split(3)
    return [try keys[0].normal([4, 4]), try keys[1].normal([4]), try keys[2].normal([6, 4])]
}

private func expectClose(_ a: [Tensor], _ b: [Tensor], _ tolerance: Double = 1e-5) throws {
    for (x, y) in zip(a, b) {
        #expect(x.type == y.type)
        for (p, q) in zip(try x.doubles(), try y.doubles()) {
            #expect(abs(p - q) <= tolerance * max(1, abs(q)))
        }
    }
}

@Suite struct ControlFlowTests {
    @Test("a scan is the unrolled loop: value bit for bit, first and second derivatives")
    func scanIsUnrolledLoop() throws {
        let arguments = try example()
        #expect(try bytes([looped(arguments)]) == bytes([unrolled(arguments)]))
        try expectClose(grad(looped)(arguments), grad(unrolled)(arguments))
        func curvature(_ f: @escaping ([Tensor]) throws -> Tensor) throws -> [Tensor] {
            try grad { (x: [Tensor]) in
                let gradient = try grad(f)(x)
                return try sum(gradient[0] * gradient[0]) + sum(sin(gradient[2]))
            }(arguments)
        }
        try expectClose(curvature(looped), curvature(unrolled), 1e-4)
    }

    @Test("the gradient of a scan is the same bits under jit, and the gradient of the jitted scan")
    func scanUnderJIT() throws {
        let arguments = try example()
        let eager = try grad(looped)(arguments)
        let compiled = jit { (x: [Tensor]) in try grad(looped)(x) }
        #expect(try bytes(compiled(arguments)) == bytes(eager))
        #expect(try bytes(compiled(arguments)) == bytes(eager))
        let inner = jit(looped)
        #expect(try bytes(grad { (x: [Tensor]) in try inner(x) }(arguments)) == bytes(eager))
    }

    @Test("a vectorised scan is the loop over members, bit for bit, whichever arguments are mapped")
    func scanUnderVMap() throws {
        let members = try (0..<3).map { seed in
            let keys = try PRNGKey(seed: seed).split(3)
            return [try keys[0].normal([4, 4]), try keys[1].normal([4]), try keys[2].normal([6, 4])]
        }
        for mask in 1..<8 {
            let mapped = (0..<3).map { mask & (1 << $0) != 0 }
            let arguments = try (0..<3).map { k in
                mapped[k] ? try stack(members.map { $0[k] }) : members[0][k]
            }
            let vectorized = vmap(
                { (w: Tensor, c: Tensor, x: Tensor) in try looped([w, c, x]) },
                inAxes: mapped.map { $0 ? 0 : nil })
            let result = try vectorized(arguments[0], arguments[1], arguments[2])
            let each = try stack(
                try members.map { member in
                    try looped((0..<3).map { mapped[$0] ? member[$0] : members[0][$0] })
                })
            #expect(try bytes([result]) == bytes([each]), "mapped \(mapped)")
        }
    }

    @Test("scans inside scans, with an outer value captured twice, differentiate")
    func nestedScans() throws {
        func nested(_ x: [Tensor]) throws -> Tensor {
            try scan(
                { (outer: Tensor, row: Tensor) in
                    let inner = try scan(
                        { (carry: Tensor, element: Tensor) in
                            (try carry * x[0] + element * outer, try sin(carry))
                        }, initial: outer, over: row)
                    return (try inner.carry * 0.5, try sum(inner.results))
                }, initial: x[1], over: x[2], reverse: true
            ).results.summed()
        }
        func flat(_ x: [Tensor]) throws -> Tensor {
            var outer = x[1]
            var total: [Tensor] = []
            for i in (0..<3).reversed() {
                var carry = outer
                var values: [Tensor] = []
                for j in 0..<4 {
                    let element = try squeeze(
                        slice(x[2], starts: [i, j], limits: [i + 1, j + 1]), axes: [0, 1])
                    values.append(try sin(carry))
                    carry = try carry * x[0] + element * outer
                }
                total.append(try sum(stack(values)))
                outer = try carry * 0.5
            }
            return try sum(stack(total.reversed()))
        }
        let keys = try PRNGKey(seed: 9).split(3)
        let x = [try keys[0].normal([]), try keys[1].normal([]), try keys[2].normal([3, 4])]
        try expectClose([nested(x)], [flat(x)])
        try expectClose(grad(nested)(x), grad(flat)(x))
        #expect(
            try bytes(jit { (x: [Tensor]) in try grad(nested)(x) }(x)) == bytes(grad(nested)(x)))
    }

    @Test("a loop's temporaries do not grow with its length")
    func memoryOfALoop() throws {
        func arena(_ length: Int) throws -> Int {
            let program = try makeProgram(
                { (x: Tensor) in
                    try scan(
                        { (c: Tensor) in (try sin(matmul(c, c)), [Tensor]()) }, initial: x, length: length
                    )
                    .carry
                }, try PRNGKey(seed: 0).normal([16, 16]))
            return try Executable(program).arenaByteCount
        }
        #expect(try arena(1000) == arena(10))
    }

    @Test("a loop is compiled without the results that nobody reads, and without what only these need")
    func unreadResults() throws {
        let x = try PRNGKey(seed: 1).normal([5, 3])
        let program = try makeProgram(
            { (x: Tensor) in
                try scan(
                    { (c: [Tensor], row: Tensor) in
                        ([try c[0] + row, try c[1] * exp(row), try c[2] + c[1]], try sin(row))
                    }, initial: [zeros([3]), zeros([3]), zeros([3])], over: x
                ).carry[0]
            }, x)
        let pruned = try Pipeline.run(program)
        let loop = try #require(pruned.equations.compactMap { $0.primitive as? Scan }.first)
        #expect(loop.carryCount == 1)
        #expect(loop.body.equations.map(\.primitive.name) == ["add"])
        #expect(try Executable(program).run([x]).first?.doubles() == sum(x, axes: [0]).doubles())
    }

    @Test("a branch may capture what others do not; only the chosen one runs; under vmap each member chooses")
    func choices() throws {
        let (a, b) = (try Tensor(2 as Float), try Tensor(3 as Float))
        func choose(_ p: Tensor, _ x: Tensor, _ a: Tensor, _ b: Tensor) throws -> Tensor {
            try cond(p, { (x: Tensor) in try x * a }, { (x: Tensor) in try x + b * a }, x)
        }
        let x = try Tensor([1, 2, 3] as [Float])
        let positive = try Tensor(true)
        #expect(try choose(positive, x, a, b).doubles() == [2, 4, 6])
        let compiled = jit(choose)
        #expect(try compiled(positive, x, a, b).doubles() == [2, 4, 6])
        #expect(try compiled(try Tensor(false), x, a, b).doubles() == [7, 8, 9])
        let each = try vmap(choose, inAxes: [0, 0, nil, nil])(try Tensor([true, false, true]), x, a, b)
        #expect(try each.doubles() == [2, 8, 6])
        let gradient = try grad { (a: Tensor) in
            try sum(vmap(choose, inAxes: [0, 0, nil, nil])(try Tensor([true, false, true]), x, a, b))
        }(a)
        #expect(try gradient.item() == 1 + 3 + 3)
    }

    @Test("a branch that is not chosen cannot spoil the gradient")
    func unchosenBranch() throws {
        let gradient = grad { (x: Tensor) in
            try cond(greater(x, 0), { (x: Tensor) in try log(x) }, { (x: Tensor) in try x * 0 }, x)
        }
        #expect(try gradient(try Tensor(0 as Float)).item() == 0)
        #expect(try gradient(try Tensor(2 as Float)).item() == 0.5)
    }

    @Test("a while loop counts Collatz steps for each member, compiled, inside a scan")
    func whileLoops() throws {
        func steps(_ start: Tensor) throws -> Tensor {
            try whileLoop(
                { (s: [Tensor]) in try notEqual(s[0], 1) },
                { (s: [Tensor]) in
                    let even = try equal(rem(s[0], 2), 0)
                    return [try select(even, s[0] / 2, 3 * s[0] + 1).astype(.int32), try s[1] + 1]
                }, initial: [start, try Tensor(0 as Int32)])[1]
        }
        let starts = try Tensor([1, 7, 27, 6] as [Int32])
        let expected: [Int32] = [0, 16, 111, 8]
        #expect(try vmap(steps)(starts).elements() == expected)
        #expect(try jit { (x: Tensor) in try vmap(steps)(x) }(starts).elements() == expected)
        let scanned = try scan(
            { (total: Tensor, start: Tensor) in
                let count = try steps(start)
                return (try total + count, count)
            }, initial: try Tensor(0 as Int32), over: starts)
        #expect(try scanned.results.elements() == expected)
        #expect(try scanned.carry.elements() == [135 as Int32])
    }

    @Test("a while loop has forward derivatives, and says what to use for reverse ones")
    func whileDerivatives() throws {
        func doubling(_ x: Tensor) throws -> Tensor {
            try whileLoop({ try less($0, 100) }, { try $0 * 2 }, initial: x)
        }
        let x = try Tensor(3 as Float)
        let (value, tangent) = try jvp(doubling, x, try Tensor(1 as Float))
        #expect(try value.item() == 192)
        #expect(try tangent.item() == 64)
        #expect {
            try grad(doubling)(x)
        } throws: {
            "\($0)".contains("scan or foriLoop")
        }
    }

    @Test("a loop over zero slices gives its initial carry and empty results, also differentiated")
    func emptyLoop() throws {
        let x = try Tensor([1, 2] as [Float])
        let none = try zeros([0, 2])
        let (carry, results) = try scan(
            { (c: Tensor, x: Tensor) in (try c * x, try c + x) }, initial: x, over: none)
        #expect(try carry.doubles() == [1, 2])
        #expect(results.shape == [0, 2])
        let gradient = try grad { (x: Tensor) in
            try sum(scan({ (c: Tensor, x: Tensor) in (try c * x, try c + x) }, initial: x, over: none).carry)
        }(x)
        #expect(try gradient.doubles() == [1, 1])
    }

    @Test("errors of loops say which part does not fit")
    func errors() throws {
        let x = try Tensor(1 as Float)
        #expect {
            try scan({ (c: Tensor) in (try c.astype(.int32), [Tensor]()) }, initial: x, length: 3)
        } throws: {
            "\($0)".contains("float32[] at leaf 0") && "\($0)".contains("int32[]")
        }
        #expect(throws: TensorError.self) {
            try scan({ (c: Tensor, x: Tensor) in (c, x) }, initial: x, over: x)
        }
        #expect {
            try cond(try Tensor([true, false]), { (x: Tensor) in x }, { (x: Tensor) in x }, x)
        } throws: {
            "\($0)".contains("select")
        }
        var leaked: Tensor?
        _ = try scan(
            { (c: Tensor) in
                leaked = try sin(c)
                return (c, [Tensor]())
            }, initial: x, length: 2)
        #expect {
            try cos(try #require(leaked))
        } throws: {
            "\($0)".contains("made by sin")
        }
    }

    @Test("running products by associativeScan are those of a loop, for every length")
    func associative() throws {
        for count in 1...9 {
            let x = try PRNGKey(seed: 1).uniform([count, 2]) + 0.5
            let products = try associativeScan({ try $0 * $1 }, x)
            var running = [1.0, 1.0]
            let values = try x.doubles()
            for row in 0..<count {
                for column in 0..<2 {
                    running[column] *= values[row * 2 + column]
                    #expect(abs(try products.doubles()[row * 2 + column] - running[column]) < 1e-5)
                }
            }
            let reversed = try associativeScan({ try $0 * $1 }, x, reverse: true)
            #expect(try abs(reversed.doubles()[0] - running[0]) < 1e-5)
        }
    }
}

extension Tensor {
    fileprivate func summed() throws -> Tensor { try sum(self) }
}
