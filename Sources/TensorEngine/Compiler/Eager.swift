// Operations outside of transformations: each is a program of one equation, compiled once per shape.
import Synchronization

/// Evaluates single operations through the same lowering and kernels as compiled programs, so that both give the same bits.
enum Eager {
    private struct Key: Hashable, Sendable {
        let primitive: PrimitiveKey
        let inputs: [TensorType]
    }
    private static let cache = Mutex<[Key: Executable]>([:])
    /// Distinct operations kept compiled; beyond it the cache starts anew, which bounds its memory.
    private static let largestCache = 4096

    static func evaluate(_ primitive: some Primitive, _ inputs: [Tensor]) throws -> [Tensor] {
        if primitive is StopGradient { return inputs }
        if let program = primitive.inlined { return try program.evaluate(inputs) }
        let key = Key(primitive: PrimitiveKey(primitive: primitive), inputs: inputs.map(\.type))
        if let known = cache.withLock({ $0[key] }) { return try known.run(inputs) }
        var program = Program()
        program.inputs = key.inputs.map { program.makeVariable($0) }
        let outputs = try checkedOutputTypes(primitive, key.inputs).map { program.makeVariable($0) }
        program.equations = [
            Equation(primitive: primitive, inputs: program.inputs, outputs: outputs, path: "")
        ]
        program.outputs = outputs
        let executable = try Executable(optimized: program)
        cache.withLock { cache in
            if cache.count >= largestCache { cache.removeAll() }
            cache[key] = executable
        }
        return try executable.run(inputs)
    }
}
