// The catalog and its builders know the same names, and every entry trains.
import JobSpec
import Linen
import Optax
import TensorEngine
import TestSupport
import Testing

@testable import Training

@Suite struct BuilderTests {
    /// A value for every parameter that has no default, by name where the name says more than the type.
    private static func example(_ parameter: Parameter, of entry: CatalogEntry) throws -> JSONValue {
        if let known = examples["\(entry.name).\(parameter.name)"] ?? examples[parameter.name] {
            return known
        }
        switch parameter.type {
        case .boolean: return true
        case .integer(let range), .integerOrAuto(let range), .integerOrSchedule(let range):
            return JSONValue(Swift.max(range.lowerBound, Swift.min(4, range.upperBound)))
        case .number, .numberOrSchedule, .hyperparameter: return 0.5
        case .choice(let choices, _): return .string(choices[0])
        case .integers(let count, _):
            return JSONValue(Array(repeating: 2, count: Swift.max(1, count.lowerBound)))
        case .numbers(let count): return JSONValue(Array(repeating: 1, count: count.lowerBound))
        case .patterns: return "**/kernel"
        case .patternLabels: return ["**/bias": "a", "**": "b"]
        case .typedMap: return ["a": ["type": "sgd", "learning_rate": 0.1], "b": "set_to_zero"]
        case .typed(let kinds):
            return switch kinds[0] {
            case .optimizer: ["type": "adam", "learning_rate": 0.01]
            case .schedule: ["type": "constant_schedule", "value": 0.1]
            case .cell: ["type": "GRUCell", "features": 6]
            default: ["type": "Dense", "features": 6]
            }
        case .typedList(let kinds, _):
            return switch kinds[0] {
            case .optimizer: [["type": "clip", "max_delta": 1.0], ["type": "sgd", "learning_rate": 0.1]]
            case .schedule: [["type": "constant_schedule", "value": 0.1]]
            default: [["type": "Dense", "features": 6], "relu"]
            }
        default: return try #require(nil as JSONValue?, "no example of \(entry.name).\(parameter.name)")
        }
    }

    private static let examples: [String: JSONValue] = [
        "boundaries": [], "einsum_str": "abc,cd->abd", "Einsum.shape": [6, 2], "warmup_steps": 2,
        "decay_steps": 10, "transition_steps": 10, "num_heads": 2,
        "should_skip_update_fn": "skip_not_finite", "base_optimizer": ["type": "sgd", "learning_rate": 0.1],
        "cosine_kwargs": [["init_value": 0, "peak_value": 0.1, "warmup_steps": 2, "decay_steps": 10]],
        "function": "flatten", "kernel_size": [3], "stage_sizes": [1, 1], "num_classes": 3, "features": 6,
        "DenseGeneral.features": [6], "MLP.features": [8, 6], "CNN.features": [4],
        "Autoencoder.features": [4, 2],
        "VAE.features": [4], "init_value": 0.1, "vocab_size": 7, "num_embeddings": 7, "emb_dim": 6,
        "GroupNorm.num_groups": 2, "named_chain.names": ["first", "second"],
        "sam.adv_optimizer": [
            "type": "chain", "transforms": ["normalize", ["type": "sgd", "learning_rate": 0.05]],
        ],
    ]

    private static func spec(_ entry: CatalogEntry) throws -> TypedSpec {
        var members: [(String, JSONValue)] = [("type", .string(entry.name))]
        for parameter in entry.parameters
        where parameter.isRequired || examples["\(entry.name).\(parameter.name)"] != nil {
            members.append((parameter.name, try example(parameter, of: entry)))
        }
        let decoded = SpecDecoding.entry(JSONValue(members: members), entry.kind)
        return try decoded.get()
    }

    @Test("every name of the catalog has a builder, and every builder a name of the catalog")
    func namesAgree() {
        func check(_ kinds: [CatalogKind], _ names: Set<String>) {
            let known = Set(kinds.flatMap { Catalog.entries($0).map(\.name) })
            #expect(names == known, "\(kinds): \(names.symmetricDifference(known).sorted())")
        }
        check([.optimizer, .transformation], OptimizerBuilder.table.names)
        check([.schedule], ScheduleBuilder.table.names)
        check([.loss], LossBuilder.table.names)
        check([.metric], MetricBuilder.table.names)
        check([.module], ModelBuilder.table.names)
        check([.cell], ModelBuilder.cells.names)
        check([.callback], CallbackBuilder.table.names)
        check([.initializer], FunctionBuilder.initializers.names)
        check([.activation], FunctionBuilder.activations.names)
    }

