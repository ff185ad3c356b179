// The golden cases of operations as StableHLO, for XLA to run: see deploy/interop/stablehlo.py.
import TensorEngine
import TestSupport
import Testing

@Suite struct PrimitiveStableHLOTests {
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
                } catch let error as TensorError where error.expected.contains("has a form in StableHLO") {
                    cases.refuse(error.operation)
                } catch let error as TensorError where error.kind == .tracing {
                    // An operation that reads values, such as the places of what is not zero.
                    eagerOnly += 1
                }
            }
            print(
                "stablehlo: \(cases.count) golden cases of \(group), \(eagerOnly) read values; without a form: "
                    + "\(cases.refused.sorted { $0.key < $1.key })")
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
