// base64url without padding (RFC 4648 §5), for cursors, and plain base64 for Repr-Digest (RFC 9530).
import Foundation

package enum Base64URL {
    package static func encode(_ bytes: [UInt8]) -> String {
        var text = Data(bytes).base64EncodedString()
        text.removeAll { $0 == "=" }
        return String(text.map { $0 == "+" ? "-" : ($0 == "/" ? "_" : $0) })
    }

    /// nil for anything that `encode` could not have made.
    package static func decode(_ text: String) -> [UInt8]? {
        let symbols = text.utf8
        guard symbols.count <= 1024, symbols.count % 4 != 1 else { return nil }
        var standard = ""
        for symbol in symbols {
            switch symbol {
            case UInt8(ascii: "-"): standard.append("+")
            case UInt8(ascii: "_"): standard.append("/")
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                standard.unicodeScalars.append(Unicode.Scalar(symbol))
            default: return nil
            }
        }
        standard += String(repeating: "=", count: (4 - symbols.count % 4) % 4)
        return Data(base64Encoded: standard).map { [UInt8]($0) }
    }
}
