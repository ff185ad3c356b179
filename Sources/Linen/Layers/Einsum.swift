// The fully connected layer by named dimensions.
import TensorEngine

/// A linear transformation that an einsum of input and kernel says: `Einsum(shape: [8, 2, 4], "btd,dhf->bthf")`.
///
/// Parameters:
///
/// | name | shape | initializer |
/// |---|---|---|
/// | `kernel` | `shape` | `kernelInitializer`, LeCun normal |
/// | `bias` | the sizes of those dimensions of the result that the kernel has | `biasInitializer`, zeros; only with `useBias` |
public final class Einsum: Module, Layer {
    public let shape: Shape
    public let subscripts: String?
    public let useBias: Bool
    public let dtype: DType?
    public let paramDType: DType
    public let kernelInitializer: Initializer
    public let biasInitializer: Initializer

    /// - Parameters:
    ///   - shape: the kernel's.
    ///   - subscripts: dimensions of input and kernel, and of the result after an arrow; nil: the call says it.
    ///   - dtype: the type to compute in; nil: what input and parameters promote to.
    public init(
        shape: Shape, _ subscripts: String? = nil, useBias: Bool = true, dtype: DType? = nil,
        paramDType: DType = .float32, kernelInitializer: Initializer = .lecunNormal(),
        biasInitializer: Initializer = .zeros, name: String? = nil
    ) {
        self.shape = shape
        self.subscripts = subscripts
        self.useBias = useBias
        self.dtype = dtype
        self.paramDType = paramDType
        self.kernelInitializer = kernelInitializer
        self.biasInitializer = biasInitializer
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor { try product(x, nil) }

    /// As the main call, with the subscripts given here.
    public func callAsFunction(_ x: Tensor, _ subscripts: String) throws -> Tensor {
        try mainCall(x) { try product($0, subscripts) }
    }

    private func product(_ x: Tensor, _ argument: String?) throws -> Tensor {
        guard let subscripts = subscripts ?? argument, self.subscripts == nil || argument == nil else {
            throw ModuleError(
                .argument, className, expected: "subscripts in one place",
                got: argument == nil ? "none" : "them in two",
                fix: "Give them to the initializer or to the call.")
        }
        let text = subscripts.filter { $0 != " " }
        let sides = text.split(separator: ">", omittingEmptySubsequences: false)
        let terms = (sides.first?.dropLast() ?? "").split(separator: ",", omittingEmptySubsequences: false)
        guard sides.count == 2, sides[0].last == "-", terms.count == 2 else {
            throw ModuleError(
                .argument, className, expected: "subscripts of two operands and, after ->, the result",
                got: "'\(subscripts)'", fix: "Write it like \"btd,df->btf\".")
        }
        let kernel = try param("kernel", kernelInitializer, shape, dtype: paramDType)
        guard useBias else {
            let operands = try promoted([x, kernel], to: dtype)
            return try einsum(text, operands[0], operands[1])
        }
        let kernelLabels = labels(terms[1], rank: shape.rank)
        let inputLabels = labels(terms[0], rank: x.rank)
        guard kernelLabels.count == shape.rank, Set(kernelLabels).count == shape.rank,
            inputLabels.count == x.rank
        else {
            throw ModuleError(
                .argument, className, expected: "labels for an input \(x.type) and a kernel \(shape)",
                got: "'\(subscripts)'")
        }
        let spread = Swift.max(wildcards(terms[0], x.rank), wildcards(terms[1], shape.rank))
        let result = labels(sides[1], rank: sides[1].filter { $0 != "." }.count + spread)
        // By dimension of the result: its size where the kernel has it.
        let sizes = result.map { label in kernelLabels.firstIndex(of: label).map { shape[$0] } }
        let bias = try param("bias", biasInitializer, Shape(sizes.compactMap { $0 }), dtype: paramDType)
        let operands = try promoted([x, kernel, bias], to: dtype)
        return try einsum(text, operands[0], operands[1])
            + reshape(operands[2], Shape(sizes.map { $0 ?? 1 }))
    }

    /// How many dimensions the dots of a term stand for.
    private func wildcards(_ term: Substring, _ rank: Int) -> Int {
        term.contains("...") ? Swift.max(rank - term.filter { $0 != "." }.count, 0) : 0
    }

    /// One label for each dimension; those that dots stand for are numbered from the last.
    private func labels(_ term: Substring, rank: Int) -> [String] {
        guard let dots = term.firstRange(of: "...") else { return term.map(String.init) }
        let count = wildcards(term, rank)
        return term[..<dots.lowerBound].map(String.init) + (0..<count).map { "…\(count - $0)" }
            + term[dots.upperBound...].map(String.init)
    }
}
