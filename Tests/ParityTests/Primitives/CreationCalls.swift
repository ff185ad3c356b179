// Golden cases: tensors from nothing.
import JobSpec
import TensorEngine

extension PrimitiveCall {
    func created() throws -> [Tensor]? {
        guard operands.isEmpty else { return nil }
        let dtype = try keywords["dtype"].map { $0 == .null ? nil : try $0.dtype() } ?? nil
        func number(_ key: String) throws -> Double { try keywords.member(key).doubleValue ?? 0 }
        switch name {
        case "arange":
            try only("start", "stop", "step", "dtype")
            let bounds = ["start", "stop", "step"].map { keywords[$0] ?? .int(1) }
            if bounds.allSatisfy({ if case .int = $0 { true } else { false } }) {
                let whole = bounds.map { $0.intValue ?? 0 }
                return [try arange(whole[0], whole[1], step: whole[2], dtype: dtype ?? .int32)]
            }
            let real = bounds.map { $0.doubleValue ?? 0 }
            return [try arange(real[0], real[1], step: real[2], dtype: dtype ?? .float32)]
        case "linspace":
            try only("start", "stop", "num", "endpoint")
            return [
                try linspace(
                    number("start"), number("stop"), count: try keywords.member("num").intValue ?? 0,
                    endpoint: keywords["endpoint"]?.boolValue ?? true)
            ]
        case "eye":
            try only("n", "m", "k")
            return [
                try eye(
                    try keywords.member("n").intValue ?? 0, keywords["m"]?.intValue,
                    k: keywords["k"]?.intValue ?? 0)
            ]
        case "full", "zeros", "ones":
            try only("shape", "value", "dtype")
            let value = try name == "full" ? number("value") : name == "ones" ? 1 : 0
            return [
                try full(
                    Shape(try keywords.member("shape").integers ?? []), value, dtype: dtype ?? .float32)
            ]
        default: return nil
        }
    }
}
