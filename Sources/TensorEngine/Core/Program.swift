// The typed intermediate form: a flat list of equations. What a function is after tracing.

/// A value of a program, named by its number.
public struct Variable: Sendable, Hashable {
    let id: Int32

    init(_ id: Int) { self.id = Int32(truncatingIfNeeded: id) }
    var index: Int { Int(id) }
}

/// One operation of a program: results = primitive(inputs).
public struct Equation: Sendable {
    public var primitive: any Primitive
    public var inputs: [Variable]
    public var outputs: [Variable]
    /// The module path that was current when the operation was recorded.
    public var path: String
}

/// A function as data: inputs, constants, equations in the order of evaluation, outputs. Every variable is defined once,
/// before its uses; `verify()` checks that and every type.
public struct Program: Sendable {
    /// The type of each variable, by its number.
    public internal(set) var types: [TensorType] = []
    public internal(set) var inputs: [Variable] = []
    /// Variables whose values are part of the program.
    public internal(set) var constants: [(variable: Variable, value: Tensor)] = []
    public internal(set) var equations: [Equation] = []
    public internal(set) var outputs: [Variable] = []

    public func type(of variable: Variable) -> TensorType { types[variable.index] }
    public var inputTypes: [TensorType] { inputs.map(type(of:)) }
    public var outputTypes: [TensorType] { outputs.map(type(of:)) }

    mutating func makeVariable(_ type: TensorType) -> Variable {
        types.append(type)
        return Variable(types.count - 1)
    }

    /// By variable: the equation that computes it, -1 for inputs and constants.
    func producers() -> [Int] {
        var result = [Int](repeating: -1, count: types.count)
        for (position, equation) in equations.enumerated() {
            for variable in equation.outputs { result[variable.index] = position }
        }
        return result
    }

    /// Evaluates the program on `arguments`: each equation is recorded in the current trace, or runs at once outside of any.
    func evaluate(
        _ arguments: [Tensor],
        running run: (any Primitive, [Tensor]) throws -> [Tensor] = { try $0.run($1) }
    ) throws -> [Tensor] {
        try evaluateEach(arguments) { position, value in
            try run(equations[position].primitive, equations[position].inputs.map(value))
        }
    }

    /// Evaluates the program with the results that `evaluation` has for each equation: it gets the equation's position, and the
    /// values of variables that stand before.
    func evaluateEach(
        _ arguments: [Tensor],
        _ evaluation: (_ position: Int, _ value: (Variable) throws -> Tensor) throws -> [Tensor]
    ) throws -> [Tensor] {
        var values = [Tensor?](repeating: nil, count: types.count)
        for (variable, argument) in zip(inputs, arguments) { values[variable.index] = argument }
        for (variable, value) in constants { values[variable.index] = value }
        for (position, equation) in equations.enumerated() {
            let results = try ModulePath.$current.withValue(equation.path) {
                try evaluation(position) { try Program.defined(values[$0.index], $0) }
            }
            for (variable, result) in zip(equation.outputs, results) { values[variable.index] = result }
        }
        return try outputs.map { try Program.defined(values[$0.index], $0) }
    }

    /// The value of a variable that an earlier equation must have defined.
    static func defined<Value>(_ value: Value?, _ variable: Variable) throws -> Value {
        guard let value else {
            throw TensorError(
                .structure, "Program", expected: "v\(variable.id) to be defined before its use",
                got: "no definition")
        }
        return value
    }
}

extension Primitive {
    /// `apply` with the existential opened.
    func run(_ inputs: [Tensor]) throws -> [Tensor] { try apply(self, inputs) }
}

// MARK: - Comparing

/// Programs are equal where they do the same operations on the same variables and constants; module paths do not count.
/// So a loop whose body is traced again is the same operation as before.
extension Program: Hashable {
    public static func == (a: Program, b: Program) -> Bool {
        a.types == b.types && a.inputs == b.inputs && a.outputs == b.outputs
            && a.equations.count == b.equations.count && a.constants.count == b.constants.count
            && zip(a.constants, b.constants).allSatisfy {
                $0.variable == $1.variable && $0.value.isSameConstant(as: $1.value)
            }
            && zip(a.equations, b.equations).allSatisfy {
                $0.inputs == $1.inputs && $0.outputs == $1.outputs
                    && PrimitiveKey(primitive: $0.primitive) == PrimitiveKey(primitive: $1.primitive)
            }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(types)
        hasher.combine(outputs)
        for equation in equations {
            equation.primitive.hash(into: &hasher)
            hasher.combine(equation.inputs)
        }
    }
}

extension Tensor {
    /// True for the same memory, and for small tensors of the same bytes.
    fileprivate func isSameConstant(as other: Tensor) -> Bool {
        guard type == other.type, case .buffer(let mine) = storage, case .buffer(let theirs) = other.storage
        else { return false }
        if mine === theirs { return true }
        let largestComparedByteCount = 64
        let count = type.byteCount
        return count <= largestComparedByteCount
            && UnsafeRawBufferPointer(start: mine.base, count: count)
                .elementsEqual(UnsafeRawBufferPointer(start: theirs.base, count: count))
    }
}

// MARK: - Verifying

extension Program {
    /// Checks that each variable is defined once and before its uses, and that every equation's result types are what its
    /// primitive's shape rule says. Run after each compiler pass in debug builds and in tests.
    public func verify() throws {
        var isDefined = [Bool](repeating: false, count: types.count)
        func define(_ variable: Variable) throws {
            guard variable.index < types.count, !isDefined[variable.index] else {
                throw invalid("v\(variable.id) to be defined once", "a second definition")
            }
            isDefined[variable.index] = true
        }
        for variable in inputs { try define(variable) }
        for (variable, value) in constants {
            try define(variable)
            guard value.type == type(of: variable) else {
                throw invalid("\(type(of: variable)) for the constant v\(variable.id)", "\(value.type)")
            }
        }
        for equation in equations {
            for variable in equation.inputs where !isDefined[variable.index] {
                throw invalid(
                    "v\(variable.id) to be defined before its use in \(equation.primitive.name)",
                    "a later definition")
            }
            let derived = try equation.primitive.outputTypes(equation.inputs.map(type(of:)))
            guard derived == equation.outputs.map(type(of:)) else {
                throw invalid(
                    "\(equation.primitive.name) to give \(derived)", "\(equation.outputs.map(type(of:)))")
            }
            for variable in equation.outputs { try define(variable) }
        }
        for variable in outputs where !isDefined[variable.index] {
            throw invalid("the output v\(variable.id) to be defined", "no definition")
        }
    }

    private func invalid(_ expected: String, _ got: String) -> TensorError {
        TensorError(.structure, "verify", expected: expected, got: got)
    }
}
