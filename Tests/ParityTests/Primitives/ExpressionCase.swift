// Golden cases that are functions: the expressions they are written in, and the transformations of them.
import JobSpec
import TensorEngine

/// A function of the cases: parameters and an expression over operations, control flow and transformations.
struct ExpressionFunction: Sendable {
    typealias Function = ([Tree]) throws -> Tree

    private let parameters: [String]
    private let body: JSONValue
    private let surroundings: [String: Tree]

    init(_ spec: JSONValue, in surroundings: [String: Tree] = [:]) throws {
        parameters = try spec.member("params").arrayValue?.compactMap(\.stringValue) ?? []
        body = try spec.member("body")
        self.surroundings = surroundings
    }

    func callAsFunction(_ arguments: [Tree]) throws -> Tree {
        var values = surroundings
        for (name, argument) in zip(parameters, arguments) { values[name] = argument }
        return try ExpressionFunction.evaluate(body, values)
    }

    private static func evaluate(_ expression: JSONValue, _ values: [String: Tree]) throws -> Tree {
        if let name = expression.stringValue {
            guard let value = values[name] else { throw ParityMismatch("unknown name \(name)") }
            return value
        }
        guard let parts = expression.arrayValue, let head = parts.first?.stringValue else {
            throw NotBuilt("expression \(expression)")
        }
        let rest = Array(parts.dropFirst())
        func value(_ k: Int) throws -> Tree { try evaluate(rest[k], values) }
        func function(_ k: Int) throws -> ExpressionFunction { try ExpressionFunction(rest[k], in: values) }
        func pair(_ tree: Tree) throws -> (Tree, Tree) {
            guard case .tuple(let parts) = tree, parts.count == 2 else {
                throw ParityMismatch("expected a pair")
            }
            return (parts[0], parts[1])
        }
        switch head {
        case "tuple":
            return .tuple(try rest.indices.map(value))
        case "get":
            guard case .tuple(let parts) = try value(0), let index = rest[1].intValue else {
                throw ParityMismatch("get of \(rest[0])")
            }
            return parts[index]
        case "scan":
            // `unroll` says how XLA is to compile the loop, and changes no value.
            let body = try function(0)
            let keywords = rest.count > 3 ? rest[3] : [:]
            let isReverse = keywords["reverse"]?.boolValue ?? false
            let (carry, results) =
                rest[2] == .null
                ? try scan(
                    { (carry: Tree) in try pair(body([carry, .tuple([])])) }, initial: value(1),
                    length: keywords["length"]?.intValue ?? 0)
                : try scan(
                    { (carry: Tree, x: Tree) in try pair(body([carry, x])) }, initial: value(1),
                    over: value(2),
                    reverse: isReverse)
            return .tuple([carry, results])
        case "while_loop":
            let (condition, body) = (try function(0), try function(1))
            return try whileLoop({ try condition([$0]).tensor() }, { try body([$0]) }, initial: value(2))
        case "fori_loop":
            let body = try function(2)
            return try foriLoop(
                rest[0].intValue ?? 0, rest[1].intValue ?? 0, { try body([.tensor($0), $1]) },
                initial: value(3))
        case "cond":
            let (onTrue, onFalse) = (try function(1), try function(2))
            return try cond(value(0).tensor(), { try onTrue([$0]) }, { try onFalse([$0]) }, value(3))
        case "switch":
            let branches = try (rest[1].arrayValue ?? []).map { try ExpressionFunction($0, in: values) }
            return try switchCase(
                value(0).tensor(), branches.map { branch in { (operand: Tree) in try branch([operand]) } },
                value(2))
        case "checkpoint":
            let body = try function(0)
            return try remat { (arguments: [Tree]) in try body(arguments) }(
                try rest.indices.dropFirst().map(value))
        case "map":
            let body = try function(0)
            return try scan(
                { (_: [Tensor], x: Tree) in ([], try body([x])) }, initial: [Tensor](), over: value(1)
            ).results
        case "associative_scan":
            let body = try function(0)
            return try associativeScan({ try body([$0, $1]) }, value(1))
        default:
            return try call(head, rest, values)
        }
    }

    private static func call(_ name: String, _ arguments: [JSONValue], _ values: [String: Tree]) throws
        -> Tree
    {
        var arguments = arguments
        var keywords: JSONValue = [:]
        if let last = arguments.last, last.objectValue != nil {
            keywords = last
            arguments.removeLast()
        }
        let operands = try arguments.map { argument -> any TensorConvertible in
            switch argument {
            case .int, .double: try PrimitiveCall.number(argument)
            default: try evaluate(argument, values).tensor()
            }
        }
        let results =
            try CustomDerivativeCalls.result(name, operands).map { [$0] }
            ?? PrimitiveCall(name: name, operands: operands, keywords: keywords).results()
        return results.count == 1 ? .tensor(results[0]) : .tuple(results.map { .tensor($0) })
    }

    /// The function under the transformations of a case, the first one innermost.
    func transformed(by transformations: [JSONValue]) throws -> Function {
        var function: Function = { try self($0) }
        for transformation in transformations {
            function = try ExpressionFunction.transform(function, transformation)
        }
        return function
    }

