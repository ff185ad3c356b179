// The callback nan_guard: what happens when a loss is not finite.
import JobSpec
import Serialization

/// Fails the run, leaves the step out, or goes back to an earlier state and on with the next batch. Never to the same batch: it would
/// give the same loss again.
final class NaNGuard: Callback {
    enum Action: String {
        case fail
        /// The training step itself leaves the update out, see `TrainingPrograms`.
        case skipStep = "skip_step"
        case rollback
    }

    private let action: Action
    private let allowed: Int
    private let interval: Int
    private var errors = 0
    /// The state to go back to: the loss of the step after it was finite.
    private var good: StateSnapshot?
    /// A copy of the present state, which is good if this step's loss is finite.
    private var candidate: StateSnapshot?

    /// Fails.
    init() { (action, allowed, interval) = (.fail, 0, 1) }

    init(_ arguments: Arguments) throws {
        guard let action = Action(rawValue: try arguments.text("action")) else {
            throw CatalogMismatch("nan_guard.action \(try arguments.text("action"))")
        }
        self.action = action
        allowed = try arguments.integer("max_consecutive_errors")
        interval = try arguments.integer("every_steps")
    }

    /// Whether the training step leaves out updates that are not finite.
    static func skipsSteps(_ specs: [CallbackSpec]) -> Bool { has(.skipStep, specs) }

    /// Whether copies of the state are kept.
    static func keepsStates(_ specs: [CallbackSpec]) -> Bool { has(.rollback, specs) }

    private static func has(_ action: Action, _ specs: [CallbackSpec]) -> Bool {
        specs.contains { $0.name == "nan_guard" && $0.arguments.optionalText("action") == action.rawValue }
    }

    func willStep(_ step: Int, _ state: LiveState) throws {
        guard action == .rollback, step % interval == 0 else { return }
        // The steps go on counting, so that no batch and no random key comes twice.
        candidate = try state.snapshot { $0 != "step" }
    }

    func didStep(_ outcome: StepOutcome, _ state: LiveState) throws {
        guard outcome.isGood else { return try recover(outcome, state) }
        if action == .skipStep { errors = 0 }
        if let candidate {
            (good, errors) = (candidate, 0)
            self.candidate = nil
        }
    }

    private func recover(_ outcome: StepOutcome, _ state: LiveState) throws {
        candidate = nil
        errors += 1
        let place = "train/loss is \(outcome.loss) at step \(outcome.step)"
        guard action != .fail else {
            throw failure("\(place); lower the learning rate, or check the data for extreme values")
        }
        guard errors <= allowed else {
            throw failure("\(place), the \(errors)th bad step in a row; nan_guard puts up with \(allowed)")
        }
        guard action == .rollback else { return }
        guard let good else { throw failure("\(place), and there is no earlier state to go back to") }
        try state.restore(good)
    }

    private func failure(_ detail: String) -> TrainingFailure {
        TrainingFailure(code: .nonfiniteLoss, detail: detail, isRetryable: false)
    }

    func saved() throws -> StateDict? {
        guard action != .fail else { return nil }
        return .dictionary([
            .init("errors", .int(Int64(errors))), .init("good", try good?.stateDict ?? .none),
        ])
    }

    func restore(_ saved: StateDict, _ state: LiveState) throws {
        errors = Int(saved["errors"]?.intValue ?? 0)
        if let copy = saved["good"], copy.entries != nil { good = try state.snapshot(from: copy) }
    }
}
