// Every row of the table of primitives as StableHLO: complete here, and run by XLA in deploy/interop/stablehlo.py.
import TestSupport
import Testing

@testable import TensorEngine

/// What StableHLO has no operation for.
private let withoutForm: Set = ["lu", "qr", "svd", "eigh"]

@Suite struct StableHLORowTests {
    @Test("every primitive has a form in StableHLO, or is refused by its name", arguments: PrimitiveTable.all)
    func everyRow(sample: PrimitiveSample) throws {
        var cases = StableHLOCaseFile("row")
        for sample in sample.allTypes { try add(sample, to: &cases) }
        #expect(Set(cases.refused.keys).isSubset(of: withoutForm), "\(cases.refused)")
        #expect(cases.count > 0 || !cases.refused.isEmpty)
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
            let operands = try sample.single.draw()
            let function = sample.differentiable(operands)
            try add(
                sample.testDescription, { try vjp(function, $0).pullback(function($0).map(onesLike)) },
                sample.activeInputs.map { operands[$0] }, tolerance: 1e-4, to: &gradients)
        }
        try gradients.write()

        var batches = StableHLOCaseFile("batches")
        for sample in PrimitiveTable.all { try addBatches(sample.single, to: &batches) }
        try batches.write()
        print(
            "stablehlo: \(cases.count) rows, \(gradients.count) gradients, \(batches.count) batches; without a form: "
                + "\(cases.refused.merging(batches.refused, uniquingKeysWith: +).sorted { $0.key < $1.key })")
    }

    private func add(_ sample: PrimitiveSample, to cases: inout StableHLOCaseFile) throws {
        var slack = 10.0
        if case .reference(let own, _) = sample.evidence { slack = own }
        let operands = try sample.draw()
        let tolerance = (try sample.call(operands).map(\.dtype.sampleTolerance).max() ?? 0) * slack
        try add(sample.testDescription, sample.call, operands, tolerance: tolerance, to: &cases)
    }

    private func add(
        _ name: String, _ function: @escaping ([Tensor]) throws -> [Tensor], _ operands: [Tensor],
        tolerance: Double, to cases: inout StableHLOCaseFile
    ) throws {
        let program = try makeProgram(function, operands)
        guard let text = try text(of: { try program.stableHLO() }, &cases) else { return }
        cases.add(
            name, text: text, inputs: try operands.map { try $0.caseArray },
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
        let text = try text(
            of: {
                try BatchPolymorphicProgram { batchSize in
                    let types = sample.inputs[..<count].map {
                        TensorType($0.type.dtype, Shape([batchSize] + $0.type.shape.dimensions))
                    }
                    return try makeProgram(function, try types.map { try zeros($0.shape, dtype: $0.dtype) })
                }.stableHLO()
            }, &cases)
        guard let text else { return }
        for members in [1, 3] {
            let draws = try (0..<members).map { try sample.draw(seed: UInt64($0)) }
            let operands = try (0..<count).map { k in try stack(draws.map { $0[k] }) }
            cases.add(
                "\(sample.testDescription) ×\(members)", text: text,
                inputs: try operands.map { try $0.caseArray },
                outputs: try function(operands).map { try $0.caseArray }, relative: 1e-4, absolute: 1e-4)
        }
    }

    /// The text, or nil where an operation has none.
    private func text(of emit: () throws -> String, _ cases: inout StableHLOCaseFile) throws -> String? {
        do {
            return try emit()
        } catch let error as TensorError
            where error.expected == "an operation that has a form in StableHLO"
        {
            cases.refuse(error.operation)
            return nil
        }
    }
}

extension PrimitiveSample {
    /// The row in float32 where it has that type: what models compute in.
    fileprivate var single: PrimitiveSample { types.contains(.float32) ? with(.float32) : self }
}

extension Tensor {
    fileprivate var caseArray: StableHLOCaseFile.Array {
        get throws {
            StableHLOCaseFile.Array(
                dtype: dtype.description, shape: shape.dimensions, bytes: try withUnsafeBytes { Array($0) })
        }
    }
}
