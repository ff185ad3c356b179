// Callbacks: what they decide, and that a run which was interrupted goes on with the bits of one that was not.
import Foundation
import Hashing
import JobSpec
import OrderedCollections
import Serialization
import TestSupport
import Testing

@testable import Training

@Suite(.serialized) struct CallbackTests {
    /// Digits with an evaluation and a checkpoint after every 5 steps, for 40 of them.
    private static func digits(_ callbacks: JSONValue, optimizer: JSONValue? = nil) throws -> JSONValue {
        let example = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
        return example.setting("/budget", to: ["steps": 40]).setting("/evaluation", to: ["every_steps": 5])
            .setting("/checkpoint", to: ["every_steps": 5]).setting("/callbacks", to: callbacks)
            .setting("/optimizer", to: optimizer ?? ["type": "sgd", "learning_rate": 0.1])
    }

    private static func state(_ checkpoint: CheckpointReport) throws -> StateDict {
        try msgpackRestore(
            Array(Data(contentsOf: URL(filePath: checkpoint.folder).appending(path: "state.msgpack"))))
    }

    private static func bytes(_ state: StateDict, _ part: String) throws -> [UInt8] {
        try msgpackSerialize(try #require(state[part]))
    }

    /// y = x, whose rows 8 to 11, the third batch of four, are far too large; without that batch if it is `dropped`.
    private static func spoiled(
        _ folder: TemporaryFolder, _ callbacks: JSONValue, dropping dropped: Set<Int> = [], steps: Int
    ) throws -> RunFixture {
        var lines = ["x,y"]
        for row in 0..<24 where !dropped.contains(row / 4) {
            let x = row / 4 == 2 ? "1e30" : "\(Double(row) / 24 - 0.5)"
            lines.append("\(x),\(Double(row % 5))")
        }
        let file = folder.url.appending(path: "spoiled-\(dropped.sorted()).csv")
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        let path = file.path(percentEncoded: false)
        let reference = "spoiled@sha256:\(try SHA256.hash(file: path).hex)"
        let spec: JSONValue = [
            "model": ["type": "Dense", "features": 1],
            "data": [
                "train": ["dataset": .string(reference)], "target": "y", "batch_size": 4, "shuffle": "none",
            ],
            "loss": "squared_error", "optimizer": ["type": "adam", "learning_rate": 0.1],
            "budget": ["steps": JSONValue(steps)], "callbacks": callbacks,
            "checkpoint": ["every_steps": 1],
        ]
        return try RunFixture(spec, more: [reference: DatasetLocation(path: path, format: "csv")])
    }

    @Test("without a guard, the first loss that is not finite ends the run")
    func fails() throws {
        let folder = try TemporaryFolder()
        let failure = #expect(throws: TrainingFailure.self) {
            try Self.spoiled(folder, [], steps: 6).train()
        }
        #expect(failure?.code == .nonfiniteLoss)
        #expect(failure?.detail.contains("at step 2") == true)
    }

    @Test("nan_guard skip_step trains as if the bad batch were not there")
    func skips() throws {
        let folder = try TemporaryFolder()
        let guarded: JSONValue = [["type": "nan_guard", "action": "skip_step"]]
        let skipping = try Self.spoiled(folder, guarded, steps: 6)
        let dropping = try Self.spoiled(folder, guarded, dropping: [2], steps: 5)
        let (result, without) = (try skipping.train(), try dropping.train())
        #expect(result.losses.count == 6)
        #expect(!result.losses[2].isFinite)
        #expect(Array(result.losses[..<2] + result.losses[3...]) == without.losses)
        let (a, b) = (
            try Self.state(try #require(result.checkpoints.last)),
            try Self.state(try #require(without.checkpoints.last))
        )
        #expect(try Self.bytes(a, "params") == Self.bytes(b, "params"))
        #expect(try Self.bytes(a, "opt_state") == Self.bytes(b, "opt_state"))
        // Steps count batches, also those that were left out.
        #expect(try Self.bytes(a, "step") != Self.bytes(b, "step"))
    }

    @Test("nan_guard rollback goes back to the last good state of its interval, and on with the next batch")
    func rollsBack() throws {
        let folder = try TemporaryFolder()
        let guarded: JSONValue = [["type": "nan_guard", "action": "rollback", "every_steps": 2]]
        let result = try Self.spoiled(folder, guarded, steps: 6).train()
        #expect(result.losses.count == 6)
        #expect(!result.losses[2].isFinite)
        // The state before step 0 is the last that is known to be good when step 2 fails.
        let fresh = try Self.spoiled(folder, [], dropping: [0, 1, 2], steps: 3).train()
        #expect(Array(result.losses[3...]) == fresh.losses)
    }

    @Test("a guard gives up after so many bad steps in a row", arguments: ["skip_step", "rollback"])
    func givesUp(action: String) throws {
        let folder = try TemporaryFolder()
        let guarded: JSONValue = [
            ["type": "nan_guard", "action": .string(action), "max_consecutive_errors": 2, "every_steps": 1]
        ]
        // A good batch, then only the bad one, over and over.
        let dropped: Set<Int> = [0, 3, 4, 5]
        let spec = try Self.spoiled(folder, guarded, dropping: dropped, steps: 12)
        // Good and bad batches take turns, which is put up with for ever.
        #expect(try spec.train().losses.count == 12)
        let failure = #expect(throws: TrainingFailure.self) {
            try Self.spoiled(folder, guarded, dropping: dropped.union([1]), steps: 12).train()
        }
        #expect(failure?.code == .nonfiniteLoss)
    }

    @Test("early_stopping ends the run, and restore_best gives back the parameters of the best value")
    func stopsEarly() throws {
        // The loss falls, so that by this rule no value is better than the first.
        let callback: JSONValue = [
            "type": "early_stopping", "metric": "validation/loss", "mode": "max", "patience": 1,
            "restore_best": true,
        ]
        let fixture = try RunFixture(Self.digits([callback]))
        let result = try fixture.train()
        #expect(result.losses.count == 15)
        guard case .done(let step, let metrics, let reason) = try #require(result.reports.last) else {
            Issue.record("the run did not say that it is done")
            return
        }
        #expect(step == 15)
        #expect(reason?.contains("early_stopping: validation/loss was not better") == true)
        let (first, last) = (
            try #require(result.checkpoints.first), try #require(result.checkpoints.last)
        )
        #expect(first.step == 5)
        #expect(last.step == 15)
        let (best, final) = (try Self.state(first), try Self.state(last))
        #expect(try Self.bytes(best, "params") == Self.bytes(final, "params"))
        #expect(try Self.bytes(best, "step") != Self.bytes(final, "step"))
        #expect(metrics["validation/loss"] == first.metrics["validation/loss"])
    }

