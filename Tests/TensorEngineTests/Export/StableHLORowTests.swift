// Every row of the table of primitives as StableHLO: complete here, and run by XLA in deploy/interop/stablehlo.py.
import TestSupport
import Testing

@testable import TensorEngine

@Suite struct StableHLORowTests {
    @Test("every primitive has a form in StableHLO", arguments: PrimitiveTable.all)
    func everyRow(sample: PrimitiveSample) throws {
        var cases = StableHLOCaseFile("row")
        for sample in sample.allTypes { try add(sample, to: &cases) }
        #expect(cases.count == sample.allTypes.count)
    }

    @Test("programs, operands and results are written for XLA", .enabled(if: StableHLOCaseFile.folder != nil))
    func casesForXLA() throws {
        var cases = StableHLOCaseFile("rows")
        for sample in PrimitiveTable.all {
            for sample in sample.allTypes { try add(sample, to: &cases) }
            if sample.isShapeFree { try add(sample.with([0, 3]), to: &cases) }
        }
        try cases.write()

        var gradients = StableHLOCaseFile("gradients")
        for sample in PrimitiveTable.all where sample.hasGradient && !sample.activeInputs.isEmpty {
            let sample = sample.withKnownSigns
            let operands = try sample.single.draw()
            let function = sample.differentiable(operands)
            try add(
                sample.testDescription, { try vjp(function, $0).pullback(function($0).map(onesLike)) },
                sample.activeInputs.map { operands[$0] }, tolerance: 1e-4, to: &gradients)
        }
        try gradients.write()

        var batches = StableHLOCaseFile("batches")
        for sample in PrimitiveTable.all { try addBatches(sample.single.withKnownSigns, to: &batches) }
        try batches.write()
        print(
            "stablehlo: \(cases.count) rows, \(gradients.count) gradients, \(batches.count) batches; for one batch size only: "
                + "\(batches.refused.sorted { $0.key < $1.key })")
    }

    private func add(_ sample: PrimitiveSample, to cases: inout StableHLOCaseFile) throws {
        var slack = 10.0
        if case .reference(let own, _) = sample.evidence { slack = own }
        let operands = try sample.draw()
        let tolerance = (try sample.call(operands).map(\.dtype.sampleTolerance).max() ?? 0) * slack
        let call = sample.withKnownSigns.call
        try add(sample.testDescription, call, operands, tolerance: tolerance, to: &cases)
    }

    private func add(
        _ name: String, _ function: @escaping ([Tensor]) throws -> [Tensor], _ operands: [Tensor],
        tolerance: Double, to cases: inout StableHLOCaseFile
    ) throws {
        cases.add(
            name, text: try makeProgram(function, operands).stableHLO(),
            inputs: try operands.map { try $0.caseArray },
            outputs: try function(operands).map { try $0.caseArray }, relative: tolerance, absolute: tolerance
        )
    }

    /// The row over members along an open leading dimension, for batches of one and three. Where that would make a size of the
    /// number of members (the groups of a convolution with a kernel each), the members share all operands but the first.
    private func addBatches(_ sample: PrimitiveSample, to cases: inout StableHLOCaseFile) throws {
        guard !sample.inputs.isEmpty else { return }
        for count in [sample.inputs.count, 1] {
            do {
                return try addBatches(sample, mapping: count, to: &cases)
            } catch let error as TensorError where error.fix == "Export for one batch size." {
                if count == 1 { cases.refuse(error.operation) }
            }
        }
    }

    private func addBatches(
        _ sample: PrimitiveSample, mapping count: Int, to cases: inout StableHLOCaseFile
    ) throws {
        let shared = Array(try sample.draw()[count...])
        let function = { (operands: [Tensor]) in
            try vmap { (members: [Tensor]) in try sample.call(members + shared) }(operands)
        }
        let text = try BatchPolymorphicProgram { batchSize in
            let types = sample.inputs[..<count].map {
                TensorType($0.type.dtype, Shape([batchSize] + $0.type.shape.dimensions))
            }
            return try makeProgram(function, try types.map { try zeros($0.shape, dtype: $0.dtype) })
        }.stableHLO()
        for members in [1, 3] {
            let draws = try (0..<members).map { try sample.draw(seed: UInt64($0)) }
            let operands = try (0..<count).map { k in try stack(draws.map { $0[k] }) }
            cases.add(
                "\(sample.testDescription) ×\(members)", text: text,
                inputs: try operands.map { try $0.caseArray },
                outputs: try function(operands).map { try $0.caseArray }, relative: 1e-4, absolute: 1e-4)
        }
    }
}

extension PrimitiveSample {
    /// The row in float32 where it has that type: what models compute in.
    fileprivate var single: PrimitiveSample { types.contains(.float32) ? with(.float32) : self }

    /// The row, where its vectors' signs are the decomposition's choice, with vectors whose largest element is positive.
    fileprivate var withKnownSigns: PrimitiveSample {
        var result = self
        let call = call
        switch name {
        case "eigh":
            result.call = { operands in
                let parts = try call(operands)
                return [parts[0], try parts[1] * signs(ofColumns: parts[1])]
            }
        case "svd":
            result.call = { operands in
                let parts = try call(operands)
                guard parts.count == 3, parts[0].shape.elementCount > 0 else { return parts }
                // A row of vt has the sign of its column of u; what the full form adds has its own.
                let v = try matrixTranspose(parts[2])
                let inner = parts[0].shape[parts[0].rank - 1]
                let (ofU, ofV) = (try signs(ofColumns: parts[1]), try signs(ofColumns: v))
                let shared = try slice(ofU, axis: -1, 0..<inner)
                let rest = try slice(ofV, axis: -1, inner..<ofV.shape[ofV.rank - 1])
                let all = try concatenate([shared, rest], axis: -1)
                return [parts[0], try parts[1] * ofU, try matrixTranspose(v * all)]
            }
        default: break
        }
        return result
    }
}

/// The signs of the largest elements of columns, `[…, 1, n]`.
private func signs(ofColumns x: Tensor) throws -> Tensor {
    guard x.shape.elementCount > 0 else { return try onesLike(x) }
    let fixed = try stopGradient(x)
    let largest = try argmax(abs(fixed), axis: -2, keepDims: true)
    return try sign(takeAlongAxis(fixed, largest, axis: -2))
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
