// Padding of windows and the sizes that follow from it, shared by convolutions and window reductions.

/// How much is added around the spatial dimensions that windows slide over.
public enum WindowPadding: Sendable {
    /// Nothing: only whole windows count.
    case valid
    /// As many windows as elements divided by the stride, rounded up; an odd element of padding goes behind.
    case same
    /// As `same`, with the odd element in front.
    case sameLower
    /// Elements before and after, for each dimension. Negative numbers cut off.
    case explicit([(low: Int, high: Int)])

    /// The amounts for dimensions of the given sizes; `windows` are sizes with dilation.
    func resolved(_ sizes: [Int], windows: [Int], strides: [Int], for operation: String) throws -> [(
        low: Int, high: Int
    )] {
        switch self {
        case .valid: return sizes.map { _ in (0, 0) }
        case .same, .sameLower:
            return zip(sizes, zip(windows, strides)).map { size, window in
                let count = (size + window.1 - 1) / window.1
                let total = Swift.max((count - 1) * window.1 + window.0 - size, 0)
                if case .same = self { return (total / 2, total - total / 2) }
                return (total - total / 2, total / 2)
            }
        case .explicit(let pairs):
            guard pairs.count == sizes.count else {
                throw TensorError(
                    .argument, operation,
                    expected: "padding for \(sizes.count) dimensions", got: "\(pairs.count) pairs")
            }
            return pairs
        }
    }
}

/// The arithmetic of windows. Sizes are checked to be within `bound` first, so that no product overflows.
enum WindowArithmetic {
    static let bound = 1 << 30

    /// The size with `dilation - 1` holes between two elements.
    static func dilated(_ size: Int, _ dilation: Int) -> Int { size == 0 ? 0 : 1 + dilation * (size - 1) }

    /// How many windows fit.
    static func count(_ size: Int, window: Int, stride: Int) -> Int {
        size < window ? 0 : (size - window) / stride + 1
    }

    /// Throws unless there is one value for each of `rank` dimensions, at least `least` and not absurdly large.
    static func check(
        _ values: [Int], _ what: String, rank: Int, least: Int, for operation: String
    ) throws {
        guard values.count == rank, values.allSatisfy({ (least...bound).contains($0) }) else {
            throw TensorError(
                .argument, operation,
                expected: "\(rank) \(what) from \(least) to \(bound)", got: "\(values)")
        }
    }

    /// Padding that turns cotangents of windows into those of the elements (the transpose of the input).
    static func transposedPadding(
        input: Int, window: Int, output: Int, low: Int, stride: Int, dilation: Int, windowDilation: Int
    ) -> (low: Int, high: Int) {
        let window = dilated(window, windowDilation)
        let before = window - low - 1
        return (before, dilated(input, dilation) + window - 1 - dilated(output, stride) - before)
    }
}
