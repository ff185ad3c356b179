// Modules from the module specs of golden cases (README of the fixtures, "Module specs").
import JobSpec
import Linen
import TensorEngine

/// What a case gives to a call of a module.
struct CallArguments {
    var inputs: [Tree]
    /// Keyword arguments that are no tensors.
    var keywords: JSONValue = [:]
    /// Keyword arguments that are.
    var tensors: [String: Tree] = [:]

    /// The only input.
    func one(_ type: String) throws -> Tensor {
        guard inputs.count == 1, let x = inputs[0].tensor else {
            throw ParityMismatch("\(type) takes one tensor")
        }
        return x
    }

    func flag(_ name: String) -> Bool? { keywords[name]?.boolValue }

    func tensor(_ name: String) -> Tensor? { tensors[name]?.tensor }

    /// Throws `NotBuilt` for keyword arguments that the module here does not have.
    func only(_ known: String...) throws {
        for key in (keywords.objectValue.map { Array($0.keys) } ?? []) + tensors.keys
        where !known.contains(key) {
            throw NotBuilt("call argument \(key)")
        }
    }
}

/// A module of a case, with what a case can ask of it.
struct SpecModule {
    let module: Module
    private let main: (CallArguments) throws -> Tree
    private let methods: [String: (CallArguments) throws -> Tree]
    /// The module itself, where a recurrent network can run it.
    var cell: (any RecurrentCell)?
    /// The module as what a lifted transformation can run.
    var lifted: Lifted?

    enum Lifted {
        case layer(any Layer<Tensor, Tensor>)
        case step(any CarryLayer)
        case graph(GraphModule)
    }

    init(
        _ module: Module, methods: [String: (CallArguments) throws -> Tree] = [:],
        call: @escaping (CallArguments) throws -> Tree
    ) {
        self.module = module
        self.methods = methods
        main = call
    }

    /// A module with one tensor in and one out, and no further methods.
    init(_ layer: any Layer<Tensor, Tensor>, methods: [String: (Tensor) throws -> Tensor] = [:]) {
        let type = layer.className
        self.init(
            layer,
            methods: methods.mapValues { body in
                { arguments in
                    try arguments.only()
                    return .tensor(try body(arguments.one(type)))
                }
            },
            call: { arguments in
                try arguments.only()
                return .tensor(try layer(arguments.one(type)))
            })
        lifted = .layer(layer)
    }

    /// Calls a method (nil: the main call).
    func call(_ method: String?, _ arguments: CallArguments) throws -> Tree {
        guard let method else { return try main(arguments) }
        guard let body = methods[method] else { throw NotBuilt("method \(method)") }
        return try body(arguments)
    }

    /// Calls a method (nil: the main call) with positional values and keyword arguments.
    func call(_ method: String?, _ inputs: [Tree], _ keywords: JSONValue) throws -> Tree {
        try call(method, CallArguments(inputs: inputs, keywords: keywords))
    }

