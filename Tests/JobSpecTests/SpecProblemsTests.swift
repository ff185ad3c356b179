// Wrong specs: each with the place, the code and the remedy that it must be answered with.

import JobSpec
import TestSupport
import Testing

struct WrongSpec: Sendable, CustomTestStringConvertible {
    /// What is changed in an example, and to what; nil removes it.
    let change: String
    let value: JSONValue?
    let pointer: String
    let code: String
    let detail: String
    let example: String

    init(
        _ change: String, _ value: JSONValue?, _ code: String, _ detail: String, at pointer: String? = nil,
        in example: String = "digits.json"
    ) {
        self.change = change
        self.value = value
        self.pointer = pointer ?? "#\(change)"
        self.code = code
        self.detail = detail
        self.example = example
    }

    var testDescription: String { "\(change) = \(value?.serialized() ?? "absent")" }
}

struct SpecProblemsTests {
    static let fields: [WrongSpec] = [
        WrongSpec("/modle", 1, "unknown_field", "did you mean model?"),
        WrongSpec("/zebra", 1, "unknown_field", "job spec has spec_version"),
        WrongSpec(
            "/init", ["load": ["params"]], "missing_field", "needs checkpoint", at: "#/init/checkpoint"),
        WrongSpec(
            "/init", ["checkpoint": "c", "map": ["a/**": "b"]], "invalid_value", "end in /**",
            at: "#/init/map/a~1**"),
        WrongSpec("/kind", "sweep", "unsupported", "not in this version"),
        WrongSpec("/data/test", [:], "missing_field", "needs dataset or generator"),
        WrongSpec("/spec_version", 2, "out_of_range", "from 1 to 1"),
        WrongSpec("/name", 3, "wrong_type", "got a number"),
        WrongSpec("/name", "", "invalid_value", "1 to 128"),
        WrongSpec("/name", .string(String(repeating: "x", count: 129)), "invalid_value", "1 to 128"),
        WrongSpec("/name", "a\u{0}b", "invalid_value", "1 to 128"),
        WrongSpec("/labels", ["a": 1], "wrong_type", "expected a string", at: "#/labels/a"),
        WrongSpec("/labels", ["a b": "c"], "invalid_value", "as key", at: "#/labels/a%20b"),
        WrongSpec("/seed", -1, "out_of_range", "from 0 to 4294967295"),
        WrongSpec("/seed", 1.5, "wrong_type", "got 1.5"),
        WrongSpec("/seed", "0", "wrong_type", "got a string"),
        WrongSpec("/priority", 101, "out_of_range", "from 0 to 100, got 101"),
        WrongSpec("/queue", "a/b", "invalid_value", "letters, digits"),
        WrongSpec("/model", nil, "missing_field", "needs model"),
        WrongSpec("/model", [], "wrong_type", "expected a module"),
        WrongSpec("/model", ["features": 5], "missing_field", "names a module", at: "#/model/type"),
        WrongSpec("/model/type", 5, "wrong_type", "expected a string"),
        WrongSpec("/model/type", "MPL", "unknown_name", "did you mean MLP?"),
        WrongSpec("/model/type", "adam", "unknown_name", "adam is an optimizer, not a module"),
        WrongSpec("/model/type", "ConvLSTMCell", "unknown_name", "is a recurrent cell, not a module"),
        WrongSpec("/model/featurse", [1], "unknown_field", "did you mean features?"),
        WrongSpec("/model/use_bias", true, "unsupported", "MLP.use_bias is not in this version"),
        WrongSpec("/model/features", nil, "missing_field", "MLP needs features"),
        WrongSpec("/model/features", 64, "wrong_type", "a list of 1 to 1000 integers"),
        WrongSpec("/model/features", [], "out_of_range", "got 0"),
        WrongSpec("/model/features/1", 0, "out_of_range", "from 1 to 1000000, got 0"),
        WrongSpec("/model/features/1", "64", "wrong_type", "got a string"),
        WrongSpec("/model/features/1", 1_000_001, "out_of_range", "got 1000001"),
        WrongSpec("/model/activation", "rleu", "unknown_name", "did you mean relu?"),
        WrongSpec("/model/name", "0a", "invalid_value", "does not begin with a digit"),
        WrongSpec("/loss", "mse", "unknown_name", "is not a loss"),
        WrongSpec("/loss", "triplet_margin_loss", "unsupported", "not in this version: it compares three"),
        WrongSpec("/loss", "ctc_loss", "conflict", "about sequences of labels", at: "#/metrics/0"),
        WrongSpec("/metrics/0", "r2", "conflict", "r2 is about numbers"),
        WrongSpec(
            "/model",
            [
                "type": "TransformerLM", "vocab_size": 9, "num_layers": 1, "num_heads": 3, "emb_dim": 8,
                "mlp_dim": 8, "max_len": 8,
            ],
            "conflict", "a multiple of num_heads", at: "#/model/emb_dim"),
        WrongSpec(
            "/model", ["type": "Conv", "features": 1, "kernel_size": [3], "padding": "SAMME"],
            "invalid_value",
            "did you mean SAME?", at: "#/model/padding"),
        WrongSpec(
            "/model", ["type": "Function", "function": "reshape"], "missing_field", "reshape needs shape",
            at: "#/model/shape"),
        WrongSpec("/metrics/0", "acuracy", "unknown_name", "did you mean accuracy?"),
        WrongSpec("/metrics", ["accuracy", "accuracy"], "conflict", "listed twice", at: "#/metrics/1"),
        WrongSpec("/metrics", "accuracy", "wrong_type", "expected a list"),
        WrongSpec(
            "/callbacks", [["type": "early_stopping"]], "missing_field", "early_stopping needs metric",
            at: "#/callbacks/0/metric"),
        WrongSpec(
            "/callbacks", [["type": "early_stopping", "metric": "validation/acuracy"]], "unknown_name",
            "did you mean validation/accuracy?", at: "#/callbacks/0/metric"),
        WrongSpec(
            "/callbacks", [["type": "stop_when", "metric": "train/loss"]], "missing_field",
            "needs below or above", at: "#/callbacks/0"),
        WrongSpec(
            "/callbacks", [["type": "stop_when", "metric": "train/loss", "below": 1, "above": 2]], "conflict",
            "may be listed twice", at: "#/callbacks/0/above"),
        WrongSpec("/callbacks", ["nan_guard", "nan_guard"], "conflict", "listed twice", at: "#/callbacks/1"),
        WrongSpec(
            "/optimizer",
            ["type": "named_chain", "names": ["a", "a"], "transforms": ["identity", "identity"]], "conflict",
            "expected 2 different names", at: "#/optimizer/names"),
        WrongSpec(
            "/optimizer",
            [
                "type": "flatten",
                "inner": [
                    "type": "dpsgd", "learning_rate": 0.1, "l2_norm_clip": 1, "noise_multiplier": 1,
                    "seed": 0,
                ],
            ], "conflict", "only the outermost optimizer gets", at: "#/optimizer/inner"),
    ]

