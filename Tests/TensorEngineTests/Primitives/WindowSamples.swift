// Rows of the table: reductions over windows, and convolutions.

@testable import TensorEngine

extension WindowSlider {
    /// The indices of the operand in each window, nil for padding and holes.
    fileprivate func windows(_ shape: [Int]) -> (output: [Int], places: [[[Int]?]]) {
        func spread(_ size: Int, _ dilation: Int) -> Int { size == 0 ? 0 : (size - 1) * dilation + 1 }
        let output = shape.indices.map { d in
            let padded = spread(shape[d], dilation[d]) + low[d] + high[d]
            let width = spread(window[d], windowDilation[d])
            return padded < width ? 0 : (padded - width) / strides[d] + 1
        }
        let places = PlainArray.indices(output).map { corner in
            PlainArray.indices(window).map { offset -> [Int]? in
                var index: [Int] = []
                for d in shape.indices {
                    let position = corner[d] * strides[d] + offset[d] * windowDilation[d] - low[d]
                    guard position >= 0, position % dilation[d] == 0, position / dilation[d] < shape[d] else {
                        return nil
                    }
                    index.append(position / dilation[d])
                }
                return index
            }
        }
        return (output, places)
    }
}

extension PrimitiveTable {
    private static let sliders: [(name: String, slider: WindowSlider)] = [
        (
            "overlapping, padded",
            WindowSlider(
                window: [2, 3], strides: [1, 2], low: [1, 0], high: [0, 1], dilation: [1, 1],
                windowDilation: [1, 1])
        ),
        (
            "with holes",
            WindowSlider(
                window: [2, 2], strides: [2, 1], low: [0, 1], high: [1, 1], dilation: [2, 1],
                windowDilation: [1, 2])
        ),
    ]

    private static let none = WindowSlider(
        window: [7, 1], strides: [1, 1], low: [0, 0], high: [0, 0], dilation: [1, 1], windowDilation: [1, 1])

    static let slidingWindows: [PrimitiveSample] = slidingReductions + choices + windowsOfNothing

    private static let slidingReductions: [PrimitiveSample] = sliders.flatMap { name, slider in
        [
            reduction(.add, name, slider, 0) { $0 + $1 }, reduction(.multiply, name, slider, 1) { $0 * $1 },
            reduction(.max, name, slider, -.infinity) { Swift.max($0, $1) },
            reduction(.min, name, slider, .infinity) { Swift.min($0, $1) },
        ]
    }

    private static let choices: [PrimitiveSample] = sliders.flatMap { name, slider in
        selection(.max, name, slider) + selection(.min, name, slider)
    }

    private static let windowsOfNothing: [PrimitiveSample] =
        [WindowReduction.add, .multiply, .max, .min].map { reduction in
            PrimitiveSample(
                ReduceWindow(slider: none, reduction: reduction), "\(reduction), no window fits: nothing",
                [numbers([4, 3])], types: [.float32, .int32]
            ) { _ in [PlainArray([0, 3], values: [])] }
        } + [
            PrimitiveSample(
                SelectAndGather(slider: none, reduction: .max), "of nothing",
                [numbers([4, 3]), distinct([4, 3])]
            ) { _ in [PlainArray([0, 3], values: [])] },
            PrimitiveSample(
                SelectAndScatter(slider: none, reduction: .max), "of nothing",
                [numbers([0, 3]), distinct([4, 3])]
            ) { _ in [PlainArray([4, 3]) { _ in 0 }] },
        ]

    private static func reduction(
        _ reduction: WindowReduction, _ name: String, _ slider: WindowSlider, _ identity: Double,
        _ combine: @escaping @Sendable (Double, Double) -> Double
    ) -> PrimitiveSample {
        PrimitiveSample(
            ReduceWindow(slider: slider, reduction: reduction), "\(reduction) \(name)", [distinct([4, 5])],
            types: [.float32], slack: 10
        ) { x in
            let (output, places) = slider.windows([4, 5])
            let values = places.map { window in
                window.reduce(identity) { total, index in index.map { combine(total, x[0][$0]) } ?? total }
            }
            return [PlainArray(output, values: values)]
        }
    }

    /// The first extremum of the key in each window.
    private static func choice(_ window: [[Int]?], _ key: PlainArray, _ reduction: WindowReduction) -> [Int]?
    {
        var best: [Int]?
        for case let index? in window {
            guard let known = best else {
                best = index
                continue
            }
            if reduction == .max ? key[index] > key[known] : key[index] < key[known] { best = index }
        }
        return best
    }

