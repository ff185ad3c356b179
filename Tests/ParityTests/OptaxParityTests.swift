// The suite `optax`: optimizers, transformations, wrappers, schedules, losses and helpers, step by step and compiled.
import JobSpec
import Optax
import TensorEngine
import Testing

@Suite struct OptaxParityTests {
    /// Cases whose parameters pass near zero as the difference of numbers around 5: one unit in the last place of an update, from
    /// another order of summation in a norm, is more there than the tolerance for numbers of their own size.
    private let widerTolerances = ["scale_by_trust_ratio": 1e-6]

    @Test("optimizers give Optax's updates, parameters and states")
    func optimizers() throws { try checkParity("optax", "optimizers", notBuilt: 0) { try steps($0) } }

    @Test("transformations give Optax's updates, parameters and states")
    func transforms() throws { try checkParity("optax", "transforms", notBuilt: 0) { try steps($0) } }

    @Test("wrappers give Optax's updates, parameters and states")
    func wrappers() throws { try checkParity("optax", "wrappers", notBuilt: 0) { try steps($0) } }

    @Test("contributed optimizers give Optax's updates, parameters and states")
    func contributed() throws { try checkParity("optax", "contrib", notBuilt: 0) { try steps($0) } }

    @Test("optimizers that follow an objective give Optax's updates, parameters and states")
    func objective() throws {
        try checkParity("optax", "objective", notBuilt: 0) { try objectiveSteps($0) }
    }

    @Test("a compiled step gives what the steps give one operation at a time")
    func compiled() throws {
        try checkParity("optax", "optimizers", notBuilt: 0) { try steps($0, compiled: true) }
    }

    @Test("schedules have Optax's values")
    func schedules() throws {
        try checkParity("optax", "schedules", notBuilt: 0) { parityCase in
            let schedule = try makeSchedule(try parityCase.config.member("schedule"))
            let steps = try parityCase.config.member("steps").integers ?? []
            let values = try steps.map { try schedule(try Tensor(Int32($0))).astype(.float32).item() }
            if parityCase.expectsError { return }
            try expectClose(
                try Tensor(values.map { Float($0) }), try parityCase.expected.member("values"),
                parityCase.tolerance,
                "values")
            // The same inside one compiled function of the step.
            let compiled = jit { (count: Tensor) in try schedule(count) }
            let traced = try steps.map { try compiled(try Tensor(Int32($0))).astype(.float32).item() }
            try expectClose(
                try Tensor(traced.map { Float($0) }), try parityCase.expected.member("values"),
                parityCase.tolerance,
                "compiled values")
        }
    }

    @Test("losses have Optax's values and gradients")
    func losses() throws { try checkParity("optax", "losses", notBuilt: 0) { try loss($0) } }

    @Test("helpers on trees have Optax's results")
    func helpers() throws {
        try checkParity("optax", "utils", notBuilt: 0) { parityCase in
            let arguments = try (parityCase.inputs.member("args").arrayValue ?? []).map { try $0.tree() }
            let options = parityCase.config["kwargs"] ?? [:]
            func number(_ name: String) throws -> Double { try options.member(name).doubleValue ?? 0 }
            func tensor() throws -> Tensor {
                guard let tensor = arguments[0].tensor else { throw ParityMismatch("no tensor") }
                return tensor
            }
            let result: Tree
            switch parityCase.config["util"]?.stringValue {
            case "global_norm": result = .tensor(try globalNorm(arguments[0]))
            case "apply_updates": result = try applyUpdates(arguments[0], arguments[1])
            case "incremental_update":
                result = try incrementalUpdate(arguments[0], arguments[1], stepSize: try number("step_size"))
            case "periodic_update":
                result = try periodicUpdate(
                    arguments[0], arguments[1], steps: try Tensor(Int32(try number("steps"))),
                    period: Int(try number("update_period")))
            case "safe_norm": result = .tensor(try safeNorm(tensor(), minimum: try number("min_norm")))
            case "safe_root_mean_squares":
                result = .tensor(try safeRootMeanSquare(tensor(), minimum: try number("min_rms")))
            case "safe_increment": result = .tensor(try safeIncrement(tensor()))
            case let other: throw NotBuilt(other ?? "none")
            }
            try expectClose(result, try parityCase.expected.member("out"), parityCase.tolerance)
        }
    }

    // MARK: - Interpreters