    static let dataAndRun: [WrongSpec] = [
        WrongSpec("/data", nil, "missing_field", "needs data"),
        WrongSpec("/data/train", nil, "missing_field", "data needs train"),
        WrongSpec("/data/train", [:], "missing_field", "needs dataset or generator"),
        WrongSpec("/data/train/dataset", "../etc", "invalid_value", "NAME or NAME@sha256:HEX"),
        WrongSpec("/data/train/dataset", "digits@sha256:12", "invalid_value", "NAME@sha256:HEX"),
        WrongSpec("/data/train/split", "80%", "invalid_value", "such as \"0%:80%\""),
        WrongSpec("/data/train/split", "80%:20%", "invalid_value", "at least one row"),
        WrongSpec(
            "/data/train/generator", ["type": "linear_regression", "samples": 9, "inputs": 1, "outputs": 1],
            "conflict", "dataset is given too"),
        WrongSpec("/data/target", nil, "missing_field", "name the column"),
        WrongSpec("/data/target", ["shift": -1], "out_of_range", "from 0", at: "#/data/target/shift"),
        WrongSpec(
            "/data/target", ["shfit": 1], "unknown_field", "did you mean shift?", at: "#/data/target/shfit"),
        WrongSpec(
            "/data/train/target_dataset", "labels", "conflict", "has the target already", at: "#/data/target"),
        WrongSpec("/data/target", 3, "wrong_type", "name of a column"),
        WrongSpec("/data/inputs", ["a", "target"], "conflict", "is the target", at: "#/data/inputs/1"),
        WrongSpec("/data/inputs", ["a", "a"], "conflict", "listed twice", at: "#/data/inputs/1"),
        WrongSpec("/data/transforms/0/by", nil, "missing_field", "scale needs by"),
        WrongSpec("/data/transforms/0/by", true, "wrong_type", "got a boolean"),
        WrongSpec(
            "/data/transforms/0", ["type": "one_hot", "num_classes": 10], "conflict",
            "use softmax_cross_entropy"),
        WrongSpec(
            "/data/transforms", [["type": "random_crop", "padding": 1], "standardize"], "conflict",
            "move standardize before",
            at: "#/data/transforms/1"),
        WrongSpec("/data/batch_size", 0, "out_of_range", "from 1 to"),
        WrongSpec("/data/shuffle", "epcoh", "invalid_value", "did you mean epoch?"),
        WrongSpec("/data/drop_remainder", "no", "wrong_type", "expected true or false"),
        WrongSpec(
            "/optimizer", "adam", "missing_field", "adam needs learning_rate", at: "#/optimizer/learning_rate"
        ),
        WrongSpec("/optimizer/lerning_rate", 1, "unknown_field", "did you mean learning_rate?"),
        WrongSpec("/optimizer/type", "sofia", "unknown_name", "did you mean sophia?"),
        WrongSpec("/optimizer/type", "adamww", "unknown_name", "did you mean adamw?"),
        WrongSpec(
            "/optimizer", ["type": "adamw", "learning_rate": 0.1, "mask": "//"], "invalid_value",
            "names joined by",
            at: "#/optimizer/mask"),
        WrongSpec(
            "/optimizer",
            [
                "type": "adamw", "learning_rate": 0.1,
                "weight_decay": ["type": "constant_schedule", "value": 0.1],
            ],
            "conflict", "inject_hyperparams", at: "#/optimizer/weight_decay"),
        WrongSpec(
            "/optimizer",
            [
                "type": "partition", "labels": ["**": "al"],
                "transforms": ["all": ["type": "sgd", "learning_rate": 0.1]],
            ], "unknown_name", "did you mean all?", at: "#/optimizer/labels/**"),
        WrongSpec(
            "/optimizer",
            [
                "type": "inject_hyperparams", "inner": ["type": "sgd", "learning_rate": 0.1],
                "static_args": ["learning_rat"],
            ],
            "unknown_name", "did you mean learning_rate?", at: "#/optimizer/static_args/0"),
        WrongSpec(
            "/optimizer/learning_rate",
            [
                "type": "join_schedules", "schedules": [["type": "constant_schedule", "value": 1]],
                "boundaries": [3],
            ],
            "conflict", "1 schedules have 0 boundaries", at: "#/optimizer/learning_rate/boundaries"),
        WrongSpec(
            "/optimizer/type", "trace", "unknown_name", "trace is a gradient transformation, not an optimizer"
        ),
        WrongSpec(
            "/optimizer/learning_rate", 0, "out_of_range",
            "expected a number greater than 0, or a schedule, got 0"),
        WrongSpec("/optimizer/learning_rate", -0.1, "out_of_range", "got -0.1"),
        WrongSpec("/optimizer/learning_rate", 1e300, "out_of_range", "greater than 0"),
        WrongSpec("/optimizer/learning_rate", "fast", "wrong_type", "or a schedule, got a string"),
        WrongSpec("/optimizer/b1", 1, "out_of_range", "got 1"),
        WrongSpec(
            "/optimizer", ["type": "sgd", "learning_rate": 0.1, "nesterov": true], "conflict",
            "nesterov needs a momentum", at: "#/optimizer/nesterov"),
        WrongSpec(
            "/optimizer/learning_rate",
            [
                "type": "warmup_cosine_decay_schedule", "init_value": 0, "peak_value": 1, "warmup_steps": 10,
                "decay_steps": 10,
            ], "conflict", "must be less than decay_steps", at: "#/optimizer/learning_rate/warmup_steps"),
        WrongSpec(
            "/optimizer/learning_rate", ["type": "linear_schedule", "init_value": 0, "end_value": 1],
            "missing_field", "transition_steps", at: "#/optimizer/learning_rate/transition_steps"),
        WrongSpec(
            "/optimizer/learning_rate",
            ["type": "piecewise_constant_schedule", "init_value": 1, "boundaries_and_scales": ["x": 1]],
            "invalid_value", "a step from 1", at: "#/optimizer/learning_rate/boundaries_and_scales/x"),
        WrongSpec("/budget", [:], "missing_field", "needs steps or epochs"),
        WrongSpec("/budget/steps", 5, "conflict", "takes either steps or epochs", at: "#/budget/epochs"),
        WrongSpec("/budget/epochs", 0, "out_of_range", "got 0"),
        WrongSpec("/budget", ["steps": 1_000_000_001], "out_of_range", "1000000000", at: "#/budget/steps"),
        WrongSpec("/budget/wall_seconds", 0, "out_of_range", "greater than 0"),
        WrongSpec("/data/validation", nil, "conflict", "nothing to evaluate", at: "#/evaluation"),
        WrongSpec("/evaluation", [:], "missing_field", "needs every_steps or every_epochs"),
        WrongSpec("/evaluation/every_steps", 5, "conflict", "either", at: "#/evaluation/every_epochs"),
        WrongSpec(
            "/checkpoint/keep/best/metric", "validation/acuracy", "unknown_name",
            "did you mean validation/accuracy?"),
        WrongSpec("/checkpoint/keep/best/mode", "maximum", "invalid_value", "one of min, max"),
        WrongSpec("/checkpoint/keep/last", 0, "out_of_range", "got 0"),
        WrongSpec("/checkpoint/every_seconds", -1, "out_of_range", "greater than 0"),
        WrongSpec("/retry/max_attempts", 0, "out_of_range", "got 0"),
        WrongSpec("/data/target", "y", "conflict", "leave target out", in: "flax-basics.json"),
        WrongSpec("/data/batch_size", 21, "conflict", "20 or less", in: "flax-basics.json"),
        WrongSpec(
            "/data/train/split", "0%:1%", "conflict", "a generator has no split", in: "flax-basics.json"),
        WrongSpec(
            "/data/train/generator/samples", 100_000_000, "out_of_range", "the limit is 100000000",
            in: "flax-basics.json"),
        WrongSpec(
            "/loss", "softmax_cross_entropy_with_integer_labels", "conflict", "is about numbers",
            at: "#/data/train/generator", in: "flax-basics.json"),
        WrongSpec(
            "/checkpoint/keep/best", ["metric": "validation/loss", "mode": "min"], "conflict",
            "needs data.validation", at: "#/checkpoint/keep/best/metric", in: "flax-basics.json"),
    ]

