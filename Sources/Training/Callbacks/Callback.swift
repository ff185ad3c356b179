// What watches a run: the protocol, and the callbacks of a spec.
import JobSpec
import OrderedCollections
import Serialization
import TensorEngine

/// Something that a spec lists under `callbacks`. Whatever it remembers is part of a checkpoint, and what it decides depends on
/// values and state alone, so that a run that was killed goes on as if it had not been.
protocol Callback: AnyObject {
    /// Before the step number `step`.
    func willStep(_ step: Int, _ state: LiveState) throws

    /// After a step: its loss, and whether its update was taken.
    ///
    /// - Throws: `TrainingFailure` to end the run badly.
    func didStep(_ outcome: StepOutcome, _ state: LiveState) throws

    /// New values: "train/loss" of a step, or those of an evaluation.
    ///
    /// - Returns: why the run should end, if it should.
    func observe(_ values: OrderedDictionary<String, Double>, _ state: LiveState) throws -> String?

    /// After the last step: may change the state that the final checkpoint gets.
    ///
    /// - Returns: the values that the state then has, where they are others than the last.
    func conclude(_ state: LiveState) throws -> OrderedDictionary<String, Double>?

    /// What it remembers; nil for nothing.
    func saved() throws -> StateDict?
    func restore(_ saved: StateDict, _ state: LiveState) throws
}

extension Callback {
    func willStep(_ step: Int, _ state: LiveState) throws {}
    func didStep(_ outcome: StepOutcome, _ state: LiveState) throws {}
    func observe(_ values: OrderedDictionary<String, Double>, _ state: LiveState) throws -> String? { nil }
    func conclude(_ state: LiveState) throws -> OrderedDictionary<String, Double>? { nil }
    func saved() throws -> StateDict? { nil }
    func restore(_ saved: StateDict, _ state: LiveState) throws {}
}

struct StepOutcome {
    let step: Int
    let loss: Float
    /// False where the loss is not finite or the update was left out.
    let isGood: Bool
}

enum CallbackBuilder {
    static let table = BuildTable<CallbackSpec, any Callback>([
        [
            .init("early_stopping") { try EarlyStopping($0.arguments) },
            .init("stop_when") { try StopWhen($0.arguments) },
            .init("reduce_on_plateau") { PlateauReduction(try PlateauScale($0.arguments), $0.arguments) },
            .init("nan_guard") { try NaNGuard($0.arguments) },
        ]
    ])

    /// The callbacks of a spec in its order, and what guards against losses that are not finite where the spec does not say.
    static func callbacks(_ specs: [CallbackSpec]) throws -> [any Callback] {
        let listed = try specs.map { try table.builder($0).build($0) }
        return listed.contains { $0 is NaNGuard } ? listed : listed + [NaNGuard()]
    }
}

/// The callbacks of one run.
final class Callbacks {
    private let callbacks: [any Callback]
    private let state: LiveState
    /// Why the run should end before its budget is used up.
    private(set) var stopReason: String?

    init(_ specs: [CallbackSpec], state: LiveState, saved: StateDict?) throws {
        callbacks = try CallbackBuilder.callbacks(specs)
        self.state = state
        guard let saved else { return }
        stopReason = saved["stop_reason"]?.stringValue
        for (index, callback) in callbacks.enumerated() {
            if let entry = saved[String(index)] { try callback.restore(entry, state) }
        }
    }

    func willStep(_ step: Int) throws { for callback in callbacks { try callback.willStep(step, state) } }

    func didStep(_ outcome: StepOutcome) throws {
        for callback in callbacks { try callback.didStep(outcome, state) }
    }

    func observe(_ values: OrderedDictionary<String, Double>) throws {
        for callback in callbacks {
            let reason = try callback.observe(values, state)
            stopReason = stopReason ?? reason
        }
    }

    /// The values that the final state has instead of the last evaluation's, if a callback has changed it.
    func conclude() throws -> OrderedDictionary<String, Double>? {
        try callbacks.reduce(nil) { try $1.conclude(state) ?? $0 }
    }

    /// What all of them remember, by their places; nil for nothing.
    func saved() throws -> StateDict? {
        var entries = try callbacks.enumerated().compactMap { index, callback in
            try callback.saved().map { StateDict.Entry(String(index), $0) }
        }
        if let stopReason { entries.append(.init("stop_reason", .string(stopReason))) }
        return entries.isEmpty ? nil : .dictionary(entries)
    }
}