    @Test("early_stopping lets a run go on while values get better by more than min_delta")
    func keepsGoing() throws {
        func steps(_ delta: Double) throws -> Int {
            let callback: JSONValue = [
                "type": "early_stopping", "metric": "validation/loss", "min_delta": .double(delta),
            ]
            return try RunFixture(Self.digits([callback])).train().losses.count
        }
        #expect(try steps(0) == 40)
        #expect(try steps(100) == 10)
    }

    @Test("stop_when ends the run at its bound")
    func stopsWhen() throws {
        let all = try RunFixture(Self.digits([])).train().losses
        let bound = 1.9
        let place = try #require(all.firstIndex { $0 < bound })
        let callback: JSONValue = ["type": "stop_when", "metric": "train/loss", "below": .double(bound)]
        let result = try RunFixture(Self.digits([callback])).train()
        #expect(result.losses == Array(all[...place]))
        #expect(result.checkpoints.last?.cause == .final)
        #expect(result.checkpoints.last?.metrics["validation/loss"] != nil)
    }

    @Test("reduce_on_plateau makes steps smaller as a schedule would, with Optax's state")
    func reduces() throws {
        let callback: JSONValue = [
            "type": "reduce_on_plateau", "metric": "validation/loss", "mode": "max", "patience": 1,
            "factor": 0.5, "min_scale": 0.25,
        ]
        let fixture = try RunFixture(Self.digits([callback]))
        let result = try fixture.train()
        let schedule: JSONValue = [
            "type": "piecewise_constant_schedule", "init_value": 0.1,
            "boundaries_and_scales": ["10": 0.5, "15": 0.5],
        ]
        let reference = try RunFixture(
            Self.digits([], optimizer: ["type": "sgd", "learning_rate": schedule])
        ).train()
        #expect(result.losses == reference.losses)
        let state = try Self.state(try #require(result.checkpoints.last))
        let plateau = try #require(state["opt_state"]?["1"])
        #expect(
            Set((plateau.entries ?? []).map(\.key.description))
                == ["scale", "best_value", "plateau_count", "cooldown_count", "count", "avg_value"])
    }

    static let interrupted: [JSONValue] = [
        ["type": "early_stopping", "metric": "validation/loss", "patience": 3, "restore_best": true],
        [
            "type": "early_stopping", "metric": "validation/loss", "mode": "max", "patience": 2,
            "restore_best": true,
        ],
        ["type": "reduce_on_plateau", "metric": "validation/accuracy", "mode": "max", "patience": 1],
        ["type": "stop_when", "metric": "validation/loss", "below": 1.8],
    ]

