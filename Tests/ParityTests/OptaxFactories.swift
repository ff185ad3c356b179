// Optimizers, transformations and schedules from the descriptions in the suite `optax`.
import JobSpec
import Optax
import TensorEngine

/// The arguments of one description, each read once; what is left over is an argument that this version does not know.
struct OptaxArguments {
    let function: String
    private let arguments: JSONValue
    private let replaced: [String: Hyperparameter]

    init(function: String, _ arguments: JSONValue, replaced: [String: Hyperparameter] = [:]) {
        self.function = function
        self.arguments = arguments
        self.replaced = replaced
    }

    func has(_ name: String) -> Bool { !(arguments[name]?.isNull ?? true) || replaced[name] != nil }
    func json(_ name: String) throws -> JSONValue { try arguments.member(name) }

    func value(_ name: String, _ fallback: Hyperparameter? = nil) throws -> Hyperparameter {
        if let given = replaced[name] { return given }
        guard has(name), let given = arguments[name] else {
            guard let fallback else { throw ParityMismatch("\(function) needs \(name)") }
            return fallback
        }
        if let schedule = given["$schedule"] { return .schedule(try makeSchedule(schedule)) }
        guard let number = given.doubleValue else { throw ParityMismatch("\(name): not a number") }
        return .constant(number)
    }
    func optional(_ name: String) throws -> Hyperparameter? { has(name) ? try value(name) : nil }
    func double(_ name: String, _ fallback: Double? = nil) throws -> Double {
        guard let number = arguments[name]?.doubleValue ?? fallback else {
            throw ParityMismatch("\(function) needs \(name)")
        }
        return number
    }
    func int(_ name: String, _ fallback: Int? = nil) throws -> Int {
        guard let number = arguments[name]?.intValue ?? fallback else {
            throw ParityMismatch("\(function) needs \(name)")
        }
        return number
    }
    func bool(_ name: String, _ fallback: Bool = false) -> Bool { arguments[name]?.boolValue ?? fallback }
    func dtype(_ name: String) throws -> DType? { has(name) ? try json(name).dtype() : nil }
    func mask(_ name: String) throws -> ParameterMask? {
        guard has(name) else { return nil }
        let given = try json(name)
        if let tree = given["$tree"] { return .tree(try prefixTree(tree) { $0.boolValue }) }
        if let rule = given["$mask_fn"]?.stringValue, let limit = Int(rule.split(separator: ">").last ?? "") {
            return .rule { _, type in type.shape.rank > limit }
        }
        throw ParityMismatch("\(name): not a mask")
    }
    func transformation(_ name: String) throws -> GradientTransformation {
        let given = try json(name)
        return try makeTransformation(given["$tx"] ?? given)
    }
    var moments: (b1: Hyperparameter, b2: Hyperparameter) {
        get throws { (try value("b1", 0.9), try value("b2", 0.999)) }
    }
}

func prefixTree<Value: Sendable>(_ json: JSONValue, _ leaf: (JSONValue) -> Value?) throws -> PrefixTree<Value>
{
    if let value = leaf(json) { return .all(value) }
    guard let members = json.objectValue else { throw ParityMismatch("not a mask or labels: \(json)") }
    var children: [String: PrefixTree<Value>] = [:]
    for (name, child) in members { children[name] = try prefixTree(child, leaf) }
    return .dictionary(children)
}

func makeTransformation(_ spec: JSONValue, replaced: [String: Hyperparameter] = [:]) throws
    -> GradientTransformation
{
    let name = try spec.member("fn").stringValue ?? ""
    let a = OptaxArguments(function: name, spec["args"] ?? [:], replaced: replaced)
    if let made = try makeOptimizer(name, a) ?? makeContributed(name, a) ?? makeTransform(name, a)
        ?? makeWrapper(name, a)
    {
        return made
    }
    throw NotBuilt(name)
}

