// Random vectors with a covariance, and random orthogonal matrices.

extension PRNGKey {
    /// How `multivariateNormal` takes the root of the covariance.
    public enum CovarianceRoot: String, Sendable, CaseIterable {
        /// The fastest; the covariance must be positive definite.
        case cholesky
        /// For covariances that are singular.
        case eigh, svd
    }

    /// Normal vectors.
    ///
    /// - Parameters:
    ///   - mean: `[…, n]`.
    ///   - covariance: `[…, n, n]`, symmetric; of its leading dimensions and those of `mean` the draw's shape is made.
    ///   - shape: the shape of the draw without the last axis; by default what the leading dimensions broadcast to.
    public func multivariateNormal(
        mean: Tensor, covariance: Tensor, _ shape: Shape? = nil, dtype: DType? = nil,
        method: CovarianceRoot = .cholesky
    ) throws -> Tensor {
        let type = DType.promote(mean.dtype, covariance.dtype).floating
        let (mean, covariance) = (try mean.astype(type), try covariance.astype(type))
        guard let n = mean.shape.last, covariance.shape.suffix(2).elementsEqual([n, n]) else {
            throw TensorError(
                .shape, "multivariateNormal", expected: "a mean [..., n] and a covariance [..., n, n]",
                got: "\(mean.type) and \(covariance.type)")
        }
        let batch = try drawShape(
            "multivariateNormal", [Shape(mean.shape.dropLast()), Shape(covariance.shape.dropLast(2))], shape)
        let root: Tensor
        switch method {
        case .cholesky:
            root = try cholesky(covariance)
        case .eigh:
            let (values, vectors) = try eigh(covariance)
            root = try vectors * sqrt(expandDims(values, axis: -2))
        case .svd:
            let (u, s, _) = try svd(covariance)
            root = try u * sqrt(expandDims(s, axis: -2))
        }
        let normals = try normal(Shape(batch + [n]), dtype: dtype ?? type)
        return try mean + squeeze(matmul(root, expandDims(normals, axis: -1)), axes: [-1])
    }

    /// Matrices `[shape…, rows, columns]` with orthonormal columns (rows, if there are fewer of them), uniformly distributed
    /// (Mezzadri 2007): Q of the QR decomposition of normal numbers, with the signs of R's diagonal.
    public func orthogonal(
        _ rows: Int, _ columns: Int? = nil, shape: Shape = [], dtype: DType = .float32
    ) throws -> Tensor {
        let columns = columns ?? rows
        guard rows >= 0, columns >= 0 else {
            throw TensorError(
                .argument, "orthogonal", expected: "sizes of 0 or more", got: "\(rows) by \(columns)")
        }
        try requireFloat(dtype, "orthogonal")
        let (larger, smaller) = (Swift.max(rows, columns), Swift.min(rows, columns))
        // No decomposition exists in 16 bits: decompose in float32, round at the end.
        let working = dtype.isHalfPrecision ? .float32 : dtype
        let (q, r) = try qr(normal(Shape(shape + [larger, smaller]), dtype: working))
        let pivots = try diagonal(r, axis1: -2, axis2: -1)
        let result = try q * expandDims(pivots / abs(pivots), axis: -2)
        return try (rows < columns ? moveAxis(result, from: -1, to: -2) : result).astype(dtype)
    }
}
