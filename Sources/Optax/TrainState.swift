// What training carries from step to step: Flax's TrainState.
import TensorEngine

/// Step count, parameters, optimizer state, and further collections such as batch statistics; a value that `jit` can take and
/// return. Its tree has Flax's names and order, so that `toBytes(state.tree)` is what Flax writes.
public struct TrainState: TensorTree {
    /// The number of updates so far, an int32 scalar.
    public var step: Tensor
    public var params: FrozenDict
    /// The optimizer's state.
    public var optState: Tree
    /// Collections besides `params`, such as `batch_stats`, in the order of their fields.
    public var collections: [Collection]
    /// The optimizer.
    public let transformation: GradientTransformation

    /// A collection of variables that are not trained by gradients.
    public struct Collection: Sendable {
        public var name: String
        public var variables: FrozenDict

        public init(_ name: String, _ variables: FrozenDict) {
            self.name = name
            self.variables = variables
        }
    }

    /// The state before the first step.
    public static func create(
        params: FrozenDict, transformation: GradientTransformation, collections: [Collection] = []
    ) throws -> TrainState {
        TrainState(
            step: try Tensor(Int32(0)), params: params,
            optState: try transformation.initialize(params: .dictionary(params)), collections: collections,
            transformation: transformation)
    }

    /// The collection of this name.
    public subscript(collection name: String) -> FrozenDict? {
        collections.first { $0.name == name }?.variables
    }

    /// The state after one update by these gradients.
    ///
    /// - Parameters:
    ///   - collections: new values of collections, such as updated batch statistics; the others stay.
    ///   - context: what else the optimizer needs, such as the loss.
    public func applyGradients(
        _ gradients: FrozenDict, replacing collections: FrozenDict = FrozenDict(),
        context: UpdateContext = UpdateContext()
    ) throws -> TrainState {
        let (updates, next) = try transformation.update(
            updates: .dictionary(gradients), state: optState, params: .dictionary(params), context: context)
        var result = self
        result.params = try applyUpdates(.dictionary(params), updates).dictionary ?? params
        result.optState = next
        result.step = try safeIncrement(step)
        for (name, value) in collections.entries {
            guard let index = result.collections.firstIndex(where: { $0.name == name }),
                let variables = value.dictionary
            else {
                throw TensorError(
                    .structure, "applyGradients",
                    expected: "collections among \(self.collections.map(\.name))", got: "'\(name)'")
            }
            result.collections[index].variables = variables
        }
        return result
    }

    /// The state as a tree: the record `TrainState` with the fields step, params, opt_state, and one for each collection.
    public var tree: Tree {
        .record(
            name: "TrainState",
            fields: [
                Tree.Field("step", .tensor(step)), Tree.Field("params", .dictionary(params)),
                Tree.Field("opt_state", optState),
            ] + collections.map { Tree.Field($0.name, .dictionary($0.variables)) })
    }

    /// This state with the values of a tree that has its structure, such as a restored one.
    ///
    /// - Throws: `TensorError` (structure) naming the first difference, (shape) or (dtype) naming the leaf, where the tree does
    ///   not fit: Flax would take such leaves and fail later.
    public func replacing(tree other: Tree) throws -> TrainState {
        if let difference = tree.structureDifference(from: other) {
            throw TensorError(
                .structure, "TrainState", expected: "a tree of this state's structure",
                got: "a difference \(difference)",
                fix: "Model and optimizer must be those that the tree was made with.")
        }
        for (mine, theirs) in zip(tree.leavesWithPaths(), other.leavesWithPaths())
        where mine.tensor.type != theirs.tensor.type {
            throw TensorError(
                mine.tensor.dtype == theirs.tensor.dtype ? .shape : .dtype, "TrainState",
                expected: "\(mine.tensor.type)", got: "\(theirs.tensor.type)",
                fix: "Model and optimizer must be those that the tree was made with.", path: mine.path)
        }
        var result = self
        result.step = try other["step"]?.tensor ?? step.astype(.int32)
        result.params = other["params"]?.dictionary ?? params
        result.optState = other["opt_state"] ?? optState
        for index in collections.indices {
            result.collections[index].variables =
                other[collections[index].name]?.dictionary ?? collections[index].variables
        }
        return result
    }

    public func appendLeaves(to leaves: inout [Tensor]) { tree.appendLeaves(to: &leaves) }

    public func replacingLeaves(from leaves: inout LeafCursor) throws -> TrainState {
        let tree = try tree.replacingLeaves(from: &leaves)
        var result = self
        result.step = tree["step"]?.tensor ?? step
        result.params = tree["params"]?.dictionary ?? params
        result.optState = tree["opt_state"] ?? optState
        for index in collections.indices {
            result.collections[index].variables =
                tree[collections[index].name]?.dictionary ?? collections[index].variables
        }
        return result
    }

    public func appendStructure(to structure: inout [String]) { tree.appendStructure(to: &structure) }
}
