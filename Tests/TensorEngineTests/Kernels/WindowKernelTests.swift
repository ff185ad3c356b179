// Tests of the window kernels: bit for bit plain loops over the taps in row-major order, along channels and without.
import CKernels
import Foundation
import Testing

extension KernelTests {
    @Suite struct WindowKernelTests {
        /// Windows over two dimensions of [batch, height, width, channels], all of the same measures.
        struct Geometry: CustomStringConvertible {
            var batch = 2
            var size = [5, 6]
            var channels = 35
            var window = [2, 2]
            var stride = [2, 2]
            var padding = [0, 0]
            var holes = [1, 1]
            var dilation = [1, 1]
            var output = [2, 3]

            var dims: [Int] { [batch] + size + [channels] }
            var windows: [Int] { [batch] + output + [channels] }
            var description: String {
                "\(dims) to \(windows): window \(window) stride \(stride) padding \(padding) holes \(holes) dilation \(dilation)"
            }

            /// The position of the element that a tap of a window meets.
            func position(_ window: Int, tap: Int, _ d: Int) -> Int? {
                let place = window * stride[d] + tap * dilation[d] - padding[d]
                guard place >= 0, place % holes[d] == 0, place / holes[d] < size[d] else { return nil }
                return place / holes[d]
            }

            func arguments(_ reduction: spk_window_reduction) -> spk_window {
                var arguments = spk_window()
                arguments.reduction = Int32(reduction.rawValue)
                arguments.dtype = Int32(SPK_FLOAT32.rawValue)
                arguments.key_dtype = arguments.dtype
                arguments.rank = 4
                func set<Tuple>(_ target: inout Tuple, _ values: [Int]) {
                    withUnsafeMutableBytes(of: &target) {
                        for (k, value) in values.enumerated() {
                            $0.storeBytes(of: Int64(value), toByteOffset: 8 * k, as: Int64.self)
                        }
                    }
                }
                set(&arguments.dims, dims)
                set(&arguments.output, windows)
                set(&arguments.window, [1] + window + [1])
                set(&arguments.stride, [1] + stride + [1])
                set(&arguments.padding, [0] + padding + [0])
                set(&arguments.dilation, [1] + holes + [1])
                set(&arguments.window_dilation, [1] + dilation + [1])
                (arguments.src, arguments.dst, arguments.key) = (0, 1, 2)
                return arguments
            }

            /// For each window, in order, the elements that it meets, in the order of its taps.
            var elements: [[Int]] {
                var result: [[Int]] = []
                for n in 0..<batch {
                    for y in 0..<output[0] {
                        for x in 0..<output[1] {
                            for c in 0..<channels {
                                var met: [Int] = []
                                for v in 0..<window[0] {
                                    for u in 0..<window[1] {
                                        guard let row = position(y, tap: v, 0),
                                            let column = position(x, tap: u, 1)
                                        else { continue }
                                        met.append(((n * size[0] + row) * size[1] + column) * channels + c)
                                    }
                                }
                                result.append(met)
                            }
                        }
                    }
                }
                return result
            }
        }

        static let geometries = [
            Geometry(),
            // Vectors of 32, of 16 and a rest; no channels at all.
            Geometry(channels: 64), Geometry(channels: 19), Geometry(channels: 3), Geometry(channels: 1),
            // The gradient of a mean over windows: holes, so that a window meets some taps only.
            Geometry(size: [3, 4], stride: [1, 1], padding: [1, 1], holes: [2, 2], output: [6, 8]),
            Geometry(
                size: [4, 5], window: [3, 4], stride: [2, 1], padding: [2, 3], holes: [3, 2],
                dilation: [2, 3],
                output: [5, 9]),
            Geometry(window: [3, 3], stride: [1, 1], padding: [1, 1], output: [5, 6]),
            // Cut off in front; windows that meet nothing; more taps than are listed at a time.
            Geometry(window: [1, 2], stride: [1, 3], padding: [-2, -1], output: [3, 2]),
            Geometry(window: [2, 3], stride: [3, 4], padding: [4, 5], output: [5, 4]),
            Geometry(
                batch: 1, size: [70, 9], channels: 17, window: [70, 3], stride: [1, 1], padding: [3, 1],
                output: [4, 9]),
            // Enough for threads.
            Geometry(batch: 9, size: [14, 14], channels: 32, output: [7, 7]),
        ]

