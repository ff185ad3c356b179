// What goes wrong in building and calling modules, said so that a person can act on it.
import TensorEngine

/// An error of the module system. Its text reads `operation at path: expected …, got …. fix`, as `TensorError`'s does.
public struct ModuleError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What sort of mistake it is. The names in brackets are those of flax.errors.
    public enum Kind: Sendable, Hashable {
        /// A module used outside of `initialize` and `apply` (CallCompactUnboundModuleError).
        case unbound
        /// A module used where it does not belong: neither made there nor a property of a module there.
        case misplaced
        /// Two things of one name in a module (NameInUseError).
        case nameInUse
        /// A random number stream that was not given (InvalidRngError).
        case missingRandomStream
        /// A collection that was not given (ScopeCollectionNotFound).
        case missingCollection
        /// A parameter that the given collection does not have (ScopeParamNotFoundError).
        case missingParameter
        /// A variable that the given collection does not have (ScopeVariableNotFoundError).
        case missingVariable
        /// A parameter of another shape than the module would make (ScopeParamShapeError).
        case parameterShape
        /// A change to a collection that is not mutable (ModifyScopeVariableError).
        case immutableCollection
        /// An argument of a module that cannot be.
        case argument
    }

    public var kind: Kind
    /// What refused, such as `param` or `Dense`.
    public var operation: String
    /// The module's path, such as `/encoder/Dense_0`; `/` is the outermost module.
    public var path: String
    public var expected: String
    public var got: String
    public var fix: String

    public init(
        _ kind: Kind, _ operation: String, expected: String, got: String, fix: String = "",
        path: String? = nil
    ) {
        self.kind = kind
        self.operation = operation
        self.path = path ?? ModulePath.current
        self.expected = expected
        self.got = got
        self.fix = fix
    }

    public var description: String {
        var text = operation
        if !path.isEmpty { text += " at \(path)" }
        text += ": expected \(expected), got \(got)."
        if !fix.isEmpty { text += " \(fix)" }
        return text
    }
}
