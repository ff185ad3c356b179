// What can be serialised, and Flax's four functions over it: toBytes, fromBytes, toStateDict, fromStateDict.

/// A value that Flax's serialisation can take apart and put together again: a `Tree`, a `FrozenDict`, a `Tensor`, a
/// `StateDict`, or a type of your own.
public protocol StateSerializable: Sendable {
    /// The value with its own structure (records, tuples, lists), leaves included. `toStateDict` makes dictionaries of it.
    func serializedState() throws -> StateDict

    /// A value like this one whose state is `state`, which has the structure of `serializedState()` except where that has leaves.
    func replacingState(_ state: StateDict) throws -> Self
}

extension StateDict: StateSerializable {
    public func serializedState() -> StateDict { self }
    public func replacingState(_ state: StateDict) -> StateDict { state }
}

/// The state dict of a value: nested dictionaries with string keys, in the order of insertion.
public func toStateDict(_ value: some StateSerializable) throws -> StateDict {
    try value.serializedState().proper()
}

/// A value like `template` with the state of `stateDict`, by Flax's rules: keys of the template that are missing are an error,
/// more keys are ignored (except in records), lists, tuples and records must agree, shapes and types of leaves are not compared.
///
/// - Throws: `SerializationError` (structure) with the path.
public func fromStateDict<Value: StateSerializable>(_ template: Value, _ stateDict: StateDict) throws -> Value
{
    try template.replacingState(try template.serializedState().restored(from: stateDict))
}

/// The bytes of a value: `toStateDict`, then MessagePack in the order of insertion.
public func toBytes(
    _ value: some StateSerializable, maximumChunkBytes: Int = defaultMaximumChunkBytes
) throws -> [UInt8] {
    try encode(try toStateDict(value), into: MemorySink(), maximumChunkBytes).bytes
}

/// A value like `template` with the state that `bytes` hold. See `fromStateDict`.
public func fromBytes<Value: StateSerializable>(_ template: Value, _ bytes: [UInt8]) throws -> Value {
    try fromStateDict(template, try msgpackRestore(bytes))
}

/// The number of bytes that `toBytes` gives; reads no values, so it also works on traced tensors.
package func serializedByteCount(_ value: some StateSerializable) throws -> Int {
    try encode(try toStateDict(value), into: CountingSink(), defaultMaximumChunkBytes).count
}
