// The base class of everything with parameters. Flax's nn.Module.
import TensorEngine

/// A description of a computation with variables. It holds configuration only: `initialize` makes its variables, `apply` runs it
/// with them, and one module can be used with any number of sets of variables.
///
/// A subclass says what it computes in `forward` (see `Layer`) and calls other modules there:
///
/// ```swift
/// final class SimpleMLP: Module, Layer {
///     func forward(_ x: Tensor) throws -> Tensor {                  // compact style:
///         let hidden = try relu(Dense(features: 64)(x))             //   variables in Dense_0
///         return try Dense(features: 10, name: "logits")(hidden)    //   variables in logits
///     }
/// }
///
/// final class AutoEncoder: Module, Layer {
///     let encoder = Dense(features: 8)                              // setup style: variables in encoder
///     let decoder = Dense(features: 64)
///     func forward(_ x: Tensor) throws -> Tensor { try decoder(tanh(encoder(x))) }
/// }
/// ```
///
/// A class, because identity decides what is shared (one instance called twice uses one set of variables), and a base class rather
/// than a protocol, because Flax numbers submodules in the order of their *creation*: only an initializer sees that.
///
/// Modules are not `Sendable`; use one from one task at a time.
open class Module: ModuleMethods {
    /// The name in the parent module, instead of the property's or the automatic one.
    public let name: String?
    /// Modules that were passed to this one's initializer, as opposed to made by it.
    let passed: [Module]
    /// The module that is in this one's place, with the same path and variables.
    let sharing: Module?

    /// - Parameters:
    ///   - name: the name in the parent module.
    ///   - passed: modules that this one was given. As in Flax, those that were made in a compact method stay with the module
    ///     of that method, beside this one; otherwise they are this one's submodules, like all others that it has in properties.
    ///   - sharing: a module that is to be in this one's place: same path, same variables (Flax's share_scope). For modules
    ///     that wrap another one without adding a level to the tree of variables.
    public init(name: String? = nil, passed: [Module] = [], sharing: Module? = nil) {
        self.name = name
        self.passed = passed
        self.sharing = sharing
        ModuleContext.current?.register(self)
    }

    /// The class's name, which automatic names are made of.
    open var className: String {
        let full = String(describing: Swift.type(of: self))
        return full.firstIndex(of: "<").map { String(full[..<$0]) } ?? full
    }

    /// The submodules in stored properties, with their names: the property's, with `_0`, `_1`, … for the elements of an array
    /// and `_key` for those of a dictionary.
    open func submodules() -> [(name: String, module: Module)] { StoredModules.find(in: self) }

    /// Makes a module that does not belong to the module whose method is running (Flax's `parent=None`): what it is passed to, or
    /// the property that it is stored in, gives it its place.
    public static func withoutParent<Made>(_ make: () throws -> Made) rethrows -> Made {
        guard let context = ModuleContext.current else { return try make() }
        return try context.withoutRegistering(make)
    }

    // MARK: For the methods of subclasses

    /// Runs `body` as a method of this module: what it makes and declares becomes this module's. `forward` is run so by
    /// `callAsFunction`; any other method that declares variables or makes modules must say so itself.
    public final func compact<Result>(_ body: () throws -> Result) throws -> Result {
        try ModuleContext.required(by: self, for: className).call(self) { scope in
            try intercepted(scope, isMainCall: false, input: ()) { try body() }
        }
    }

    /// The parameter of this name, in the collection `params`. `initialize` makes it by the initializer.
    ///
    /// - Throws: `ModuleError` when the name is taken, or the given variables have no such parameter, or one of another shape.
    public final func param(
        _ name: String, _ initializer: Initializer, _ shape: Shape, dtype: DType = .float32
    ) throws -> Tensor {
        let (context, scope) = try running("param")
        try scope.reserveVariable("params", name)
        if let existing = context.value("params", name, in: scope) {
            guard let tensor = existing.tensor, tensor.shape == shape else {
                throw ModuleError(
                    .parameterShape, "param",
                    expected: "'\(name)' of shape \(shape), as \(className) would initialize it",
                    got: existing.tensor.map { "shape \($0.shape) in the given variables" }
                        ?? "a dictionary in the given variables",
                    fix:
                        "Are these variables another model's, or was the model initialized for other inputs?",
                    path: scope.displayPath)
            }
            return tensor
        }
        try requireParameters(name, context, scope)
        let value = try initializer(context.makeRandomKey("params", in: scope), shape, dtype: dtype)
        try context.set("params", name, .tensor(value), in: scope)
        return value
    }

    /// The variable of this name in a collection such as `batch_stats`. If there is none yet, `initial` makes it.
    ///
    /// - Throws: `ModuleError` when the name is taken, or there is no such variable and the collection is not mutable.
    public final func variable(
        _ collection: String, _ name: String, _ initial: () throws -> Tensor
    ) throws -> ModuleVariable {
        let (context, scope) = try running("variable")
        try scope.reserveVariable(collection, name)
        if context.value(collection, name, in: scope) == nil {
            guard context.isMutable(collection) else {
                let known = context.region(of: scope).store.collections
                throw ModuleError(
                    known.contains(collection) ? .missingVariable : .missingCollection, "variable",
                    expected: "'\(name)' in collection '\(collection)'",
                    got: known.contains(collection)
                        ? "no such variable there" : "variables of the collections \(known)",
                    fix: "Pass all that initialize returned, or make the collection mutable: "
                        + "apply(…, mutable: [\"\(collection)\"]).", path: scope.displayPath)
            }
            try context.set(collection, name, .tensor(try initial()), in: scope)
        }
        return ModuleVariable(collection: collection, name: name, scope: scope, context: context)
    }