    /// Builds the module that a spec describes.
    static func build(_ spec: JSONValue) throws -> SpecModule {
        if let parent = spec["parent"]?.stringValue {
            guard parent == "none" else { throw NotBuilt("parent \(parent)") }
            return try Module.withoutParent { try build(spec.removing("parent")) }
        }
        let type = try spec.member("type").stringValue ?? ""
        let arguments = spec["args"] ?? [:]
        let name = spec["name"]?.stringValue
        func boolean(_ key: String, _ fallback: Bool) -> Bool { arguments[key]?.boolValue ?? fallback }
        func integer(_ key: String) throws -> Int { try arguments.member(key).intValue ?? 0 }
        func list(_ key: String, _ fallback: [Int]) -> [Int] {
            arguments[key].flatMap { $0.integers ?? $0.intValue.map { [$0] } } ?? fallback
        }
        func initializer(_ key: String, _ fallback: Initializer) throws -> Initializer {
            try arguments[key]?.initializer() ?? fallback
        }
        func dtype(_ key: String) throws -> DType? { try arguments[key]?.dtype() }
        func only(_ known: String...) throws {
            for key in arguments.objectValue?.keys ?? [] where !known.contains(key) {
                throw NotBuilt("\(type)(\(key):)")
            }
        }
        switch type {
        case "Dense":
            try only("features", "use_bias", "dtype", "param_dtype", "kernel_init", "bias_init")
            return SpecModule(
                Dense(
                    features: try integer("features"), useBias: boolean("use_bias", true),
                    dtype: try dtype("dtype"), paramDType: try dtype("param_dtype") ?? .float32,
                    kernelInitializer: try initializer("kernel_init", .lecunNormal()),
                    biasInitializer: try initializer("bias_init", .zeros), name: name))
        case "DenseGeneral":
            try only("features", "axis", "batch_dims", "use_bias", "dtype", "param_dtype")
            return SpecModule(
                DenseGeneral(
                    features: list("features", []), axes: list("axis", [-1]),
                    batchAxes: list("batch_dims", []),
                    useBias: boolean("use_bias", true), dtype: try dtype("dtype"),
                    paramDType: try dtype("param_dtype") ?? .float32, name: name))
        case "Conv", "ConvLocal", "ConvTranspose":
            return SpecModule(try convolution(type, arguments, name: name))
        case "Einsum":
            try only("shape", "einsum_str", "use_bias", "dtype", "param_dtype", "kernel_init", "bias_init")
            return SpecModule(
                Einsum(
                    shape: Shape(list("shape", [])), arguments["einsum_str"]?.stringValue,
                    useBias: boolean("use_bias", true), dtype: try dtype("dtype"),
                    paramDType: try dtype("param_dtype") ?? .float32,
                    kernelInitializer: try initializer("kernel_init", .lecunNormal()),
                    biasInitializer: try initializer("bias_init", .zeros), name: name))
        case "Embed":
            try only("num_embeddings", "features", "dtype", "param_dtype", "embedding_init")
            let normal = Initializer.varianceScaling(
                1, .fanIn, .normal, axes: Initializer.KernelAxes(output: [0]))
            let embed = Embed(
                count: try integer("num_embeddings"), features: try integer("features"),
                dtype: try dtype("dtype"), paramDType: try dtype("param_dtype") ?? .float32,
                embeddingInitializer: try initializer("embedding_init", normal), name: name)
            return SpecModule(embed, methods: ["attend": { try embed.attend($0) }])
        case "PReLU":
            try only("negative_slope_init", "param_dtype")
            return SpecModule(
                PReLU(
                    initialSlope: arguments["negative_slope_init"]?.doubleValue ?? 0.01,
                    paramDType: try dtype("param_dtype") ?? .float32, name: name))
        case "Dropout":
            try only("rate", "broadcast_dims", "deterministic", "rng_collection")
            let dropout = Dropout(
                rate: arguments["rate"]?.doubleValue ?? 0, broadcastAxes: list("broadcast_dims", []),
                deterministic: arguments["deterministic"]?.boolValue,
                randomStream: arguments["rng_collection"]?.stringValue ?? "dropout", name: name)
            var result = SpecModule(dropout) { arguments in
                try arguments.only("deterministic")
                guard let deterministic = arguments.flag("deterministic") else {
                    return .tensor(try dropout(arguments.one(type)))
                }
                return .tensor(try dropout(arguments.one(type), deterministic: deterministic))
            }
            result.lifted = .layer(dropout)
            return result
        case "Sequential":
            try only("layers")
            let steps = try arguments.member("layers").arrayValue ?? []
            return SpecModule(Sequential(try steps.map(SpecModule.step), name: name))
        case "Graph":
            let graph = try GraphModule(spec, name: name)
            var result = SpecModule(graph, methods: graph.methodCalls) { try graph.call(method: nil, $0) }
            result.lifted = .graph(graph)
            return result
        default:
            let parameters = ModuleParameters(type: type, arguments: arguments, name: name)
            if let found = try parameters.normalization() ?? parameters.attention() ?? parameters.recurrent()
            {
                return found
            }
            if let target = spec["target"] { return try parameters.lifted(target) }
            throw NotBuilt(type)
        }
    }

    /// A step of a Sequential: a module or a function.
    private static func step(_ spec: JSONValue) throws -> Sequential.Step {
        if let inner = spec["$module"] {
            let built = try build(inner)
            guard let layer = built.module as? any Layer<Tensor, Tensor> else {
                throw NotBuilt("\(built.module.className) in a Sequential")
            }
            return .module(layer)
        }
        let activation = try SpecModule.activation(spec)
        return .function { try activation($0) }
    }

    /// `{"$fn": name}`.
    static func activation(_ spec: JSONValue) throws -> Activation {
        let name = try spec.member("$fn").stringValue ?? ""
        guard spec["kwargs"] == nil, let activation = Activation.byName[name] else {
            throw NotBuilt("function \(name)")
        }
        return activation
    }
}