        private func floats(_ count: Int, _ random: inout TestRandom) -> [Float] {
            var values = random.floats(count)
            for k in stride(from: 3, to: count, by: 29) { values[k] = .nan }
            return values
        }

        private func expectEqual(
            _ result: [UInt8], _ expected: [Float], _ geometry: Geometry, _ what: String
        ) {
            let differs = zip(elements(result, Float.self), expected).contains {
                $0.bitPattern != $1.bitPattern && !($0.isNaN && $1.isNaN)
            }
            #expect(!differs, "\(what) of \(geometry)")
        }

        @Test("Sums, products and extrema over windows", arguments: geometries)
        func reductions(geometry: Geometry) {
            var random = TestRandom(11)
            let met = geometry.elements
            let x = floats(geometry.dims.reduce(1, *), &random)
            let rules: [(spk_window_reduction, Float, (Float, Float) -> Float)] = [
                (SPK_WINDOW_ADD, 0, { $0 + $1 }), (SPK_WINDOW_MUL, 1, { $0 * $1 }),
                (SPK_WINDOW_MAX, -.infinity, { $0 > $1 || $0.isNaN ? $0 : $1 }),
                (SPK_WINDOW_MIN, .infinity, { $0 < $1 || $0.isNaN ? $0 : $1 }),
            ]
            for (reduction, identity, combine) in rules {
                let slots = [rawBytes(x), rawBytes([Float](repeating: 7, count: met.count)), []]
                let result = runEverywhere(spk_run_window, geometry.arguments(reduction), slots: slots)[1]
                let expected = met.map { $0.reduce(identity) { combine($0, x[$1]) } }
                expectEqual(result, expected, geometry, "reduction \(reduction.rawValue)")
            }
        }

        @Test("Integers of one byte wrap", arguments: geometries)
        func bytes(geometry: Geometry) {
            var random = TestRandom(13)
            let met = geometry.elements
            let x = (0..<geometry.dims.reduce(1, *)).map { _ in UInt8.random(in: 0...255, using: &random) }
            var arguments = geometry.arguments(SPK_WINDOW_ADD)
            arguments.dtype = Int32(SPK_UINT8.rawValue)
            let slots = [x, [UInt8](repeating: 7, count: met.count), []]
            #expect(
                runEverywhere(spk_run_window, arguments, slots: slots)[1]
                    == met.map { $0.reduce(0) { $0 &+ x[$1] } })
        }

        @Test("Values at the first extremum of each window, and back to it", arguments: geometries)
        func selection(geometry: Geometry) {
            var random = TestRandom(17)
            let met = geometry.elements
            let count = geometry.dims.reduce(1, *)
            // Few different values: the first of equal ones counts.
            var key = (0..<count).map { _ in Float(Int.random(in: -2...2, using: &random)) }
            for k in stride(from: 5, to: count, by: 31) { key[k] = .nan }
            let values = random.floats(count)
            let cotangents = random.floats(met.count)
            for (reduction, isBetter) in [
                (SPK_WINDOW_MAX, { (a: Float, b: Float) in a > b }),
                (SPK_WINDOW_MIN, { (a: Float, b: Float) in a < b }),
            ] {
                let places = met.map { elements in
                    elements.dropFirst().reduce(elements.first) { best, element in
                        guard let best else { return element }
                        let wins =
                            isBetter(key[element], key[best]) || (key[element].isNaN && !key[best].isNaN)
                        return wins ? element : best
                    }
                }
                let arguments = geometry.arguments(reduction)
                let gathered = runEverywhere(
                    spk_run_window_gather, arguments,
                    slots: [values, [Float](repeating: 7, count: met.count), key].map(rawBytes))[1]
                expectEqual(gathered, places.map { $0.map { values[$0] } ?? 0 }, geometry, "gathering")

                var expected = [Float](repeating: 0, count: count)
                for (window, place) in places.enumerated() {
                    if let place { expected[place] += cotangents[window] }
                }
                let scattered = runEverywhere(
                    spk_run_window_scatter, arguments,
                    slots: [cotangents, [Float](repeating: 0, count: count), key].map(rawBytes))[1]
                expectEqual(scattered, expected, geometry, "scattering")
            }
        }
    }
}
