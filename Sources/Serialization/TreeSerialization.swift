// Trees of tensors as Flax serialises them, and back.
import TensorEngine

extension Tensor: StateSerializable {
    public func serializedState() -> StateDict { .array(.tensor(self)) }
    public func replacingState(_ state: StateDict) throws -> Tensor {
        guard let tensor = try Tree(state, like: .tensor(self), path: "").tensor else {
            throw cannotHold(state, path: "")
        }
        return tensor
    }
}

extension FrozenDict: StateSerializable {
    public func serializedState() throws -> StateDict { try Tree.dictionary(self).serializedState() }
    public func replacingState(_ state: StateDict) throws -> FrozenDict {
        guard let dictionary = try Tree(state, like: .dictionary(self), path: "").dictionary else {
            throw cannotHold(state, path: "")
        }
        return dictionary
    }
}

extension Tree: StateSerializable {
    /// Dictionaries in the order of insertion, records by their fields. The `step` of a record named `TrainState` is written
    /// as an integer: in Flax it is a Python int.
    public func serializedState() throws -> StateDict {
        switch self {
        case .tensor(let tensor): return .array(.tensor(tensor))
        case .none: return .none
        case .dictionary(let dictionary):
            return .dictionary(
                try dictionary.entries.map { StateDict.Entry($0.key, try $0.value.serializedState()) })
        case .tuple(let children):
            return .tuple(try children.map { try $0.serializedState() })
        case .record(let name, let fields):
            return .record(
                name: name,
                fields: try fields.map { field in
                    if name == "TrainState", field.name == "step", let step = field.value.tensor,
                        !step.isTraced, step.dtype.isInteger, step.rank == 0
                    {
                        return StateDict.Entry(field.name, .int(Int64(try step.item())))
                    }
                    return StateDict.Entry(field.name, try field.value.serializedState())
                })
        }
    }

    public func replacingState(_ state: StateDict) throws -> Tree { try Tree(state, like: self, path: "") }

    /// The tree that a state stands for, without a template: arrays and numbers become tensors (int32, or int64 where needed,
    /// and float32), lists become tuples.
    ///
    /// - Throws: `SerializationError` (unsupported) for text, bytes and complex numbers.
    public init(_ state: StateDict) throws { try self.init(state, like: .none, path: "") }

    init(_ state: StateDict, like template: Tree, path: String) throws {
        func child(_ key: StateDict.Key, _ value: StateDict) throws -> Tree {
            try Tree(value, like: template[key.description] ?? .none, path: path + "/" + key.description)
        }
        switch state {
        case .dictionary(let entries), .frozenDictionary(let entries):
            self = .dictionary(
                FrozenDict(try entries.map { ($0.key.description, try child($0.key, $0.value)) }))
        case .record(let name, let entries):
            self = .record(
                name: name,
                fields: try entries.map { Field($0.key.description, try child($0.key, $0.value)) })
        case .list(let values), .tuple(let values):
            self = .tuple(try values.enumerated().map { try child(.string(String($0.offset)), $0.element) })
        case .array(.tensor(let tensor)), .scalar(.tensor(let tensor)):
            self = .tensor(tensor)
        case .array(.file(let array)), .scalar(.file(let array)):
            self = .tensor(try array.tensor())
        case .int(let value):
            let dtype = template.tensor?.dtype
            if dtype?.isFloating == true {
                self = .tensor(try full([], Double(value), dtype: dtype ?? .float32))
            } else if dtype != .int64, let small = Int32(exactly: value) {
                let tensor = try Tensor(small)
                self = .tensor(try dtype.map { try tensor.astype($0) } ?? tensor)
            } else {
                self = .tensor(try Tensor(value))
            }
        case .float(let value):
            let dtype = template.tensor?.dtype ?? .float32
            self = .tensor(try full([], value, dtype: dtype.floating))
        case .bool(let value): self = .tensor(try Tensor(value))
        case .none: self = .none
        case .unsigned, .complex, .string, .bytes, .extension, .array(.complex), .scalar(.complex):
            throw cannotHold(state, path: path)
        }
    }
}

private func cannotHold(_ state: StateDict, path: String) -> SerializationError {
    SerializationError(
        .unsupported, "fromStateDict", path: path.isEmpty ? "/" : path,
        expected: "arrays and numbers, which a tree of tensors can hold", got: state.kindName,
        fix: "Restore into a StateDict instead.")
}
