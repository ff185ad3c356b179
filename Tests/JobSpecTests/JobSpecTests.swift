// Decoding of job specs: the examples, defaults, the effective spec and its digest.

import JobSpec
import TestSupport
import Testing

struct JobSpecTests {
    static func example(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: Repository.bytes(Repository.example(name)))
    }

    @Test("the digits example decodes to what it says")
    func digits() throws {
        let spec = try JobSpec.decode(Self.example("digits.json"))
        #expect(spec.name == "digits")
        #expect(spec.model.name == "MLP")
        #expect(try spec.model.arguments.integers("features") == [64, 64, 10])
        #expect(try spec.model.arguments.spec("activation").name == "relu")
        let reference = DatasetReference(name: "digits")
        let split = try #require(SplitRange("0%:80%"))
        #expect(spec.data.train == .dataset(SourceSpec.Files(inputs: reference), split: split))
        #expect(spec.datasetReferences == [reference])
        #expect(spec.data.target == "target")
        #expect(spec.data.inputs == nil)
        #expect(spec.data.batchSize == 32)
        #expect(spec.data.shuffle == .epoch)
        #expect(spec.data.dropRemainder)
        #expect(try spec.data.transforms.map { try $0.arguments.number("by") } == [0.0625])
        #expect(spec.targetKind == .classes)
        #expect(spec.metrics.map(\.name) == ["accuracy"])
        #expect(try spec.optimizer.arguments.scalarOrSchedule("learning_rate") == .number(0.001))
        #expect(try spec.optimizer.arguments.number("b2") == 0.999)
        #expect(spec.budget.end == .epochs(20))
        #expect(spec.evaluation?.every == .epochs(1))
        #expect(spec.checkpoint.everyEpochs == 5)
        #expect(spec.checkpoint.everySeconds == nil)
        #expect(spec.checkpoint.keep.best?.metric == "validation/accuracy")
        #expect(spec.checkpoint.keep.best?.mode == .max)
        #expect(spec.retry.maxAttempts == 3)
        #expect(spec.retry.backoffSeconds == 0)
    }

    @Test("the linear regression example decodes, and its defaults are filled in")
    func flaxBasics() throws {
        let spec = try JobSpec.decode(Self.example("flax-basics.json"))
        #expect(
            spec.effectiveJSON.serialized(pretty: true) == """
                {
                  "spec_version": 1,
                  "name": "flax-basics",
                  "labels": {},
                  "seed": 0,
                  "priority": 50,
                  "queue": "default",
                  "model": {
                    "type": "Dense",
                    "features": 5,
                    "use_bias": true,
                    "param_dtype": "float32",
                    "kernel_init": "lecun_normal",
                    "bias_init": "zeros"
                  },
                  "data": {
                    "train": {
                      "generator": {
                        "type": "linear_regression",
                        "seed": 0,
                        "samples": 20,
                        "inputs": 10,
                        "outputs": 5,
                        "noise": 0.1
                      }
                    },
                    "transforms": [],
                    "batch_size": 20,
                    "shuffle": "none",
                    "drop_remainder": true
                  },
                  "loss": "half_squared_error_sum",
                  "metrics": [],
                  "optimizer": {
                    "type": "sgd",
                    "learning_rate": 0.3,
                    "nesterov": false
                  },
                  "budget": {
                    "steps": 101
                  },
                  "checkpoint": {
                    "every_seconds": 60.0,
                    "keep": {
                      "last": 2
                    }
                  },
                  "callbacks": [],
                  "retry": {
                    "max_attempts": 3,
                    "backoff_seconds": 0.0
                  }
                }
                """)
    }

    @Test("the transformer example is accepted, with its guard")
    func transformer() throws {
        let value = try JSONValue(parsing: Repository.bytes(Repository.fixture("specs/charlm.json")))
        let spec = try JobSpec.decode(value)
        #expect(spec.callbacks.map(\.name) == ["nan_guard"])
        #expect(try spec.callbacks[0].arguments.text("action") == "rollback")
        #expect(try spec.callbacks[0].arguments.integer("every_steps") == 100)
    }

    @Test("test data is part of the effective spec, and a dataset of the job")
    func testData() throws {
        let source: JSONValue = ["dataset": "more-digits", "split": "90%:"]
        let spec = try JobSpec.decode(Self.example("digits.json").setting("/data/test", to: source))
        #expect(spec.datasetReferences.map(\.name) == ["digits", "more-digits"])
        let pinned = spec.pinned { _ in String(repeating: "0", count: 64) }
        #expect(pinned.datasetReferences.allSatisfy { $0.sha256 != nil })
        #expect(try JobSpec.decode(spec.effectiveJSON) == spec)
    }

    @Test("rules for paths rename parameters inside of an optimizer's state, and the state's own paths")
    func renamingInState() throws {
        func renamed(_ path: String, _ map: JSONValue) throws -> String? {
            let spec = try JobSpec.decode(
                Self.example("digits.json").setting("/init", to: ["checkpoint": "c", "map": map]))
            return spec.initial?.renamedInState(path, parameters: ["encoder/kernel", "head/bias"])
        }
        #expect(try renamed("0/mu/encoder/kernel", ["encoder/**": "body/**"]) == "0/mu/body/kernel")
        #expect(try renamed("0/mu/encoder/kernel", ["**": "body/**"]) == "0/mu/body/encoder/kernel")
        #expect(try renamed("0/count", ["**": "body/**"]) == "0/count")
        #expect(
            try renamed("0/nu/head/bias", ["head/bias": "top/bias", "0/**": "1/0/**"]) == "1/0/nu/top/bias")
        #expect(try renamed("1/trace/other", ["encoder/**": "body/**"]) == "1/trace/other")
    }

    @Test("validation data without an evaluation block is evaluated every epoch")
    func evaluationDefault() throws {
        let spec = try JobSpec.decode(Self.example("digits.json").setting("/evaluation", to: nil))
        #expect(spec.evaluation?.every == .epochs(1))
    }

    @Test("null means absent, and whole numbers may have a fraction of zero")
    func nullAndWholeNumbers() throws {
        let digits = try Self.example("digits.json")
        let spec = try JobSpec.decode(
            digits.setting("/data/inputs", to: .null).setting("/data/batch_size", to: 32.0)
                .setting("/labels", to: .null))
        #expect(try spec == JobSpec.decode(digits))
    }

    @Test("pinning gives every dataset its digest")
    func pinning() throws {
        let spec = try JobSpec.decode(Self.example("digits.json"))
        let digest = String(repeating: "ab", count: 32)
        let pinned = spec.pinned { $0 == "digits" ? digest : nil }
        #expect(pinned.datasetReferences.map(\.description) == ["digits@sha256:\(digest)"])
        #expect(try JobSpec.decode(pinned.effectiveJSON) == pinned)
        #expect(pinned.pinned { _ in String(repeating: "0", count: 64) } == pinned)
    }

    @Test("the digest ignores what cannot change the result, and nothing else")
    func digest() throws {
        let digits = try Self.example("digits.json")
        let original = try JobSpec.decode(digits).digestBytes
        for (pointer, value) in [
            ("/name", "x"), ("/labels", ["a": "b"]), ("/priority", 1), ("/retry", ["max_attempts": 1]),
        ] as [(String, JSONValue)] {
            #expect(
                try JobSpec.decode(digits.setting(pointer, to: value)).digestBytes == original, "\(pointer)")
        }
        for (pointer, value) in [
            ("/seed", 1), ("/data/batch_size", 16), ("/optimizer/eps", 1e-7), ("/budget/epochs", 21),
            ("/data/train/split", "0%:79%"), ("/model/features/0", 65), ("/data/shuffle", "none"),
        ] as [(String, JSONValue)] {
            #expect(
                try JobSpec.decode(digits.setting(pointer, to: value)).digestBytes != original, "\(pointer)")
        }
    }

    @Test("bare names and objects mean the same")
    func bareNames() throws {
        let digits = try Self.example("digits.json")
        let long =
            digits
            .setting("/model/activation", to: ["type": "relu"])
            .setting("/loss", to: ["type": "softmax_cross_entropy_with_integer_labels"])
            .setting("/metrics", to: [["type": "accuracy"]])
        #expect(try JobSpec.decode(long) == JobSpec.decode(digits))
    }
}
