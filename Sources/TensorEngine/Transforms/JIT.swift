// Compilation of whole functions.
import Synchronization

/// What a compiled program was made for.
private struct CompilationKey: Hashable {
    let types: [TensorType]
    let structure: [String]

    /// The first thing that differs from another compilation's, as a sentence.
    func difference(from other: CompilationKey, paths: [String]) -> String {
        if let k = zip(types, other.types).enumerated().first(where: { $0.element.0 != $0.element.1 })?
            .offset,
            types.count == other.types.count
        {
            return "\(paths[k]) changed from \(other.types[k]) to \(types[k])"
        }
        return "the arguments' structure changed: \(types.count) tensors, \(other.types.count) before"
    }

    /// How much two keys have in common, to explain a compilation by the most similar one.
    func similarity(to other: CompilationKey) -> Int {
        (structure == other.structure ? 1 : 0) + zip(types, other.types).count { $0 == $1 }
    }
}

/// The compiled programs of a function, by what they were made for; the least recently used ones go first.
private struct CompilationCache<Out> {
    struct Entry {
        let executable: Executable
        let rebuild: ([Tensor]) throws -> Out
        var lastUse: Int
    }

    /// Entries beyond this are dropped, so that a loop over ever new shapes stays bounded.
    private let largestCount = 64
    private let largestLogCount = 256
    private var entries: [CompilationKey: Entry] = [:]
    private var uses = 0
    private(set) var log: [String] = []

    mutating func entry(_ key: CompilationKey) -> Entry? {
        uses += 1
        entries[key]?.lastUse = uses
        return entries[key]
    }

    mutating func insert(
        _ key: CompilationKey, paths: [String], _ executable: Executable,
        _ rebuild: @escaping ([Tensor]) throws -> Out
    ) {
        let nearest = entries.keys.max { $0.similarity(to: key) < $1.similarity(to: key) }
        let reason = nearest.map { key.difference(from: $0, paths: paths) } ?? "first call"
        if log.count == largestLogCount { log.removeFirst() }
        log.append("compiled because \(reason)")
        if entries.count >= largestCount,
            let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            entries[oldest.key] = nil
        }
        entries[key] = Entry(executable: executable, rebuild: rebuild, lastUse: uses)
    }

    mutating func removeAll() { entries.removeAll() }
    var arenaByteCount: Int { entries.values.reduce(0) { $0 + $1.executable.arenaByteCount } }
    var count: Int { entries.count }
}

/// A compiled function. Made by `jit`; traces and compiles anew for each combination of argument types and structures.
public final class Compiled<each In: TensorTree, Out> {
    fileprivate typealias Traced = (leaves: [Tensor], rebuild: ([Tensor]) throws -> Out)

    private let trace: (repeat each In) throws -> Traced
    private var cache = CompilationCache<Out>()

    fileprivate init(_ trace: @escaping (repeat each In) throws -> Traced) { self.trace = trace }

    /// Why each compilation happened, in order, such as `compiled because argument 1 changed from float32[128,784] to
    /// float32[96,784]`: the latest 256.
    public var compilations: [String] { cache.log }

    /// How many programs are kept: at most 64, the least recently used ones go first.
    public var compiledCount: Int { cache.count }

    /// Bytes of temporaries that the kept programs need when they run.
    public var arenaByteCount: Int { cache.arenaByteCount }

    /// Drops the kept programs.
    public func clearCache() { cache.removeAll() }

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
        let key = CompilationKey(types: leaves.map(\.type), structure: structure)
        if let known = cache.entry(key) { return try known.rebuild(try known.executable.run(leaves)) }

        let recorded = try Trace.record(key.types) { inputs in
            var cursor = LeafCursor(inputs)
            let (leaves, rebuild) = try trace(repeat try (each arguments).replacingLeaves(from: &cursor))
            return (outputs: leaves, extra: rebuild)
        }
        let executable = try Executable(recorded.program)
        var paths: [String] = []
        var position = 0
        for argument in repeat each arguments {
            argument.appendPaths(prefix: "argument \(position)", to: &paths)
            position += 1
        }
        cache.insert(key, paths: paths, executable, recorded.extra)
        return try recorded.extra(try executable.run(leaves))
    }
}

/// A compiled function with an argument that is no tensor, such as a mode or a number of layers. Made by `jit(static:)`.
public final class CompiledWithStatic<Static: Hashable, each In: TensorTree, Out> {
    private let make: (Static) -> Compiled<repeat each In, Out>
    private var compiled: [Static: Compiled<repeat each In, Out>] = [:]

    fileprivate init(_ make: @escaping (Static) -> Compiled<repeat each In, Out>) { self.make = make }

    /// Why each compilation happened, by value of the static argument.
    public var compilations: [String] {
        compiled.flatMap { value, function in function.compilations.map { "\($0) (for \(value))" } }
    }

    public func callAsFunction(_ value: Static, _ arguments: repeat each In) throws -> Out {
        let largestCount = 64
        if compiled[value] == nil, compiled.count >= largestCount { compiled.removeAll() }
        let function = compiled[value] ?? make(value)
        compiled[value] = function
        return try function(repeat each arguments)
    }
}

/// Compiles a function whose first argument is no tensor: one program per value of it (jax.jit's static_argnums).
public func jit<Static: Hashable, each In: TensorTree, Out: TensorTree>(
    static function: @escaping (Static, repeat each In) throws -> Out
) -> CompiledWithStatic<Static, repeat each In, Out> {
    CompiledWithStatic { value in
        Compiled { (arguments: repeat each In) in
            let output = try function(value, repeat each arguments)
            return (output.leaves, { try output.replacingLeaves($0) })
        }
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

/// The program that `function` is on inputs of these types; its outputs are what `function` returns. Surrounding values that it
/// uses become further inputs. No tensor of these types needs to exist: this is how a model is traced for export.
public func makeProgram(
    _ inputTypes: [TensorType], _ function: ([Tensor]) throws -> [Tensor]
) throws -> Program {
    try Trace.record(inputTypes) { (try function($0), ()) }.program
}
