// Activation functions by name, for what is described in data.
import TensorEngine

/// A function that a layer applies to its results.
public struct Activation: Sendable {
    /// Its name in JAX, such as `leaky_relu`.
    public let name: String
    private let function: @Sendable (Tensor) throws -> Tensor

    public init(_ name: String, _ function: @escaping @Sendable (Tensor) throws -> Tensor) {
        self.name = name
        self.function = function
    }

    public func callAsFunction(_ x: Tensor) throws -> Tensor { try function(x) }
}

extension Activation {
    public static let relu = Activation("relu") { try TensorEngine.relu($0) }
    public static let tanh = Activation("tanh") { try TensorEngine.tanh($0) }
    public static let sigmoid = Activation("sigmoid") { try logistic($0) }
    public static let silu = Activation("silu") { try Linen.silu($0) }
    public static let softplus = Activation("softplus") { try Linen.softplus($0) }
    public static let logSigmoid = Activation("log_sigmoid") { try Linen.logSigmoid($0) }
    public static let selu = Activation("selu") { try Linen.selu($0) }
    public static let relu6 = Activation("relu6") { try Linen.relu6($0) }
    public static let hardSigmoid = Activation("hard_sigmoid") { try Linen.hardSigmoid($0) }
    public static let hardSiLU = Activation("hard_silu") { try Linen.hardSiLU($0) }
    public static let hardTanh = Activation("hard_tanh") { try Linen.hardTanh($0) }
    public static let softSign = Activation("soft_sign") { try Linen.softSign($0) }
    public static let mish = Activation("mish") { try Linen.mish($0) }
    public static let squareplus = Activation("squareplus") { try Linen.squareplus($0) }
    public static let sparsePlus = Activation("sparse_plus") { try Linen.sparsePlus($0) }
    public static let sparseSigmoid = Activation("sparse_sigmoid") { try Linen.sparseSigmoid($0) }

    public static func gelu(approximate: Bool = true) -> Activation {
        Activation("gelu") { try Linen.gelu($0, approximate: approximate) }
    }
    public static func leakyReLU(negativeSlope: Double = 0.01) -> Activation {
        Activation("leaky_relu") { try Linen.leakyReLU($0, negativeSlope: negativeSlope) }
    }
    public static func elu(alpha: Double = 1) -> Activation {
        Activation("elu") { try Linen.elu($0, alpha: alpha) }
    }
    public static func celu(alpha: Double = 1) -> Activation {
        Activation("celu") { try Linen.celu($0, alpha: alpha) }
    }
    public static func glu(axis: Int = -1) -> Activation {
        Activation("glu") { try Linen.glu($0, axis: axis) }
    }
    public static func softmax(axis: Int = -1) -> Activation {
        Activation("softmax") { try TensorEngine.softmax($0, axis: axis) }
    }
    public static func logSoftmax(axis: Int = -1) -> Activation {
        Activation("log_softmax") { try TensorEngine.logSoftmax($0, axis: axis) }
    }

    /// Every activation in its default form, by name. The catalog of job specs refers to these.
    public static let byName: [String: Activation] = {
        let all: [Activation] = [
            relu, tanh, sigmoid, silu, softplus, logSigmoid, selu, relu6, hardSigmoid, hardSiLU, hardTanh,
            softSign, mish, squareplus, sparsePlus, sparseSigmoid, gelu(), leakyReLU(), elu(), celu(),
            glu(), softmax(), logSoftmax(),
        ]
        var table = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        table["swish"] = silu
        table["hard_swish"] = hardSiLU
        return table
    }()
}
