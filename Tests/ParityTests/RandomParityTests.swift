// Suite random: keys, bits and distributions of jax.random.
import JobSpec
import TensorEngine
import Testing

@Suite("Random numbers are JAX's")
struct RandomParityTests {
    @Test(
        "every case of the suite random that is built gives JAX's numbers",
        arguments: [
            ("keys", 0), ("bits", 0), ("uniform", 0), ("normal", 0), ("truncated_normal", 0),
            ("bernoulli", 1),
            ("permutation", 0), ("integers", 2), ("choice", 31), ("categorical", 9), ("continuous", 54),
        ])
    func random(group: String, notBuilt: Int) throws {
        try checkParity("random", group, notBuilt: notBuilt) { parityCase in
            let got = try RandomParityTests.draw(parityCase)
            try expectClose(got, try parityCase.expected.member("out"), parityCase.tolerance)
        }
    }

    /// Runs one case's sampler.
    static func draw(_ parityCase: ParityCase) throws -> Tensor {
        let config = parityCase.config
        let (arguments, operation) = (config["args"] ?? [:], config["op"]?.stringValue ?? "")
        let shape = Shape(arguments["shape"]?.integers ?? [])
        func dtype(_ fallback: DType) throws -> DType { try arguments["dtype"]?.dtype() ?? fallback }
        /// A number, or the array of that name.
        func number(_ name: String, _ fallback: Double? = nil) throws -> Tensor {
            if let array = parityCase.inputs[name] { return try array.tensor() }
            guard let value = arguments[name]?.doubleValue ?? fallback else {
                throw ParityMismatch("no \(name)")
            }
            return try full([], value)
        }
        if operation == "PRNGKey" {
            return try PRNGKey(seed: try arguments.member("seed").intValue ?? 0).data
        }
        let key = try config.member("key").prngKey()
        switch operation {
        case "key_chain": return key.data
        case "split":
            let number = try arguments.member("num")
            return try key.splitData(Shape(number.integers ?? [number.intValue ?? 0]))
        case "fold_in": return try key.foldIn(try arguments.member("data").intValue ?? 0).data
        case "bits": return try key.bits(shape, dtype: try dtype(.uint32))
        case "uniform":
            return try key.uniform(
                shape, dtype: try dtype(.float32), low: try number("minval", 0),
                high: try number("maxval", 1))
        case "normal": return try key.normal(shape, dtype: try dtype(.float32))
        case "truncated_normal":
            return try key.truncatedNormal(
                low: try number("lower"), high: try number("upper"), shape, dtype: try dtype(.float32))
        case "bernoulli":
            if let mode = arguments["mode"]?.stringValue, mode != "low" {
                throw NotBuilt("bernoulli mode \(mode)")
            }
            let p = try number("p", 0.5)
            return try key.bernoulli(p, arguments["shape"] == nil ? p.shape : shape)
        case "permutation":
            let x = try parityCase.inputs["x"]?.tensor()
            let axis = arguments["axis"]?.intValue ?? 0
            let independent = arguments["independent"]?.boolValue ?? false
            if let x { return try key.permutation(x, axis: axis, independent: independent) }
            return try key.permutation(try arguments.member("x").intValue ?? 0)
        case "randint":
            return try key.randint(
                shape, low: try arguments.member("minval").intValue ?? 0,
                high: try arguments.member("maxval").intValue ?? 0, dtype: try dtype(.int32))
        default: throw NotBuilt(operation)
        }
    }
}
