// Recurrent networks: a cell run over sequences.
import TensorEngine

/// Runs a cell over sequences.
///
/// Input `[batch…, time, features…]`, or with `timeMajor` `[time, batch…, features…]`; output the cell's outputs with the time at
/// the same axis. The cell's variables are under `cell`, and the same in each step; a cell that was made in the same method as
/// the RNN belongs to that method's module, as in Flax (`Module.withoutParent` makes one that does not).
public final class RNN<Cell: RecurrentCell>: Module, Layer {
    public let cell: Cell
    public let timeMajor: Bool
    public let reverse: Bool
    public let keepOrder: Bool
    private let variables: ScanVariables

    /// How to run over sequences.
    public struct Options {
        /// The carry before the first step; nil: the cell's own.
        public var initialCarry: Cell.Carry?
        /// For the cell's own carry; nil: that of the seed 0.
        public var initialKey: PRNGKey?
        /// How many steps of each sequence count, `[batch]`. What is beyond them is processed too, but the carry that is returned is
        /// that of the last step that counts, and only what counts is reversed.
        public var lengths: Tensor?
        /// Begin with the last step; nil: as the RNN was made.
        public var reverse: Bool?

        public init(
            initialCarry: Cell.Carry? = nil, initialKey: PRNGKey? = nil, lengths: Tensor? = nil,
            reverse: Bool? = nil
        ) {
            self.initialCarry = initialCarry
            self.initialKey = initialKey
            self.lengths = lengths
            self.reverse = reverse
        }
    }

    /// - Parameters:
    ///   - reverse: begin with the last step.
    ///   - keepOrder: with `reverse`, return the outputs in the order of the inputs instead of that of processing.
    ///   - variables: what steps share and what each has of its own.
    public init(
        _ cell: Cell, timeMajor: Bool = false, reverse: Bool = false, keepOrder: Bool = false,
        variables: ScanVariables = ScanVariables(broadcast: ["params"], splitRNGs: ["params": false]),
        name: String? = nil
    ) {
        self.cell = cell
        self.timeMajor = timeMajor
        self.reverse = reverse
        self.keepOrder = keepOrder
        self.variables = variables
        super.init(name: name, passed: [cell])
    }

    public func forward(_ x: Tensor) throws -> Tensor { try run(x, Options(), needsCarry: false).outputs }

    /// As the main call, with options.
    public func callAsFunction(_ x: Tensor, _ options: Options) throws -> Tensor {
        try mainCall(x) { try run($0, options, needsCarry: false).outputs }
    }

    /// The outputs, and the carry after the last step.
    public func withCarry(
        _ x: Tensor, _ options: Options = Options()
    ) throws -> (carry: Cell.Carry, outputs: Tensor) {
        try mainCall(x) { try run($0, options, needsCarry: true) }
    }

    /// As `withCarry`, with other settings than the RNN was made with. For `Bidirectional`.
    func withCarry(
        _ x: Tensor, _ options: Options, timeMajor: Bool, keepOrder: Bool
    ) throws -> (carry: Cell.Carry, outputs: Tensor) {
        try mainCall {
            try run(x, options, needsCarry: true, timeMajor: timeMajor, keepOrder: keepOrder)
        }
    }

    private func run(
        _ x: Tensor, _ options: Options, needsCarry: Bool, timeMajor: Bool? = nil, keepOrder: Bool? = nil
    ) throws -> (carry: Cell.Carry, outputs: Tensor) {
        let timeMajor = timeMajor ?? self.timeMajor
        let featureAxes = cell.featureAxisCount
        guard x.rank > featureAxes else {
            throw ModuleError(
                .argument, className,
                expected: "an input with a time axis and \(featureAxes) feature axes", got: "\(x.type)")
        }
        let timeAxis = timeMajor ? 0 : x.rank - featureAxes - 1
        let sequences = Sequences(
            timeAxis: timeAxis, batchAxes: x.rank - featureAxes - 1, lengths: options.lengths,
            isTimeMajor: timeMajor)
        let isReverse = options.reverse ?? reverse
        let input = isReverse ? try sequences.flipped(x) : x
        var stepShape = x.shape.dimensions
        stepShape.remove(at: timeAxis)
        let initial =
            try options.initialCarry
            ?? cell.initializeCarry(
                options.initialKey ?? PRNGKey(seed: 0), inputShape: Shape(stepShape))
        // Outputs first, and every step's carry where it is not the last step's that is wanted.
        let keepsCarries = needsCarry && options.lengths != nil
        let (last, results) = try cell.lifted.scan(
            initial: initial, over: input, inAxis: timeAxis, variables: variables
        ) { carry, slice in
            let (next, output) = try self.cell(carry, slice)
            return (next, [output] + (keepsCarries ? next.leaves : []))
        }
        var outputs = try moveAxis(results[0], from: 0, to: timeAxis)
        if isReverse, keepOrder ?? self.keepOrder { outputs = try sequences.flipped(outputs) }
        guard keepsCarries else { return (last, outputs) }
        let carries = try results.dropFirst().map { try sequences.lastValid($0) }
        return (try last.replacingLeaves(carries), outputs)
    }
}

