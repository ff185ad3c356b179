// What goes wrong in the engine, said so that a person can act on it.

/// An error of the engine. Its text reads `operation at path: expected …, got …. fix`.
public struct TensorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What sort of mistake it is.
    public enum Kind: Sendable, Hashable {
        case shape, dtype, argument, index, tracing, structure, resource
    }

    public var kind: Kind
    /// The operation that refused, such as `dotGeneral`.
    public var operation: String
    /// Where: the module path during `apply`, or the path inside a tree; empty at the top level.
    public var path: String
    public var expected: String
    public var got: String
    /// What to do about it, where that is knowable.
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

/// The module path that errors and equations are labelled with, such as `/Dense_0`. Linen sets it around each call.
public enum ModulePath {
    @TaskLocal public static var current = ""
}
