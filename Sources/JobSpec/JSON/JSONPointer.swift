// A place in a JSON document, RFC 6901; printed as a URI fragment ("#/model/features/0") as problems show it.

package struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
    /// Unescaped reference tokens, from the root.
    package let tokens: [String]

    package static let root = JSONPointer(tokens: [])

    package init(tokens: [String]) {
        self.tokens = tokens
    }

    /// "#/a/0", "/a/0", "#" or "": nil if it begins with something else, or an escape is wrong.
    package init?(_ text: String) {
        var rest = Substring(text)
        let isFragment = rest.first == "#"
        if isFragment { rest = rest.dropFirst() }
        guard !rest.isEmpty else {
            self = .root
            return
        }
        guard rest.first == "/" else { return nil }
        var tokens: [String] = []
        for part in rest.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard
                let token = Self.unescaped(isFragment ? Self.percentDecoded(String(part)) : String(part))
            else { return nil }
            tokens.append(token)
        }
        self.tokens = tokens
    }

    package func appending(_ key: String) -> JSONPointer {
        JSONPointer(tokens: tokens + [key])
    }

    package func appending(_ index: Int) -> JSONPointer {
        JSONPointer(tokens: tokens + [String(index)])
    }

    /// As a URI fragment (RFC 6901 §6). A token of more than 60 characters is cut: it came from outside.
    package var description: String {
        var text = "#"
        for token in tokens {
            text += "/"
            for byte in excerpt(token).utf8 {
                switch byte {
                case UInt8(ascii: "~"): text += "~0"
                case UInt8(ascii: "/"): text += "~1"
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                    UInt8(ascii: "_"), UInt8(ascii: "@"), UInt8(ascii: ":"), UInt8(ascii: "*"):
                    text.unicodeScalars.append(UnicodeScalar(byte))
                default:
                    let digits = String(byte, radix: 16, uppercase: true)
                    text += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
                }
            }
        }
        return text
    }

    private static func unescaped(_ token: String?) -> String? {
        guard let token else { return nil }
        guard token.contains("~") else { return token }
        var result = ""
        var scalars = token.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            guard scalar == "~" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            switch scalars.next() {
            case "0": result += "~"
            case "1": result += "/"
            default: return nil
            }
        }
        return result
    }

    private static func percentDecoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var input = text.utf8.makeIterator()
        while let byte = input.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = input.next(), let low = input.next(),
                let code = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(code)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension JSONValue {
    /// The value at a place; nil if there is none.
    package func value(at pointer: JSONPointer) -> JSONValue? {
        var current = self
        for token in pointer.tokens {
            switch current {
            case .object(let members):
                guard let member = members[token] else { return nil }
                current = member
            case .array(let elements):
                // RFC 6901 §4: digits without a leading zero.
                guard let index = Int(token), String(index) == token, elements.indices.contains(index) else {
                    return nil
                }
                current = elements[index]
            default: return nil
            }
        }
        return current
    }
}