    /// The names from the outermost module to this one; none for the outermost (Flax's path). Only inside of `initialize` and `apply`.
    public final var boundPath: [String] {
        get throws { try ModuleContext.required(by: self, for: "boundPath").placedScope(of: self).path }
    }

    /// The variables of this module and its submodules, by collection, as they are now (Flax's variables). Only inside of `initialize` and `apply`.
    public final var boundVariables: FrozenDict {
        get throws {
            let context = try ModuleContext.required(by: self, for: "boundVariables")
            let scope = try context.placedScope(of: self)
            let region = context.region(of: scope)
            return region.store.variables(at: region.relativePath(scope))
        }
    }

    /// Whether a variable (or a parameter, in collection `params`) exists already.
    public final func hasVariable(_ collection: String, _ name: String) throws -> Bool {
        let (context, scope) = try running("hasVariable")
        return context.value(collection, name, in: scope) != nil
    }

    /// A new key of a random stream such as `dropout`. A stream that was not given falls back on `params`.
    public final func makeRNG(_ stream: String = "params") throws -> PRNGKey {
        let (context, scope) = try running("makeRNG")
        return try context.makeRandomKey(stream, in: scope)
    }

    /// Whether keys for this random stream were given.
    public final func hasRNG(_ stream: String) throws -> Bool {
        let (context, scope) = try running("hasRNG")
        return context.region(of: scope).randomKeys[stream] != nil
    }

    /// Keeps an intermediate result: appends it to the tuple of this name in a collection, if that is mutable; else does nothing.
    public final func sow(_ collection: String, _ name: String, _ value: Tensor) throws {
        let (context, scope) = try running("sow")
        try context.append(.tensor(value), to: collection, name, in: scope)
    }

    /// Keeps an intermediate result: combines it with the value that is there, or with `initial`. Nothing where not mutable.
    public final func sow(
        _ collection: String, _ name: String, _ value: Tensor, initial: Tensor,
        reduce: (Tensor, Tensor) throws -> Tensor
    ) throws {
        let (context, scope) = try running("sow")
        guard context.isMutable(collection) else { return }
        let before = context.value(collection, name, in: scope)?.tensor ?? initial
        try context.set(collection, name, .tensor(try reduce(before, value)), in: scope)
    }

    /// `value` plus a variable of zeros, made by `initialize` in the collection `perturbations`: the gradient with respect to
    /// that variable is the gradient with respect to `value`. Without that variable, `value` itself.
    public final func perturb(
        _ name: String, _ value: Tensor, collection: String = "perturbations"
    ) throws -> Tensor {
        guard try isInitializing || hasVariable(collection, name) else { return value }
        return try value + variable(collection, name) { try zerosLike(value) }.value
    }

    /// True in `initialize`, false in `apply`.
    public final var isInitializing: Bool { ModuleContext.current?.isInitializing ?? false }

    /// What `apply(…, training:)` says; nil where it says nothing. For layers that do one thing in training and another in use,
    /// unless they are configured to do one of them.
    public final var isTraining: Bool? { ModuleContext.current?.isTraining }

    /// Whether the collection can be changed in this run.
    public final func isMutable(_ collection: String) -> Bool {
        ModuleContext.current?.isMutable(collection) ?? false
    }

    private func running(_ operation: String) throws -> (context: ModuleContext, scope: Scope) {
        let context = try ModuleContext.required(by: self, for: operation)
        return (context, try context.runningScope(of: self, for: operation))
    }

    /// Throws unless a missing parameter may be made.
    private func requireParameters(_ name: String, _ context: ModuleContext, _ scope: Scope) throws {
        if context.isMutable("params") { return }
        let region = context.region(of: scope)
        let known = region.store.collections
        guard known.contains("params") else {
            let isLeftOutside =
                region !== context.regions[0]
                && context.regions[0].store.branch("params", region.path) != nil
            throw ModuleError(
                .missingCollection, "param", expected: "variables with the collection 'params'",
                got: known.isEmpty ? "no variables" : "the collections \(known)",
                fix: isLeftOutside
                    ? "The lifted transformation around it passes on other collections only: name 'params' in variableAxes."
                    : "Pass the variables that initialize returned, [\"params\": …].", path: scope.displayPath
            )
        }
        let names = region.store.branch("params", region.relativePath(scope))?.names ?? []
        throw ModuleError(
            .missingParameter, "param", expected: "a parameter '\(name)' of \(className)",
            got: names.isEmpty ? "none at that path" : "only \(names.sorted())",
            fix: "Pass the variables that initialize returned for this model.", path: scope.displayPath)
    }
}

/// Methods of modules that know the module's own class; `Module` has them all.
public protocol ModuleMethods: AnyObject {}

/// A variable of a running module.
public struct ModuleVariable {
    let collection: String
    let name: String
    let scope: Scope
    let context: ModuleContext

    /// The present value.
    public var value: Tensor {
        get throws {
            guard let tensor = context.value(collection, name, in: scope)?.tensor else {
                throw ModuleError(
                    .missingVariable, "variable",
                    expected: "a tensor '\(name)' in collection '\(collection)'",
                    got: "a dictionary", path: scope.displayPath)
            }
            return tensor
        }
    }

    /// Changes the value. Throws when the collection is not mutable in this run.
    public func set(_ value: Tensor) throws {
        guard context.isMutable(collection) else {
            throw ModuleError(
                .immutableCollection, "variable", expected: "collection '\(collection)' to be mutable",
                got: "a change of '\(name)' in a run where it is not",
                fix:
                    "Use apply(…, mutable: [\"\(collection)\"]), and keep the updated collection that it returns.",
                path: scope.displayPath)
        }
        try context.set(collection, name, .tensor(value), in: scope)
    }
}
