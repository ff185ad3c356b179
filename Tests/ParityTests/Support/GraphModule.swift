// The user-defined modules of golden cases: an interpreter of their nodes, as a module.
import JobSpec
import Linen
import TensorEngine

/// A module whose methods are lists of nodes. Its class name is the case's, since automatic names depend on it.
final class GraphModule: Module, Layer, CarryLayer {
    private struct Method {
        let inputs: [String]
        let nodes: [JSONValue]
        let output: JSONValue
    }

    private let graphClass: String
    private let main: Method
    private let methods: [String: Method]
    private let defaults: JSONValue
    /// Setup style: parameters that setup declares, in order.
    private var setupParameters: [(attribute: String, spec: JSONValue)] = []
    /// Setup style: submodules by attribute, with the index in a list attribute.
    private var attributes: [(name: String, module: SpecModule)] = []

    override var className: String { graphClass }

    init(_ spec: JSONValue, name: String?) throws {
        func method(_ spec: JSONValue) throws -> Method {
            Method(
                inputs: try spec.member("inputs").arrayValue?.compactMap(\.stringValue) ?? [],
                nodes: try spec.member("nodes").arrayValue ?? [], output: try spec.member("output"))
        }
        graphClass = spec["class"]?.stringValue ?? "Graph"
        main = try method(spec)
        methods = try (spec["methods"]?.objectValue ?? [:]).reduce(into: [:]) {
            $0[$1.key] = try method($1.value)
        }
        defaults = spec["defaults"] ?? [:]
        for (attribute, value) in spec["attrs"]?.objectValue ?? [:] {
            if value["param"] != nil {
                setupParameters.append((attribute, value))
            } else if let elements = value.arrayValue {
                for (index, element) in elements.enumerated() {
                    attributes.append(("\(attribute)_\(index)", try SpecModule.build(element)))
                }
            } else {
                attributes.append((attribute, try SpecModule.build(value)))
            }
        }
        super.init(name: name)
    }

    override func submodules() -> [(name: String, module: Module)] {
        attributes.map { ($0.name, $0.module.module) }
    }

    /// The methods besides the main one.
    var methodCalls: [String: (CallArguments) throws -> Tree] {
        Dictionary(
            methods.keys.map { name in (name, { arguments in try self.call(method: name, arguments) }) },
            uniquingKeysWith: { first, _ in first })
    }

    /// The main call as a layer: of one value, or of a tuple of several.
    func forward(_ input: Tree) throws -> Tree {
        if case .tuple(let inputs) = input { return try run(main, CallArguments(inputs: inputs)) }
        return try run(main, CallArguments(inputs: [input]))
    }

    /// The main call as a step of a loop.
    func forward(_ carry: Tree, _ input: Tree) throws -> (carry: Tree, output: Tree) {
        let result = try run(main, CallArguments(inputs: [carry, input]))
        guard let next = result["0"], let output = result["1"] else {
            throw ParityMismatch("\(className) returns no carry and output")
        }
        return (next, output)
    }

    func call(method name: String?, _ arguments: CallArguments) throws -> Tree {
        guard let name else { return try mainCall { try run(main, arguments) } }
        guard let method = methods[name] else { throw NotBuilt("method \(name)") }
        return try compact { try run(method, arguments) }
    }

    private func run(_ method: Method, _ arguments: CallArguments) throws -> Tree {
        guard arguments.tensors.isEmpty else { throw NotBuilt("tensors as arguments of a graph") }
        var run = GraphRun(module: self, keywords: defaults.merging(arguments.keywords))
        for (input, value) in zip(method.inputs, arguments.inputs) { run.values[input] = value }
        for (attribute, spec) in setupParameters {
            run.values["self.\(attribute)"] = .tensor(try run.parameter(spec))
        }
        try run.execute(method.nodes)
        return try run.result(method.output)
    }

    /// The submodule that `self.layers.0` means.
    func attribute(_ path: Substring) throws -> SpecModule {
        let name = path.replacing(".", with: "_")
        guard let found = attributes.first(where: { $0.name == name }) else {
            throw ModuleError(
                .argument, className, expected: "an attribute that setup defines", got: "'\(path)'")
        }
        return found.module
    }
}

extension JSONValue {
    /// This object without one of its members.
    func removing(_ key: String) -> JSONValue {
        JSONValue(members: (objectValue ?? [:]).filter { $0.key != key }.map { ($0.key, $0.value) })
    }

    /// This object with the members of another in place of its own.
    func merging(_ other: JSONValue) -> JSONValue {
        guard var members = objectValue else { return other }
        for (key, value) in other.objectValue ?? [:] { members[key] = value }
        return .object(members)
    }
}

