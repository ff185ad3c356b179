// Golden cases: reductions, statistics, running reductions.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func reduction(_ x: Tensor) throws -> [Tensor]? {
        if name == "moments" {
            try only("axis")
            return [try mean(x, axes: axes), try variance(x, axes: axes)]
        }
        return try (reduced(x) ?? running(x)).map { [$0] }
    }

    private func reduced(_ x: Tensor) throws -> Tensor? {
        let functions: [String: (Tensor, [Int]?, Bool) throws -> Tensor] = [
            "sum": { try sum($0, axes: $1, keepDims: $2) }, "mean": { try mean($0, axes: $1, keepDims: $2) },
            "prod": { try prod($0, axes: $1, keepDims: $2) }, "max": { try max($0, axes: $1, keepDims: $2) },
            "min": { try min($0, axes: $1, keepDims: $2) }, "any": { try any($0, axes: $1, keepDims: $2) },
            "all": { try all($0, axes: $1, keepDims: $2) }, "ptp": { try ptp($0, axes: $1, keepDims: $2) },
            "median": { try median($0, axes: $1, keepDims: $2) },
            "nansum": { try nansum($0, axes: $1, keepDims: $2) },
            "nanmean": { try nanmean($0, axes: $1, keepDims: $2) },
            "nanmax": { try nanmax($0, axes: $1, keepDims: $2) },
            "count_nonzero": { try countNonzero($0, axes: $1, keepDims: $2) },
            "logsumexp": { try logSumExp($0, axes: $1, keepDims: $2) },
            "logmeanexp": { try logMeanExp($0, axes: $1, keepDims: $2) },
        ]
        if let function = functions[name] {
            try only("axis", "keepdims")
            return try function(x, axes, keepDims)
        }
        switch name {
        case "var", "std":
            try only("axis", "keepdims", "ddof")
            let ddof = keywords["ddof"]?.intValue ?? 0
            return try name == "var"
                ? variance(x, axes: axes, ddof: ddof, keepDims: keepDims)
                : std(x, axes: axes, ddof: ddof, keepDims: keepDims)
        case "argmax": return try argument(x) { try argmax($0, axis: $1) }
        case "argmin": return try argument(x) { try argmin($0, axis: $1) }
        case "standardize":
            try only("axis", "epsilon")
            return try standardize(x, axes: axes ?? [-1], epsilon: keywords["epsilon"]?.doubleValue ?? 1e-5)
        default: return nil
        }
    }

    private func running(_ x: Tensor) throws -> Tensor? {
        let reverse = keywords["reverse"]?.boolValue ?? false
        switch name {
        case "cumsum":
            try only("axis")
            return try cumsum(x, axis: axis)
        case "cumprod":
            try only("axis")
            return try cumprod(x, axis: axis)
        case "lax.cummax":
            try only("axis", "reverse")
            return try cummax(x, axis: axis ?? 0, reverse: reverse)
        case "lax.cummin":
            try only("axis", "reverse")
            return try cummin(x, axis: axis ?? 0, reverse: reverse)
        case "lax.cumlogsumexp":
            try only("axis", "reverse")
            return try cumLogSumExp(x, axis: axis ?? 0, reverse: reverse)
        default: return nil
        }
    }

    /// argmax and argmin: over all elements without an axis.
    private func argument(_ x: Tensor, _ body: (Tensor, Int) throws -> Tensor) throws -> Tensor {
        try only("axis")
        if let axis { return try body(x, axis) }
        return try body(reshape(x, [x.shape.elementCount]), 0)
    }

    func quantiles() throws -> [Tensor]? {
        guard name == "quantile" || name == "percentile", tensors.count == 2 else { return nil }
        try only("axis", "method", "keepdims")
        guard let method = QuantileMethod(rawValue: keywords["method"]?.stringValue ?? "linear") else {
            throw NotBuilt("\(name) with that method")
        }
        let (x, q) = (tensors[0], tensors[1])
        return [
            try name == "quantile"
                ? quantile(x, q, axes: axes, method: method, keepDims: keepDims)
                : percentile(x, q, axes: axes, method: method, keepDims: keepDims)
        ]
    }
}
