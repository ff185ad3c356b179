// The table of all primitives. A new primitive is covered by a row in the file of its family.

enum PrimitiveTable {
    static let all: [PrimitiveSample] =
        unary + binary + special + selection + rearranging + reductions + cumulations + indexing + updates
        + slidingWindows + contractions + convolutions + linearAlgebra + random + controlFlow
}
