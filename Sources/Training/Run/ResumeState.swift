// What else than the TrainState the rest of a run depends on: the second file of a checkpoint.
import Datasets
import Foundation
import JobSpec
import Serialization

/// The contents of `resume.msgpack`. The data position follows from the number of finished steps, and every random key from the
/// spec's seed and that number; they are written out all the same, so that a file says by itself where it stands.
struct ResumeState: Sendable {
    var finishedSteps: Int
    var epoch: Int
    var batchInEpoch: Int
    var seed: Int
    /// Seconds of training so far; counted only where the spec limits them, since it differs from run to run.
    var elapsedSeconds: Double?
    var transforms: [FittedTransform]
    /// What the callbacks remember; nil for nothing.
    var callbacks: StateDict?
    /// Of the effective spec, so that a file cannot continue another run.
    var specDigest: String

    private static let formatVersion: Int64 = 1

    var stateDict: StateDict {
        .dictionary([
            .init("format", .int(ResumeState.formatVersion)),
            .init("spec_digest", .string(specDigest)),
            .init("finished_steps", .int(Int64(finishedSteps))),
            .init("epoch", .int(Int64(epoch))),
            .init("batch_in_epoch", .int(Int64(batchInEpoch))),
            .init("seed", .int(Int64(seed))),
            .init("elapsed_seconds", elapsedSeconds.map(StateDict.float) ?? .none),
            .init("transforms", .list(transforms.map { .string($0.json.serialized()) })),
            .init("callbacks", callbacks ?? .none),
        ])
    }

    init(
        finishedSteps: Int, epoch: Int, batchInEpoch: Int, seed: Int, elapsedSeconds: Double?,
        transforms: [FittedTransform], callbacks: StateDict?, specDigest: String
    ) {
        self.finishedSteps = finishedSteps
        self.epoch = epoch
        self.batchInEpoch = batchInEpoch
        self.seed = seed
        self.elapsedSeconds = elapsedSeconds
        self.transforms = transforms
        self.callbacks = callbacks
        self.specDigest = specDigest
    }

    /// - Throws: `TrainingFailure` (checkpoint_corrupt) where the file is not one of this format, or of another spec.
    init(_ state: StateDict, specDigest: String) throws(TrainingFailure) {
        func integer(_ name: String) throws(TrainingFailure) -> Int {
            guard let value = state[name]?.intValue else { throw ResumeState.corrupt("no integer \(name)") }
            return Int(value)
        }
        let format = try integer("format")
        guard format == Int(ResumeState.formatVersion) else {
            throw ResumeState.corrupt("format \(format); this version reads \(ResumeState.formatVersion)")
        }
        guard state["spec_digest"]?.stringValue == specDigest else {
            throw ResumeState.corrupt("it belongs to another spec")
        }
        let transforms = try ResumeState.transforms(of: state)
        finishedSteps = try integer("finished_steps")
        epoch = try integer("epoch")
        batchInEpoch = try integer("batch_in_epoch")
        seed = try integer("seed")
        elapsedSeconds = state["elapsed_seconds"]?.doubleValue
        self.transforms = transforms
        callbacks = state["callbacks"].flatMap { $0.entries == nil ? nil : $0 }
        self.specDigest = specDigest
    }

    /// What the transforms of a run have learned.
    static func transforms(of state: StateDict) throws(TrainingFailure) -> [FittedTransform] {
        var transforms: [FittedTransform] = []
        for entry in state["transforms"]?.entries?.map(\.value) ?? state["transforms"]?.listValue ?? [] {
            guard let text = entry.stringValue, let json = try? JSONValue(parsing: Array(text.utf8)),
                let transform = FittedTransform(json: json)
            else { throw ResumeState.corrupt("a transform that cannot be read") }
            transforms.append(transform)
        }
        return transforms
    }

    static func corrupt(_ detail: String) -> TrainingFailure {
        TrainingFailure(code: .checkpointCorrupt, detail: "resume.msgpack: \(detail)", isRetryable: false)
    }
}