private func makeOptimizer(_ name: String, _ a: OptaxArguments) throws -> GradientTransformation? {
    func rate() throws -> Hyperparameter { try a.value("learning_rate") }
    switch name {
    case "sgd":
        return sgd(
            learningRate: try rate(), momentum: try a.optional("momentum"), nesterov: a.bool("nesterov"),
            accumulatorDType: try a.dtype("accumulator_dtype"))
    case "adam", "nadam":
        return adam(
            learningRate: try rate(), b1: try a.moments.b1, b2: try a.moments.b2,
            epsilon: try a.value("eps", 1e-8),
            epsilonRoot: try a.value("eps_root", 0), momentDType: try a.dtype("mu_dtype"),
            nesterov: name == "nadam" || a.bool("nesterov"))
    case "adamw", "nadamw":
        return adamw(
            learningRate: try rate(), b1: try a.moments.b1, b2: try a.moments.b2,
            epsilon: try a.value("eps", 1e-8),
            epsilonRoot: try a.value("eps_root", 0), momentDType: try a.dtype("mu_dtype"),
            weightDecay: try a.value("weight_decay", 1e-4), mask: try a.mask("mask"),
            nesterov: name == "nadamw" || a.bool("nesterov"))
    case "adamax":
        return adamax(learningRate: try rate(), b1: try a.moments.b1, b2: try a.moments.b2)
    case "adamaxw":
        return adamaxw(
            learningRate: try rate(), weightDecay: try a.value("weight_decay", 1e-4), mask: try a.mask("mask")
        )
    case "amsgrad":
        return amsgrad(
            learningRate: try rate(), correctsMean: a.bool("bias_correction_mu", true),
            correctsVariance: a.bool("bias_correction_nu", true))
    case "adan":
        return adan(learningRate: try rate(), weightDecay: try a.value("weight_decay", 0))
    case "adabelief": return adabelief(learningRate: try rate())
    case "yogi": return yogi(learningRate: try rate())
    case "radam":
        return radam(learningRate: try rate(), b2: try a.moments.b2, threshold: try a.double("threshold", 5))
    case "adagrad": return adagrad(learningRate: try rate())
    case "adadelta": return adadelta(learningRate: try rate(), weightDecay: try a.value("weight_decay", 0))
    case "rmsprop":
        return rmsprop(
            learningRate: try rate(), decay: try a.value("decay", 0.9),
            initialScale: try a.double("initial_scale", 0),
            epsilonInRoot: a.bool("eps_in_sqrt", true), centered: a.bool("centered"),
            momentum: try a.optional("momentum"), nesterov: a.bool("nesterov"),
            biasCorrection: a.bool("bias_correction"))
    case "adafactor":
        return adafactor(
            learningRate: try a.optional("learning_rate"),
            minimumDimension: try a.int("min_dim_size_to_factor", 128),
            multiplyByParameterScale: a.bool("multiply_by_parameter_scale", true),
            clippingThreshold: try a.value("clipping_threshold", 1), momentum: try a.optional("momentum"),
            weightDecay: try a.optional("weight_decay_rate"))
    case "lamb": return lamb(learningRate: try rate(), weightDecay: try a.value("weight_decay", 0))
    case "lars":
        return lars(
            learningRate: try rate(), weightDecay: try a.value("weight_decay", 0),
            decayMask: try a.mask("weight_decay_mask") ?? .tree(true),
            trustCoefficient: try a.value("trust_coefficient", 0.001),
            trustRatioMask: try a.mask("trust_ratio_mask") ?? .tree(true), nesterov: a.bool("nesterov"))
    case "lion":
        return lion(
            learningRate: try rate(), b1: try a.value("b1", 0.9),
            weightDecay: try a.value("weight_decay", 1e-3),
            mask: try a.mask("mask"))
    case "novograd": return novograd(learningRate: try rate(), weightDecay: try a.value("weight_decay", 0))
    case "sm3": return sm3(learningRate: try rate())
    case "noisy_sgd":
        return noisySGD(
            learningRate: try rate(), eta: try a.double("eta", 0.01), key: try a.json("key").prngKey())
    case "sign_sgd": return signSGD(learningRate: try rate())
    case "signum": return signum(learningRate: try rate())
    case "fromage": return fromage(learningRate: try a.double("learning_rate"))
    case "rprop": return rprop(learningRate: try a.double("learning_rate"))
    case "optimistic_gradient_descent":
        return optimisticGradientDescent(
            learningRate: try rate(), alpha: try a.value("alpha", 1), beta: try a.value("beta", 1))
    case "optimistic_adam_v2": return optimisticAdam(learningRate: try rate())
    default: return nil
    }
}

