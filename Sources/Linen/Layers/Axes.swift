// Axes as layers are told them: any order, negative ones counted from the end.
import TensorEngine

/// The axes in 0..<rank, in the order given; each may be there once.
func resolvedAxes(_ axes: [Int], rank: Int, for layer: String) throws -> [Int] {
    let resolved = try axes.map { axis in
        let resolved = axis < 0 ? axis + rank : axis
        guard (0..<rank).contains(resolved) else {
            throw ModuleError(
                .argument, layer, expected: "axes in -\(rank)..<\(rank) for an input of rank \(rank)",
                got: "\(axis)")
        }
        return resolved
    }
    guard Set(resolved).count == resolved.count else {
        throw ModuleError(.argument, layer, expected: "each axis once", got: "\(axes)")
    }
    return resolved
}
