// Golden cases: reductions.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func reduction(_ x: Tensor) throws -> Tensor? {
        switch name {
        case "sum": return try reduced { try sum(x, axes: axes, keepDims: keepDims) }
        case "mean": return try reduced { try mean(x, axes: axes, keepDims: keepDims) }
        case "max": return try reduced { try max(x, axes: axes, keepDims: keepDims) }
        case "min": return try reduced { try min(x, axes: axes, keepDims: keepDims) }
        case "prod": return try reduced { try prod(x, axes: axes, keepDims: keepDims) }
        case "var": return try reduced { try variance(x, axes: axes, keepDims: keepDims) }
        case "logsumexp": return try reduced { try logSumExp(x, axes: axes, keepDims: keepDims) }
        case "any": return try reduced { try any(x, axes: axes, keepDims: keepDims) }
        case "all": return try reduced { try all(x, axes: axes, keepDims: keepDims) }
        case "argmax": return try argument(x) { try argmax($0, axis: $1) }
        case "argmin": return try argument(x) { try argmin($0, axis: $1) }
        default: return nil
        }
    }

    func reduced(_ body: () throws -> Tensor) throws -> Tensor {
        try only("axis", "keepdims")
        return try body()
    }

    /// argmax and argmin: over all elements without an axis.
    func argument(_ x: Tensor, _ body: (Tensor, Int) throws -> Tensor) throws -> Tensor {
        try only("axis")
        if let axis { return try body(x, axis) }
        return try body(reshape(x, [x.shape.elementCount]), 0)
    }
}
