// What a step of a recurrent network is.
import TensorEngine

/// A module that makes the next carry and an output of a carry and an input. `Scan` runs it over a sequence, or over layers.
public protocol CarryLayer<Carry, Input, Output>: Module {
    associatedtype Carry: TensorTree
    associatedtype Input: TensorTree
    associatedtype Output: TensorTree

    /// Computes the step. Not to be called directly: `module(carry, input)` sets the scene for it.
    func forward(_ carry: Carry, _ input: Input) throws -> (carry: Carry, output: Output)
}

extension CarryLayer {
    /// Runs one step. Only inside of `initialize` and `apply`.
    public func callAsFunction(_ carry: Carry, _ input: Input) throws -> (carry: Carry, output: Output) {
        try mainCall { try forward(carry, input) }
    }
}

/// A cell of a recurrent network (Flax's RNNCellBase). `RNN` runs it over a sequence.
public protocol RecurrentCell<Carry>: CarryLayer where Input == Tensor, Output == Tensor {
    /// How many axes of the input, at its end, are one element of a sequence: 1 for `[batch…, features]`.
    var featureAxisCount: Int { get }

    /// The carry before the first step, for inputs of this shape (without the time).
    func initializeCarry(_ key: PRNGKey, inputShape: Shape) throws -> Carry
}

/// The carry of the LSTM cells.
public struct LSTMCarry: TensorTree {
    /// The memory.
    public var cell: Tensor
    /// The output of the last step.
    public var hidden: Tensor

    public init(cell: Tensor, hidden: Tensor) {
        self.cell = cell
        self.hidden = hidden
    }

    public func appendLeaves(to leaves: inout [Tensor]) { leaves += [cell, hidden] }

    public func replacingLeaves(from leaves: inout LeafCursor) throws -> LSTMCarry {
        LSTMCarry(cell: try leaves.next(), hidden: try leaves.next())
    }
}

/// What the cells of fully connected layers have in common: how their layers are made.
struct CellConfiguration {
    var features: Int
    var gate: Activation
    var activation: Activation
    var kernelInitializer: Initializer
    var recurrentInitializer: Initializer
    var biasInitializer: Initializer
    var dtype: DType?
    var paramDType: DType
    var carryInitializer: Initializer

    /// A layer for the input.
    func input(_ name: String, useBias: Bool, bias: Initializer? = nil, features: Int) -> Dense {
        Dense(
            features: features, useBias: useBias, dtype: dtype, paramDType: paramDType,
            kernelInitializer: kernelInitializer, biasInitializer: bias ?? biasInitializer, name: name)
    }

    /// A layer for the last output.
    func recurrent(_ name: String, useBias: Bool, features: Int) -> Dense {
        Dense(
            features: features, useBias: useBias, dtype: dtype, paramDType: paramDType,
            kernelInitializer: recurrentInitializer, biasInitializer: biasInitializer, name: name)
    }

    /// One tensor of the carry, for inputs of this shape.
    func carry(_ key: PRNGKey, inputShape: Shape) throws -> Tensor {
        guard inputShape.rank > 0, features > 0 else {
            throw ModuleError(
                .argument, "initializeCarry", expected: "inputs [batch…, features] and 1 feature or more",
                got: "\(inputShape) and \(features)")
        }
        return try carryInitializer(key, Shape(inputShape.dropLast() + [features]), dtype: paramDType)
    }

    /// Memory and output.
    func lstmCarry(_ key: PRNGKey, inputShape: Shape) throws -> LSTMCarry {
        let keys = try key.split()
        return LSTMCarry(
            cell: try carry(keys[0], inputShape: inputShape),
            hidden: try carry(keys[1], inputShape: inputShape))
    }

    /// The size of the carry that was given.
    static func width(_ carry: Tensor, of cell: String) throws -> Int {
        guard let width = carry.shape.last else {
            throw ModuleError(
                .argument, cell, expected: "a carry [batch…, features]", got: "\(carry.type)",
                fix: "Make it with initializeCarry.")
        }
        return width
    }
}
