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
}
