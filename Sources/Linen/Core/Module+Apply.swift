// initialize and apply: how a module meets its variables.
import TensorEngine

/// What `initialize` returns of the collections, by default: all but intermediate results, as in Flax.
public let initializedCollections = CollectionFilter.except(["intermediates"])

extension Layer {
    /// The variables for inputs like `input`, such as `["params": ["Dense_0": ["kernel": …, "bias": …]]]`.
    public func initialize(_ key: PRNGKey, _ input: Input, training: Bool? = nil) throws -> FrozenDict {
        try initializeWithOutput(rngs: ["params": key], input, training: training).variables
    }

    /// The variables, with a key for each random stream.
    public func initialize(
        rngs: [String: PRNGKey], _ input: Input, mutable: CollectionFilter = initializedCollections,
        training: Bool? = nil
    ) throws -> FrozenDict {
        try initializeWithOutput(rngs: rngs, input, mutable: mutable, training: training).variables
    }

    /// The variables and the output for `input`.
    public func initializeWithOutput(
        rngs: [String: PRNGKey], _ input: Input, mutable: CollectionFilter = initializedCollections,
        training: Bool? = nil
    ) throws -> (output: Output, variables: FrozenDict) {
        try initializeWithOutput(rngs: rngs, mutable: mutable, training: training) { try $0(input) }
    }

    /// The output for `input`.
    public func apply(
        _ variables: FrozenDict, _ input: Input, rngs: [String: PRNGKey] = [:], training: Bool? = nil
    ) throws -> Output {
        try apply(variables, rngs: rngs, training: training) { try $0(input) }
    }

    /// The output for `input`, and the mutable collections as they are afterwards.
    public func apply(
        _ variables: FrozenDict, _ input: Input, mutable: CollectionFilter, rngs: [String: PRNGKey] = [:],
        training: Bool? = nil, captureIntermediates: Bool = false
    ) throws -> (output: Output, updates: FrozenDict) {
        try apply(
            variables, mutable: mutable, rngs: rngs, training: training,
            captureIntermediates: captureIntermediates
        ) { try $0(input) }
    }
}

extension ModuleMethods where Self: Module {
    /// The variables that `method` needs. For modules with several methods: `initialize(key) { try $0.encode(x) }`.
    public func initialize<Result>(
        _ key: PRNGKey, training: Bool? = nil, method: (Self) throws -> Result
    ) throws -> FrozenDict {
        try initializeWithOutput(rngs: ["params": key], training: training, method: method).variables
    }

    /// The variables that `method` needs, and what it returns.
    public func initializeWithOutput<Result>(
        rngs: [String: PRNGKey], mutable: CollectionFilter = initializedCollections, training: Bool? = nil,
        method: (Self) throws -> Result
    ) throws -> (output: Result, variables: FrozenDict) {
        var options = ModuleContext.Options()
        options.mutable = mutable
        options.isInitializing = true
        options.isTraining = training
        let context = ModuleContext(root: self, variables: [:], randomKeys: rngs, options)
        let output = try context.run { try method(self) }
        return (output, context.regions[0].store.frozen(mutable))
    }

    /// What `method` returns with these variables: `apply(variables) { try $0.encode(x) }`.
    public func apply<Result>(
        _ variables: FrozenDict, rngs: [String: PRNGKey] = [:], training: Bool? = nil,
        method: (Self) throws -> Result
    ) throws -> Result {
        try apply(variables, mutable: .none, rngs: rngs, training: training, method: method).output
    }

    /// What `method` returns with these variables, and the mutable collections as they are afterwards.
    ///
    /// - Parameter captureIntermediates: keep what every module's main call returns, in the collection `intermediates`, which
    ///   is made mutable for that.
    public func apply<Result>(
        _ variables: FrozenDict, mutable: CollectionFilter, rngs: [String: PRNGKey] = [:],
        training: Bool? = nil, captureIntermediates: Bool = false, method: (Self) throws -> Result
    ) throws -> (output: Result, updates: FrozenDict) {
        var options = ModuleContext.Options()
        options.mutable = captureIntermediates ? mutable.adding("intermediates") : mutable
        options.isTraining = training
        options.capturesIntermediates = captureIntermediates
        let context = ModuleContext(root: self, variables: variables, randomKeys: rngs, options)
        let output = try context.run { try method(self) }
        return (output, context.regions[0].store.frozen(options.mutable))
    }
}

extension CollectionFilter {
    /// This filter with one more collection.
    func adding(_ collection: String) -> CollectionFilter {
        switch self {
        case .none: .only([collection])
        case .all: .all
        case .only(let names): .only(names.union([collection]))
        case .except(let names): .except(names.subtracting([collection]))
        }
    }
}
