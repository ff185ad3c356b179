// Random numbers where golden values do not reach: moments of all distributions, edges, refusals.
import Glibc
import Testing

@testable import TensorEngine

@Suite("Random numbers")
struct RandomTests {
    /// A sampler with the mean and variance that it must have.
    struct Sampler: Sendable, CustomTestStringConvertible {
        let name: String
        let mean: Double
        let variance: Double
        let draw: @Sendable (PRNGKey, Shape) throws -> Tensor

        init(
            _ name: String, _ mean: Double, _ variance: Double,
            _ draw: @escaping @Sendable (PRNGKey, Shape) throws -> Tensor
        ) {
            self.name = name
            self.mean = mean
            self.variance = variance
            self.draw = draw
        }

        var testDescription: String { name }
    }

    /// Formulas: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions".
    static let samplers: [Sampler] = {
        let gumbelMean = 0.5772156649
        let piSquared = Double.pi * Double.pi
        return [
            Sampler("uniform", 0.5, 1 / 12.0) { try $0.uniform($1) },
            Sampler("normal", 0, 1) { try $0.normal($1) },
            Sampler("normal float64", 0, 1) { try $0.normal($1, dtype: .float64) },
            Sampler("bernoulli high", 0.3, 0.21) { try $0.bernoulli(0.3, $1, mode: .high) },
            Sampler("rademacher", 0, 1) { try $0.rademacher($1) },
            Sampler("geometric", 4, 12) { try $0.geometric(0.25, $1) },
            Sampler("gumbel", gumbelMean, piSquared / 6) { try $0.gumbel($1) },
            Sampler("gumbel high", gumbelMean, piSquared / 6) { try $0.gumbel($1, mode: .high) },
            Sampler("exponential", 1, 1) { try $0.exponential($1) },
            Sampler("laplace", 0, 2) { try $0.laplace($1) },
            Sampler("logistic", 0, piSquared / 3) { try $0.logistic($1) },
            Sampler("pareto", 6 / 5.0, 6 / 25.0 / 4) { try $0.pareto(6.0, $1) },
            Sampler("rayleigh", 2 * (Double.pi / 2).squareRoot(), 4 * (2 - Double.pi / 2)) {
                try $0.rayleigh(2.0, $1)
            },
            Sampler("weibullMin", 3 * 0.8862269255, 9 * (1 - piSquared / (4 * Double.pi))) {
                try $0.weibullMin(scale: 3.0, concentration: 2.0, $1)
            },
            Sampler("lognormal", 1.0317434075, 0.0688726406) { try $0.lognormal(sigma: 0.25, $1) },
            Sampler("triangular", 1, 1.0 / 6) { try $0.triangular(left: 0.0, mode: 1.0, right: 2.0, $1) },
            Sampler("maxwell", 2 * (2 / Double.pi).squareRoot(), 3 - 8 / Double.pi) { try $0.maxwell($1) },
            Sampler("doubleSidedMaxwell", 1, 12) {
                try $0.doubleSidedMaxwell(location: 1.0, scale: 2.0, $1)
            },
            Sampler("wald", 0.5, 0.125) { try $0.wald(mean: 0.5, $1) },
            Sampler("gamma", 3, 3) { try $0.gamma(3.0, $1) },
            Sampler("gamma below 1", 0.5, 0.5) { try $0.gamma(0.5, $1) },
            Sampler("loggamma", 0.5, 0.5) { try exp($0.loggamma(0.5, $1)) },
            Sampler("beta", 0.4, 0.04) { try $0.beta(2.0, 3.0, $1) },
            Sampler("chisquare", 5, 10) { try $0.chisquare(df: 5, $1) },
            Sampler("t", 0, 10 / 8.0) { try $0.t(df: 10, $1) },
            Sampler("f", 20 / 18.0, 2 * 400 * 28 / (10.0 * 324 * 16)) {
                try $0.f(dfNumerator: 10, dfDenominator: 20, $1)
            },
            // p = 1 is Laplace.
            Sampler("generalizedNormal", 0, 2) { try $0.generalizedNormal(p: 1, $1) },
            Sampler("poisson below 10", 3.5, 3.5) { try $0.poisson(3.5, $1) },
            Sampler("poisson above 10", 50, 50) { try $0.poisson(50.0, $1) },
            Sampler("binomial, few", 4, 3.2) { try $0.binomial(20, 0.2, $1) },
            Sampler("binomial, likely", 16, 3.2) { try $0.binomial(20, 0.8, $1) },
            Sampler("binomial, many", 300, 210) { try $0.binomial(1000, 0.3, $1) },
        ]
    }()