    private static func selection(
        _ reduction: WindowReduction, _ name: String, _ slider: WindowSlider
    ) -> [PrimitiveSample] {
        let output = slider.windows([4, 5]).output
        return [
            PrimitiveSample(
                SelectAndGather(slider: slider, reduction: reduction), "\(reduction) \(name)",
                [numbers([4, 5]), distinct([4, 5])]
            ) { x in
                let (output, places) = slider.windows([4, 5])
                let values = places.map { window -> Double in
                    choice(window, x[1], reduction).map { x[0][$0] } ?? 0
                }
                return [PlainArray(output, values: values)]
            },
            PrimitiveSample(
                SelectAndScatter(slider: slider, reduction: reduction), "\(reduction) \(name)",
                [numbers(Shape(output)), distinct([4, 5])]
            ) { x in
                var result = PlainArray([4, 5]) { _ in 0 }
                for (value, window) in zip(x[0].values, slider.windows([4, 5]).places) {
                    if let index = choice(window, x[1], reduction) { result[index] += value }
                }
                return [result]
            },
        ]
    }

    // MARK: Convolutions

    /// Sums of products, for NCHW and OIHW.
    private static func convolve(_ conv: ConvGeneralDilated, _ x: PlainArray, _ kernel: PlainArray)
        -> PlainArray
    {
        let spatial = x.shape.count - 2
        let slider = WindowSlider(
            window: Array(kernel.shape[2...]), strides: conv.strides, low: conv.low, high: conv.high,
            dilation: conv.lhsDilation, windowDilation: conv.rhsDilation)
        let (output, places) = slider.windows(Array(x.shape[2...]))
        let (batch, features) = (x.shape[0] / conv.batchGroups, kernel.shape[0])
        let perGroup = features / (conv.featureGroups * conv.batchGroups)
        let corners = PlainArray.indices(output)
        let offsets = PlainArray.indices(slider.window)
        return PlainArray([batch, features] + output) { k in
            let group = k[1] / perGroup
            let member = conv.batchGroups > 1 ? group * batch + k[0] : k[0]
            let firstChannel = conv.featureGroups > 1 ? group * kernel.shape[1] : 0
            let window = places[corners.firstIndex(of: Array(k[2..<(2 + spatial)])) ?? 0]
            var total = 0.0
            for (offset, place) in zip(offsets, window) {
                guard let place else { continue }
                for channel in 0..<kernel.shape[1] {
                    total += x[[member, firstChannel + channel] + place] * kernel[[k[1], channel] + offset]
                }
            }
            return total
        }
    }

    private static func convolution(
        _ detail: String, _ conv: ConvGeneralDilated, _ x: Shape, _ kernel: Shape
    ) -> PrimitiveSample {
        PrimitiveSample(
            conv, detail, [numbers(x), numbers(kernel)], types: [.float32, .int32], slack: 20
        ) { [convolve(conv, $0[0], $0[1])] }
    }

    static let convolutions: [PrimitiveSample] = [
        convolution(
            "strides and padding",
            ConvGeneralDilated(
                strides: [2, 1], low: [1, 0], high: [1, 2], lhsDilation: [1, 1], rhsDilation: [1, 1],
                numbers: .channelsFirst(rank: 4)), [2, 3, 5, 4], [4, 3, 3, 2]),
        convolution(
            "holes in both",
            ConvGeneralDilated(
                strides: [1], low: [2], high: [1], lhsDilation: [2], rhsDilation: [3],
                numbers: .channelsFirst(rank: 3)), [2, 2, 5], [3, 2, 2]),
        convolution(
            "groups of features",
            ConvGeneralDilated(
                strides: [1, 1], low: [0, 1], high: [0, 1], lhsDilation: [1, 1], rhsDilation: [1, 1],
                numbers: .channelsFirst(rank: 4), featureGroups: 2), [2, 4, 3, 4], [6, 2, 2, 3]),
        convolution(
            "groups of the batch",
            ConvGeneralDilated(
                strides: [1], low: [0], high: [0], lhsDilation: [1], rhsDilation: [1],
                numbers: .channelsFirst(rank: 3), batchGroups: 2), [4, 3, 5], [4, 3, 2]),
        convolution(
            "of nothing",
            ConvGeneralDilated(
                strides: [1], low: [0], high: [0], lhsDilation: [1], rhsDilation: [1],
                numbers: .channelsFirst(rank: 3)), [0, 2, 5], [3, 2, 2]),
    ]
}
