// What is wrong with the bytes of a file.

/// Bytes that are not what their format allows, said without a word about whose they are: the readers of this package put that before it.
package struct FormatError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// Not what the format allows at this place.
        case malformed
        /// What the format allows and this package does not read.
        case unsupported
        /// More bytes than the reader has asked for.
        case tooLarge
    }

    package let kind: Kind
    /// Where in the bytes, counted from 0.
    package let byteOffset: Int
    package let expected: String
    package let got: String

    init(_ kind: Kind = .malformed, at byteOffset: Int, expected: String, got: String) {
        self.kind = kind
        self.byteOffset = byteOffset
        self.expected = expected
        self.got = got
    }

    package var description: String { "at byte \(byteOffset): expected \(expected), got \(got)" }
}
