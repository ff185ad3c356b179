// The golden cases of operations as StableHLO, for XLA to run: see deploy/interop/stablehlo.py.
import TestSupport
import Testing

@testable import TensorEngine

@Suite struct PrimitiveStableHLOTests {
    @Test("what stands for decompositions in StableHLO gives JAX's values in this engine, too")
    func composites() throws {
        try checkParity("primitives", "linalg", notBuilt: 0) { parityCase in
            let primitiveCase = try PrimitiveCase(parityCase)
            let program = try inlinePrograms(
                makeProgram(primitiveCase.results, primitiveCase.inputs))
            let outputs = try program.evaluate(primitiveCase.inputs) { primitive, operands in
                guard case .composite(let function) = primitive.stableHLO else {
                    return try primitive.run(operands)
                }
                return try function(operands)
            }
            let expected = try parityCase.expected.member("out").arrayValue ?? []
            for (got, want) in zip(outputs, expected) { try expectClose(got, want, parityCase.tolerance) }
        }
    }

    @Test("golden cases are written for XLA", .enabled(if: StableHLOCaseFile.folder != nil))
    func casesForXLA() throws {
        for group in try ParitySuite.groups("primitives") {
            var cases = StableHLOCaseFile("golden-\(group)")
            var eagerOnly = 0
            for parityCase in try ParitySuite.load("primitives", group) where !parityCase.expectsError {
                let primitiveCase = try PrimitiveCase(parityCase)
                let outputs = try primitiveCase.results(primitiveCase.inputs)
                do {
                    let program = try makeProgram(primitiveCase.results, primitiveCase.inputs)
                    cases.add(
                        parityCase.name, text: try program.stableHLO(),
                        inputs: try primitiveCase.inputs.map { try $0.caseArray },
                        outputs: try outputs.map { try $0.caseArray },
                        relative: parityCase.tolerance.relative, absolute: parityCase.tolerance.absolute)
                } catch let error as TensorError where error.kind == .tracing {
                    // An operation that reads values, such as the places of what is not zero.
                    eagerOnly += 1
                }
            }
            print(
                "stablehlo: \(cases.count) golden cases of \(group), \(eagerOnly) read values")
            try cases.write()
        }
    }
}

extension Tensor {
    /// The tensor in a file of cases for XLA.
    var caseArray: StableHLOCaseFile.Array {
        get throws {
            StableHLOCaseFile.Array(
                dtype: dtype.description, shape: shape.dimensions, bytes: try withUnsafeBytes { Array($0) })
        }
    }
}