private func makeContributed(_ name: String, _ a: OptaxArguments) throws -> GradientTransformation? {
    func rate(_ fallback: Hyperparameter? = nil) throws -> Hyperparameter {
        try a.value("learning_rate", fallback)
    }
    switch name {
    case "lbfgs":
        let hasSearch = !(a.has("memory_size") && !a.has("linesearch"))
        let memory = try a.int("memory_size", 10)
        return hasSearch
            ? try lbfgs(learningRate: try a.optional("learning_rate"), memorySize: memory)
            : try lbfgs(learningRate: try a.optional("learning_rate"), memorySize: memory, lineSearch: nil)
    case "scale_by_lbfgs": return try scaleByLBFGS(memorySize: try a.int("memory_size", 10))
    case "scale_by_backtracking_linesearch":
        return try scaleByBacktrackingLineSearch(maximumSteps: try a.int("max_backtracking_steps"))
    case "polyak_sgd": return polyakSGD(maximumLearningRate: try a.value("max_learning_rate", 1))
    case "contrib.momo": return momo(learningRate: try rate(1))
    case "contrib.momo_adam": return momoAdam(learningRate: try rate(0.01))
    case "contrib.muon":
        return try muon(
            learningRate: try rate(), steps: try a.int("ns_steps", 5),
            weightDecay: try a.value("weight_decay", 0),
            nesterov: a.bool("nesterov", true), adaptive: a.bool("adaptive"))
    case "contrib.prodigy":
        return prodigy(
            learningRate: try rate(1), weightDecay: try a.value("weight_decay", 0),
            safeguardsWarmup: a.bool("safeguard_warmup"))
    case "contrib.dadapt_adamw":
        return dadaptAdamW(
            learningRate: try rate(1), initialEstimate: try a.double("estim_lr0", 1e-6),
            weightDecay: try a.value("weight_decay", 0))
    case "contrib.ademamix": return ademamix(learningRate: try rate(), b3: try a.value("b3", 0.9999))
    case "contrib.simplified_ademamix":
        return simplifiedAdEMAMix(learningRate: try rate(), alpha: try a.value("alpha", 0))
    case "contrib.adopt": return adopt(learningRate: try rate())
    case "contrib.acprop": return acprop(learningRate: try rate())
    case "contrib.cocob": return cocob(learningRate: try rate(1))
    case "contrib.dog": return dog(learningRate: try rate(1))
    case "contrib.dowg": return dowg(learningRate: try rate(1))
    case "contrib.madgrad": return madgrad(learningRate: try rate())
    case "contrib.mechanize": return try mechanize(try a.transformation("base_optimizer"))
    default: return nil
    }
}