    /// Runs all steps of a transformation and compares updates, parameters and states.
    private func steps(_ parityCase: ParityCase, compiled: Bool = false) throws {
        let config = parityCase.config
        var tolerance = parityCase.tolerance
        if let wider = widerTolerances[parityCase.name] { tolerance.absolute = wider }
        let transformation = try makeTransformation(try config.member("tx"))
        var params = try parityCase.inputs.member("params").tree()
        let isPair = config["lookahead"]?.boolValue ?? false
        if isPair { params = lookaheadParams(params) }
        let withoutParams = config["no_params"]?.boolValue ?? false
        var state = try transformation.initialize(params: params)
        if !parityCase.expectsError {
            try expectState(
                state, try parityCase.expected.member("init_state"), tolerance, "init_state")
        }
        let step = { (gradients: Tree, state: Tree, params: Tree, value: Tensor?) -> (Tree, Tree, Tree) in
            let (updates, next) = try transformation.update(
                updates: gradients, state: state, params: withoutParams ? nil : params,
                context: UpdateContext(value: value))
            return (updates, next, try applyUpdates(params, updates))
        }
        let compiledStep = jit(step)
        let gradients = try parityCase.inputs.member("grads").arrayValue ?? []
        for (index, entry) in gradients.enumerated() {
            let value = try parityCase.inputs["values"]?[index].map { json in
                try json.isParityArray ? json.tensor() : Tensor(Float(json.doubleValue ?? 0))
            }
            let result =
                try compiled
                ? compiledStep(try entry.tree(), state, params, value)
                : step(try entry.tree(), state, params, value)
            if parityCase.expectsError { continue }
            state = result.1
            params = result.2
            try expectClose(
                result.0, try parityCase.expected.member("updates")[index] ?? .null, tolerance,
                "updates/\(index)")
            try expectClose(
                params, try parityCase.expected.member("params")[index] ?? .null, tolerance,
                "params/\(index)")
        }
        if parityCase.expectsError { return }
        try expectState(state, try parityCase.expected.member("state"), tolerance, "state")
        if let evaluated = parityCase.expected["eval_params"] {
            try expectClose(
                try scheduleFreeEvaluationParams(state, params), evaluated, tolerance, "eval_params")
        }
    }

    /// Runs steps whose gradients are those of an objective at the present parameters.
    private func objectiveSteps(_ parityCase: ParityCase) throws {
        let (config, expected) = (parityCase.config, parityCase.expected)
        let transformation = try makeTransformation(try config.member("tx"))
        let body = try config.member("objective").member("body")
        let function = { @Sendable (params: Tree) in try objectiveValue(body, params) }
        let step = jit { (params: Tree, state: Tree) in
            let (value, gradients) = try valueAndGrad(function)(params)
            let (updates, next) = try transformation.update(
                updates: gradients, state: state, params: params,
                context: UpdateContext(value: value, gradients: gradients, valueFunction: function))
            return (updates, next, try applyUpdates(params, updates), value)
        }
        var params = try parityCase.inputs.member("params").tree()
        var state = try transformation.initialize(params: params)
        try expectState(state, try expected.member("init_state"), parityCase.tolerance, "init_state")
        for index in 0..<(config["steps"]?.intValue ?? 0) {
            let (updates, next, changed, value) = try step(params, state)
            (state, params) = (next, changed)
            try expectClose(
                value, try expected.member("values")[index] ?? .null, parityCase.tolerance, "values/\(index)")
            try expectClose(
                updates, try expected.member("updates")[index] ?? .null, parityCase.tolerance,
                "updates/\(index)")
            try expectClose(
                params, try expected.member("params")[index] ?? .null, parityCase.tolerance, "params/\(index)"
            )
        }
        try expectState(state, try expected.member("state"), parityCase.tolerance, "state")
    }

    /// Compares a state with a list of path -> array: the same paths, and close values.
    private func expectState(
        _ state: Tree, _ expected: JSONValue, _ tolerance: ParityTolerance, _ what: String
    ) throws {
        let leaves = state.leavesWithPaths()
        let paths = Set(expected.objectValue.map { Array($0.keys) } ?? [])
        guard Set(leaves.map(\.path)) == paths else {
            throw ParityMismatch(
                "\(what): expected the paths \(paths.sorted()), got \(leaves.map(\.path).sorted())")
        }
        for (path, tensor) in leaves {
            try expectClose(tensor, expected[path] ?? .null, tolerance, "\(what)/\(path)")
        }
    }

    /// The value of a loss, and the products of its derivatives with the given cotangents.
    private func loss(_ parityCase: ParityCase) throws {
        let config = parityCase.config
        let arguments = try (parityCase.inputs.member("args").arrayValue ?? []).map { try $0.tensor() }
        let name = String((config["op"]?.stringValue ?? "").dropFirst("optax.".count))
        let options = config["kwargs"] ?? [:]
        let out = try evaluate(name, arguments, options)
        try expectClose(
            out, try parityCase.expected.member("out")[0] ?? .null, parityCase.tolerance, "out")
        let cotangent = try parityCase.inputs["ct"]?[0]?.tensor()
        guard let cotangent else { return }
        for (index, argument) in (config["wrt"]?.integers ?? []).enumerated() {
            let (_, pullback) = try vjp(
                { (x: Tensor) in
                    var changed = arguments
                    changed[argument] = x
                    return try evaluate(name, changed, options)
                }, arguments[argument])
            try expectClose(
                try pullback(cotangent), try parityCase.expected.member("grads")[index] ?? .null,
                parityCase.tolerance, "grads/\(index)")
        }
    }

