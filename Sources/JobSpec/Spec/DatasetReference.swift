// "digits" or "digits@sha256:HEX": a dataset by name, with its content pinned or not.

package struct DatasetReference: Sendable, Hashable, CustomStringConvertible {
    package let name: String
    /// 64 lower-case hexadecimal digits; nil means whatever the name stands for at submission.
    package let sha256: String?

    package init(name: String, sha256: String? = nil) {
        self.name = name
        self.sha256 = sha256
    }

    /// Nil unless the name follows `isValidName` and the digest, if any, is one.
    package init?(_ text: String) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, Self.isValidName(String(first)) else { return nil }
        name = String(first)
        guard parts.count == 2 else {
            sha256 = nil
            return
        }
        guard parts[1].hasPrefix("sha256:") else { return nil }
        let digest = parts[1].dropFirst("sha256:".count).lowercased()
        guard digest.utf8.count == 64,
            digest.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        sha256 = digest
    }

    package var description: String {
        sha256.map { "\(name)@sha256:\($0)" } ?? name
    }

    /// 1 to 100 of a-z A-Z 0-9 . _ -, the first a letter or a digit: also the rule for uploads.
    package static func isValidName(_ name: String) -> Bool {
        guard (1...100).contains(name.utf8.count), let first = name.utf8.first else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        return isAlphanumeric(first)
            && name.utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D }
    }
}
