// Laws of the transformations, tried on random programs.
import Foundation
import Testing

@testable import TensorEngine

/// The seeds to try: a few by default, `SPINDLE_PROPERTY_PROGRAMS` of them when that is set, or just `SPINDLE_PROPERTY_SEED`.
private let seeds: Range<UInt64> = {
    if let one = ProcessInfo.processInfo.environment["SPINDLE_PROPERTY_SEED"].flatMap(UInt64.init) {
        return one..<(one + 1)
    }
    let wanted = ProcessInfo.processInfo.environment["SPINDLE_PROPERTY_PROGRAMS"].flatMap(UInt64.init)
    return 0..<(wanted ?? 24)
}()

@Suite struct RandomProgramTests {
    private func program(_ seed: UInt64, isDifferentiable: Bool) -> RandomProgram {
        RandomProgram(seed: seed, operations: 5 + Int(seed % 26), isDifferentiable: isDifferentiable)
    }

    /// The gradient with respect to the float inputs.
    private func gradient(
        _ loss: @escaping ([Tensor]) throws -> Tensor, _ inputs: [Tensor]
    ) throws -> [Tensor] {
        let active = inputs.indices.filter { inputs[$0].dtype.isFloating }
        return try grad { (x: [Tensor]) in
            var all = inputs
            for (position, tensor) in zip(active, x) { all[position] = tensor }
            return try loss(all)
        }(active.map { inputs[$0] })
    }

    @Test("compiled, rematerialised and optimised programs give the bits of eager ones", arguments: seeds)
    func compiled(seed: UInt64) throws {
        let program = program(seed, isDifferentiable: false)
        let inputs = try program.draw()
        let expected = try bits(program(inputs))
        let compiled = jit { (x: [Tensor]) in try program(x) }
        #expect(try bits(compiled(inputs)) == expected, "\(program.description)")
        #expect(try bits(compiled(inputs)) == expected, "a second run of \(program.description)")
        let rematerialized = try jit { (x: [Tensor]) in try remat { (x: [Tensor]) in try program(x) }(x) }(
            inputs)
        #expect(try bits(rematerialized) == expected, "\(program.description)")
        var traced = try makeProgram({ (x: [Tensor]) in try program(x) }, inputs)
        for (name, pass) in Pipeline.standard {
            traced = try pass(traced)
            #expect(throws: Never.self, "after \(name): \(program.description)") { try traced.verify() }
            #expect(try bits(traced.evaluate(inputs)) == expected, "after \(name): \(program.description)")
        }
    }

    @Test("vmap gives the bits of a loop, compiled too", arguments: seeds)
    func vectorized(seed: UInt64) throws {
        let program = program(seed, isDifferentiable: false)
        let members = try (0..<3).map { try program.draw(member: $0) }
        let vectorized = vmap { (x: [Tensor]) in try program(x) }
        let stacked = try batch(members)
        let eager = try vectorized(stacked)
        for (k, member) in members.enumerated() {
            let expected = try bits(program(member))
            #expect(
                try eager.map { try Bits($0, member: k) } == expected, "member \(k) of \(program.description)"
            )
        }
        let compiled = try jit { (x: [Tensor]) in try vectorized(x) }(stacked)
        #expect(try bits(compiled) == bits(eager), "\(program.description)")
    }

    @Test(
        "gradients: eager, compiled, of the compiled and of the rematerialised function have the same bits",
        arguments: seeds)
    func gradients(seed: UInt64) throws {
        let program = program(seed, isDifferentiable: true)
        let inputs = try program.draw()
        let expected = try bits(gradient(program.loss, inputs))
        let compiled = try jit { (x: [Tensor]) in try gradient(program.loss, x) }(inputs)
        #expect(try bits(compiled) == expected, "\(program.description)")
        let inner = jit { (x: [Tensor]) in try program.loss(x) }
        #expect(try bits(gradient({ try inner($0) }, inputs)) == expected, "\(program.description)")
        let rematerialized = remat { (x: [Tensor]) in try program.loss(x) }
        #expect(try bits(gradient({ try rematerialized($0) }, inputs)) == expected, "\(program.description)")
    }

    @Test(
        "vmap of the gradient gives the bits of a loop; the gradient of the sum over vmap agrees with it",
        arguments: seeds)
    func vectorizedGradients(seed: UInt64) throws {
        let program = program(seed, isDifferentiable: true)
        let members = try (0..<2).map { try program.draw(member: $0) }
        let stacked = try batch(members)
        let vectorized = try vmap { (x: [Tensor]) in try gradient(program.loss, x) }(stacked)
        for (k, member) in members.enumerated() {
            let expected = try bits(gradient(program.loss, member))
            #expect(
                try vectorized.map { try Bits($0, member: k) } == expected,
                "member \(k) of \(program.description)")
        }
        let total = vmap { (x: [Tensor]) in try program.loss(x) }
        let ofSum = try gradient({ try sum(total($0)) }, stacked)
        // Sums of cotangents may run in another order there.
        let tolerance = program.hasHalfPrecision ? 5e-2 : 1e-4
        let difference = try largestDifference(ofSum, vectorized)
        #expect(difference < tolerance, "\(program.description)")
    }
}
