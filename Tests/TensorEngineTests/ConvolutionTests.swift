// Convolutions and windows under transformations, against loops and differences; types, empty shapes, errors.
import Testing

@testable import TensorEngine

private func bytes(_ tensor: Tensor) throws -> [UInt8] { try tensor.withUnsafeBytes { Array($0) } }

private func random(_ seed: Int, _ shape: Shape, _ dtype: DType = .float32) throws -> Tensor {
    try PRNGKey(seed: seed).normal(shape).astype(dtype)
}

/// The gradient of the sum of weighted results agrees with central differences, in float64.
private func expectGradient(
    _ inputs: [Tensor], sourceLocation: SourceLocation = #_sourceLocation,
    _ function: @escaping ([Tensor]) throws -> Tensor
) throws {
    let wide = try inputs.map { try $0.astype(.float64) }
    let weights = try random(99, function(wide).shape, .float64)
    func loss(_ x: [Tensor]) throws -> Tensor { try sum(function(x) * weights) }
    let gradients = try grad(loss)(wide)
    for (k, input) in wide.enumerated() {
        let values: [Double] = try input.elements()
        let analytic: [Double] = try gradients[k].elements()
        for index in stride(from: 0, to: values.count, by: 3) {
            func shifted(_ by: Double) throws -> Double {
                var (moved, all) = (values, wide)
                moved[index] += by
                all[k] = try Tensor(moved, shape: input.shape)
                let result: [Double] = try loss(all).elements()
                return result[0]
            }
            let numeric = try (shifted(1e-5) - shifted(-1e-5)) / 2e-5
            #expect(
                Swift.abs(numeric - analytic[index]) < 1e-6, "input \(k), element \(index)",
                sourceLocation: sourceLocation)
        }
    }
    // Reverse mode's float32 kernels against float64's plain loops.
    let narrow = try grad { (x: [Tensor]) in try sum(function(x) * weights.astype(.float32)) }(inputs)
    for (a, b) in zip(gradients, narrow) {
        let (a, b): ([Float], [Float]) = (try a.astype(.float32).elements(), try b.elements())
        #expect(
            zip(a, b).allSatisfy { Swift.abs($0 - $1) < 1e-4 * (1 + Swift.abs($0)) },
            sourceLocation: sourceLocation)
    }
}

@Suite struct ConvolutionTests {
    struct Setting: Sendable, CustomTestStringConvertible {
        var name: String
        var input: Shape
        var kernel: Shape
        var strides = [1, 1]
        var padding: WindowPadding = .same
        var lhsDilation = [1, 1]
        var rhsDilation = [1, 1]
        var labels = ("NHWC", "HWIO", "NHWC")
        var featureGroups = 1
        var batchGroups = 1
        var testDescription: String { name }

        func callAsFunction(_ x: Tensor, _ kernel: Tensor) throws -> Tensor {
            try convGeneralDilated(
                x, kernel, strides: strides, padding: padding, lhsDilation: lhsDilation,
                rhsDilation: rhsDilation,
                dimensionNumbers: ConvDimensionNumbers(labels.0, labels.1, labels.2),
                featureGroupCount: featureGroups, batchGroupCount: batchGroups)
        }
    }

    static let settings = [
        Setting(name: "plain", input: [2, 5, 4, 3], kernel: [3, 2, 3, 4]),
        Setting(
            name: "everything", input: [2, 6, 5, 4], kernel: [2, 3, 2, 6], strides: [2, 3],
            padding: .explicit([(2, 1), (-1, 3)]), lhsDilation: [2, 1], rhsDilation: [1, 2], featureGroups: 2),
        Setting(
            name: "batch groups", input: [6, 4, 5, 2], kernel: [2, 2, 2, 6], strides: [1, 2], padding: .valid,
            batchGroups: 3),
        Setting(
            name: "channels first", input: [2, 4, 5, 6], kernel: [6, 2, 3, 3], strides: [2, 1],
            labels: ("NCHW", "OIHW", "NCHW"), featureGroups: 2),
        Setting(
            name: "odd order", input: [4, 3, 2, 5], kernel: [2, 3, 4, 3], labels: ("WCNH", "HIOW", "CWNH")),
        Setting(name: "depthwise", input: [2, 5, 5, 6], kernel: [3, 3, 1, 6], featureGroups: 6),
        Setting(name: "one element", input: [2, 4, 3, 5], kernel: [1, 1, 5, 4]),
    ]

    @Test("gradients are those of differences", arguments: settings)
    func gradients(setting: Setting) throws {
        try expectGradient([random(1, setting.input), random(2, setting.kernel)]) {
            try setting($0[0], $0[1])
        }
    }

    @Test("derivatives of derivatives")
    func secondDerivative() throws {
        let setting = ConvolutionTests.settings[1]
        let kernel = try random(2, setting.kernel, .float64)
        try expectGradient([random(1, setting.input)]) { x in
            try grad { (x: Tensor) in try sum(square(setting(x, kernel.astype(x.dtype)))) }(x[0])
        }
    }

