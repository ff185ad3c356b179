// Transformations against each other and against differences: grad, jvp, vmap, jit.
import Testing

@testable import TensorEngine

/// A small network with a loss: enough operations to exercise every rule of an MLP.
private func loss(_ parameters: [Tensor], _ x: Tensor, _ labels: Tensor) throws -> Tensor {
    let hidden = try relu(matmul(x, parameters[0]) + parameters[1])
    let logits = try matmul(hidden, parameters[2])
    let picked = try takeAlongAxis(logits, expandDims(labels, axis: -1), axis: -1)
    return try mean(logSumExp(logits, axes: [-1]) - squeeze(picked, axes: [-1]))
}

private func example() throws -> (parameters: [Tensor], x: Tensor, labels: Tensor) {
    let keys = try PRNGKey(seed: 3).split(4)
    return (
        [try keys[0].normal([5, 7]), try keys[1].normal([7]), try keys[2].normal([7, 3])],
        try keys[3].normal([4, 5]),
        try Tensor([0, 2, 1, 2] as [Int32])
    )
}

private func bytes(_ tensor: Tensor) throws -> [UInt8] { try tensor.withUnsafeBytes { Array($0) } }

@Suite struct TransformTests {
    @Test("the gradient of an MLP's cross entropy agrees with central differences in float64")
    func gradientAgainstDifferences() throws {
        let (parameters, x, labels) = try example()
        let wide = try parameters.map { try $0.astype(.float64) }
        let input = try x.astype(.float64)
        let gradient = try grad(loss)(wide, input, labels)
        for (k, parameter) in wide.enumerated() {
            let values: [Double] = try parameter.elements()
            let analytic: [Double] = try gradient[k].elements()
            for index in stride(from: 0, to: values.count, by: 3) {
                func shifted(_ by: Double) throws -> Double {
                    var moved = values
                    moved[index] += by
                    var all = wide
                    all[k] = try Tensor(moved, shape: parameter.shape)
                    return try loss(all, input, labels).item()
                }
                let difference = (try shifted(1e-6) - shifted(-1e-6)) / 2e-6
                #expect(abs(difference - analytic[index]) < 1e-7, "parameter \(k) element \(index)")
            }
        }
    }

    @Test(
        "a jitted function gives the bits of the eager one, also its gradient, also the gradient of the jitted one"
    )
    func jitIsEager() throws {
        let (parameters, x, labels) = try example()
        let eager = try valueAndGrad(loss)(parameters, x, labels)
        let compiled = jit { (p: [Tensor], x: Tensor, y: Tensor) in
            let (value, gradient) = try valueAndGrad(loss)(p, x, y)
            return (value, gradient)
        }
        let (value, gradient) = try compiled(parameters, x, labels)
        #expect(try bytes(value) == bytes(eager.value))
        for (a, b) in zip(gradient, eager.gradient) { #expect(try bytes(a) == bytes(b)) }

        let inner = jit { (p: [Tensor], x: Tensor, y: Tensor) in try loss(p, x, y) }
        let ofCompiled = try grad { (p: [Tensor], x: Tensor, y: Tensor) in try inner(p, x, y) }(
            parameters, x, labels)
        for (a, b) in zip(ofCompiled, eager.gradient) { #expect(try bytes(a) == bytes(b)) }
        _ = try compiled(parameters, x, labels)
        #expect(compiled.compilations.count == 1)
    }

    @Test("vmap gives what a loop over the members gives")
    func vmapIsLoop() throws {
        let (parameters, x, _) = try example()
        func member(_ row: Tensor) throws -> Tensor { try tanh(matmul(row, parameters[0]) + parameters[1]) }
        let batched = try vmap(member)(x)
        for k in 0..<4 {
            let row = try squeeze(slice(x, axis: 0, k..<(k + 1)), axes: [0])
            let expected = try bytes(member(row))
            #expect(try bytes(slice(batched, axis: 0, k..<(k + 1))) == expected)
        }
    }

    @Test("vmap of grad, and of functions with a shared argument, over other axes")
    func vmapAxes() throws {
        let (parameters, x, _) = try example()
        let perExample = vmap(
            { (w: Tensor, row: Tensor) in try grad { w in try sum(square(matmul(row, w))) }(w) },
            inAxes: [nil, 1])
        let result = try perExample(parameters[0], try transpose(x))
        #expect(result.shape == [4, 5, 7])
        let total = try grad { (w: Tensor) in try sum(square(matmul(x, w))) }(parameters[0])
        let difference = try max(abs(sum(result, axes: [0]) - total)).item()
        #expect(difference < 1e-4)
    }

    @Test("jvp and vjp agree: <ct, J t> = <Jᵀ ct, t>")
    func forwardAgainstReverse() throws {
        let (parameters, x, _) = try example()
        func f(_ x: Tensor) throws -> Tensor { try logistic(matmul(exp(x * 0.1), parameters[0])) }
        let tangent = try PRNGKey(seed: 8).normal(x.shape)
        let (value, direction) = try jvp(f, x, tangent)
        let cotangent = try PRNGKey(seed: 9).normal(value.shape)
        let pulled = try vjp(f, x).pullback(cotangent)
        let (a, b) = (try sum(direction * cotangent).item(), try sum(pulled * tangent).item())
        #expect(abs(a - b) < 1e-5 * (1 + abs(a)))
        let (_, derivative) = try linearize(f, x)
        #expect(try max(abs(derivative(tangent) - direction)).item() < 1e-6)
    }

    @Test("derivatives of derivatives")
    func higherOrder() throws {
        let third = grad { (x: Tensor) in try grad { x in try grad { x in try x * x * x * x }(x) }(x) }
        #expect(try third(Tensor(Float(2))).item() == 48)
    }

    @Test("a traced tensor has no value, and does not survive its transformation")
    func escapedTracer() throws {
        #expect(throws: TensorError.self) {
            try jit { (x: Tensor) in try x * Double(x.item()) }(try Tensor(Float(1)))
        }
        var leaked: Tensor?
        _ = try jit { (x: Tensor) in
            leaked = x
            return x
        }(try Tensor(Float(1)))
        let error = #expect(throws: TensorError.self) { try leaked.map { try $0 + 1 } }
        #expect(error?.kind == .tracing)
        #expect(error?.description.contains("left the jit") == true)
    }
}
