// The callback reduce_on_plateau: Optax's transformation of that name, whose value is a metric of the run.
import JobSpec
import Optax
import OrderedCollections
import TensorEngine

/// Optax's `reduce_on_plateau` in two parts: the training step multiplies updates by the scale in the state, and the callback moves
/// the state on when there is a new value. In a checkpoint it is `optax.chain(optimizer, reduce_on_plateau(…))`.
struct PlateauScale {
    private let whole: GradientTransformation

    init(_ arguments: Arguments) throws {
        whole = try reduceOnPlateau(
            factor: try arguments.number("factor"), patience: try arguments.integer("patience"),
            relativeTolerance: 0, absoluteTolerance: try arguments.number("min_delta"),
            cooldown: try arguments.integer("cooldown"), minimumScale: try arguments.number("min_scale"))
    }

    /// The optimizer with its steps scaled, where the callbacks say so.
    static func scaled(_ optimizer: GradientTransformation, _ specs: [CallbackSpec]) throws
        -> GradientTransformation
    {
        guard let spec = specs.first(where: { $0.name == "reduce_on_plateau" }) else { return optimizer }
        return chain(optimizer, try PlateauScale(spec.arguments).scaling)
    }

    /// The state of the optimizer itself.
    static func optimizerState(_ state: Tree, _ specs: [CallbackSpec]) -> Tree {
        guard specs.contains(where: { $0.name == "reduce_on_plateau" }), case .tuple(let parts) = state,
            let first = parts.first
        else { return state }
        return first
    }

    /// Where the state is in a TrainState.
    fileprivate static let path = "opt_state/1"

    private var scaling: GradientTransformation {
        let whole = whole
        return GradientTransformation {
            try whole.initialize(params: $0)
        } update: { updates, state, _, _ in
            guard let scale = state["scale"]?.tensor else {
                throw TensorError(
                    .structure, "reduce_on_plateau", expected: "a state with a scale", got: "another tree")
            }
            return (try updates.map { try scale.astype($0.dtype) * $0 }, state)
        }
    }

    fileprivate var start: Tree { get throws { try whole.initialize(params: .tuple([])) } }

    fileprivate func next(_ state: Tree, value: Double) throws -> Tree {
        try whole.update(
            updates: .tuple([]), state: state, context: UpdateContext(value: full([], value))
        ).state
    }
}

final class PlateauReduction: Callback {
    private let scale: PlateauScale
    private let metric: String?
    private let sign: Double

    init(_ scale: PlateauScale, _ arguments: Arguments) {
        self.scale = scale
        metric = arguments.optionalText("metric")
        // Optax waits for smaller values.
        sign = arguments.optionalText("mode") == "max" ? -1 : 1
    }

    func observe(_ values: OrderedDictionary<String, Double>, _ state: LiveState) throws -> String? {
        guard let metric, let value = values[metric] else { return nil }
        let template = try scale.start
        let paths = template.leavesWithPaths(prefix: PlateauScale.path).map(\.path)
        let now = try template.replacingLeaves(try paths.map { try state.leaf($0) })
        for (path, leaf) in zip(paths, try scale.next(now, value: sign * value).leaves) {
            try state.replace(path, by: leaf)
        }
        return nil
    }
}