    @Test("vmap gives what a loop over the members gives, bit for bit", arguments: settings)
    func batches(setting: Setting) throws {
        let members = 3
        let x = try random(3, Shape([members] + setting.input))
        let kernel = try random(4, Shape([members] + setting.kernel))
        func member(_ tensor: Tensor, _ k: Int) throws -> Tensor {
            try squeeze(slice(tensor, axis: 0, k..<(k + 1)), axes: [0])
        }
        let both = try vmap { (x: Tensor, w: Tensor) in try setting(x, w) }(x, kernel)
        let (oneX, oneKernel) = (try member(x, 0), try member(kernel, 0))
        let left = try vmap { (x: Tensor) in try setting(x, oneKernel) }(x)
        let right = try vmap { (w: Tensor) in try setting(oneX, w) }(kernel)
        for k in 0..<members {
            let (a, w) = (try member(x, k), try member(kernel, k))
            #expect(try bytes(member(both, k)) == bytes(setting(a, w)))
            #expect(try bytes(member(left, k)) == bytes(setting(a, oneKernel)))
            #expect(try bytes(member(right, k)) == bytes(setting(oneX, w)))
        }
    }

    @Test("jit gives the bits of eager evaluation, also where operands are views", arguments: settings)
    func compiled(setting: Setting) throws {
        func f(_ x: Tensor, _ w: Tensor) throws -> Tensor {
            try setting(flip(x * 2, axes: [0]), transpose(transpose(w) + 0.5))
        }
        let (x, w) = (try random(5, setting.input), try random(6, setting.kernel))
        let (eager, compiled) = (try f(x, w), try jit(f)(x, w))
        #expect(try bytes(eager) == bytes(compiled))
    }

    @Test("other types: half precision is rounded once, integers are exact")
    func types() throws {
        let setting = ConvolutionTests.settings[1]
        let x = try random(7, setting.input, .bfloat16)
        let w = try random(8, setting.kernel, .bfloat16)
        let wide = try setting(x.astype(.float32), w.astype(.float32))
        #expect(try bytes(setting(x, w)) == bytes(wide.astype(.bfloat16)))
        let (i, j) = (try (x * 10).astype(.int32), try (w * 10).astype(.int32))
        let exact = try setting(i.astype(.float64), j.astype(.float64)).astype(.int32)
        for dtype in [DType.int32, .int64, .uint32, .float64] {
            #expect(try bytes(setting(i.astype(dtype), j.astype(dtype)).astype(.int32)) == bytes(exact))
        }
    }

    @Test("empty batches, features and inputs give zeros or nothing, and gradients")
    func empty() throws {
        for (input, kernel, result): (Shape, Shape, Shape) in [
            ([0, 5, 3], [3, 3, 2], [0, 5, 2]), ([2, 5, 0], [3, 0, 2], [2, 5, 2]),
            ([2, 0, 3], [1, 3, 2], [2, 0, 2]), ([2, 5, 3], [3, 3, 0], [2, 5, 0]),
        ] {
            func f(_ x: [Tensor]) throws -> Tensor {
                try convGeneralDilated(
                    x[0], x[1], strides: [1], padding: .same,
                    dimensionNumbers: ConvDimensionNumbers("NHC", "HIO", "NHC"))
            }
            let operands = [try ones(input), try ones(kernel)]
            #expect(try f(operands).shape == result)
            let values: [Float] = try f(operands).elements()
            #expect(values.allSatisfy { $0 == 0 })
            let gradients = try grad { (x: [Tensor]) in try sum(f(x)) }(operands)
            #expect(gradients.map(\.shape) == [input, kernel])
        }
    }

    @Test("errors name the dimension that does not fit; nothing traps")
    func errors() throws {
        let x = try ones([2, 5, 6, 3])
        func failure(
            _ kernel: Shape, strides: [Int] = [1, 1], padding: WindowPadding = .same, groups: Int = 1,
            holes: [Int]? = nil
        ) -> String {
            do {
                _ = try convGeneralDilated(
                    x, ones(kernel), strides: strides, padding: padding, lhsDilation: holes,
                    dimensionNumbers: .channelsLast(rank: 4), featureGroupCount: groups)
                return "no error"
            } catch { return "\(error)" }
        }
        #expect(failure([3, 3, 4, 8]).contains("dimension 3 of [2, 5, 6, 3]"))
        #expect(failure([3, 3, 1, 8], groups: 2).contains("2 groups"))
        #expect(failure([3, 3, 1, 8], groups: 3).contains("output features (dimension 3"))
        #expect(failure([3, 3, 3, 8], strides: [0, 1]).contains("strides"))
        #expect(failure([3, 3, 3, 8], strides: [1]).contains("strides"))
        #expect(failure([3, 3, 3, 8], groups: 0).contains("groups"))
        #expect(
            failure([3, 3, 3, 8], padding: .explicit([(0, Int.max), (0, 0)])).contains("paddings after"))
        #expect(
            failure([3, 3, 3, 8], padding: .explicit([(-9, 0), (0, 0)])).contains("cut off dimension 1"))
        #expect(failure([3, 3, 3, 8], holes: [2, 2]).contains("explicit padding"))
        #expect(failure([3, 3, 3, 8], padding: .valid, holes: [Int.max, 2]).contains("input dilations"))
        #expect(throws: TensorError.self) { try ConvDimensionNumbers("NHWC", "HWIO", "NHHC") }
    }
}