    @Test("a distribution has its mean and variance", arguments: samplers)
    func moments(sampler: Sampler) throws {
        let count = 20_000
        let values = try sampler.draw(try PRNGKey(seed: 3), [count]).doubles()
        let mean = values.reduce(0, +) / Double(count)
        let squares = values.map { ($0 - mean) * ($0 - mean) }
        let variance = squares.reduce(0, +) / Double(count)
        let deviations = squares.map { ($0 - variance) * ($0 - variance) }.reduce(0, +) / Double(count)
        // Five standard errors.
        #expect((mean - sampler.mean).magnitude < 5 * (sampler.variance / Double(count)).squareRoot())
        #expect(
            (variance - sampler.variance).magnitude < 5 * (deviations / Double(count)).squareRoot() + 1e-6)
    }

    @Test("an empty shape is an empty draw", arguments: samplers)
    func empty(sampler: Sampler) throws {
        #expect(try sampler.draw(try PRNGKey(seed: 0), [3, 0]).shape == [3, 0])
    }

    @Test("a shape of the largest rank is drawn like the vector of its elements", arguments: samplers)
    func largestRank(sampler: Sampler) throws {
        let key = try PRNGKey(seed: 5)
        let flat = try sampler.draw(key, [8]).doubles()
        #expect(try sampler.draw(key, [1, 2, 1, 2, 1, 2, 1, 1]).doubles() == flat)
    }

    @Test("vectors: Dirichlet sums to 1, a ball holds its points, multinomial counts sum to the trials")
    func vectors() throws {
        let key = try PRNGKey(seed: 1)
        let alpha = try Tensor([0.05, 1, 20] as [Float])
        for total in try sum(key.dirichlet(alpha, [50]), axes: [1]).doubles() {
            #expect((total - 1).magnitude < 1e-5)
        }

        let points = try key.ball(dimension: 3, [2000])
        let radii = try sqrt(sum(square(points), axes: [1])).doubles()
        #expect(radii.allSatisfy { $0 <= 1 })
        // The radius cubed is uniform.
        let mean = radii.reduce(0) { $0 + $1 * $1 * $1 } / 2000
        #expect((mean - 0.5).magnitude < 5 * (1 / 12.0 / 2000).squareRoot())

        let probabilities = try Tensor([0.1, 0.2, 0.7] as [Float])
        let counts = try key.multinomial(100, probabilities, [2000, 3])
        #expect(try sum(counts, axes: [1]).doubles().allSatisfy { $0 == 100 })
        for (got, expected) in zip(try TensorEngine.mean(counts, axes: [0]).doubles(), [10.0, 20, 70]) {
            #expect((got - expected).magnitude < 5 * (21.0 / 2000).squareRoot())
        }
    }

    @Test("a gamma number moves with its parameter along its quantile")
    func gammaDerivative() throws {
        let key = try PRNGKey(seed: 4)
        func derivative(_ a: Double, _ z: Double) -> Double {
            func distribution(_ a: Double) -> Double {
                // Simpson's rule: over x = z s^(1/a) for small a, which takes the singularity at 0 away, over x = z s above.
                let steps = 20_000
                let total = (0...steps).reduce(0.0) { total, i in
                    let s = Double(i) / Double(steps)
                    let value =
                        a < 1.5
                        ? Glibc.exp(-z * Glibc.pow(s, 1 / a)) : a * Glibc.pow(s, a - 1) * Glibc.exp(-z * s)
                    return total + (i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2) * value
                }
                return total / Double(3 * steps) * Glibc.exp(a * Glibc.log(z) - Glibc.lgamma(a + 1))
            }
            let h = 1e-4
            let slope = (distribution(a + h) - distribution(a - h)) / (2 * h)
            return -slope / Glibc.exp((a - 1) * Glibc.log(z) - z - Glibc.lgamma(a))
        }
        for a in [0.3, 1, 2.5, 40] {
            let parameters = try full([6], a)
            let numbers = try key.gamma(parameters).doubles()
            let slopes = try grad { (a: Tensor) in try sum(key.gamma(a)) }(parameters).doubles()
            for (z, slope) in zip(numbers, slopes) {
                let expected = derivative(a, z)
                #expect((slope - expected).magnitude < 2e-4 * max(1, expected.magnitude), "a \(a), z \(z)")
            }
        }
        let far = try grad { (a: Tensor) in try mean(key.gamma(a)) }(full([2000], 1e6)).doubles()
        #expect((far.reduce(0, +) - 1).magnitude < 1e-4)
        let slope = try grad { (a: Tensor) in try sum(key.beta(a, 2.0)) }(full([3], 3)).doubles()
        #expect(slope.allSatisfy { $0 > 0 && $0 < 1 })
    }

    @Test("multivariate normal numbers have the covariance", arguments: PRNGKey.CovarianceRoot.allCases)
    func covariance(method: PRNGKey.CovarianceRoot) throws {
        let covariance = try Tensor([2, 0.6, 0.6, 1] as [Float], shape: [2, 2])
        let mean = try Tensor([1, -1] as [Float])
        let draws = try PRNGKey(seed: 2).multivariateNormal(
            mean: mean, covariance: covariance, [20_000], method: method)
        let centred = try draws - mean
        let got = try (matmul(transpose(centred), centred) / 20_000).doubles()
        for (a, b) in zip(got, [2, 0.6, 0.6, 1]) { #expect((a - b).magnitude < 0.1) }
    }

    @Test("parameters without meaning give a value and an end")
    func meaningless() throws {
        let key = try PRNGKey(seed: 0)
        #expect(try key.poisson(Double.infinity, [2]).shape == [2])
        #expect(try key.poisson(Double.nan, [1]).doubles() == [-1])
        #expect(try key.gamma(Double.nan, [1]).doubles()[0].isNaN)
        #expect(try key.gamma(-2.0, [1]).doubles()[0].isNaN)
        #expect(try key.binomial(10, -0.5, [1]).doubles()[0].isNaN)
        #expect(try key.binomial(Double.infinity, 0.5, [1]).doubles() == [.infinity])
        #expect(try key.binomial(10, 0.0, [1]).doubles() == [0])
        #expect(try key.binomial(10, 1.0, [1]).doubles() == [10])
    }

    @Test("a draw that cannot be is refused with what to do")
    func refusals() throws {
        let key = try PRNGKey(seed: 0)
        let vector = try ones([3])
        func refused(_ operation: String, _ body: () throws -> Tensor) {
            let error = #expect(throws: TensorError.self) { try body() }
            #expect(error?.operation == operation)
        }
        refused("choice") { try key.choice(3, [4], replace: false) }
        refused("choice") { try key.choice(0, [1]) }
        refused("choice") { try key.choice(4, [1], probabilities: vector) }
        refused("categorical") { try key.categorical(vector, shape: [4], replace: false) }
        refused("categorical") { try key.categorical(arange(3)) }
        refused("categorical") { try key.categorical(ones([2, 3]), shape: [3]) }
        refused("gamma") { try key.gamma(vector, [2]) }
        refused("gamma") { try key.gamma(1.0, dtype: .int32) }
        refused("bernoulli") { try key.bernoulli(vector, [4]) }
        refused("poisson") { try key.poisson(1.0, [1], dtype: .float32) }
        refused("multivariateNormal") { try key.multivariateNormal(mean: vector, covariance: ones([2, 2])) }
        refused("orthogonal") { try key.orthogonal(-1) }
        refused("dirichlet") { try key.dirichlet(Tensor(Float(1))) }
        refused("exponential") { try key.exponential([2], dtype: .int32) }
    }
}
