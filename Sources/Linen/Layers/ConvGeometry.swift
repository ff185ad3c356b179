// What the convolution layers have in common: window, strides, dilations, and padding beyond that of the operation.
import TensorEngine

/// How a convolution layer pads its input.
public enum ConvPadding: Sendable {
    /// As many outputs as inputs divided by the stride, rounded up; an odd element goes behind.
    case same
    /// No padding.
    case valid
    /// The input goes on from its other end.
    case circular
    /// The input is mirrored at its ends, which are not repeated.
    case reflect
    /// One spatial dimension only: outputs see no later inputs.
    case causal
    /// Zeros before and after, for each spatial dimension.
    case explicit([(low: Int, high: Int)])

    /// As many zeros on every side.
    public static func explicit(_ amount: Int, rank: Int) -> ConvPadding {
        .explicit(Array(repeating: (amount, amount), count: rank))
    }
}

/// The spatial side of a convolution layer, checked.
struct ConvGeometry {
    let layer: String
    let kernel: [Int]
    let strides: [Int]
    let inputDilation: [Int]
    let kernelDilation: [Int]

    init(
        _ layer: String, kernel: [Int], strides: [Int]?, inputDilation: [Int]?, kernelDilation: [Int]?
    ) throws {
        self.layer = layer
        self.kernel = kernel
        let ones = Array(repeating: 1, count: kernel.count)
        self.strides = strides ?? ones
        self.inputDilation = inputDilation ?? ones
        self.kernelDilation = kernelDilation ?? ones
        let all = [self.strides, self.inputDilation, self.kernelDilation, kernel]
        // The bound keeps products of sizes far from overflow; the operation has its own.
        guard (1...3).contains(kernel.count),
            all.allSatisfy({ $0.count == kernel.count && $0.allSatisfy { (1...(1 << 30)).contains($0) } })
        else {
            throw ModuleError(
                .argument, layer,
                expected: "1 to 3 kernel sizes, and as many strides and dilations, all 1 or more",
                got:
                    "kernel \(kernel), strides \(self.strides), dilations \(self.inputDilation) and \(self.kernelDilation)"
            )
        }
    }

    /// The input as `[batch, spatial…, features]`: dimensions before the spatial ones become one, or a new one of size 1.
    func flattened(_ x: Tensor) throws -> (x: Tensor, batch: [Int]) {
        let batch = x.rank - kernel.count - 1
        guard batch >= 0 else {
            throw ModuleError(
                .argument, layer,
                expected: "an input of rank \(kernel.count + 1) or more for the kernel \(kernel)",
                got: "\(x.type)", fix: "Features are the last dimension.")
        }
        let shape = Array(x.shape.prefix(batch))
        let members = Shape(shape).elementCount
        return (try reshape(x, Shape([members] + x.shape.dropFirst(batch))), shape)
    }

    /// A result `[batch, …]` with the input's batch dimensions.
    func restored(_ y: Tensor, batch: [Int]) throws -> Tensor {
        try reshape(y, Shape(batch + y.shape.dropFirst()))
    }

    /// The input as the operation takes it, and the padding that is left to the operation.
    func padded(_ x: Tensor, _ padding: ConvPadding) throws -> (Tensor, WindowPadding) {
        switch padding {
        case .same: return (x, .same)
        case .valid: return (x, .valid)
        case .explicit(let pairs): return (x, .explicit(pairs))
        case .causal:
            guard kernel.count == 1 else {
                throw ModuleError(
                    .argument, layer, expected: "one spatial dimension for causal padding", got: "\(kernel)")
            }
            return (
                try pad(x, low: [0, kernelDilation[0] * (kernel[0] - 1), 0], high: [0, 0, 0]), .valid
            )
        case .circular, .reflect:
            var result = x
            for (k, size) in kernel.enumerated() {
                let window = (size - 1) * kernelDilation[k] + 1
                let count = x.shape[k + 1]
                guard count > 0 else {
                    throw ModuleError(
                        .argument, layer, expected: "at least one element to repeat", got: "\(x.type)")
                }
                let places = (-((window - 1) / 2)..<(count + window / 2)).map { place -> Int32 in
                    var index: Int
                    if case .circular = padding {
                        index = place % count
                        if index < 0 { index += count }
                    } else {
                        // Back and forth: 2(count - 1) places until it repeats.
                        let period = Swift.max(2 * (count - 1), 1)
                        index = place % period
                        if index < 0 { index += period }
                        index = Swift.min(index, period - index)
                        if count == 1 { index = 0 }
                    }
                    return Int32(truncatingIfNeeded: index)
                }
                result = try take(result, Tensor(places), axis: k + 1)
            }
            return (result, .valid)
        }
    }
}
