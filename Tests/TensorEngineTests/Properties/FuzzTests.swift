// No argument traps: every call gives a value or a TensorError.
import Foundation
import Testing

@testable import TensorEngine

/// How many rounds each test runs: a few by default, `SPINDLE_FUZZ_ROUNDS` of them when that is set.
private let rounds: UInt64 = {
    ProcessInfo.processInfo.environment["SPINDLE_FUZZ_ROUNDS"].flatMap(UInt64.init) ?? 150
}()

/// What is called: everything, or, to find out what traps, the functions whose name `SPINDLE_FUZZ_CALL` is.
private let calls: [(name: String, call: Fuzzer.Call)] = {
    let all = Fuzzer.calls + Fuzzer.families
    guard let only = ProcessInfo.processInfo.environment["SPINDLE_FUZZ_CALL"] else { return all }
    return all.filter { $0.name == only }
}()

/// The largest value that a traced program may have to be run: others are only compiled.
private let largestRun = 1 << 16

/// A failure here is a trap of the whole process: the file `spindle-fuzz-….txt` in the temporary folder then names the seed
/// and the call.
@Suite struct FuzzTests {
    @Test("absurd arguments of public functions give values or errors, one call at a time")
    func eager() {
        let log = FuzzLog("eager")
        for seed in 0..<rounds {
            var fuzzer = Fuzzer(seed: seed)
            for number in 0..<30 {
                log.write("seed \(seed), call \(number)")
                fuzzer.step(calls, log: log)
            }
        }
    }

    @Test("absurd arguments of public functions inside jit, grad and vmap give values or errors")
    func traced() {
        let log = FuzzLog("traced")
        for seed in 0..<rounds {
            var fuzzer = Fuzzer(seed: seed &+ 1_000_000)
            let inputs = (0..<2).compactMap { _ in
                let (shape, dtype) = (fuzzer.smallShape(), fuzzer.dtype())
                return try? fuzzer.tensor(shape, dtype)
            }
            let start = fuzzer
            // The same calls whenever the function is traced.
            func function(_ x: [Tensor]) throws -> [Tensor] {
                var fuzzer = start
                fuzzer.add(x)
                for number in 0..<12 {
                    log.write("seed \(seed) traced, call \(number)")
                    fuzzer.step(calls, log: log)
                }
                let results = fuzzer.results
                fuzzer.forget()
                return results
            }
            log.write("seed \(seed) compile")
            guard let program = try? makeProgram(function, inputs) else { continue }
            guard let executable = try? Executable(program) else { continue }
            let isSmall = program.types.allSatisfy { $0.shape.elementCount <= largestRun }
            log.write("seed \(seed) run")
            if isSmall { _ = try? executable.run(inputs) }
            log.write("seed \(seed) vmap")
            let members = inputs.compactMap { x in try? stack([x, x]) }
            if let batched = try? makeProgram({ (x: [Tensor]) in try vmap(function)(x) }, members) {
                log.write("seed \(seed) vmap, compile")
                let executable = try? Executable(batched)
                let isSmall = batched.types.allSatisfy { $0.shape.elementCount <= largestRun }
                log.write("seed \(seed) vmap, run")
                if isSmall { _ = try? executable?.run(members) }
            }
            log.write("seed \(seed) vjp")
            let derivative = try? makeProgram(
                { (x: [Tensor]) in
                    let active = x.indices.filter { x[$0].dtype.isFloating }
                    let (value, pullback) = try vjp(
                        { (a: [Tensor]) in
                            var all = x
                            for (position, tensor) in zip(active, a) { all[position] = tensor }
                            return try function(all).filter(\.dtype.isFloating)
                        }, active.map { x[$0] })
                    return try pullback(try value.map { try onesLike($0) })
                }, inputs)
            guard let derivative else { continue }
            log.write("seed \(seed) vjp, compile")
            let gradient = try? Executable(derivative)
            log.write("seed \(seed) vjp, run")
            if derivative.types.allSatisfy({ $0.shape.elementCount <= largestRun }) {
                _ = try? gradient?.run(inputs)
            }
        }
    }

    @Test("primitives with operands of other types, ranks and sizes than they want give values or errors")
    func primitives() throws {
        let log = FuzzLog("primitives")
        for seed in 0..<(rounds / 3) {
            var fuzzer = Fuzzer(seed: seed &+ 2_000_000)
            for sample in PrimitiveTable.all {
                var types = sample.inputs.map(\.type)
                for k in types.indices where fuzzer.bool() {
                    switch Int.random(in: 0..<5, using: &fuzzer.generator) {
                    case 0: types[k].dtype = fuzzer.dtype()
                    case 1: types[k].shape = fuzzer.shape()
                    case 2: types[k].shape.dimensions.append(fuzzer.size())
                    case 3: if !types[k].shape.isEmpty { types[k].shape.dimensions.removeLast() }
                    default:
                        if let axis = types[k].shape.indices.randomElement(using: &fuzzer.generator) {
                            types[k].shape[axis] = fuzzer.size()
                        }
                    }
                }
                // No tensor has other types: what makes them refuses them.
                guard types.allSatisfy({ (try? TensorLimits.check($0, for: "fuzz")) != nil }) else {
                    continue
                }
                log.write("seed \(seed): \(sample.name) of \(types)")
                let recorded = try? Trace.record(types) { (try sample.call($0), ()) }
                if let program = recorded?.program {
                    log.write("seed \(seed), compile: \(sample.name) of \(types)")
                    _ = try? Executable(program)
                }
                guard
                    types.allSatisfy({
                        (0...4096).contains($0.shape.elementCount) && !$0.shape.contains { $0 < 0 }
                    })
                else { continue }
                let operands = types.compactMap { try? fuzzer.tensor($0.shape, $0.dtype) }
                guard operands.count == types.count else { continue }
                // A loop may well have no end for these values.
                if sample.name == "while" { continue }
                log.write("seed \(seed), run: \(sample.name) of \(types)")
                _ = try? sample.call(operands)
            }
        }
    }
}
