// Arrays and trees of the golden cases as tensors and trees.
import Foundation
import JobSpec
import TensorEngine

extension JSONValue {
    /// True for an array: an object with exactly the members dtype, shape and data.
    var isParityArray: Bool {
        objectValue?.count == 3 && self["dtype"] != nil && self["shape"] != nil && self["data"] != nil
    }

    /// A member that must be there.
    func member(_ key: String) throws -> JSONValue {
        guard let value = self[key] else { throw ParityMismatch("the case has no '\(key)'") }
        return value
    }

    /// A list of integers.
    var integers: [Int]? {
        guard let elements = arrayValue else { return nil }
        let numbers = elements.compactMap(\.intValue)
        return numbers.count == elements.count ? numbers : nil
    }

    /// The dtype of this name.
    func dtype() throws -> DType {
        guard let name = stringValue else { throw ParityMismatch("no dtype: \(kindDescription)") }
        guard let dtype = DType(name: name) else { throw NotBuilt("dtype \(name)") }
        return dtype
    }

    /// The array as a tensor.
    func tensor() throws -> Tensor {
        guard isParityArray, let shape = self["shape"]?.integers, let text = self["data"]?.stringValue,
            let data = Data(base64Encoded: text)
        else { throw ParityMismatch("not an array: \(kindDescription)") }
        let type = TensorType(try member("dtype").dtype(), Shape(shape))
        return try data.withUnsafeBytes { try Tensor(bytes: $0, type: type) }
    }

    /// Nested objects with arrays at the leaves; lists become tuples, numbers scalars.
    func tree() throws -> Tree {
        if isParityArray { return .tensor(try tensor()) }
        switch self {
        case .object(let members):
            return .dictionary(FrozenDict(try members.map { ($0.key, try $0.value.tree()) }))
        case .array(let elements): return .tuple(try elements.map { try $0.tree() })
        case .null: return .none
        case .int(let value): return .tensor(try Tensor(Int32(value)))
        case .double(let value): return .tensor(try Tensor(Float(value)))
        case .bool(let value): return .tensor(try Tensor(value))
        case .string: throw ParityMismatch("a string in a tree")
        }
    }

    /// The tree as a dictionary.
    func dictionary() throws -> FrozenDict {
        guard let dictionary = try tree().dictionary else {
            throw ParityMismatch("expected a tree with names, not \(kindDescription)")
        }
        return dictionary
    }

    /// A key spec: a seed, `{"seed", "path"}` or two words.
    func prngKey() throws -> PRNGKey {
        if let seed = intValue { return try PRNGKey(seed: seed) }
        if let words = integers, words.count == 2 {
            return try PRNGKey(words: (UInt32(words[0]), UInt32(words[1])))
        }
        guard let seed = self["seed"]?.intValue else { throw ParityMismatch("no key: \(self)") }
        var key = try PRNGKey(seed: seed)
        for step in self["path"]?.arrayValue ?? [] {
            if let split = step["split"]?.integers, split.count == 2 {
                key = try key.split(split[0])[split[1]]
            } else if let data = step["fold_in"]?.intValue {
                key = try key.foldIn(data)
            } else {
                throw ParityMismatch("no step of a key: \(step)")
            }
        }
        return key
    }
}
