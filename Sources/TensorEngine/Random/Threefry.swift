// The block function under all random numbers.

/// Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), element by element:
/// two words from key words `inputs[0...1]` and counter words `inputs[2...3]`.
struct Threefry: Primitive {
    var name: String { "threefry2x32" }

    func outputTypes(_ inputs: [TensorType]) throws -> [TensorType] {
        guard inputs.count == 4, inputs.allSatisfy({ $0 == inputs[0] }), inputs[0].dtype == .uint32 else {
            throw TensorError(.dtype, name, expected: "four uint32 operands of one shape", got: "\(inputs)")
        }
        return [inputs[0], inputs[0]]
    }

    func jvp(_ primals: [Tensor], _ tangents: [Tensor?]) throws -> (primals: [Tensor], tangents: [Tensor?]) {
        (try apply(self, primals), [nil, nil])
    }

    func batch(_ inputs: [Batched], size: Int) throws -> [Batched] {
        try apply(self, try inputs.map { try $0.materialized(size: size) }).map {
            Batched($0, isMapped: true)
        }
    }

    var lowering: LoweringRule {
        .elementwise { code, registers, _, _ in code.threefry(registers) }
    }

    var stableHLO: StableHLORule {
        .composite { operands in
            let keys = [operands[0], operands[1], try xor(xor(operands[0], operands[1]), 0x1BD1_1BDA)]
            var (x, y) = (try operands[2] + keys[0], try operands[3] + keys[1])
            for group in 0..<5 {
                for rotation in group.isMultiple(of: 2) ? [13, 15, 26, 6] : [17, 29, 16, 24] {
                    x = try x + y
                    y = try xor(or(shiftLeft(y, rotation), shiftRightLogical(y, 32 - rotation)), x)
                }
                x = try x + keys[(group + 1) % 3]
                y = try y + keys[(group + 2) % 3] + (group + 1)
            }
            return [x, y]
        }
    }
}
