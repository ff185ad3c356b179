// Recording: turns a Swift closure over tensors into a Program.
import Synchronization

/// A value of a trace: what a traced tensor stands for.
struct TracedValue: Sendable {
    let trace: Trace
    let variable: Variable
}

/// The recording of one function. While a trace is current, every operation is recorded in it (also operations on
/// constants), so that tracing computes nothing.
final class Trace: Sendable {
    /// The innermost trace that is being recorded in this task.
    @TaskLocal static var current: Trace?

    /// The trace around this one, whose values this one may use.
    private let parent: Trace?
    private let state = Mutex(State())

    private struct State {
        var program = Program()
        /// Values of surrounding traces that were used here, in the order of their first use.
        var captures: [(variable: Variable, value: Tensor)] = []
        var captureNumbers: [CaptureKey: Variable] = [:]
        var constantNumbers: [ConstantKey: Variable] = [:]
    }
    private struct CaptureKey: Hashable {
        let trace: ObjectIdentifier
        let variable: Variable
    }
    private struct ConstantKey: Hashable {
        let buffer: ObjectIdentifier
        let type: TensorType
    }

    private init(parent: Trace?) { self.parent = parent }

    /// Records `function` on inputs of the given types.
    ///
    /// - Returns: the program, whose inputs are the function's and after them one for each captured value; the captured
    ///   tensors of surrounding traces; and what `function` returned besides the tensors it wants as outputs.
    static func record<Extra>(
        _ inputTypes: [TensorType], _ function: ([Tensor]) throws -> (outputs: [Tensor], extra: Extra)
    ) throws -> (program: Program, captures: [Tensor], extra: Extra) {
        let trace = Trace(parent: current)
        let inputs = inputTypes.map { type in
            let variable = trace.state.withLock { state in
                let variable = state.program.makeVariable(type)
                state.program.inputs.append(variable)
                return variable
            }
            return Tensor(traced: TracedValue(trace: trace, variable: variable), type: type)
        }
        let (outputs, extra) = try $current.withValue(trace) { try function(inputs) }
        let (program, captures) = try trace.state.withLock { state in
            state.program.outputs = try outputs.map {
                try trace.variable(for: $0, in: &state, operation: "return")
            }
            state.program.inputs += state.captures.map(\.variable)
            return (state.program, state.captures.map(\.value))
        }
        return (program, captures, extra)
    }

    /// Appends an equation.
    func record(_ primitive: some Primitive, _ inputs: [Tensor]) throws -> [Tensor] {
        let types = try checkedOutputTypes(primitive, inputs.map(\.type))
        let variables = try state.withLock { state in
            let operands = try inputs.map { try variable(for: $0, in: &state, operation: primitive.name) }
            let results = types.map { state.program.makeVariable($0) }
            state.program.equations.append(
                Equation(primitive: primitive, inputs: operands, outputs: results, path: ModulePath.current))
            return results
        }
        return zip(variables, types).map { Tensor(traced: TracedValue(trace: self, variable: $0), type: $1) }
    }

    /// The variable that a tensor is here: its own, a constant, or a captured value of a surrounding trace.
    private func variable(for tensor: Tensor, in state: inout State, operation: String) throws -> Variable {
        switch tensor.storage {
        case .traced(let value) where value.trace === self:
            return value.variable
        case .traced(let value):
            guard isInside(value.trace) else { throw Trace.escaped(tensor, in: operation) }
            let key = CaptureKey(trace: ObjectIdentifier(value.trace), variable: value.variable)
            if let known = state.captureNumbers[key] { return known }
            let variable = state.program.makeVariable(tensor.type)
            state.captures.append((variable, tensor))
            state.captureNumbers[key] = variable
            return variable
        case .buffer(let buffer):
            let key = ConstantKey(buffer: ObjectIdentifier(buffer), type: tensor.type)
            if let known = state.constantNumbers[key] { return known }
            let variable = state.program.makeVariable(tensor.type)
            state.program.constants.append((variable, tensor))
            state.constantNumbers[key] = variable
            return variable
        }
    }

    /// True when `other` is a trace around this one that is still being recorded.
    private func isInside(_ other: Trace) -> Bool {
        var trace = parent
        while let candidate = trace {
            if candidate === other { return true }
            trace = candidate.parent
        }
        return false
    }

    /// Where a value of this trace came from, for errors.
    private func origin(of variable: Variable) -> String {
        state.withLock { state in
            if let k = state.program.inputs.firstIndex(of: variable) { return ", its argument \(k)," }
            guard let equation = state.program.equations.first(where: { $0.outputs.contains(variable) })
            else {
                return ""
            }
            return
                ", made by \(equation.primitive.name)\(equation.path.isEmpty ? "" : " at \(equation.path)"),"
        }
    }

    /// The error for a traced tensor that is used after, or outside of, its transformation.
    static func escaped(_ tensor: Tensor, in operation: String) -> TensorError {
        var origin = ""
        if case .traced(let value) = tensor.storage { origin = value.trace.origin(of: value.variable) }
        return TensorError(
            .tracing, operation, expected: "a tensor of this transformation or a value",
            got: "a traced \(tensor.type)\(origin) that left the jit, grad, vmap or loop it belongs to",
            fix: "Return the tensor from the transformed function instead of storing it outside.")
    }
}