/// One run of a method of a graph.
private struct GraphRun {
    let module: GraphModule
    /// Arguments of the call that are no tensors, and flags that nodes set.
    var keywords: JSONValue
    var values: [String: Tree] = [:]
    private var modules: [String: SpecModule] = [:]
    private var variables: [String: ModuleVariable] = [:]

    init(module: GraphModule, keywords: JSONValue) {
        self.module = module
        self.keywords = keywords
    }

    func result(_ output: JSONValue) throws -> Tree {
        if let elements = output.arrayValue { return .tuple(try elements.map(result)) }
        return try value(output)
    }

    mutating func execute(_ nodes: [JSONValue]) throws {
        for node in nodes { try execute(node) }
    }

    private mutating func execute(_ node: JSONValue) throws {
        let output = node["out"]?.stringValue ?? ""
        let inputs = node["in"]?.arrayValue ?? []
        if let condition = node["if"] {
            try execute(try flag(condition) ? node["then"]?.arrayValue ?? [] : node["else"]?.arrayValue ?? [])
        } else if let name = node["def"]?.stringValue {
            modules[name] = try SpecModule.build(try node.member("module"))
        } else if node["module"] != nil || node["use"] != nil {
            let target: SpecModule
            if let spec = node["module"] {
                target = try SpecModule.build(spec)
            } else {
                let name = node["use"]?.stringValue ?? ""
                if name.hasPrefix("self.") {
                    target = try module.attribute(name.dropFirst(5))
                } else if let known = modules[name] {
                    target = known
                } else {
                    throw ParityMismatch("no module \(name)")
                }
            }
            var arguments = CallArguments(inputs: try inputs.map(value))
            var keywords: [(String, JSONValue)] = []
            for (name, spec) in node["kwargs"]?.objectValue ?? [:] {
                if spec["$var"] != nil, let known = values[spec["$var"]?.stringValue ?? ""] {
                    arguments.tensors[name] = known
                } else {
                    keywords.append((name, try argument(spec)))
                }
            }
            arguments.keywords = JSONValue(members: keywords)
            values[output] = try target.call(node["method"]?.stringValue, arguments)
        } else if let operation = node["op"]?.stringValue {
            values[output] = .tensor(try compute(operation, try inputs.map(value), node["kwargs"] ?? [:]))
        } else if let name = node["param"]?.stringValue {
            if name.hasPrefix("self.") {
                values[output] = values[name]
            } else {
                values[output] = .tensor(try parameter(node))
            }
        } else if let path = node["variable"]?.arrayValue?.compactMap(\.stringValue), path.count == 2 {
            let initial = try node.member("init")
            let (shape, dtype) = (try shape(try node.member("shape")), try node["dtype"]?.dtype() ?? .float32)
            let variable = try module.variable(path[0], path[1]) {
                if let number = initial.doubleValue { return try full(shape, number, dtype: dtype) }
                return try initial.initializer()(
                    module.makeRNG(node["rng"]?.stringValue ?? "params"), shape, dtype: dtype)
            }
            variables[path.joined(separator: "/")] = variable
            values[output] = .tensor(try variable.value)
        } else if let path = node["set"]?.arrayValue?.compactMap(\.stringValue), path.count == 2 {
            let applies =
                switch node["when"]?.stringValue ?? "always" {
                case "not_init": !module.isInitializing
                case "mutable": module.isMutable(path[0])
                default: true
                }
            if applies, let new = try value(try node.member("value")).tensor {
                try variables[path.joined(separator: "/")]?.set(new)
            }
        } else if let path = node["has_variable"]?.arrayValue?.compactMap(\.stringValue), path.count == 2 {
            keywords = keywords.merging(
                JSONValue(members: [(output, .bool(try module.hasVariable(path[0], path[1])))]))
        } else if node["is_initializing"] != nil {
            keywords = keywords.merging(JSONValue(members: [(output, .bool(module.isInitializing))]))
        } else if let path = node["sow"]?.arrayValue?.compactMap(\.stringValue), path.count == 2 {
            let name = try node.member("in")
            guard let tensor = try value(name).tensor else { throw ParityMismatch("sow of no tensor") }
            if node["reduce"] == nil {
                try module.sow(path[0], path[1], tensor)
            } else {
                try module.sow(path[0], path[1], tensor, initial: try zeros([])) { try $0 + $1 }
            }
        } else if let name = node["perturb"]?.stringValue {
            guard let tensor = try value(try node.member("in")).tensor else {
                throw ParityMismatch("no tensor")
            }
            values[output] = .tensor(try module.perturb(name, tensor))
        } else if let stream = node["make_rng"]?.stringValue {
            values[output] = .tensor(try module.makeRNG(stream).data)
        } else if let sampler = node["random"]?.stringValue {
            guard let words = values[node["key"]?.stringValue ?? ""]?.tensor else {
                throw ParityMismatch("no key")
            }
            let (key, shape) = (try PRNGKey(data: words), try shape(try node.member("shape")))
            switch sampler {
            case "normal": values[output] = .tensor(try key.normal(shape))
            case "uniform": values[output] = .tensor(try key.uniform(shape))
            default: throw NotBuilt("sampler \(sampler)")
            }
        } else if let path = node["get"]?.arrayValue, let first = path.first {
            var tree = try value(first)
            for step in path.dropFirst() {
                guard let child = tree["\(step.intValue ?? 0)"] else {
                    throw ParityMismatch("no element \(step)")
                }
                tree = child
            }
            values[output] = tree
        } else if let elements = node["tuple"]?.arrayValue {
            values[output] = .tuple(try elements.map(value))
        } else {
            throw NotBuilt("graph node \(node.objectValue.map { $0.keys.sorted() } ?? [])")
        }
    }

