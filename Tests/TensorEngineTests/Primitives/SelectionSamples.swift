// Rows of the table: choosing, converting and combining elements; random bits.
import Foundation

@testable import TensorEngine

extension PrimitiveTable {
    static let selection: [PrimitiveSample] = [
        PrimitiveSample(
            Select(), [conditions([3, 5]), numbers([3, 5]), numbers([3, 5])],
            types: [.float32, .bfloat16, .int8, .int64, .bool], isShapeFree: true
        ) { x in [PlainArray(x[0].shape) { x[0][$0] != 0 ? x[1][$0] : x[2][$0] }] },
        PrimitiveSample(
            FusedMultiplyAdd(), [numbers([3, 5]), numbers([3, 5]), numbers([3, 5])],
            types: [.float32, .bfloat16], isShapeFree: true
        ) { x in [PlainArray(x[0].shape) { fma(x[0][$0], x[1][$0], x[2][$0]) }] },
        PrimitiveSample(
            IntegerPow(exponent: 3), "cubed", [numbers([3, 5])], types: [.float32, .bfloat16, .int32],
            isShapeFree: true
        ) { x in [x[0].map { $0 * $0 * $0 }] },
        PrimitiveSample(
            IntegerPow(exponent: -2), "to the power -2", [numbers([3, 5], 0.5...2)],
            types: [.float32, .bfloat16], isShapeFree: true
        ) { x in [x[0].map { 1 / ($0 * $0) }] },
        PrimitiveSample(
            IntegerPow(exponent: 0), "to the power 0", [numbers([3, 5])], types: [.float32, .int32],
            isShapeFree: true
        ) { x in [x[0].map { _ in 1 }] },
        // The slopes on either side of the value are its own, only the derivative counts it as a constant.
        PrimitiveSample(
            StopGradient(), [numbers([3, 5])], types: [.float32, .int32, .bool], derivative: .zero,
            isShapeFree: true
        ) { x in [x[0]] },
        PrimitiveSample(
            Convert(dtype: .float64), "to float64", [numbers([3, 5])], types: [.float32, .float16, .bool],
            isShapeFree: true
        ) { x in [x[0]] },
        PrimitiveSample(
            Convert(dtype: .int32), "to int32", [numbers([3, 5], -50...50)],
            types: [.float32, .float16, .int8, .uint32], derivative: .zero, isShapeFree: true
        ) { x in [x[0].map { $0.rounded(.towardZero) }] },
        PrimitiveSample(
            Convert(dtype: .bool), "to bool", [numbers([3, 5], -50...50)], types: [.float32, .int8],
            derivative: .zero, isShapeFree: true
        ) { x in [x[0].map { $0 == 0 ? 0 : 1 }] },
        // Narrower types saturate first, and wrap at their own width.
        PrimitiveSample(
            Convert(dtype: .int8), "to int8", [numbers([3, 5], -300...300)], types: [.float32, .bfloat16],
            derivative: .zero, isShapeFree: true
        ) { x in [x[0].map { min(max($0.rounded(.towardZero), -128), 127) }] },
        PrimitiveSample(
            Convert(dtype: .uint16), "to uint16", [numbers([3, 5], -3...70_000)], types: [.float32],
            derivative: .zero, isShapeFree: true
        ) { x in [x[0].map { min(max($0.rounded(.towardZero), 0), 65_535) }] },
        PrimitiveSample(
            Convert(dtype: .uint8), "int32 to uint8", [indices([3, 5], -1000...1000)], types: [],
            derivative: .zero, isShapeFree: true
        ) { x in [x[0].map { Double(UInt8(truncatingIfNeeded: Int($0))) }] },
        PrimitiveSample(
            BitcastMemory(dtype: .uint16), "int32 to pairs of uint16", [indices([3, 2], -70_000...70_000)],
            types: [], derivative: .zero
        ) { x in
            [
                PlainArray([3, 2, 2]) { k in
                    Double(UInt32(bitPattern: Int32(x[0][[k[0], k[1]]])) >> (16 * UInt32(k[2])) & 0xFFFF)
                }
            ]
        },
        PrimitiveSample(
            BitcastMemory(dtype: .uint16), "of nothing", [indices([0, 2], 0...1)], types: [],
            derivative: .zero
        ) { _ in [PlainArray([0, 2, 2], values: [])] },
        PrimitiveSample(
            Bitcast(dtype: .uint64), "float64 to uint64", [numbers([3, 5], 1...2)], types: [],
            derivative: .zero, isShapeFree: true, slack: 0
        ) { x in [x[0].map { Double($0.bitPattern) }] },
        PrimitiveSample(
            Bitcast(dtype: .uint32), "int32 to uint32", [indices([3, 5], 0...1000)], types: [],
            derivative: .zero, isShapeFree: true
        ) { x in [x[0]] },
    ]

    /// Threefry of one block in plain arithmetic (Salmon et al. 2011).
    private static func threefry(_ key: (UInt32, UInt32), _ counter: (UInt32, UInt32)) -> (UInt32, UInt32) {
        let rotations: [[UInt32]] = [[13, 15, 26, 6], [17, 29, 16, 24]]
        let keys = [key.0, key.1, key.0 ^ key.1 ^ 0x1BD1_1BDA]
        var (a, b) = (counter.0 &+ keys[0], counter.1 &+ keys[1])
        for round in 0..<5 {
            for rotation in rotations[round % 2] {
                a &+= b
                b = (b << rotation | b >> (32 - rotation)) ^ a
            }
            a &+= keys[(round + 1) % 3]
            b &+= keys[(round + 2) % 3] &+ UInt32(round + 1)
        }
        return (a, b)
    }

    static let random: [PrimitiveSample] = [
        PrimitiveSample(
            Threefry(),
            (0..<4).map { _ in
                SampleInput(type: TensorType(.uint32, [3, 5]), values: .integers(0...0xFFFF_FFFF))
            },
            types: [], derivative: .zero, isShapeFree: true
        ) { x in
            let words = x[0].values.indices.map { k in
                threefry(
                    (UInt32(x[0].values[k]), UInt32(x[1].values[k])),
                    (UInt32(x[2].values[k]), UInt32(x[3].values[k])))
            }
            return [
                PlainArray(x[0].shape, values: words.map { Double($0.0) }),
                PlainArray(x[0].shape, values: words.map { Double($0.1) }),
            ]
        }
    ]
}