    @Test("a wrong spec is answered with place, code and remedy", arguments: fields + dataAndRun)
    func wrong(_ wrong: WrongSpec) throws {
        let spec = try JobSpecTests.example(wrong.example).setting(wrong.change, to: wrong.value)
        let errors = try #require(throws: SpecErrors.self) { try JobSpec.decode(spec) }
        let problem = try #require(errors.problems.first { $0.pointer == wrong.pointer }, "\(errors)")
        #expect(problem.code == wrong.code, "\(problem)")
        #expect(problem.detail.contains(wrong.detail), "\(problem)")
    }

    @Test("what is no object is refused as a whole", arguments: [nil, true, 1, "spec", []] as [JSONValue])
    func noObject(_ value: JSONValue) throws {
        let errors = try #require(throws: SpecErrors.self) { try JobSpec.decode(value) }
        #expect(errors.problems.map(\.pointer) == ["#"])
    }

    @Test("all problems of a spec are reported together, each once")
    func together() throws {
        let spec = try JobSpecTests.example("digits.json")
            .setting("/model/features/0", to: 0).setting("/optimizer/lr", to: 1)
            .setting("/optimizer/learning_rate", to: nil).setting("/budget", to: nil)
            .setting("/data/batch_size", to: "x")
        let errors = try #require(throws: SpecErrors.self) { try JobSpec.decode(spec) }
        #expect(
            errors.problems.map(\.pointer) == [
                "#/model/features/0", "#/data/batch_size", "#/optimizer/lr", "#/optimizer/learning_rate",
                "#/budget",
            ])
    }

    @Test("two layers of one Sequential with one name are a conflict")
    func layerNames() throws {
        let dense: JSONValue = ["type": "Dense", "features": 3, "name": "head"]
        let spec = try JobSpecTests.example("digits.json")
            .setting("/model", to: ["type": "Sequential", "layers": [dense, "relu", dense]])
        let errors = try #require(throws: SpecErrors.self) { try JobSpec.decode(spec) }
        #expect(errors.problems.map(\.pointer) == ["#/model/layers/2/name"])
    }

    @Test("hostile specs are answered with few problems and at once")
    func hostile() throws {
        let digits = try JobSpecTests.example("digits.json")
        var deep: JSONValue = ["type": "Dense", "features": 1]
        for _ in 0..<60 { deep = ["type": "Sequential", "layers": [deep]] }
        let wide: JSONValue = .array(Array(repeating: "rleu", count: 1_000))
        let nested: JSONValue = .array(
            Array(
                repeating: ["type": "Sequential", "layers": .array(Array(repeating: "relu", count: 1_000))],
                count: 100))
        let fields = JSONValue(members: (0..<200_000).map { ("field\($0)", .int(Int64($0))) })
        for (pointer, value) in [
            ("/model", deep), ("/model/layers", wide), ("/model", ["type": "Sequential", "layers": wide]),
            ("/model", ["type": "Sequential", "layers": nested]), ("/model", fields), ("/labels", fields),
            ("/data/inputs", .array(Array(repeating: 0, count: 200_000))),
        ] as [(String, JSONValue)] {
            let errors = try #require(throws: SpecErrors.self) {
                try JobSpec.decode(digits.setting(pointer, to: value))
            }
            #expect((1...100).contains(errors.problems.count))
            #expect(
                errors.problems.allSatisfy { $0.detail.utf8.count < 2_000 && $0.pointer.utf8.count < 1_000 })
        }
    }
}