private func makeTransform(_ name: String, _ a: OptaxArguments) throws -> GradientTransformation? {
    switch name {
    case "identity": return identity()
    case "set_to_zero": return setToZero()
    case "scale": return scale(try a.value("step_size"))
    case "scale_by_learning_rate":
        return scaleByLearningRate(try a.value("learning_rate"), flipsSign: a.bool("flip_sign", true))
    case "scale_by_schedule":
        return scaleBySchedule(try makeSchedule(try a.json("step_size_fn").member("$schedule")))
    case "clip": return clip(try a.value("max_delta"))
    case "clip_by_global_norm": return clipByGlobalNorm(try a.value("max_norm"))
    case "clip_by_block_rms": return clipByBlockRMS(try a.value("threshold"))
    case "adaptive_grad_clip": return adaptiveGradClip(try a.value("clipping"))
    case "add_decayed_weights":
        return addDecayedWeights(try a.value("weight_decay"), mask: try a.mask("mask"))
    case "centralize": return centralize()
    case "ema": return ema(decay: try a.value("decay"), debias: a.bool("debias", true))
    case "trace": return trace(decay: try a.value("decay"), nesterov: a.bool("nesterov"))
    case "scale_by_adam": return scaleByAdam()
    case "scale_by_adamax": return scaleByAdaMax()
    case "scale_by_amsgrad": return scaleByAMSGrad()
    case "scale_by_adan": return scaleByAdan()
    case "scale_by_belief": return scaleByBelief()
    case "scale_by_yogi": return scaleByYogi()
    case "scale_by_radam": return scaleByRAdam()
    case "scale_by_rms":
        return scaleByRMS(
            epsilonInRoot: a.bool("eps_in_sqrt", true), biasCorrection: a.bool("bias_correction"))
    case "scale_by_stddev": return scaleByStddev()
    case "scale_by_rss": return scaleByRSS()
    case "scale_by_adadelta": return scaleByAdaDelta()
    case "scale_by_lion": return scaleByLion()
    case "scale_by_novograd": return scaleByNovoGrad()
    case "scale_by_sm3": return scaleBySM3()
    case "scale_by_sign": return scaleBySign()
    case "scale_by_trust_ratio": return scaleByTrustRatio()
    case "scale_by_param_block_norm": return scaleByParameterNorm()
    case "scale_by_param_block_rms": return scaleByParameterRMS()
    case "scale_by_factored_rms":
        return scaleByFactoredRMS(minimumDimension: try a.int("min_dim_size_to_factor", 128))
    case "scale_by_optimistic_gradient": return scaleByOptimisticGradient()
    case "scale_by_rprop": return scaleByRprop(learningRate: try a.double("learning_rate"))
    case "normalize_by_update_norm": return normalizeByUpdateNorm()
    case "zero_nans": return zeroNaNs()
    case "keep_params_nonnegative": return keepParametersNonnegative()
    case "add_noise":
        return addNoise(
            eta: try a.double("eta"), gamma: try a.double("gamma"), key: try a.json("key").prngKey())
    case "apply_every": return try applyEvery(try a.int("k", 1))
    default: return nil
    }
}

