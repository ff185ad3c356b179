// Callbacks that end a run: early_stopping and stop_when.
import JobSpec
import OrderedCollections
import Serialization

/// Ends a run when a metric no longer gets better, by the rule of `flax.training.early_stopping`.
final class EarlyStopping: Callback {
    private let metric: String
    private let isMaximized: Bool
    private let patience: Int
    private let smallestDelta: Double
    private let restoresBest: Bool

    private var best: Double?
    private var waited = 0
    /// Parameters and collections of the best value, and all values that were known then.
    private var bestState: StateSnapshot?
    private var bestValues: OrderedDictionary<String, Double> = [:]

    init(_ arguments: Arguments) throws {
        metric = try arguments.text("metric")
        isMaximized = try arguments.text("mode") == "max"
        patience = try arguments.integer("patience")
        smallestDelta = try arguments.number("min_delta")
        restoresBest = try arguments.boolean("restore_best")
    }

    /// Whether a copy of the parameters is kept.
    static func keepsStates(_ specs: [CallbackSpec]) -> Bool {
        specs.contains {
            $0.name == "early_stopping" && $0.arguments.optionalBoolean("restore_best") == true
        }
    }

    func observe(_ values: OrderedDictionary<String, Double>, _ state: LiveState) throws -> String? {
        guard let value = values[metric] else { return nil }
        let gain = best.map { isMaximized ? value - $0 : $0 - value } ?? .infinity
        // A value that is no number is never better.
        if !value.isNaN, gain > smallestDelta {
            (best, waited) = (value, 0)
            if restoresBest {
                bestValues = values
                bestState = try state.snapshot { $0 != "step" && !$0.hasPrefix("opt_state") }
            }
            return nil
        }
        waited += 1
        guard waited > patience else { return nil }
        return
            "early_stopping: \(metric) was not better than \(best.map { "\($0)" } ?? "none") \(waited) times"
    }

    func conclude(_ state: LiveState) throws -> OrderedDictionary<String, Double>? {
        guard let bestState else { return nil }
        try state.restore(bestState)
        return bestValues
    }

    func saved() throws -> StateDict? {
        .dictionary([
            .init("best", best.map(StateDict.float) ?? .none), .init("waited", .int(Int64(waited))),
            .init("best_state", try bestState?.stateDict ?? .none),
            .init("best_values", .dictionary(bestValues.map { .init($0.key, .float($0.value)) })),
        ])
    }

    func restore(_ saved: StateDict, _ state: LiveState) throws {
        best = saved["best"]?.doubleValue
        waited = Int(saved["waited"]?.intValue ?? 0)
        if let copy = saved["best_state"], copy.entries != nil { bestState = try state.snapshot(from: copy) }
        for entry in saved["best_values"]?.entries ?? [] {
            bestValues[entry.key.description] = entry.value.doubleValue
        }
    }
}

/// Ends a run when a metric is below or above a bound.
final class StopWhen: Callback {
    private let metric: String
    private let below: Double?
    private let above: Double?

    init(_ arguments: Arguments) throws {
        metric = try arguments.text("metric")
        below = arguments.optionalNumber("below")
        above = arguments.optionalNumber("above")
    }

    func observe(_ values: OrderedDictionary<String, Double>, _ state: LiveState) throws -> String? {
        guard let value = values[metric] else { return nil }
        if let below, value < below { return "stop_when: \(metric) is \(value), below \(below)" }
        if let above, value > above { return "stop_when: \(metric) is \(value), above \(above)" }
        return nil
    }
}
