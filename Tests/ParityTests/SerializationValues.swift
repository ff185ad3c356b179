// The typed descriptions of the suite `serialization` as state values, and their comparison.
import Foundation
import JobSpec
import Serialization
import TensorEngine

extension JSONValue {
    /// The value that this typed description stands for.
    func stateValue() throws -> StateDict {
        func described() throws -> JSONValue { try member("v") }
        switch try member("t").stringValue {
        case "dict": return .dictionary(try stateEntries())
        case "frozendict": return .frozenDictionary(try stateEntries())
        case "namedtuple": return .record(name: self["name"]?.stringValue ?? "", fields: try stateEntries())
        case "list": return .list(try (described().arrayValue ?? []).map { try $0.stateValue() })
        case "tuple": return .tuple(try (described().arrayValue ?? []).map { try $0.stateValue() })
        case "int":
            // The file's one integer above Int64.max; the JSON reader gives it as a Double, exactly 2**64.
            if let number = try described().intValue { return .int(Int64(number)) }
            return .unsigned(UInt64.max)
        case "float":
            switch try described() {
            case .string("nan"): return .float(.nan)
            case .string("inf"): return .float(.infinity)
            case .string("-inf"): return .float(-.infinity)
            case let number: return .float(number.doubleValue ?? 0)
            }
        case "bool": return .bool(try described().boolValue ?? false)
        case "str": return .string(try described().stringValue ?? "")
        case "none": return .none
        case "bytes": return .bytes(try (described().stringValue ?? "").hexBytes())
        case "complex":
            let parts = (try described().arrayValue ?? []).compactMap(\.doubleValue)
            return .complex(real: parts[0], imaginary: parts[1])
        case "ndarray", "jaxarray": return .array(try described().stateArray())
        case "npscalar": return .scalar(try described().stateArray())
        case "train_state": throw NotBuilt("train_state")
        case let other: throw ParityMismatch("unknown type \(other ?? "none")")
        }
    }

    private func stateEntries() throws -> [StateDict.Entry] {
        try (member("v").arrayValue ?? []).map { pair in
            guard let parts = pair.arrayValue, parts.count == 2 else {
                throw ParityMismatch("no pair: \(pair)")
            }
            let key: StateDict.Key
            if let text = parts[0].stringValue {
                key = .string(text)
            } else if let number = parts[0]["v"]?.intValue {
                key = .int(Int64(number))
            } else {
                throw ParityMismatch("no key: \(parts[0])")
            }
            return StateDict.Entry(key, try parts[1].stateValue())
        }
    }

    private func stateArray() throws -> StateArray {
        guard let data = Data(base64Encoded: self["data"]?.stringValue ?? ""),
            let shape = self["shape"]?.integers,
            let name = self["dtype"]?.stringValue
        else { throw ParityMismatch("not an array") }
        return try data.withUnsafeBytes { try StateArray(dtypeName: name, shape: Shape(shape), bytes: $0) }
    }
}

extension String {
    func hexBytes() throws -> [UInt8] {
        let digits = Array(utf8)
        return try stride(from: 0, to: digits.count, by: 2).map { index in
            guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16)
            else {
                throw ParityMismatch("not hexadecimal")
            }
            return byte
        }
    }
}

/// Throws unless the two are the same: kinds, order of keys, element types, shapes; numbers within the tolerance.
func expectSame(
    _ got: StateDict, _ expected: StateDict, _ tolerance: ParityTolerance = .exact, _ path: String = ""
)
    throws
{
    func refuse() -> ParityMismatch {
        ParityMismatch("\(path.isEmpty ? "/" : path): expected \(expected), got \(got)")
    }
    func entries(_ mine: [StateDict.Entry], _ theirs: [StateDict.Entry]) throws {
        guard mine.map(\.key) == theirs.map(\.key) else {
            throw ParityMismatch("\(path): expected the keys \(theirs.map(\.key)), got \(mine.map(\.key))")
        }
        for (a, b) in zip(mine, theirs) { try expectSame(a.value, b.value, tolerance, "\(path)/\(a.key)") }
    }
    func elements(_ mine: [StateDict], _ theirs: [StateDict]) throws {
        guard mine.count == theirs.count else { throw refuse() }
        for (index, (a, b)) in zip(mine, theirs).enumerated() {
            try expectSame(a, b, tolerance, "\(path)/\(index)")
        }
    }
    switch (got, expected) {
    case (.dictionary(let a), .dictionary(let b)), (.frozenDictionary(let a), .frozenDictionary(let b)):
        try entries(a, b)
    case (.record(let name, let a), .record(let other, let b)) where name == other: try entries(a, b)
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)): try elements(a, b)
    case (.array(.tensor(let a)), .array(.tensor(let b))), (.scalar(.tensor(let a)), .scalar(.tensor(let b))):
        if tolerance.absolute == 0 && tolerance.relative == 0 {
            let isSame =
                try a.type == b.type
                && a.withUnsafeBytes { a in try b.withUnsafeBytes { a.elementsEqual($0) } }
            if !isSame { throw refuse() }
        } else {
            try expectClose(a, b, tolerance, path)
        }
    case (.array(.complex(let a, let shape, let bytes)), .array(.complex(let b, let other, let expected))),
        (.scalar(.complex(let a, let shape, let bytes)), .scalar(.complex(let b, let other, let expected))):
        guard a == b, shape == other, bytes == expected else { throw refuse() }
    case (.int(let a), .int(let b)) where a == b: break
    case (.unsigned(let a), .unsigned(let b)) where a == b: break
    case (.float(let a), .float(let b)) where a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN): break
    case (.complex(let a, let b), .complex(let c, let d)) where a == c && b == d: break
    case (.string(let a), .string(let b)) where a == b: break
    case (.bytes(let a), .bytes(let b)) where a == b: break
    case (.bool(let a), .bool(let b)) where a == b: break
    case (.none, .none): break
    case (.extension(let code, let data), .record(name: "ExtType", let fields)):
        try entries(
            [StateDict.Entry("code", .int(Int64(code))), StateDict.Entry("data", .bytes(data))], fields)
    default: throw refuse()
    }
}
