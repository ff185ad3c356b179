// Tests of the convolution kernel: bit for bit a chain of fused multiply-adds in the order of the weights.
import CKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct ConvolutionKernelTests {
        struct Geometry: CustomStringConvertible {
            var groups = 1
            var batch = 2
            var channels = 3
            var features = 5
            var input = [1, 5, 6]
            var kernel = [1, 3, 2]
            var stride = [1, 1, 1]
            var low = [0, 1, 0]
            var high = [0, 1, 1]
            var holes = [1, 1, 1]
            var dilation = [1, 1, 1]
            var isChannelsFirst = false

            var output: [Int] {
                (0..<3).map {
                    let padded = (input[$0] == 0 ? 0 : (input[$0] - 1) * holes[$0] + 1) + low[$0] + high[$0]
                    let window = (kernel[$0] - 1) * dilation[$0] + 1
                    return padded < window ? 0 : (padded - window) / stride[$0] + 1
                }
            }
            /// The input's element that a tap of an output sees.
            func position(output: Int, tap: Int, _ d: Int) -> Int? {
                let place = output * stride[d] + tap * dilation[d] - low[d]
                guard place >= 0, place % holes[d] == 0, place / holes[d] < input[d] else { return nil }
                return place / holes[d]
            }

            var description: String {
                "groups \(groups) n \(batch) c \(channels) f \(features) x \(input) k \(kernel) stride \(stride) low \(low) holes \(holes) dilation \(dilation) channels first \(isChannelsFirst)"
            }
        }

        /// How the operands lie: channels last, channels first, or as the gradient of a kernel reads and writes them.
        enum Layout: CaseIterable { case last, first, kernelGradient }

        /// Strides of [group, other, channel, spatial…] for a dense array.
        private func strides(_ sizes: [Int], _ layout: Layout, groupsWithOther: Bool = false) -> [Int] {
            let (g, n, c, s) = (sizes[0], sizes[1], sizes[2], Array(sizes[3...]))
            switch layout {
            case .last:
                let line = g * c
                return [
                    c, s[0] * s[1] * s[2] * line, 1, s[1] * s[2] * line, s[2] * line, line,
                ]
            case .first:
                let plane = s[0] * s[1] * s[2]
                return [c * plane, g * c * plane, plane, s[1] * s[2], s[2], 1]
            case .kernelGradient:
                // The batch is innermost: [channel, spatial…, group, batch].
                let line = g * n
                return [n, 1, s[0] * s[1] * s[2] * line, s[1] * s[2] * line, s[2] * line, line]
            }
        }

        private func check(
            _ geometry: Geometry, _ layout: Layout = .last, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            var random = TestRandom(5)
            let (g, n, c, f) = (geometry.groups, geometry.batch, geometry.channels, geometry.features)
            let (kernel, output) = (geometry.kernel, geometry.output)
            let taps = kernel.reduce(1, *)
            let x = random.floats(g * n * c * geometry.input.reduce(1, *))
            let w = random.floats(taps * c * g * f)
            let before = random.floats(g * n * f * output.reduce(1, *))
            let xStrides = strides([g, n, c] + geometry.input, layout)
            let row = g * f
            let planes = [kernel[1] * kernel[2], kernel[2], 1]
            let wStrides =
                geometry.isChannelsFirst
                ? [f, taps * row, 1] + planes.map { $0 * row } : [f, row, 1] + planes.map { $0 * c * row }
            let outStrides: [Int]
            switch layout {
            case .last, .first: outStrides = strides([g, n, f] + output, layout)
            case .kernelGradient:
                outStrides =
                    [f, row, 1] + [output[1] * output[2], output[2], 1].map { $0 * n * row }
            }
            var conv = spk_conv()
            (conv.groups, conv.batch) = (Int64(g), Int64(n))
            (conv.channels, conv.features) = (Int64(c), Int64(f))
            func set(_ target: inout (Int64, Int64, Int64), _ values: [Int]) {
                target = (Int64(values[0]), Int64(values[1]), Int64(values[2]))
            }
            set(&conv.input, geometry.input)
            set(&conv.kernel, kernel)
            set(&conv.output, output)
            set(&conv.stride, geometry.stride)
            set(&conv.padding, geometry.low)
            set(&conv.input_dilation, geometry.holes)
            set(&conv.kernel_dilation, geometry.dilation)
            conv.channels_first = geometry.isChannelsFirst ? 1 : 0
            conv.packed = geometry.holes == [1, 1, 1] ? -1 : 3
            conv.x = spk_operand(0, xStrides)
            conv.w = spk_operand(1, wStrides)
            conv.out = spk_operand(2, outStrides)
            let packed = [Float](repeating: 0, count: w.count)
            let result = elements(
                runEverywhere(
                    spk_run_conv, conv, slots: [x, w, before, packed].map(rawBytes),
                    sourceLocation: sourceLocation)[2], Float.self)

            // The chain: taps and channels in the order of the weights.
            var chain: [(tap: [Int], channel: Int)] = []
            for tap in 0..<taps {
                let place = [tap / planes[0], tap / planes[1] % kernel[1], tap % kernel[2]]
                for channel in 0..<c { chain.append((place, channel)) }
            }
            if geometry.isChannelsFirst {
                chain = (0..<c).flatMap { channel in chain.filter { $0.channel == channel } }
            }
            var expected = before
            for place in 0..<(g * n * output.reduce(1, *)) {
                var rest = place
                var at = [Int](repeating: 0, count: 5)
                for (k, size) in ([g, n] + output).enumerated().reversed() {
                    at[k] = rest % size
                    rest /= size
                }
                // Where each factor of the chain lies, for feature 0.
                var factors: [(x: Int, w: Int)] = []
                for (tap, channel) in chain {
                    var from = at[0] * xStrides[0] + at[1] * xStrides[1] + channel * xStrides[2]
                    var weight = at[0] * wStrides[0] + channel * wStrides[1]
                    var isInside = true
                    for d in 0..<3 {
                        let position = geometry.position(output: at[d + 2], tap: tap[d], d)
                        isInside = isInside && position != nil
                        from += (position ?? 0) * xStrides[d + 3]
                        weight += tap[d] * wStrides[d + 3]
                    }
                    if isInside { factors.append((from, weight)) }
                }
                var target = at[0] * outStrides[0] + at[1] * outStrides[1]
                for d in 0..<3 { target += at[d + 2] * outStrides[d + 3] }
                for feature in 0..<f {
                    var sum: Float = 0
                    for factor in factors {
                        sum = fmaf(x[factor.x], w[factor.w + feature * wStrides[2]], sum)
                    }
                    expected[target + feature * outStrides[2]] = sum
                }
            }
            let differs = zip(result, expected).contains { $0.bitPattern != $1.bitPattern }
            #expect(!differs, "\(geometry) \(layout)", sourceLocation: sourceLocation)
        }

        @Test("Every element is one chain of fused multiply-adds, in all layouts", arguments: Layout.allCases)
        func layouts(layout: Layout) {
            for isChannelsFirst in [false, true] {
                check(Geometry(isChannelsFirst: isChannelsFirst), layout)
                check(Geometry(channels: 1, features: 17, isChannelsFirst: isChannelsFirst), layout)
                check(
                    Geometry(
                        channels: 20, input: [3, 4, 5], kernel: [2, 3, 3], isChannelsFirst: isChannelsFirst),
                    layout)
                check(Geometry(groups: 3, channels: 2, features: 4, isChannelsFirst: isChannelsFirst), layout)
            }
        }

        @Test("Strides, dilations, holes and padding, also negative", arguments: Layout.allCases)
        func geometries(layout: Layout) {
            check(Geometry(stride: [1, 2, 3]), layout)
            check(Geometry(low: [0, -1, 2], high: [0, 0, -1], dilation: [1, 2, 3]), layout)
            check(Geometry(low: [1, 2, 2], high: [0, 3, 4], holes: [2, 2, 3]), layout)
            check(Geometry(stride: [1, 2, 3], low: [0, 2, 1], high: [0, 3, 2], holes: [1, 3, 2]), layout)
            check(
                Geometry(low: [0, 2, 1], high: [0, 3, 2], holes: [1, 4, 2], dilation: [1, 2, 2]), layout)
            check(Geometry(groups: 2, low: [0, 2, 1], high: [0, 2, 2], holes: [1, 2, 2]), layout)
            // Windows larger than the input, and padding as far as nothing is seen.
            check(Geometry(input: [1, 2, 1], kernel: [1, 4, 3], low: [0, 5, 4], high: [0, 4, 6]), layout)
        }

        @Test("One feature per group", arguments: Layout.allCases)
        func depthwise(layout: Layout) {
            check(Geometry(groups: 19, channels: 1, features: 1), layout)
            check(
                Geometry(groups: 70, channels: 2, features: 1, stride: [1, 2, 1], isChannelsFirst: true),
                layout)
            check(Geometry(groups: 5, channels: 1, features: 1, low: [0, 2, 2], holes: [1, 2, 2]), layout)
        }

        @Test("Several passes along the chain, many tiles, threads", arguments: Layout.allCases)
        func large(layout: Layout) {
            check(
                Geometry(
                    batch: 3, channels: 45, features: 37, input: [1, 9, 11], kernel: [1, 3, 3],
                    low: [0, 1, 1]),
                layout)
            check(
                Geometry(
                    batch: 33, channels: 7, features: 40, input: [1, 10, 9], kernel: [1, 8, 7],
                    high: [0, 2, 1],
                    isChannelsFirst: true), layout)
            check(
                Geometry(
                    batch: 2, channels: 6, features: 270, input: [1, 5, 4], kernel: [1, 3, 3],
                    low: [0, 2, 1],
                    high: [0, 2, 2], holes: [1, 2, 2]), layout)
            check(
                Geometry(
                    batch: 4, channels: 16, features: 16, input: [1, 15, 14], kernel: [1, 3, 3],
                    low: [0, 1, 1],
                    high: [0, 1, 1]), layout)
            check(
                Geometry(
                    batch: 4, channels: 3, features: 32, input: [1, 16, 16], kernel: [1, 5, 5],
                    stride: [1, 2, 2], low: [0, 2, 2], high: [0, 2, 2]), layout)
        }

        @Test("Patches read in place: planes, steps, phases, margins on one side", arguments: Layout.allCases)
        func inPlace(layout: Layout) {
            for isChannelsFirst in [false, true] {
                check(
                    Geometry(
                        batch: 2, channels: 8, features: 18, input: [3, 6, 12], kernel: [2, 3, 3],
                        low: [1, 1, 1], high: [0, 1, 0], isChannelsFirst: isChannelsFirst), layout)
                check(
                    Geometry(
                        batch: 3, channels: 9, features: 33, input: [1, 9, 21], kernel: [1, 2, 3],
                        stride: [1, 3, 2], low: [0, -1, 2], high: [0, 1, -1], dilation: [1, 2, 1],
                        isChannelsFirst: isChannelsFirst), layout)
                check(
                    Geometry(
                        channels: 8, features: 5, input: [1, 5, 10], kernel: [1, 3, 3], low: [0, 2, 1],
                        high: [0, 2, 2], holes: [1, 2, 2], isChannelsFirst: isChannelsFirst), layout)
                // Kernels as large as the gradient of a kernel has them, with a stride between their elements.
                check(
                    Geometry(
                        batch: 5, channels: 3, features: 20, input: [1, 12, 20], kernel: [1, 6, 10],
                        low: [0, 1, 1], dilation: [1, 2, 2], isChannelsFirst: isChannelsFirst), layout)
                check(
                    Geometry(
                        batch: 16, channels: 2, features: 16, input: [2, 5, 22], kernel: [1, 5, 22],
                        low: [0, 1, 1], high: [0, 1, 1], isChannelsFirst: isChannelsFirst), layout)
            }
        }

        @Test("Lines of taps, and of pixels, that lie outside: some, or all of them")
        func linesOutside() {
            check(
                Geometry(
                    channels: 8, features: 16, input: [2, 4, 12], kernel: [3, 5, 3], low: [2, 4, 1],
                    high: [2, 4, 1]), .last)
            // The gradient of a kernel: more lines of pixels than a tile holds; few rows, so that lines of the kernel are tiles.
            check(
                Geometry(
                    batch: 16, channels: 2, features: 3, input: [1, 70, 40], kernel: [1, 70, 40],
                    low: [0, 1, 1], high: [0, 1, 1], isChannelsFirst: true), .kernelGradient)
            check(
                Geometry(
                    batch: 1, channels: 3, features: 18, input: [1, 9, 24], kernel: [1, 9, 24],
                    low: [0, 12, 1], high: [0, 12, 1], isChannelsFirst: true), .kernelGradient)
            check(
                Geometry(
                    batch: 20, channels: 3, features: 33, input: [2, 8, 8], kernel: [1, 8, 8],
                    low: [1, 1, 1], high: [1, 1, 1], isChannelsFirst: true), .kernelGradient)
        }

        @Test(
            "The gradient of a kernel without copies: shared lines, several stretches, steps, tiles of any width"
        )
        func gradientInPlace() {
            func check(
                groups: Int = 1, batch: Int, channels: Int, features: Int, input: [Int], kernel: [Int],
                low: [Int], high: [Int], dilation: Int = 1
            ) {
                self.check(
                    Geometry(
                        groups: groups, batch: batch, channels: channels, features: features,
                        input: [1] + input, kernel: [1] + kernel, low: [0] + low, high: [0] + high,
                        dilation: [1, dilation, dilation], isChannelsFirst: true), .kernelGradient)
            }
            check(
                batch: 20, channels: 3, features: 16, input: [9, 11], kernel: [9, 11], low: [1, 1],
                high: [1, 1])
            check(
                batch: 16, channels: 2, features: 16, input: [24, 40], kernel: [24, 40], low: [2, 2],
                high: [2, 2])
            check(
                groups: 2, batch: 36, channels: 2, features: 48, input: [13, 9], kernel: [7, 5], low: [1, 1],
                high: [1, 1], dilation: 2)
            check(
                batch: 17, channels: 2, features: 32, input: [12, 12], kernel: [8, 8], low: [-1, 2],
                high: [-1, 2])
            // Lines of the kernel that meet no pixel at all.
            check(
                batch: 16, channels: 2, features: 16, input: [4, 8], kernel: [4, 8], low: [5, 1],
                high: [5, 1])
            check(
                batch: 16, channels: 1, features: 32, input: [4, 3], kernel: [4, 3], low: [5, 4],
                high: [0, 4])
        }

        @Test("Empty sums are zero; empty results are left alone", arguments: Layout.allCases)
        func empty(layout: Layout) {
            check(Geometry(channels: 0), layout)
            check(Geometry(batch: 0), layout)
            check(Geometry(features: 0), layout)
            check(Geometry(input: [1, 0, 3]), layout)
        }
    }
}
