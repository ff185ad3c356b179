// Muon: momentum whose matrices are made orthogonal.
import TensorEngine

/// Coefficients of the polynomials `a x + b (x xᵀ) x + c (x xᵀ)² x` that push singular values towards 1.
public struct NewtonSchulzCoefficients: Sendable, Hashable {
    /// Three numbers for each step; one row serves all steps.
    let rows: [[Double]]

    /// The same polynomial in every step.
    public init(_ a: Double, _ b: Double, _ c: Double) { rows = [[a, b, c]] }

    /// A polynomial for each step.
    ///
    /// - Throws: `TensorError` (argument) for an empty list.
    public init(steps: [(a: Double, b: Double, c: Double)]) throws {
        guard steps.count > 1 else {
            throw TensorError(
                .argument, "NewtonSchulzCoefficients", expected: "2 or more steps", got: "\(steps.count)",
                fix: "Use NewtonSchulzCoefficients(a, b, c) for the same polynomial in every step.")
        }
        rows = steps.map { [$0.a, $0.b, $0.c] }
    }

    private init(rows: [[Double]]) { self.rows = rows }

    /// Muon's own.
    public static let standard = NewtonSchulzCoefficients(3.4445, -4.775, 2.0315)
    /// Dion's, for 5 steps that get closer to 1.
    public static let dion = NewtonSchulzCoefficients(rows: [
        [4.0848, -6.8946, 2.927], [3.9505, -6.3029, 2.6377], [3.7418, -5.5913, 2.3037],
        [2.8769, -3.1427, 1.2046], [2.8366, -3.0525, 1.2012],
    ])

    /// What the state holds: `[3]`, or the last of the steps, `[steps, 3]`.
    func tensor(steps: Int) throws -> Tensor {
        guard rows.count > 1 else { return try Tensor(rows[0].map { Float($0) }) }
        guard rows.count <= steps else {
            throw TensorError(
                .argument, "scaleByMuon", expected: "at least as many steps as coefficients, \(rows.count)",
                got: "\(steps) steps")
        }
        return try Tensor(rows.flatMap { $0.map { Float($0) } }, shape: [rows.count, 3])
    }
}

/// How singular values are brought below 1 before the first step.
public enum MuonPreconditioning: String, Sendable, Hashable, CaseIterable {
    /// By the Frobenius norm.
    case frobenius
    /// By the largest singular value, which is exact, and slow.
    case spectral
    /// By the sums of each row of `x xᵀ` (AOL; Prach & Lampert, 2022), as part of the first step.
    case aol
    /// By the Frobenius norm of `x xᵀ`, as part of the first step.
    case schatten
}

/// Which axes of a parameter make the rows of a matrix, and which its columns; the others are a batch of matrices.
public struct MuonDimensionNumbers: Sendable, Hashable {
    public var reductionAxes: [Int]
    public var outputAxes: [Int]

    /// By default a kernel `[in, out]`.
    public init(reductionAxes: [Int] = [0], outputAxes: [Int] = [1]) {
        self.reductionAxes = reductionAxes
        self.outputAxes = outputAxes
    }
}

/// A parameter as a batch of matrices.
private struct MatrixView {
    let shape: Shape
    let order: [Int]
    let batch: Int
    let rows: Int
    let columns: Int

    init(_ shape: Shape, _ numbers: MuonDimensionNumbers) throws {
        let reduction = try numbers.reductionAxes.map { try Self.axis($0, shape) }
        let output = try numbers.outputAxes.map { try Self.axis($0, shape) }
        let used = reduction + output
        guard Set(used).count == used.count, !reduction.isEmpty, !output.isEmpty else {
            throw TensorError(
                .argument, "scaleByMuon", expected: "disjoint axes of \(shape)",
                got: "\(numbers.reductionAxes) and \(numbers.outputAxes)")
        }
        let batchAxes = shape.indices.filter { !used.contains($0) }
        func size(_ axes: [Int]) -> Int { axes.reduce(1) { $0 * shape[$1] } }
        self.shape = shape
        order = batchAxes + used
        (batch, rows, columns) = (size(batchAxes), size(reduction), size(output))
    }

