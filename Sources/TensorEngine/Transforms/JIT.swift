// Compilation of whole functions.
import Synchronization

/// A compiled function. Made by `jit`; traces and compiles anew for each combination of argument types and structures.
public final class Compiled<each In: TensorTree, Out> {
    private struct Key: Hashable {
        let types: [TensorType]
        let structure: [String]
    }
    private struct Entry {
        let executable: Executable
        let rebuild: ([Tensor]) throws -> Out
    }

    private let trace: (repeat each In) throws -> (leaves: [Tensor], rebuild: ([Tensor]) throws -> Out)
    private var entries: [Key: Entry] = [:]
    /// Why each compilation happened, in order.
    public private(set) var compilations: [String] = []
    /// Entries beyond this are dropped, so that a loop over ever new shapes stays bounded.
    private static var largestCache: Int { 64 }

    fileprivate init(
        _ trace: @escaping (repeat each In) throws -> (leaves: [Tensor], rebuild: ([Tensor]) throws -> Out)
    ) {
        self.trace = trace
    }

    public func callAsFunction(_ arguments: repeat each In) throws -> Out {
        // Inside another transformation the function becomes part of that one.
        if Trace.current != nil {
            let (leaves, rebuild) = try trace(repeat each arguments)
            return try rebuild(leaves)
        }
        var leaves: [Tensor] = []
        var structure: [String] = []
        for argument in repeat each arguments {
            argument.appendLeaves(to: &leaves)
            argument.appendStructure(to: &structure)
        }
        let entry = try entry(Key(types: leaves.map(\.type), structure: structure), repeat each arguments)
        return try entry.rebuild(try entry.executable.run(leaves))
    }

    private func entry(_ key: Key, _ arguments: repeat each In) throws -> Entry {
        if let known = entries[key] { return known }
        let recorded = try Trace.record(key.types) { inputs in
            var cursor = LeafCursor(inputs)
            let (leaves, rebuild) = try trace(repeat try (each arguments).replacingLeaves(from: &cursor))
            return (outputs: leaves, extra: rebuild)
        }
        let entry = Entry(executable: try Executable(recorded.program), rebuild: recorded.extra)
        let reason = compilations.isEmpty ? "first call" : "new argument types or structure"
        compilations.append("\(reason): \(key.types.map(\.description).joined(separator: ", "))")
        if entries.count >= Compiled.largestCache { entries.removeAll() }
        entries[key] = entry
        return entry
    }
}

/// Compiles a function: traced once per combination of argument types, then run as one flat plan.
public func jit<each In: TensorTree, each Out: TensorTree>(
    _ function: @escaping (repeat each In) throws -> (repeat each Out)
) -> Compiled<repeat each In, (repeat each Out)> {
    Compiled { (arguments: repeat each In) in
        let output = try function(repeat each arguments)
        var leaves: [Tensor] = []
        repeat (each output).appendLeaves(to: &leaves)
        return (
            leaves,
            { values in
                var cursor = LeafCursor(values)
                return (repeat try (each output).replacingLeaves(from: &cursor))
            }
        )
    }
}

/// Compiles a function with one result (a closure of several statements does not infer a pack of one).
public func jit<each In: TensorTree, Out: TensorTree>(
    _ function: @escaping (repeat each In) throws -> Out
) -> Compiled<repeat each In, Out> {
    Compiled { (arguments: repeat each In) in
        let output = try function(repeat each arguments)
        return (output.leaves, { try output.replacingLeaves($0) })
    }
}

/// The types that `function` would return, without computing anything.
public func evalShape<In: TensorTree, Out: TensorTree>(
    _ function: (In) throws -> Out, _ argument: In
) throws -> Out {
    try TracedFunction(argument, function).output
}

/// The program that `function` is on arguments like this one. Surrounding values that it uses become further inputs.
public func makeProgram<In: TensorTree, Out: TensorTree>(
    _ function: (In) throws -> Out, _ argument: In
) throws -> Program {
    try TracedFunction(argument, function).program
}