    func parameter(_ spec: JSONValue) throws -> Tensor {
        try module.param(
            try spec.member("param").stringValue ?? "", try spec.member("init").initializer(),
            try shape(try spec.member("shape")), dtype: try spec["dtype"]?.dtype() ?? .float32)
    }

    /// A value by name, or a number.
    private func value(_ spec: JSONValue) throws -> Tree {
        if let name = spec.stringValue ?? spec["$var"]?.stringValue {
            guard let known = values[name] else { throw ParityMismatch("no value \(name)") }
            return known
        }
        if let number = spec.intValue, case .int = spec { return .tensor(try Tensor(Int32(number))) }
        if let number = spec.doubleValue { return .tensor(try Tensor(Float(number))) }
        throw NotBuilt("graph value \(spec)")
    }

    private func flag(_ spec: JSONValue) throws -> Bool {
        let name = spec["$arg"] ?? spec["$var"]
        if let name = name?.stringValue, let value = keywords[name]?.boolValue { return value }
        if let name = spec["$not"]?.stringValue, let value = keywords[name]?.boolValue { return !value }
        throw ParityMismatch("no flag \(spec)")
    }

    /// A keyword argument of a submodule's call.
    private func argument(_ spec: JSONValue) throws -> JSONValue {
        if spec["$arg"] != nil || spec["$not"] != nil { return .bool(try flag(spec)) }
        if spec["$var"] != nil { return .bool(try flag(spec)) }
        return spec
    }

    private func shape(_ spec: JSONValue) throws -> Shape {
        Shape(
            try (spec.arrayValue ?? []).map { entry in
                if let size = entry.intValue { return size }
                guard let dim = entry["dim"]?.arrayValue, dim.count == 2, let axis = dim[1].intValue,
                    let tensor = try value(dim[0]).tensor
                else { throw ParityMismatch("no size \(entry)") }
                return tensor.shape[axis < 0 ? axis + tensor.rank : axis]
            })
    }

    private func compute(_ operation: String, _ inputs: [Tree], _ keywords: JSONValue) throws -> Tensor {
        let tensors = inputs.compactMap(\.tensor)
        guard tensors.count == inputs.count, let x = tensors.first else {
            throw NotBuilt("op \(operation) of trees")
        }
        let axes = keywords["axis"].flatMap { $0.integers ?? $0.intValue.map { [$0] } }
        switch (operation, tensors.count) {
        case ("identity", 1): return x
        case ("squeeze", 1): return try squeeze(x, axes: axes ?? [])
        case ("make_causal_mask", 1): return try makeCausalMask(x)
        case ("make_attention_mask", 2): return try makeAttentionMask(x, tensors[1])
        case ("combine_masks", _):
            let masks = try tensors.dropFirst().reduce(x) { try combineMasks($0, $1) ?? $0 }
            return try masks.astype(.float32)
        case ("reshape", 1):
            let sizes = try shape(try keywords.member("shape")).dimensions
            let known = sizes.filter { $0 >= 0 }.reduce(1, *)
            return try reshape(x, Shape(sizes.map { $0 < 0 ? x.shape.elementCount / max(known, 1) : $0 }))
        default:
            if tensors.count == 1, let result = try pooled(operation, x, keywords) { return result }
            if tensors.count == 1, keywords.objectValue?.isEmpty ?? true,
                let activation = Activation.byName[operation]
            {
                return try activation(x)
            }
            let results = try PrimitiveCall(name: operation, operands: tensors, keywords: keywords).results()
            guard results.count == 1 else { throw NotBuilt("op \(operation) with several results") }
            return results[0]
        }
    }
}