    @Test(
        "every optimizer and transformation updates parameters of several shapes, with finite numbers",
        arguments: (Catalog.entries(.optimizer) + Catalog.entries(.transformation)).map(\.name))
    func optimizers(name: String) throws {
        let entry = try #require(Catalog.entry(.optimizer, name) ?? Catalog.entry(.transformation, name))
        let transformation = try OptimizerBuilder.transformation(Self.spec(entry))
        let key = try PRNGKey(seed: 0)
        let params: FrozenDict = [
            "Dense_0": .dictionary([
                "kernel": .tensor(try key.normal([3, 4])), "bias": .tensor(try ones([4])),
            ])
        ]
        let loss: @Sendable (Tree) throws -> Tensor = { tree in
            try tree.leaves.reduce(zeros([])) { try $0 + sum(square($1)) }
        }
        // Gradients of two examples, where the optimizer is one for gradients of single examples.
        let gradients = try params.map { name == "dpsgd" ? try stack([2 * $0, 3 * $0]) : try 2 * $0 }
        let state = try TrainState.create(params: params, transformation: transformation)
        let next = try state.applyGradients(
            gradients,
            context: UpdateContext(
                value: loss(.dictionary(params)), gradients: .dictionary(gradients), valueFunction: loss))
        #expect(next.tree.structureDifference(from: state.tree) == nil)
        for (before, after) in zip(state.leaves, next.leaves) {
            #expect(before.type == after.type)
            if after.dtype.isFloating { #expect(try all(isFinite(after)).item() == 1, "\(name)") }
        }
    }

    @Test("every schedule gives a number", arguments: Catalog.entries(.schedule).map(\.name))
    func schedules(name: String) throws {
        let entry = try #require(Catalog.entry(.schedule, name))
        let schedule = try ScheduleBuilder.schedule(Self.spec(entry))
        #expect(try schedule.value(at: 0).isFinite)
        #expect(try schedule.value(at: 5).isFinite)
    }

    @Test(
        "every loss is a finite number for outputs of a batch, and of a batch of sequences",
        arguments: Catalog.entries(.loss).map(\.name), [[4], [2, 3]])
    func losses(name: String, batch: [Int]) throws {
        let entry = try #require(Catalog.entry(.loss, name))
        // Defined for rows only.
        if batch.count > 1,
            ["multiclass_hinge_loss", "multiclass_perceptron_loss", "multiclass_sparsemax_loss"].contains(
                name)
        {
            return
        }
        let loss = try LossBuilder.loss(Self.spec(entry))
        let key = try PRNGKey(seed: 1)
        let output = try logSoftmax(key.normal(Shape(batch + [3])))
        let target: Tensor
        switch entry.target {
        case .classes: target = try key.randint(Shape(batch), low: 0, high: 3)
        // Embeddings have one label a row, frames a sequence of labels.
        case .groups where batch.count == 1: target = try Tensor([0, 1, 0, 1] as [Int32])
        case .labelSequences where batch.count == 2: target = try reshape(Tensor([1, 2] as [Int32]), [2, 1])
        case .groups, .labelSequences: return
        default: target = try softmax(key.normal(Shape(batch + [3])))
        }
        let value = try loss(output, target)
        #expect(value.shape == [])
        #expect(try value.item().isFinite)
    }

    @Test(
        "every activation and initializer works on an array",
        arguments: (Catalog.entries(.activation) + Catalog.entries(.initializer)).map(\.name))
    func functions(name: String) throws {
        if let entry = Catalog.entry(.activation, name) {
            let activation = try FunctionBuilder.activation(Self.spec(entry))
            let width = name == "glu" ? 2 : 4
            #expect(try activation(PRNGKey(seed: 0).normal([2, 4])).shape == [2, width])
        }
        if let entry = Catalog.entry(.initializer, name) {
            let initializer = try FunctionBuilder.initializer(Self.spec(entry))
            #expect(try initializer(PRNGKey(seed: 0), [3, 4, 4]).shape == [3, 4, 4])
        }
    }

    /// Inputs that a module takes: tokens, images, or rows of vectors.
    private static func input(_ name: String) throws -> Tensor {
        let key = try PRNGKey(seed: 2)
        return switch name {
        case "Embed", "TransformerLM", "RecurrentLM": try key.randint([2, 4], low: 0, high: 7)
        case "CNN", "ResNet": try key.normal([2, 8, 8, 3])
        default: try key.normal([2, 8, 6])
        }
    }

    @Test(
        "every module initializes and is differentiable in training, and runs outside of it",
        arguments: Catalog.entries(.module).map(\.name))
    func modules(name: String) throws {
        let entry = try #require(Catalog.entry(.module, name))
        let model = try ModelBuilder(vocabulary: 7).model(Self.spec(entry))
        let x = try Self.input(name)
        let key = try PRNGKey(seed: 3)
        let variables = try model.initialize(key, x, training: false)
        let params = variables["params"]?.dictionary ?? FrozenDict()
        let rngs = ["dropout": key, "noise": key]
        let (_, gradients) = try valueAndGrad { (params: FrozenDict) in
            var all = variables
            all["params"] = .dictionary(params)
            return try mean(
                square(
                    model.apply(all, x, mutable: ["batch_stats", "losses"], rngs: rngs, training: true).output
                ))
        }(params)
        #expect(gradients.leaves.count == params.leaves.count)
        let output = try model.apply(variables, x, training: false)
        #expect(output.shape.first == 2)
    }

    @Test("every cell runs along a sequence", arguments: Catalog.entries(.cell).map(\.name))
    func cells(name: String) throws {
        let cell = try Self.spec(try #require(Catalog.entry(.cell, name)))
        let json: JSONValue = ["type": "RNN", "cell": cell.json]
        let model = try ModelBuilder(vocabulary: nil).model(SpecDecoding.entry(json, .module).get())
        // Images of one dimension where the cell has a kernel.
        let size: [Int] = name == "ConvLSTMCell" ? [7] : []
        let x = try PRNGKey(seed: 0).normal(Shape([2, 3] + size + [4]))
        let output = try model.initializeWithOutput(rngs: ["params": PRNGKey(seed: 1)], x).output
        #expect(output.shape == Shape([2, 3] + size + [6]))
    }

    @Test("every metric is a number over an evaluation", arguments: Catalog.entries(.metric).map(\.name))
    func metrics(name: String) throws {
        let entry = try #require(Catalog.entry(.metric, name))
        let metric = try MetricBuilder.metric(Self.spec(entry))
        let key = try PRNGKey(seed: 0)
        let output = try key.normal([6, 2])
        let target =
            entry.target == .values ? try key.normal([6, 2]) : try Tensor([0, 1, 0, 1, 1, 0] as [Int32])
        let parts = try metric.parts(output, target)
        #expect(parts.count == metric.partCount)
        #expect(metric.value(try parts.map { try $0.astype(.float64).elements() }).isFinite)
    }
}
