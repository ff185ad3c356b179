// Comparing results: bit for bit, and within tolerances.
import CKernels
import Testing

@testable import TensorEngine

/// The type and the bytes of a tensor: what "the same bits" compares.
struct Bits: Equatable, CustomStringConvertible {
    let type: TensorType
    let bytes: [UInt8]
    private let text: String

    init(_ tensor: Tensor) throws {
        type = tensor.type
        bytes = try tensor.withUnsafeBytes { Array($0) }
        text = tensor.shape.elementCount <= 64 ? "\(try tensor.doubles())" : "…"
    }

    /// One member of a batch.
    init(_ batch: Tensor, member: Int) throws {
        let count = batch.shape[0]
        let part = try slice(batch, axis: 0, member..<(member + 1))
        try self.init(try reshape(part, Shape(batch.shape.dropFirst())))
        precondition(member < count)
    }

    var description: String { "\(type) \(text)" }

    static func == (a: Bits, b: Bits) -> Bool { a.type == b.type && a.bytes == b.bytes }
}

func bits(_ tensors: [Tensor]) throws -> [Bits] { try tensors.map { try Bits($0) } }

/// Tensors one upon the other along a new first axis.
func batch(_ members: [[Tensor]]) throws -> [Tensor] {
    guard let first = members.first else { return [] }
    return try first.indices.map { position in try stack(members.map { $0[position] }) }
}

extension DType {
    /// What one rounding may cost, with room for a few.
    var sampleTolerance: Double {
        switch self {
        case .float64: 2e-13
        case .float32: 2e-6
        case .float16: 4e-3
        case .bfloat16: 3.2e-2
        default: 0
        }
    }
}

/// Σ a·b over all elements, in float64.
func innerProduct(_ a: [Tensor], _ b: [Tensor]) throws -> Double {
    try zip(a, b).reduce(0) { total, pair in
        try zip(pair.0.doubles(), pair.1.doubles()).reduce(total) { $0 + $1.0 * $1.1 }
    }
}

/// The largest difference of two lists of tensors, relative to the largest element of the second beyond 1.
func largestDifference(_ a: [Tensor], _ b: [Tensor]) throws -> Double {
    try zip(a, b).reduce(0) { largest, pair in
        let (x, y) = (try pair.0.doubles(), try pair.1.doubles())
        let scale = y.reduce(1) { max($0, $1.isFinite ? abs($1) : 0) }
        return zip(x, y).reduce(largest) { result, pair in
            if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return result }
            let difference = abs(pair.0 - pair.1) / scale
            return difference.isNaN ? .infinity : max(result, difference)
        }
    }
}

extension Executable {
    /// Runs the plan on a pool of its own. (`run` falls back to one thread while another test uses the process's pool.)
    func run(_ inputs: [Tensor], threads: Int) throws -> [Tensor] {
        let pool = spk_pool_create(Int32(threads))
        defer { spk_pool_destroy(pool) }
        let outputs = try outputTypes.map { Tensor(buffer: try Buffer(byteCount: $0.byteCount), type: $0) }
        let context = try RunContext(plan)
        for (number, buffer) in plan.buffers.enumerated() {
            switch buffer.source {
            case .input(let k): context.slots[number] = try inputs[k].buffer(for: "run").base
            case .output(let k): context.slots[number] = try outputs[k].buffer(for: "run").base
            case .constant, .temporary, .window: break
            }
        }
        spk_run_plan(plan.kernelSteps, Int64(plan.kernelSteps.count), context.slots, pool)
        return outputs
    }
}
