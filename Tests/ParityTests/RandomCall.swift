// One sampler of jax.random, called by its name in the golden cases.
import JobSpec
import TensorEngine

/// A call of jax.random as a golden case describes it.
struct RandomCall {
    let name: String
    let arguments: JSONValue
    let inputs: JSONValue

    init(_ parityCase: ParityCase) {
        name = parityCase.config["op"]?.stringValue ?? ""
        arguments = parityCase.config["args"] ?? [:]
        inputs = parityCase.inputs
    }

    /// The shape that the case asks for, if it does.
    private var givenShape: Shape? { arguments["shape"]?.integers.map { Shape($0) } }
    private var shape: Shape { givenShape ?? [] }
    private var mode: SamplingMode {
        get throws {
            guard let name = arguments["mode"]?.stringValue else { return .low }
            guard let mode = SamplingMode(rawValue: name) else { throw NotBuilt("mode \(name)") }
            return mode
        }
    }
    private var axis: Int? { arguments["axis"]?.intValue }
    private var replace: Bool { arguments["replace"]?.boolValue ?? true }

    private func dtype(_ fallback: DType = .float32) throws -> DType {
        try arguments["dtype"]?.dtype() ?? fallback
    }

    /// The argument of that name: a number, or an array.
    private func number(_ name: String, _ fallback: Double? = nil) throws -> Tensor {
        if let array = inputs[name] { return try array.tensor() }
        guard let value = arguments[name]?.doubleValue ?? fallback else { throw ParityMismatch("no \(name)") }
        return try full([], value)
    }

    private func integer(_ name: String, _ fallback: Int? = nil) throws -> Int {
        guard let value = arguments[name]?.intValue ?? fallback else { throw ParityMismatch("no \(name)") }
        return value
    }

    /// Draws with a key.
    func draw(_ key: PRNGKey) throws -> Tensor {
        guard
            let result = try keys(key) ?? basic(key) ?? sampling(key) ?? discrete(key) ?? continuous(key)
                ?? gammaFamily(key) ?? matrices(key)
        else { throw NotBuilt(name) }
        return result
    }

    private func keys(_ key: PRNGKey) throws -> Tensor? {
        switch name {
        case "key_chain": key.data
        case "split": try key.splitData(try arguments["num"]?.integers.map { Shape($0) } ?? [integer("num")])
        case "fold_in": try key.foldIn(integer("data")).data
        case "bits": try key.bits(shape, dtype: dtype(.uint32))
        default: nil
        }
    }

    private func basic(_ key: PRNGKey) throws -> Tensor? {
        switch name {
        case "uniform":
            try key.uniform(shape, dtype: dtype(), low: number("minval", 0), high: number("maxval", 1))
        case "normal": try key.normal(shape, dtype: dtype())
        case "truncated_normal":
            try key.truncatedNormal(low: number("lower"), high: number("upper"), shape, dtype: dtype())
        default: nil
        }
    }

    private func sampling(_ key: PRNGKey) throws -> Tensor? {
        let probabilities = try inputs["p"]?.tensor()
        switch name {
        case "permutation":
            guard let x = try inputs["x"]?.tensor() else { return try key.permutation(integer("x")) }
            return try key.permutation(
                x, axis: axis ?? 0, independent: arguments["independent"]?.boolValue ?? false)
        case "choice":
            guard let x = try inputs["a"]?.tensor() else {
                return try key.choice(
                    integer("a"), shape, replace: replace, probabilities: probabilities, mode: mode)
            }
            return try key.choice(
                from: x, shape, replace: replace, probabilities: probabilities, axis: axis ?? 0, mode: mode)
        case "categorical":
            return try key.categorical(
                number("logits"), axis: axis ?? -1, shape: givenShape, replace: replace, mode: mode)
        default: return nil
        }
    }

    private func discrete(_ key: PRNGKey) throws -> Tensor? {
        switch name {
        case "bernoulli": try key.bernoulli(number("p", 0.5), givenShape, mode: mode)
        case "rademacher": try key.rademacher(shape, dtype: dtype(.int32))
        case "randint":
            try key.randint(
                shape, low: integer("minval"), high: integer("maxval"), dtype: dtype(.int32))
        case "geometric": try key.geometric(number("p"), givenShape, dtype: dtype(.int32))
        case "poisson": try key.poisson(number("lam"), givenShape, dtype: dtype(.int32))
        case "binomial": try key.binomial(number("n"), number("p"), givenShape, dtype: dtype())
        case "multinomial": try key.multinomial(number("n"), number("p"), givenShape, dtype: dtype())
        default: nil
        }
    }

    private func continuous(_ key: PRNGKey) throws -> Tensor? {
        switch name {
        case "gumbel": try key.gumbel(shape, dtype: dtype(), mode: mode)
        case "exponential": try key.exponential(shape, dtype: dtype())
        case "laplace": try key.laplace(shape, dtype: dtype())
        case "logistic": try key.logistic(shape, dtype: dtype())
        case "cauchy": try key.cauchy(shape, dtype: dtype())
        case "pareto": try key.pareto(number("b"), givenShape, dtype: dtype())
        case "rayleigh": try key.rayleigh(number("scale"), givenShape, dtype: dtype())
        case "weibull_min":
            try key.weibullMin(
                scale: number("scale"), concentration: number("concentration"), givenShape, dtype: dtype())
        case "lognormal": try key.lognormal(sigma: number("sigma", 1), givenShape, dtype: dtype())
        case "triangular":
            try key.triangular(
                left: number("left"), mode: number("mode"), right: number("right"), givenShape,
                dtype: dtype())
        case "maxwell": try key.maxwell(shape, dtype: dtype())
        case "double_sided_maxwell":
            try key.doubleSidedMaxwell(
                location: number("loc"), scale: number("scale"), givenShape, dtype: dtype())
        case "wald": try key.wald(mean: number("mean"), givenShape, dtype: dtype())
        default: nil
        }
    }

    private func gammaFamily(_ key: PRNGKey) throws -> Tensor? {
        switch name {
        case "gamma": try key.gamma(number("a"), givenShape, dtype: dtype())
        case "loggamma": try key.loggamma(number("a"), givenShape, dtype: dtype())
        case "beta": try key.beta(number("a"), number("b"), givenShape, dtype: dtype())
        case "dirichlet": try key.dirichlet(number("alpha"), givenShape, dtype: dtype())
        case "chisquare": try key.chisquare(df: number("df"), givenShape, dtype: dtype())
        case "t": try key.t(df: number("df"), givenShape, dtype: dtype())
        case "f":
            try key.f(
                dfNumerator: number("dfnum"), dfDenominator: number("dfden"), givenShape, dtype: dtype())
        case "generalized_normal":
            try key.generalizedNormal(p: number("p").item(), shape, dtype: dtype())
        case "ball":
            try key.ball(dimension: integer("d"), p: number("p", 2).item(), shape, dtype: dtype())
        default: nil
        }
    }

    private func matrices(_ key: PRNGKey) throws -> Tensor? {
        switch name {
        case "multivariate_normal":
            guard
                let method = PRNGKey.CovarianceRoot(rawValue: arguments["method"]?.stringValue ?? "cholesky")
            else { throw NotBuilt("method of \(name)") }
            return try key.multivariateNormal(
                mean: number("mean"), covariance: number("cov"), givenShape,
                dtype: arguments["dtype"]?.dtype(), method: method)
        case "orthogonal":
            return try key.orthogonal(
                integer("n"), arguments["m"]?.intValue, shape: shape, dtype: dtype())
        default: return nil
        }
    }
}
