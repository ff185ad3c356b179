// A trained model on its way out of the house: what every graph format (SavedModel, ONNX, StableHLO) is written from.
import TensorEngine

/// A function of named inputs with named parameters, for any batch size.
///
/// The function is traced, so that a file holds exactly the operations that Spindle runs. What should happen to the data before
/// the model, such as the standardisation that was fitted to the training data, is written in front of it in the same closure
/// and is exported with it:
///
///     let model = try InferenceModel(
///         name: "digits", variables: variables, inputs: [.init("pixels", .float32, [64])], outputs: ["logits"]
///     ) { variables, inputs in
///         [try mlp.apply(variables, (inputs[0] - means) / deviations)]
///     }
///     try SavedModel.write(model, to: "/models/digits/1")
public struct InferenceModel: Sendable {
    /// An input: its name, and its type without the batch dimension, which comes in front.
    public struct Input: Sendable, Hashable {
        public var name: String
        public var dtype: DType
        /// The shape of one example.
        public var shape: Shape

        public init(_ name: String, _ dtype: DType, _ shape: Shape) {
            self.name = name
            self.dtype = dtype
            self.shape = shape
        }
    }

    /// A value with a name at the edge of the graph.
    public struct Port: Sendable, Hashable {
        public let name: String
        public let dtype: DType
        public let dimensions: [SymbolicDimension]
    }

    /// A parameter: a tensor that stays what it is while inputs vary.
    public struct Parameter: Sendable {
        /// The path in the variables, such as `params/Dense_0/kernel`.
        public let path: String
        public let type: TensorType
        /// The elements, which may still be in a file: writers take one parameter after the other.
        public let value: StateArray

        /// A parameter with its elements in memory.
        public init(path: String, tensor: Tensor) {
            (self.path, type, value) = (path, tensor.type, .tensor(tensor))
        }

        /// A parameter whose elements may be in a file. Nil for complex numbers.
        public init?(path: String, value: StateArray) {
            guard let dtype = DType(name: value.dtypeName) else { return nil }
            (self.path, type, self.value) = (path, TensorType(dtype, value.shape), value)
        }
    }

    public let name: String
    /// Its inputs are the parameters in their order, then the inputs.
    public let program: BatchPolymorphicProgram
    public let parameters: [Parameter]
    public let inputs: [Port]
    public let outputs: [Port]
    /// Texts that travel in the file where the format has a place for them.
    public var metadata: [String: String]

    /// Traces `function`.
    ///
    /// - Parameters:
    ///   - variables: all that the function reads, by the paths under which Flax has them: `params`, `batch_stats`.
    ///   - inputs: names, element types and shapes of one example; the batch dimension is added in front.
    ///   - outputs: a name for each tensor that `function` returns.
    ///   - batchSize: the only batch size that the export takes; nil, the rule, for any.
    ///   - function: called with traced variables and inputs, more than once: it must be pure, and may not depend on the batch
    ///     size other than through shapes.
    /// - Throws: `SerializationError` (unsupported) for names that are no identifiers or not unique; `TensorError` for what the
    ///   function throws, and where sizes depend on the batch size in another way than `fixed + perBatch · B`.
    public init(
        name: String, variables: FrozenDict, inputs: [Input], outputs: [String],
        metadata: [String: String] = [:], batchSize: Int? = nil,
        function: (FrozenDict, [Tensor]) throws -> [Tensor]
    ) throws {
        try self.init(
            name: name,
            parameters: zip(variables.paths, variables.leaves).map { Parameter(path: $0, tensor: $1) },
            inputs: inputs, outputs: outputs, metadata: metadata, batchSize: batchSize
        ) { leaves, inputs in try function(variables.replacingLeaves(leaves), inputs) }
    }

    /// Traces `function`, whose parameters need not be in memory.
    ///
    /// - Parameters:
    ///   - parameters: all that the function reads, in the order in which it gets them.
    ///   - function: as above, with the parameters as tensors in their order.
    public init(
        name: String, parameters: [Parameter], inputs: [Input], outputs: [String],
        metadata: [String: String] = [:], batchSize: Int? = nil,
        function: (_ parameters: [Tensor], _ inputs: [Tensor]) throws -> [Tensor]
    ) throws {
        try Self.checkNames(inputs.map(\.name), "input")
        try Self.checkNames(outputs, "output")
        func trace(_ batchSize: Int) throws -> Program {
            let types =
                parameters.map(\.type)
                + inputs.map { TensorType($0.dtype, Shape([batchSize] + $0.shape.dimensions)) }
            return try makeProgram(types) { tensors in
                try function(
                    Array(tensors.prefix(parameters.count)), Array(tensors.dropFirst(parameters.count)))
            }
        }
        let program =
            try batchSize.map { try BatchPolymorphicProgram(try trace($0)) }
            ?? BatchPolymorphicProgram(tracing: trace)
        let (arguments, results) = (program.program.inputs, program.program.outputs)
        guard arguments.count == parameters.count + inputs.count, results.count == outputs.count else {
            throw SerializationError(
                .structure, "InferenceModel",
                expected: "\(outputs.count) outputs \(outputs), made of the variables and inputs alone",
                got:
                    "\(results.count) outputs, \(arguments.count - parameters.count - inputs.count) captured values"
            )
        }
        func port(_ name: String, _ variable: Variable) -> Port {
            Port(
                name: name, dtype: program.program.type(of: variable).dtype,
                dimensions: program.dimensions(of: variable))
        }
        self.name = name
        self.program = program
        self.parameters = parameters
        self.inputs = zip(inputs, arguments.dropFirst(parameters.count)).map { port($0.name, $1) }
        self.outputs = zip(outputs, results).map { port($0, $1) }
        self.metadata = metadata
    }

    /// Names become argument names in other languages.
    private static func checkNames(_ names: [String], _ role: String) throws {
        func isIdentifier(_ name: String) -> Bool {
            guard let first = name.utf8.first, UInt8(ascii: "a")...UInt8(ascii: "z") ~= first | 0x20 else {
                return false
            }
            return name.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "_")
            }
        }
        guard !names.isEmpty, names.allSatisfy(isIdentifier), Set(names).count == names.count else {
            throw SerializationError(
                .unsupported, "InferenceModel",
                expected: "\(role) names, each once, of ASCII letters, digits and _, a letter in front",
                got: "\(names)")
        }
    }
}