@Suite struct WindowTests {
    @Test(
        "gradients are those of differences",
        arguments: [WindowReduction.add, .multiply, .max, .min])
    func gradients(reduction: WindowReduction) throws {
        try expectGradient([random(1, [2, 5, 6, 2])]) {
            try reduceWindow(
                $0[0], reduction, window: [1, 3, 2, 1], strides: [1, 2, 1, 1],
                padding: .explicit([(0, 0), (2, 1), (-1, 2), (0, 0)]), baseDilation: [1, 2, 1, 1],
                windowDilation: [1, 1, 2, 1])
        }
        try expectGradient([random(2, [7])]) {
            try reduceWindow($0[0], reduction, window: [3], strides: [2], padding: .same, baseDilation: [3])
        }
    }

    @Test("the first of equal extrema gets the gradient, also twice")
    func ties() throws {
        let x = try Tensor([1, 3, 3, 1, 3, 0] as [Float])
        let gradient = try grad { (x: Tensor) in try sum(reduceWindow(x, .max, window: [3])) }(x)
        #expect(try gradient.elements() == [0, 2, 1, 0, 1, 0] as [Float])
        let least = try grad { (x: Tensor) in try sum(reduceWindow(-x, .min, window: [3])) }(x)
        #expect(try least.elements() == [0, -2, -1, 0, -1, 0] as [Float])
    }

    @Test("padding counts as the identity, and NaN wins")
    func identities() throws {
        let x = try Tensor([-1, .nan, 2] as [Float])
        func reduced(_ reduction: WindowReduction) throws -> [Float] {
            try reduceWindow(x, reduction, window: [1], padding: .explicit([(1, 0)])).elements()
        }
        #expect(try reduced(.add)[0] == 0)
        #expect(try reduced(.multiply)[0] == 1)
        #expect(try reduced(.max)[0] == -.infinity)
        #expect(try reduced(.min)[0] == .infinity)
        let largest: [Float] = try reduceWindow(x, .max, window: [2]).elements()
        #expect(largest.allSatisfy { $0.isNaN })
        let bytes: [Int8] = try reduceWindow(
            Tensor([5, -7] as [Int8]), .max, window: [1], padding: .explicit([(0, 1)])
        ).elements()
        #expect(bytes == [5, -7, Int8.min])
    }

    @Test("vmap gives what a loop over the members gives, with derivatives")
    func batches() throws {
        let x = try random(3, [4, 5, 6])
        func f(_ x: Tensor) throws -> Tensor {
            try grad { (x: Tensor) in
                try sum(square(reduceWindow(x, .max, window: [2, 3], strides: [1, 2], padding: .same)))
            }(x)
        }
        let mapped = try vmap(f)(x)
        for k in 0..<4 {
            let member = try squeeze(slice(x, axis: 0, k..<(k + 1)), axes: [0])
            let got = try squeeze(slice(mapped, axis: 0, k..<(k + 1)), axes: [0])
            #expect(try bytes(got) == bytes(f(member)))
        }
    }

    @Test("long lines, many windows: blocks and threads give what a sum by hand gives")
    func large() throws {
        let x = try random(4, [9, 300])
        let values: [Float] = try x.elements()
        let result: [Float] = try reduceWindow(x, .add, window: [3, 5], padding: .same).elements()
        var expected: [Float] = []
        for i in 0..<9 {
            for j in 0..<300 {
                var total: Float = 0
                for a in -1...1 {
                    for b in -2...2 where (0..<9).contains(i + a) && (0..<300).contains(j + b) {
                        total += values[(i + a) * 300 + j + b]
                    }
                }
                expected.append(total)
            }
        }
        #expect(result == expected)
    }

    @Test("empty shapes work, and arguments that cannot be are refused")
    func limits() throws {
        #expect(try reduceWindow(ones([0, 3]), .max, window: [1, 2]).shape == [0, 2])
        #expect(try reduceWindow(ones([3]), .max, window: [5]).shape == [0])
        #expect(try reduceWindow(ones([]), .add, window: []).shape == [])
        let gradient = try grad { (x: Tensor) in try sum(reduceWindow(x, .max, window: [5])) }(ones([3]))
        #expect(try gradient.elements() == [0, 0, 0] as [Float])
        for (window, strides): ([Int], [Int]) in [([0], [1]), ([2], [0]), ([2, 2], [1]), ([Int.max], [1])] {
            #expect(throws: TensorError.self) {
                try reduceWindow(ones([4]), .add, window: window, strides: strides)
            }
        }
    }
}
