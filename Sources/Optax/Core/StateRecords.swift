// Reading and writing the records that states are.
import TensorEngine

extension Tree {
    /// A record of these fields.
    static func state(_ name: String, _ fields: KeyValuePairs<String, Tree>) -> Tree {
        .record(name: name, fields: fields.map { Field($0.key, $0.value) })
    }

    /// A field of a state. Throws an error that says whose state this is not.
    func field(_ name: String, of operation: String) throws -> Tree {
        guard let value = self[name] else {
            throw TensorError(
                .structure, operation, expected: "its own state, with a field '\(name)'", got: "another tree",
                fix:
                    "Pass the state that initialize, or the last update, of this very transformation returned."
            )
        }
        return value
    }

    /// A field that is one tensor.
    func scalar(_ name: String, of operation: String) throws -> Tensor {
        guard let tensor = try field(name, of: operation).tensor else {
            throw TensorError(
                .structure, operation, expected: "a tensor in the state's field '\(name)'", got: "a tree")
        }
        return tensor
    }

    /// A counter at 0, an int32 scalar.
    static func counter() throws -> Tree { .tensor(try zeros([], dtype: .int32)) }
}

/// `count + 1`, staying at the largest value of its type instead of wrapping (Optax's `safe_increment`).
public func safeIncrement(_ count: Tensor) throws -> Tensor {
    let largest = count.dtype.largestFinite
    guard count.dtype.isInteger else { return try count + 1 }
    let limit = try full([], largest, dtype: count.dtype)
    return try select(less(count, limit), count + 1, limit)
}