/// Sequences in a batch, of different lengths.
private struct Sequences {
    let timeAxis: Int
    let batchAxes: Int
    let lengths: Tensor?
    let isTimeMajor: Bool

    /// Each sequence backwards; with lengths, only what counts of it, and what is beyond stays behind that.
    func flipped(_ x: Tensor) throws -> Tensor {
        guard let lengths else { return try flip(x, axes: [timeAxis]) }
        try requireLengths(
            lengths, batch: x.shape.enumerated().filter { $0.offset != timeAxis }.map(\.element))
        let steps = x.shape[timeAxis]
        if steps == 0 { return x }
        let shape = x.shape.enumerated().map { axis, size in
            axis == timeAxis ? steps : axis <= batchAxes ? size : 1
        }
        let position = try iota(.int32, shape: Shape(shape), dimension: timeAxis)
        var lengthShape = shape
        lengthShape[timeAxis] = 1
        // Position t of the result is step (length - 1 - t), counted around the end.
        let source = try (steps - 1) - position + reshape(lengths.astype(.int32), Shape(lengthShape))
        return try takeAlongAxis(x, rem(source, steps), axis: timeAxis)
    }

    /// The last step that counts of each sequence, of `[time, batch, …]`.
    func lastValid(_ x: Tensor) throws -> Tensor {
        guard let lengths, x.rank > 1 else { return x }
        try requireLengths(lengths, batch: Array(x.shape.dropFirst()))
        let last = try lengths.astype(.int32) - 1
        let shape = [1, x.shape[1]] + [Int](repeating: 1, count: x.rank - 2)
        return try squeeze(takeAlongAxis(x, reshape(last, Shape(shape)), axis: 0, mode: .clamp), axes: [0])
    }

    private func requireLengths(_ lengths: Tensor, batch: [Int]) throws {
        guard lengths.dtype.isInteger, lengths.shape.elementsEqual(batch.prefix(lengths.rank)),
            lengths.rank == batchAxes
        else {
            throw ModuleError(
                .argument, "RNN", expected: "integer lengths of shape \(batch.prefix(batchAxes))",
                got: "\(lengths.type)")
        }
    }
}

/// Runs one RNN forwards and another backwards over the same sequences, and joins their outputs at each step.
///
/// Variables under `forward_rnn` and `backward_rnn`, where the RNNs were not made in the same method as this module (see `RNN`).
public final class Bidirectional<Forward: RecurrentCell, Backward: RecurrentCell>: Module, Layer {
    public let forwardRNN: RNN<Forward>
    public let backwardRNN: RNN<Backward>
    public let timeMajor: Bool
    private let merge: (Tensor, Tensor) throws -> Tensor

    /// - Parameter merge: joins the outputs of both; by default side by side along the last axis.
    public init(
        forward: RNN<Forward>, backward: RNN<Backward>, timeMajor: Bool = false,
        merge: @escaping (Tensor, Tensor) throws -> Tensor = { try concatenate([$0, $1], axis: -1) },
        name: String? = nil
    ) {
        forwardRNN = forward
        backwardRNN = backward
        self.timeMajor = timeMajor
        self.merge = merge
        super.init(name: name, passed: [forward, backward])
    }

    public override func submodules() -> [(name: String, module: Module)] {
        [("forward_rnn", forwardRNN), ("backward_rnn", backwardRNN)]
    }

    public func forward(_ x: Tensor) throws -> Tensor { try run(x, lengths: nil).outputs }

    /// As the main call, for sequences of which `lengths`, `[batch]`, count.
    public func callAsFunction(_ x: Tensor, lengths: Tensor?) throws -> Tensor {
        try mainCall(x) { try run($0, lengths: lengths).outputs }
    }

    /// The outputs, and the carries of both directions after their last steps.
    public func withCarry(
        _ x: Tensor, lengths: Tensor? = nil, initialCarry: (Forward.Carry, Backward.Carry)? = nil,
        initialKey: PRNGKey? = nil
    ) throws -> (carry: (forward: Forward.Carry, backward: Backward.Carry), outputs: Tensor) {
        try mainCall {
            try run(x, lengths: lengths, initialCarry: initialCarry, initialKey: initialKey)
        }
    }

    private func run(
        _ x: Tensor, lengths: Tensor?, initialCarry: (Forward.Carry, Backward.Carry)? = nil,
        initialKey: PRNGKey? = nil
    ) throws -> (carry: (forward: Forward.Carry, backward: Backward.Carry), outputs: Tensor) {
        let keys = try initialKey?.split()
        let ahead = try forwardRNN.withCarry(
            x,
            RNN<Forward>.Options(
                initialCarry: initialCarry?.0, initialKey: keys?[0], lengths: lengths, reverse: false),
            timeMajor: timeMajor, keepOrder: false)
        let back = try backwardRNN.withCarry(
            x,
            RNN<Backward>.Options(
                initialCarry: initialCarry?.1, initialKey: keys?[1], lengths: lengths, reverse: true),
            timeMajor: timeMajor, keepOrder: true)
        return ((ahead.carry, back.carry), try merge(ahead.outputs, back.outputs))
    }
}
