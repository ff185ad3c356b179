// Initializers, activations and modules from the descriptions in golden cases.
import JobSpec
import Linen
import TensorEngine

extension JSONValue {
    /// `{"$init": name, "args": {…}}`.
    func initializer() throws -> Initializer {
        try Initializer.parity(try member("$init").stringValue ?? "", self["args"] ?? [:])
    }
}

extension Initializer {
    /// The initializer of jax.nn with this name.
    static func parity(_ name: String, _ arguments: JSONValue) throws -> Initializer {
        func number(_ key: String, _ fallback: Double) -> Double { arguments[key]?.doubleValue ?? fallback }
        func list(_ key: String) -> [Int]? {
            arguments[key].flatMap { $0.integers ?? $0.intValue.map { [$0] } }
        }
        var axes = KernelAxes()
        if let input = list("in_axis") { axes.input = input }
        if let output = list("out_axis") { axes.output = output }
        if let batch = list("batch_axis") { axes.batch = batch }
        switch name {
        case "zeros", "zeros_init": return .zeros
        case "ones", "ones_init": return .ones
        case "constant":
            guard let value = arguments["value"]?.doubleValue else { throw NotBuilt("constant of an array") }
            return .constant(value)
        case "normal": return .normal(stddev: number("stddev", 0.01))
        case "uniform": return .uniform(scale: number("scale", 0.01))
        case "truncated_normal":
            return .truncatedNormal(
                stddev: number("stddev", 0.01), lower: number("lower", -2), upper: number("upper", 2))
        case "orthogonal":
            return .orthogonal(
                scale: number("scale", 1), columnAxis: arguments["column_axis"]?.intValue ?? -1)
        case "delta_orthogonal":
            return .deltaOrthogonal(
                scale: number("scale", 1), columnAxis: arguments["column_axis"]?.intValue ?? -1)
        case "lecun_normal": return .lecunNormal(axes: axes)
        case "lecun_uniform": return .lecunUniform(axes: axes)
        case "he_normal", "kaiming_normal": return .heNormal(axes: axes)
        case "he_uniform", "kaiming_uniform": return .heUniform(axes: axes)
        case "glorot_normal", "xavier_normal": return .glorotNormal(axes: axes)
        case "glorot_uniform", "xavier_uniform": return .glorotUniform(axes: axes)
        case "variance_scaling":
            guard let mode = Fan(rawValue: arguments["mode"]?.stringValue ?? ""),
                let distribution = Distribution(rawValue: arguments["distribution"]?.stringValue ?? "")
            else { throw InitializerRefused(arguments: arguments) }
            return .varianceScaling(number("scale", 1), mode, distribution, axes: axes)
        default: throw NotBuilt("initializer \(name)")
        }
    }
}

/// A mode or distribution that the type of `varianceScaling` does not even let one say.
private struct InitializerRefused: Error {
    let arguments: JSONValue
}