    private static func transform(_ f: @escaping Function, _ spec: JSONValue) throws -> Function {
        let first: Function = { .tensor(try f($0).tensor()) }
        switch spec["t"]?.stringValue {
        case "jit":
            let compiled = jit { (arguments: [Tree]) in try f(arguments) }
            return { try compiled($0) }
        case "checkpoint":
            return { try remat { (arguments: [Tree]) in try f(arguments) }($0) }
        case "grad": return try gradient(f, spec, withValue: false)
        case "value_and_grad": return try gradient(f, spec, withValue: true)
        case "vmap": return { try map(f, spec, $0) }
        case "jvp":
            return {
                let half = $0.count / 2
                let (value, tangent) = try jvp(f, Array($0[..<half]), Array($0[half...]))
                return .tuple([value, tangent])
            }
        case "hvp":
            return { arguments in
                let others = Array(arguments[1..<(arguments.count - 1)])
                let gradient = grad { (x: Tree) in try f([x] + others).tensor() }
                return try jvp({ try gradient($0) }, arguments[0], arguments[arguments.count - 1]).tangent
            }
        case "vjp":
            return {
                let (value, pullback) = try vjp(f, Array($0.dropLast()))
                return .tuple([value] + (try pullback($0[$0.count - 1])))
            }
        case "linearize":
            return {
                let half = $0.count / 2
                let (value, derivative) = try linearize(f, Array($0[..<half]))
                return .tuple([value, try derivative(Array($0[half...]))])
            }
        case "jacfwd": return { .tensor(try jacfwd { try first([.tensor($0)]).tensor() }($0[0].tensor())) }
        case "jacrev": return { .tensor(try jacrev { try first([.tensor($0)]).tensor() }($0[0].tensor())) }
        case "hessian": return { .tensor(try hessian { try first([.tensor($0)]).tensor() }($0[0].tensor())) }
        default: throw NotBuilt("transformation \(spec)")
        }
    }

    private static func gradient(_ f: @escaping Function, _ spec: JSONValue, withValue: Bool) throws
        -> Function
    {
        let positions = spec["argnums"]?.integers ?? [spec["argnums"]?.intValue ?? 0]
        let isSingle = spec["argnums"]?.arrayValue == nil
        let hasAux = spec["has_aux"]?.boolValue ?? false
        return { arguments in
            func call(_ variables: [Tree]) throws -> Tree {
                var all = arguments
                for (position, variable) in zip(positions, variables) { all[position] = variable }
                return try f(all)
            }
            let differentiated = valueAndGrad(hasAux: { (variables: [Tree]) in
                let result = try call(variables)
                guard hasAux, case .tuple(let parts) = result else { return (try result.tensor(), [Tree]()) }
                return (try parts[0].tensor(), Array(parts.dropFirst()))
            })
            let (value, aux, gradients) = try differentiated(positions.map { arguments[$0] })
            let result: Tree = isSingle ? gradients[0] : .tuple(gradients)
            guard withValue else { return result }
            return .tuple([hasAux ? .tuple([.tensor(value)] + aux) : .tensor(value), result])
        }
    }

    private static func map(_ f: @escaping Function, _ spec: JSONValue, _ arguments: [Tree]) throws -> Tree {
        let axes: [Int?] =
            spec["in_axes"]?.arrayValue.map { $0.map(\.intValue) }
            ?? arguments.map { _ in spec["in_axes"]?.intValue ?? 0 }
        let out = spec["out_axes"]?.intValue ?? 0
        switch arguments.count {
        case 1: return try vmap({ (a: Tree) in try f([a]) }, inAxes: axes, outAxis: out)(arguments[0])
        case 2:
            return try vmap({ (a: Tree, b: Tree) in try f([a, b]) }, inAxes: axes, outAxis: out)(
                arguments[0], arguments[1])
        case 3:
            return try vmap({ (a: Tree, b: Tree, c: Tree) in try f([a, b, c]) }, inAxes: axes, outAxis: out)(
                arguments[0], arguments[1], arguments[2])
        case 4:
            return try vmap(
                { (a: Tree, b: Tree, c: Tree, d: Tree) in try f([a, b, c, d]) }, inAxes: axes, outAxis: out)(
                    arguments[0], arguments[1], arguments[2], arguments[3])
        default: throw NotBuilt("vmap of \(arguments.count) arguments")
        }
    }
}

extension Tree {
    /// The tensor that this tree is.
    fileprivate func tensor() throws -> Tensor {
        guard case .tensor(let tensor) = self else { throw ParityMismatch("expected a tensor, got a tree") }
        return tensor
    }
}

/// The operations of the cases that have derivatives of their own (the generator's ops.py).
private enum CustomDerivativeCalls {
    static func result(_ name: String, _ operands: [any TensorConvertible]) throws -> Tensor? {
        guard let x = operands.first as? Tensor else { return nil }
        switch name {
        case "stop_gradient": return try stopGradient(x)
        case "grad_clip_identity":
            guard let limit = operands[1] as? Double else { return nil }
            let clipped = customVJP(
                { (x: Tensor) in x }, forward: { (x: Tensor) in (x, [Tensor]()) },
                backward: { (_: [Tensor], cotangent: Tensor) in try clip(cotangent, -limit, limit) })
            return try clipped(x)
        case "log1pexp_custom":
            let function = customVJP(
                { (x: Tensor) in try log(1.0 + exp(x)) },
                forward: { (x: Tensor) in (try log(1.0 + exp(x)), x) },
                backward: { (x: Tensor, cotangent: Tensor) in try cotangent * (1.0 - 1.0 / (1.0 + exp(x))) })
            return try function(x)
        case "custom_jvp_half_square":
            let function = customJVP(
                { (x: Tensor) in try x * x },
                rule: { (x: Tensor, tangent: Tensor) in (try x * x, try tangent * x) })
            return try function(x)
        default: return nil
        }
    }
}
