// What goes wrong while writing or reading serialised state, said so that a person can act on it. Errors of files and
// system calls are CheckpointError.

/// An error of serialisation. Its text reads `operation at place: expected …, got …. fix`.
public struct SerializationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What sort of mistake it is.
    public enum Kind: Sendable, Hashable {
        /// The bytes are not what the format allows at this place.
        case malformed
        /// Deeper, longer or more numerous than is accepted.
        case limit
        /// The state does not fit the template that it is restored into.
        case structure
        /// A value that the format, or this engine, cannot hold.
        case unsupported
    }

    public var kind: Kind
    /// The function that refused, such as `fromStateDict`.
    public var operation: String
    /// Where in the tree, such as `/params/Dense_0`; empty where that is not known.
    public var path: String
    /// Where in the bytes, counted from 0.
    public var byteOffset: Int?
    public var expected: String
    public var got: String
    /// What to do about it, where that is knowable.
    public var fix: String

    public init(
        _ kind: Kind, _ operation: String, path: String = "", byteOffset: Int? = nil, expected: String,
        got: String, fix: String = ""
    ) {
        self.kind = kind
        self.operation = operation
        self.path = path
        self.byteOffset = byteOffset
        self.expected = expected
        self.got = got
        self.fix = fix
    }

    public var description: String {
        var text = operation
        if !path.isEmpty { text += " at \(path)" }
        if let byteOffset { text += " at byte \(byteOffset)" }
        text += ": expected \(expected), got \(got)."
        if !fix.isEmpty { text += " \(fix)" }
        return text
    }
}