private func makeWrapper(_ name: String, _ a: OptaxArguments) throws -> GradientTransformation? {
    switch name {
    case "chain":
        return chain(try (a.json("transforms").arrayValue ?? []).map { try makeTransformation($0) })
    case "named_chain":
        guard let pairs = try a.json("transforms").arrayValue, pairs.count == 2 else { return nil }
        let parts = try pairs.map { ($0[0]?.stringValue ?? "", try makeTransformation($0[1] ?? .null)) }
        return try namedChain([parts[0].0: parts[0].1, parts[1].0: parts[1].1])
    case "masked":
        guard let mask = try a.mask("mask") else { return nil }
        return masked(try a.transformation("inner"), mask)
    case "freeze": return try a.mask("mask").map { freeze($0) }
    case "selective_transform":
        guard let mask = try a.mask("freeze_mask") else { return nil }
        return selectiveTransform(try a.transformation("optimizer"), freezing: mask)
    case "partition", "multi_transform":
        var parts: [String: GradientTransformation] = [:]
        for (label, spec) in try a.json("transforms").objectValue ?? [:] {
            parts[label] = try makeTransformation(spec)
        }
        return partition(parts, labels: .tree(try prefixTree(a.json("labels")) { $0.stringValue }))
    case "MultiSteps":
        let every = try a.json("every_k")
        let skip: SkipRule? =
            switch a.has("skip") ? try a.json("skip").stringValue : nil {
            case nil: nil
            case "not_finite": .notFinite
            default: .largeUpdates(maximumSquaredNorm: try a.double("max_squared_norm"))
            }
        if let schedule = every["$schedule"] {
            return multiSteps(
                try a.transformation("inner"), every: try makeSchedule(schedule),
                usesMean: a.bool("use_grad_mean", true), skip: skip)
        }
        return try multiSteps(
            try a.transformation("inner"), every: try a.int("every_k"),
            usesMean: a.bool("use_grad_mean", true),
            skip: skip)
    case "apply_if_finite":
        return applyIfFinite(
            try a.transformation("inner"), maximumConsecutiveErrors: try a.int("max_consecutive_errors"))
    case "flatten": return flatten(try a.transformation("inner"))
    case "lookahead":
        return try lookahead(
            try a.transformation("fast_optimizer"), syncPeriod: try a.int("sync_period"),
            slowStepSize: try a.double("slow_step_size"), resetsState: a.bool("reset_state"))
    case "conditionally_transform", "conditionally_mask":
        let period = try a.int("every")
        let wrapper = name == "conditionally_mask" ? conditionallyMask : conditionallyTransform
        return wrapper(try a.transformation("inner")) { try equal(rem($0, period), 0) }
    case "contrib.normalize": return normalize()
    case "contrib.reduce_on_plateau":
        return try reduceOnPlateau(
            factor: try a.double("factor", 0.1), patience: try a.int("patience", 10),
            cooldown: try a.int("cooldown", 0))
    case "contrib.schedule_free":
        return try scheduleFree(
            try a.transformation("base_optimizer"), learningRate: try a.value("learning_rate"),
            b1: try a.double("b1", 0.9))
    case "contrib.schedule_free_sgd": return try scheduleFreeSGD(learningRate: try a.double("learning_rate"))
    case "contrib.schedule_free_adamw":
        return try scheduleFreeAdamW(
            learningRate: try a.double("learning_rate"), warmupSteps: try a.int("warmup_steps"),
            weightDecay: try a.value("weight_decay", 0))
    case "inject_hyperparams": return try makeInjected(a)
    default: return nil
    }
}

/// Optax injects every numeric argument of the inner function, defaults included, in the order of its signature, except the
/// static ones.
private func makeInjected(_ a: OptaxArguments) throws -> GradientTransformation? {
    let inner = try a.json("inner").stringValue ?? ""
    let given = try a.json("kwargs").objectValue ?? [:]
    let fixed = Set(
        (a.has("static_args") ? try a.json("static_args").arrayValue ?? [] : []).compactMap(\.stringValue))
    var signature: [(name: String, fallback: Hyperparameter?)] = [("learning_rate", nil)]
    if inner.hasPrefix("adam") {
        signature += [("b1", 0.9), ("b2", 0.999), ("eps", 1e-8), ("eps_root", 0)]
    }
    signature += given.keys.filter { name in !signature.contains { $0.name == name } }.map { ($0, nil) }
    let arguments = OptaxArguments(function: inner, .object(given))
    let values = try signature.map { (name: $0.name, value: try arguments.value($0.name, $0.fallback)) }
    let constants = Dictionary(
        uniqueKeysWithValues: values.filter { fixed.contains($0.name) }.map { ($0.name, $0.value) })
    let injected = values.filter { !fixed.contains($0.name) }
    let names = injected.map(\.name)
    return injectHyperparameters(injected) { present in
        var replaced = constants
        for name in names { replaced[name] = try present[name] }
        return try makeTransformation(.object(["fn": .string(inner)]), replaced: replaced)
    }
}