    private static func axis(_ axis: Int, _ shape: Shape) throws -> Int {
        guard shape.rank >= 2, (-shape.rank..<shape.rank).contains(axis) else {
            throw TensorError(
                .shape, "scaleByMuon", expected: "parameters of rank 2 or more with an axis \(axis)",
                got: "shape \(shape)", fix: "Leave other parameters to Adam: see muon's dimensionNumbers.")
        }
        return axis < 0 ? axis + shape.rank : axis
    }

    func matrices(_ x: Tensor) throws -> Tensor {
        try reshape(transpose(x, axes: order), [batch, rows, columns])
    }

    func parameter(_ x: Tensor) throws -> Tensor {
        let moved = Shape(order.map { shape[$0] })
        let inverse = order.indices.sorted { order[$0] < order[$1] }
        return try transpose(reshape(x, moved), axes: inverse)
    }
}

/// Matrices `[batch, rows, columns]` with nearly the same singular vectors, and singular values near 1.
private func orthogonalized(
    _ x: Tensor, _ coefficients: Tensor, steps: Int, _ preconditioning: MuonPreconditioning, _ epsilon: Double
) throws -> Tensor {
    // The products are smaller with fewer rows than columns.
    let isTall = x.shape[1] > x.shape[2]
    var x = isTall ? try transpose(x, axes: [0, 2, 1]) : x
    switch preconditioning {
    case .frobenius: x = try x / (sqrt(sum(square(x), axes: [1, 2], keepDims: true)) + epsilon)
    case .spectral:
        let largest = try TensorEngine.max(svdvals(x.astype(.float32)), axes: [1])
        x = try x / (reshape(largest, [x.shape[0], 1, 1]) + epsilon).astype(x.dtype)
    case .aol, .schatten: break
    }
    let count = coefficients.rank == 1 ? steps : coefficients.shape[0]
    for step in 0..<count {
        func coefficient(_ k: Int) throws -> Tensor {
            let flat = try reshape(coefficients, [coefficients.shape.elementCount])
            let place = (coefficients.rank == 1 ? 0 : 3 * step) + k
            return try reshape(slice(flat, axis: 0, place..<(place + 1)), []).astype(x.dtype)
        }
        var squared = try matmul(x, transpose(x, axes: [0, 2, 1]))
        if step == 0, preconditioning == .aol || preconditioning == .schatten {
            let size =
                preconditioning == .aol
                ? try sum(TensorEngine.abs(squared), axes: [2], keepDims: true)
                : try sqrt(sum(square(squared), axes: [1, 2], keepDims: true))
            let factor = try rsqrt(maximum(size, 1e-8))
            x = try x * factor
            squared = try squared * factor * transpose(factor, axes: [0, 2, 1])
        }
        let polynomial = try coefficient(1) * squared + coefficient(2) * matmul(squared, squared)
        x = try coefficient(0) * x + matmul(polynomial, x)
    }
    return isTall ? try transpose(x, axes: [0, 2, 1]) : x
}

/// Muon's rescaling (Jordan, 2024): the bias-corrected average of the gradients, made orthogonal by Newton-Schulz steps.
///
/// - Parameters:
///   - adaptive: multiplies by the dual norm of the average, so that updates shrink with the gradients (Bernstein & Newhouse, 2024).
///   - dimensionNumbers: of each parameter.
public func scaleByMuon(
    coefficients: NewtonSchulzCoefficients = .standard, steps: Int = 5, beta: Hyperparameter = 0.95,
    epsilon: Double = 1e-8, momentDType: DType? = nil, nesterov: Bool = true, adaptive: Bool = false,
    preconditioning: MuonPreconditioning = .frobenius,
    dimensionNumbers: ParameterSelection<MuonDimensionNumbers> = .rule { _, _ in MuonDimensionNumbers() }
) throws -> GradientTransformation {
    let name = "scaleByMuon"
    guard steps >= 0, steps <= 1000 else {
        throw TensorError(.argument, name, expected: "0 to 1000 steps", got: "\(steps)")
    }
    let start = try coefficients.tensor(steps: steps)
    return GradientTransformation { params in
        .state(
            "MuonState",
            [
                "count": try .counter(), "mu": try Tree.zerosLike(params, dtype: momentDType),
                "ns_coeffs": .tensor(start),
            ])
    } update: { updates, state, _, _ in
        let numbers = try dimensionNumbers.values(for: updates, operation: name)
        let mu = try updateMoment(updates, state.field("mu", of: name), beta, operation: name)
        let count = try safeIncrement(state.scalar("count", of: name))
        let mean = try correctedMean(updates, mu, beta, count, nesterov: nesterov)
        let present = try state.scalar("ns_coeffs", of: name)
        let results = try zip(mean.leaves, numbers).map { leaf, numbers in
            let view = try MatrixView(leaf.shape, numbers)
            let result = try view.parameter(
                orthogonalized(view.matrices(leaf), present, steps: steps, preconditioning, epsilon))
            return adaptive ? try sum(leaf * result) * result : result
        }
        return (
            try updates.replacingLeaves(results),
            .state(
                "MuonState",
                [
                    "count": .tensor(count), "mu": try Tree.cast(mu, to: momentDType),
                    "ns_coeffs": .tensor(present),
                ])
        )
    }
}