    @Test("a run with callbacks that is interrupted ends with the same bits", arguments: [3, 10, 17])
    func resumes(stopAfter: Int) throws {
        for callback in Self.interrupted {
            let spec = try Self.digits([callback])
            let whole = try RunFixture(spec).train()
            let fixture = try RunFixture(spec)
            let first = try fixture.train(stopAfter: stopAfter)
            let second = try fixture.train(resume: first.checkpoints.last)
            #expect(first.points + second.points == whole.points, "\(callback)")
            let (a, b) = (try #require(whole.checkpoints.last), try #require(second.checkpoints.last))
            #expect(a.stateSHA256 == b.stateSHA256, "\(callback)")
            #expect(a.resumeSHA256 == b.resumeSHA256, "\(callback)")
        }
    }

    @Test(
        "a guarded run that is interrupted goes on to the same bits, whatever the step",
        arguments: ["skip_step", "rollback"])
    func resumesGuarded(action: String) throws {
        let folder = try TemporaryFolder()
        let guarded: JSONValue = [["type": "nan_guard", "action": .string(action), "every_steps": 2]]
        let whole = try Self.spoiled(folder, guarded, steps: 9).train()
        for stop in 1..<9 {
            let fixture = try Self.spoiled(folder, guarded, steps: 9)
            let first = try fixture.train(stopAfter: stop)
            let second = try fixture.train(resume: first.checkpoints.last)
            #expect(
                first.losses.map(\.bitPattern) + second.losses.map(\.bitPattern)
                    == whole.losses.map(\.bitPattern))
            #expect(second.checkpoints.last?.stateSHA256 == whole.checkpoints.last?.stateSHA256)
            #expect(second.checkpoints.last?.resumeSHA256 == whole.checkpoints.last?.resumeSHA256)
        }
    }

    @Test(
        "a run whose last checkpoint was written but not its end goes on to the same end, and reports nothing twice"
    )
    func resumesAtTheEnd() throws {
        let callback: JSONValue = ["type": "stop_when", "metric": "train/loss", "below": 1.9]
        let spec = try Self.digits([callback]).setting(
            "/data/test", to: ["dataset": "digits", "split": "90%:"])
        let fixture = try RunFixture(spec)
        let whole = try fixture.train()
        let last = try #require(whole.checkpoints.last)
        let again = try fixture.train(resume: last)
        #expect(again.points.isEmpty)
        #expect(again.checkpoints.last?.stateSHA256 == last.stateSHA256)
        #expect(again.checkpoints.last?.resumeSHA256 == last.resumeSHA256)
        guard case .done(last.step, _, _)? = again.reports.last else {
            Issue.record("not done at step \(last.step)")
            return
        }
    }

    @Test("test data judges the final state, once")
    func judges() throws {
        let spec = try Self.digits([]).setting("/data/test", to: ["dataset": "digits", "split": "80%:"])
        let result = try RunFixture(spec).train()
        let points = result.points.filter { $0.hasPrefix("test/") }
        #expect(points.count == 2)
        let metrics = try #require(result.checkpoints.last).metrics
        // The same rows as the validation data.
        #expect(metrics["test/loss"] == metrics["validation/loss"])
        #expect(metrics["test/accuracy"] == metrics["validation/accuracy"])
        #expect(result.checkpoints.dropLast().allSatisfy { $0.metrics["test/loss"] == nil })
    }

    @Test("the character transformer of the job spec's document trains")
    func transformer() throws {
        let example = try JSONValue(parsing: Repository.bytes(Repository.fixture("specs/charlm.json")))
        let result = try RunFixture(
            example.setting("/budget", to: ["steps": 2]).setting("/evaluation/max_batches", to: 1)
        ).train()
        #expect(result.losses.count == 2)
        #expect(result.checkpoints.last?.metrics["validation/perplexity"]?.isFinite == true)
    }
}

@Suite struct PrivateTrainingTests {
    private static func run(_ optimizer: JSONValue, _ changes: [(String, JSONValue)] = []) throws -> [Double]
    {
        var spec = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
            .setting("/budget", to: ["steps": 20]).setting("/optimizer", to: optimizer)
        for (place, value) in changes { spec = spec.setting(place, to: value) }
        return try RunFixture(spec).train().losses
    }

    @Test("dpsgd without noise and with a bound that nothing reaches is sgd; a bound that binds is not")
    func private_() throws {
        func losses(bound: Double) throws -> [Double] {
            try Self.run([
                "type": "dpsgd", "learning_rate": 0.1, "l2_norm_clip": .double(bound), "noise_multiplier": 0,
                "seed": 0,
            ])
        }
        let plain = try Self.run(["type": "sgd", "learning_rate": 0.1])
        for (a, b) in zip(try losses(bound: 1e6), plain) { #expect(abs(a - b) <= 1e-4 * abs(b)) }
        #expect(try abs(losses(bound: 0.01)[19] - plain[19]) > 0.1)
    }

    @Test("dpsgd refuses a model with batch statistics, saying why")
    func batchStatistics() throws {
        let model: JSONValue = [
            "type": "Sequential",
            "layers": [["type": "Dense", "features": 8], "BatchNorm", ["type": "Dense", "features": 10]],
        ]
        let errors = #expect(throws: SpecErrors.self) {
            try Self.run(
                [
                    "type": "dpsgd", "learning_rate": 0.1, "l2_norm_clip": 1, "noise_multiplier": 0,
                    "seed": 0,
                ], [("/model", model)])
        }
        #expect(errors?.problems.first?.detail.contains("batch_stats") == true)
    }
}