func makeSchedule(_ spec: JSONValue) throws -> Schedule {
    let name = try spec.member("fn").stringValue ?? ""
    let a = OptaxArguments(function: name, spec["args"] ?? [:])
    func scales() throws -> [Int: Double] {
        guard a.has("boundaries_and_scales") else { return [:] }
        var scales: [Int: Double] = [:]
        for (boundary, scale) in try a.json("boundaries_and_scales").objectValue ?? [:] {
            guard let boundary = Int(boundary), let scale = scale.doubleValue else {
                throw ParityMismatch("scales")
            }
            scales[boundary] = scale
        }
        return scales
    }
    let end = a.has("end_value") ? try a.double("end_value") : nil
    switch name {
    case "constant_schedule": return constantSchedule(try a.double("value"))
    case "linear_schedule", "polynomial_schedule":
        return polynomialSchedule(
            initial: try a.double("init_value"), end: try a.double("end_value"),
            power: try a.double("power", 1),
            steps: try a.int("transition_steps"), begin: try a.int("transition_begin", 0))
    case "exponential_decay":
        return exponentialDecay(
            initial: try a.double("init_value"), steps: try a.int("transition_steps"),
            decayRate: try a.double("decay_rate"), begin: try a.int("transition_begin", 0),
            staircase: a.bool("staircase"), end: end)
    case "cosine_decay_schedule":
        return try cosineDecaySchedule(
            initial: try a.double("init_value"), steps: try a.int("decay_steps"),
            alpha: try a.double("alpha", 0),
            exponent: try a.double("exponent", 1))
    case "warmup_constant_schedule":
        return try warmupConstantSchedule(
            initial: try a.double("init_value"), peak: try a.double("peak_value"),
            warmupSteps: try a.int("warmup_steps"))
    case "warmup_cosine_decay_schedule":
        let cycle = try makeCycle(a)
        return try warmupCosineDecaySchedule(
            initial: cycle.initial, peak: cycle.peak, warmupSteps: cycle.warmupSteps,
            decaySteps: cycle.decaySteps,
            end: cycle.end, exponent: cycle.exponent)
    case "sgdr_schedule":
        return try sgdrSchedule(
            (a.json("cosine_kwargs").arrayValue ?? []).map {
                try makeCycle(OptaxArguments(function: name, $0))
            })
    case "warmup_exponential_decay_schedule":
        return try warmupExponentialDecaySchedule(
            initial: try a.double("init_value"), peak: try a.double("peak_value"),
            warmupSteps: try a.int("warmup_steps"), steps: try a.int("transition_steps"),
            decayRate: try a.double("decay_rate"), begin: try a.int("transition_begin", 0),
            staircase: a.bool("staircase"), end: end)
    case "piecewise_constant_schedule":
        return try piecewiseConstantSchedule(initial: try a.double("init_value"), scales: try scales())
    case "piecewise_interpolate_schedule":
        let kind =
            try ScheduleInterpolation(rawValue: a.json("interpolate_type").stringValue ?? "") ?? .linear
        return try piecewiseInterpolateSchedule(
            kind, initial: try a.double("init_value"), scales: try scales())
    case "cosine_onecycle_schedule":
        return try cosineOneCycleSchedule(
            steps: try a.int("transition_steps"), peak: try a.double("peak_value"))
    case "linear_onecycle_schedule":
        return try linearOneCycleSchedule(
            steps: try a.int("transition_steps"), peak: try a.double("peak_value"),
            riseFraction: try a.double("pct_start", 0.3), fallFraction: try a.double("pct_final", 0.85))
    case "join_schedules":
        return try joinSchedules(
            (a.json("schedules").arrayValue ?? []).map(makeSchedule),
            boundaries: try a.json("boundaries").integers ?? [])
    default: throw NotBuilt(name)
    }
}

private func makeCycle(_ a: OptaxArguments) throws -> WarmupCosineCycle {
    WarmupCosineCycle(
        initial: try a.double("init_value"), peak: try a.double("peak_value"),
        warmupSteps: try a.int("warmup_steps"), decaySteps: try a.int("decay_steps"),
        end: try a.double("end_value", 0), exponent: try a.double("exponent", 1))
}