/// Multiplies matrices by a factor for their shape: `sqrt(max(1, columns / rows))`, so that one learning rate fits all widths (Bernstein &
/// Newhouse, 2024), or with `consistentRMS` by `sqrt(max(rows, columns)) * consistentRMS`, which gives updates of orthogonal matrices
/// that root mean square (Liu et al., 2025, arXiv:2502.16982; 0.2 is Adam's).
public func scaleByShape(
    dimensionNumbers: ParameterSelection<MuonDimensionNumbers> = .rule { _, _ in MuonDimensionNumbers() },
    consistentRMS: Double? = nil
) -> GradientTransformation {
    .stateless { updates, _ in
        let numbers = try dimensionNumbers.values(for: updates, operation: "scaleByShape")
        return try updates.replacingLeaves(
            zip(updates.leaves, numbers).map { leaf, numbers in
                let view = try MatrixView(leaf.shape, numbers)
                let (rows, columns) = (Double(view.rows), Double(view.columns))
                let factor =
                    consistentRMS.map { max(rows, columns).squareRoot() * $0 }
                    ?? max(1, rows == 0 ? 1 : columns / rows).squareRoot()
                return try factor * leaf
            })
    }
}

/// Muon (Jordan, 2024) for matrices and AdamW for all other parameters. See `scaleByMuon`, `scaleByShape`.
///
/// - Parameters:
///   - adamLearningRate: Adam's; by default `learningRate` too.
///   - dimensionNumbers: which parameters are matrices, and how; nil leaves one to Adam. By default those of rank 2 are kernels.
public func muon(
    learningRate: Hyperparameter, coefficients: NewtonSchulzCoefficients = .standard, steps: Int = 5,
    beta: Hyperparameter = 0.95, epsilon: Double = 1e-8, weightDecay: Hyperparameter = 0,
    weightDecayMask: ParameterMask? = nil, momentDType: DType? = nil, nesterov: Bool = true,
    adaptive: Bool = false, preconditioning: MuonPreconditioning = .frobenius, adamB1: Hyperparameter = 0.9,
    adamB2: Hyperparameter = 0.999, adamEpsilonRoot: Hyperparameter = 0, adamWeightDecay: Hyperparameter = 0,
    adamLearningRate: Hyperparameter? = nil,
    dimensionNumbers: ParameterSelection<MuonDimensionNumbers?> = .rule { _, type in
        type.shape.rank == 2 ? MuonDimensionNumbers() : nil
    },
    consistentRMS: Double? = nil
) throws -> GradientTransformation {
    // Inside the partition there are only matrices left.
    let numbers = dimensionNumbers.mapped { $0 ?? MuonDimensionNumbers() }
    let matrices = chain(
        try scaleByMuon(
            coefficients: coefficients, steps: steps, beta: beta, epsilon: epsilon, momentDType: momentDType,
            nesterov: nesterov, adaptive: adaptive, preconditioning: preconditioning,
            dimensionNumbers: numbers),
        scaleByShape(dimensionNumbers: numbers, consistentRMS: consistentRMS),
        addDecayedWeights(weightDecay, mask: weightDecayMask), scaleByLearningRate(learningRate))
    let others = adamw(
        learningRate: adamLearningRate ?? learningRate, b1: adamB1, b2: adamB2, epsilon: .constant(epsilon),
        epsilonRoot: adamEpsilonRoot, momentDType: momentDType, weightDecay: adamWeightDecay,
        nesterov: nesterov)
    return partition(
        ["muon": matrices, "adam": others], labels: dimensionNumbers.mapped { $0 == nil ? "adam" : "muon" })
}
