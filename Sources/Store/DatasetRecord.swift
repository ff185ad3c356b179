// An uploaded dataset: immutable bytes under their digest, and a name with versions that points at them.

import Hashing
import JobSpec

package struct DatasetRecord: Sendable, Hashable, Identifiable {
    package let id: String
    package let ordinal: Int64
    package let name: String
    /// From 1 within the name; the largest is what the bare name means.
    package let version: Int
    package let digest: Digest
    /// "csv", "npy", ...
    package let format: String
    package let bytes: Int64
    package let rows: Int64?
    /// Columns and their types, as the reader of the format found them.
    package let schema: JSONValue
    package let createdAt: Timestamp

    /// "digits@sha256:HEX": how effective specs and the worker protocol name it.
    package var reference: String { "\(name)@sha256:\(digest.hex)" }
}

/// "NAME", "NAME@sha256:HEX", or "NAME@VERSION".
package enum DatasetSelector: Sendable, Hashable {
    case latest(name: String)
    case digest(name: String, Digest)
    case version(name: String, Int)

    package init?(_ text: String) {
        guard let at = text.firstIndex(of: "@") else {
            guard !text.isEmpty else { return nil }
            self = .latest(name: text)
            return
        }
        let name = String(text[..<at])
        let pin = String(text[text.index(after: at)...])
        guard !name.isEmpty else { return nil }
        if pin.hasPrefix("sha256:"), let digest = Digest(hex: String(pin.dropFirst(7))) {
            self = .digest(name: name, digest)
        } else if let version = Int(pin), version > 0 {
            self = .version(name: name, version)
        } else {
            return nil
        }
    }

    package var name: String {
        switch self {
        case .latest(let name), .digest(let name, _), .version(let name, _): name
        }
    }
}