    private func evaluate(_ name: String, _ x: [Tensor], _ options: JSONValue) throws -> Tensor {
        func number(_ key: String, _ fallback: Double) -> Double { options[key]?.doubleValue ?? fallback }
        let axis = options["axis"]?.intValue ?? -1
        let second = x.count > 1 ? x[1] : nil
        switch name {
        case "l2_loss": return try l2Loss(x[0], second)
        case "squared_error": return try squaredError(x[0], second)
        case "huber_loss": return try huberLoss(x[0], second, delta: number("delta", 1))
        case "log_cosh": return try logCosh(x[0], second)
        case "cosine_similarity": return try cosineSimilarity(x[0], x[1], epsilon: number("epsilon", 0))
        case "cosine_distance": return try cosineDistance(x[0], x[1], epsilon: number("epsilon", 0))
        case "sigmoid_binary_cross_entropy": return try sigmoidBinaryCrossEntropy(x[0], x[1])
        case "softmax_cross_entropy": return try softmaxCrossEntropy(x[0], x[1], axis: axis)
        case "softmax_cross_entropy_with_integer_labels":
            return try softmaxCrossEntropyWithIntegerLabels(x[0], x[1], axis: axis)
        case "safe_softmax_cross_entropy": return try safeSoftmaxCrossEntropy(x[0], x[1], axis: axis)
        case "hinge_loss": return try hingeLoss(x[0], x[1])
        case "perceptron_loss": return try perceptronLoss(x[0], x[1])
        case "sparsemax_loss": return try sparsemaxLoss(x[0], x[1])
        case "multiclass_hinge_loss": return try multiclassHingeLoss(x[0], x[1])
        case "multiclass_perceptron_loss": return try multiclassPerceptronLoss(x[0], x[1])
        case "poly_loss_cross_entropy":
            return try polyLossCrossEntropy(x[0], x[1], epsilon: number("epsilon", 2), axis: axis)
        case "kl_divergence": return try klDivergence(x[0], x[1], axis: axis)
        case "kl_divergence_with_log_targets": return try klDivergenceWithLogTargets(x[0], x[1], axis: axis)
        case "convex_kl_divergence": return try convexKLDivergence(x[0], x[1], axis: axis)
        case "sigmoid_focal_loss":
            return try sigmoidFocalLoss(
                x[0], x[1], alpha: options["alpha"]?.doubleValue, gamma: number("gamma", 2))
        case "smooth_labels": return try smoothLabels(x[0], alpha: number("alpha", 0))
        case "generalized_kl_divergence": return try generalizedKLDivergence(x[0], x[1], axis: axis)
        case "multiclass_sparsemax_loss": return try multiclassSparsemaxLoss(x[0], x[1])
        case "ranking_softmax_loss": return try rankingSoftmaxLoss(x[0], x[1])
        case "ntxent": return try ntxent(x[0], x[1], temperature: number("temperature", 0.07))
        case "binary_dice_loss": return try binaryDiceLoss(x[0], x[1])
        case "dice_loss":
            return try diceLoss(
                x[0], x[1], smooth: number("smooth", 1), alpha: number("alpha", 0.5),
                beta: number("beta", 0.5),
                ignoresBackground: options["ignore_background"]?.boolValue ?? false)
        case "multiclass_generalized_dice_loss": return try multiclassGeneralizedDiceLoss(x[0], x[1])
        case "ctc_loss": return try ctcLoss(x[0], x[1], x[2], x[3], blank: options["blank_id"]?.intValue ?? 0)
        case "triplet_margin_loss":
            return try tripletMarginLoss(x[0], x[1], x[2], margin: number("margin", 1))
        default: throw NotBuilt(name)
        }
    }
}

/// The value of an expression over named parameters.
private func objectiveValue(_ expression: JSONValue, _ params: Tree) throws -> Tensor {
    if let name = expression.stringValue {
        guard let tensor = params[name]?.tensor else { throw ParityMismatch("no parameter \(name)") }
        return tensor
    }
    if let number = expression.doubleValue { return try full([], number) }
    guard let parts = expression.arrayValue, let operation = parts.first?.stringValue else {
        throw ParityMismatch("no expression: \(expression)")
    }
    let operands = parts.dropFirst().filter { $0.objectValue == nil }
    let x = try operands.map { try objectiveValue($0, params) }
    switch operation {
    case "add": return try x[0] + x[1]
    case "subtract": return try x[0] - x[1]
    case "multiply": return try x[0] * x[1]
    case "square": return try square(x[0])
    case "sum": return try sum(x[0])
    case "index":
        let index = parts.last?["idx"]?.integers?.first ?? 0
        return try reshape(slice(x[0], axis: 0, index..<(index + 1)), [])
    default: throw NotBuilt("the operation \(operation)")
    }
}
