// Runs one training case of the suite end_to_end, and judges it by its drift as the fixtures' README says.
import JobSpec
import Linen
import Optax
import TensorEngine

struct TrainingCase {
    let parityCase: ParityCase
    private var config: JSONValue { parityCase.config }
    private let x: Tensor
    private let y: Tensor?

    init(_ parityCase: ParityCase) throws {
        self.parityCase = parityCase
        x = try TrainingCase.prepared(try parityCase.inputs.member("x").tensor(), parityCase.config["x_prep"])
        y = try parityCase.inputs["y"].flatMap { $0.isNull ? nil : try $0.tensor() }
            .map { try TrainingCase.prepared($0, parityCase.config["y_prep"]) }
    }

    func check() throws {
        let expected = parityCase.expected
        let spec = try config.member("model")
        let batchSize = config["batch_size"]?.intValue
        let rows = x.shape[0]
        let first = try slice(x, axis: 0, 0..<(batchSize ?? rows))
        let model = try SpecModule.build(spec)
        let variables = try model.module.initializeWithOutput(
            rngs: try LinenCase.rngs(try config.member("init_rngs"))
        ) { _ in try model.call(nil, [.tensor(first)], config["init_kwargs"] ?? [:]) }.variables
        guard var params = variables["params"] else { throw ParityMismatch("no parameters") }
        var collections = variables
        collections["params"] = nil
        let mutable = CollectionFilter.only(Set(collections.keys))

        let optimizer = try makeTransformation(try config.member("tx"))
        var optimizerState = try optimizer.initialize(params: params)
        let streams = config["step_rngs"]?.objectValue.map { Array($0) } ?? []
        let keywords = config["train_kwargs"] ?? [:]
        let step = jit {
            (params: Tree, collections: FrozenDict, state: Tree, x: Tensor, y: Tensor?, keys: [PRNGKey]) in
            let lossAndGrad = valueAndGrad(hasAux: { (params: Tree) in
                let model = try SpecModule.build(spec)
                let rngs = Dictionary(
                    zip(streams.map(\.key), keys).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
                let (output, updates) = try model.module.apply(
                    collections.merging(["params": params]), mutable: mutable, rngs: rngs
                ) { _ in try model.call(nil, [.tensor(x)], keywords) }
                return (try lossValue(output, x, y), updates)
            })
            let (loss, updates, gradients) = try lossAndGrad(params)
            let (change, next) = try optimizer.update(updates: gradients, state: state, params: params)
            return (
                try applyUpdates(params, change), collections.merging(updates), next, loss,
                try globalNorm(gradients)
            )
        }

        var losses: [Tensor] = []
        var norms: [Tensor] = []
        var batches: [Tensor] = []
        for index in 0..<(try config.member("steps").intValue ?? 0) {
            var (batchX, batchY) = (x, y)
            if let batchSize {
                let ids = try batch(index, size: batchSize, rows: rows)
                if index < rows / batchSize { batches.append(ids) }
                batchX = try take(x, ids)
                batchY = try y.map { try take($0, ids) }
            }
            let keys = try streams.map { try $0.value.prngKey().foldIn(index) }
            let (newParams, newCollections, newState, loss, norm) = try step(
                params, collections, optimizerState, batchX, batchY, keys)
            (params, collections, optimizerState) = (newParams, newCollections, newState)
            losses.append(loss)
            norms.append(norm)
        }
        if let order = expected["first_epoch_batches"] {
            try expectClose(try stack(batches), order, .exact, "batches")
        }
        try judge(losses)
        try judge(params, expected["final_params"], expected["judge"]?["final_params_atol"], "final_params")
        try expectClose(
            try stack(norms), try expected.member("grad_norms"), parityCase.tolerance, "grad_norms")
        if let state = expected["final_state"] {
            // Under Adam a bias in front of a normalization drifts at random: its true gradient is 0. The running mean
            // behind it follows, by as much as the bias itself.
            let drift = try unjudgedDrift(
                params, try expected.member("final_params"), expected["judge"]?["final_params_atol"])
            let tolerance = ParityTolerance(
                relative: parityCase.tolerance.relative, absolute: parityCase.tolerance.absolute + drift)
            try expectClose(collections, state, tolerance, "final_state")
        }
        try evaluate(spec, params, collections)
    }

    /// Loss i must be within `judge.loss_rtol[i]`.
    private func judge(_ losses: [Tensor]) throws {
        let expected = try parityCase.expected.member("losses").tensor().doubles()
        let allowed = try parityCase.expected.member("judge").member("loss_rtol").tensor().doubles()
        for (index, loss) in losses.enumerated() {
            let got = try loss.item()
            if !((got - expected[index]).magnitude <= allowed[index] * expected[index].magnitude) {
                throw ParityMismatch(
                    "loss \(index): expected \(expected[index]), got \(got) (allowed: \(allowed[index]) relative)"
                )
            }
        }
    }

    /// The largest difference of a parameter that the fixture says cannot be judged, by a tolerance above any step's reach.
    private func unjudgedDrift(_ got: Tree, _ expected: JSONValue, _ allowed: JSONValue?) throws -> Double {
        let largestJudged = 1.0
        if let tolerance = allowed?.doubleValue {
            guard tolerance > largestJudged, let mine = got.tensor else { return 0 }
            let reference = try expected.tensor().doubles()
            return try zip(mine.doubles(), reference).map { ($0 - $1).magnitude }.max() ?? 0
        }
        return try (expected.objectValue ?? [:]).map { name, child in
            try got[name].map { try unjudgedDrift($0, child, allowed?[name]) } ?? 0
        }.max() ?? 0
    }

    /// Every leaf must be within its own absolute tolerance.
    private func judge(_ got: Tree, _ expected: JSONValue?, _ allowed: JSONValue?, _ what: String) throws {
        guard let expected, let allowed else { return }
        if let tolerance = allowed.doubleValue {
            return try expectClose(got, expected, ParityTolerance(relative: 0, absolute: tolerance), what)
        }
        for (name, child) in expected.objectValue ?? [:] {
            guard let mine = got[name] else { throw ParityMismatch("\(what): no '\(name)'") }
            try judge(mine, child, allowed[name], "\(what)/\(name)")
        }
    }

    private func evaluate(_ spec: JSONValue, _ params: Tree, _ collections: FrozenDict) throws {
        guard let expectedLoss = parityCase.expected["eval_loss"], let y else { return }
        let model = try SpecModule.build(spec)
        let output = try model.module.apply(collections.merging(["params": params])) { _ in
            try model.call(nil, [.tensor(x)], config["eval_kwargs"] ?? [:])
        }
        try expectClose(try lossValue(output, x, y), expectedLoss, parityCase.tolerance, "eval_loss")
        if let fraction = parityCase.expected["eval_correct_fraction"], let logits = output.tensor {
            let correct = try mean(equal(argmax(logits), y).astype(.float32))
            try expectClose(correct, fraction, parityCase.tolerance, "eval_correct_fraction")
        }
    }

    /// The rows of step `index`: slices of a new permutation in each epoch, without the incomplete rest.
    private func batch(_ index: Int, size: Int, rows: Int) throws -> Tensor {
        let perEpoch = rows / size
        let seed = try config.member("shuffle_seed").intValue ?? 0
        let order = try PRNGKey(seed: seed).foldIn(index / perEpoch).permutation(rows)
        let start = index % perEpoch * size
        return try slice(order, axis: 0, start..<(start + size))
    }

    private func lossValue(_ output: Tree, _ x: Tensor, _ y: Tensor?) throws -> Tensor {
        let kind = config["loss"]?.stringValue ?? ""
        if kind == "vae" { return try TrainingCase.evidenceBound(output, x) }
        guard let out = output.tensor else { throw NotBuilt("loss \(kind)") }
        switch (kind, y) {
        case ("softmax_ce_int", let y?): return try mean(softmaxCrossEntropyWithIntegerLabels(out, y))
        case ("mse", let y?): return try mean(square(out - y))
        case ("mse_input", _): return try mean(square(out - x))
        case ("sigmoid_bce", let y?):
            return try mean(sigmoidBinaryCrossEntropy(squeeze(out, axes: [-1]), y))
        case ("sum_sq_input_minus_output", _): return try sum(square(x - out))
        default: throw NotBuilt("loss \(kind)")
        }
    }

    /// The loss of a variational autoencoder whose output is logits, mean and log variance: the negative evidence lower bound.
    private static func evidenceBound(_ output: Tree, _ x: Tensor) throws -> Tensor {
        let parts = output.leaves
        guard parts.count == 3 else { throw ParityMismatch("vae: expected logits, mean and log variance") }
        let (logits, center, logVariance) = (parts[0], parts[1], parts[2])
        let reconstruction = try sum(sigmoidBinaryCrossEntropy(logits, x), axes: [-1])
        let spread = try 1.0 + logVariance - square(center) - exp(logVariance)
        return try mean(reconstruction + -0.5 * sum(spread, axes: [-1]))
    }

    private static func prepared(_ tensor: Tensor, _ steps: JSONValue?) throws -> Tensor {
        var result = tensor
        guard let steps, !steps.isNull else { return result }
        if let dtype = steps["dtype"] { result = try result.astype(try dtype.dtype()) }
        if let divisor = steps["divide"]?.doubleValue { result = try result / divisor }
        if steps["standardize"]?.boolValue == true {
            let deviation = try sqrt(variance(result, axes: [0]))
            result = try (result - mean(result, axes: [0])) / (deviation + 1e-6)
        }
        if let sizes = steps["reshape"]?.integers {
            let known = sizes.filter { $0 >= 0 }.reduce(1, *)
            let rest = result.shape.elementCount / max(known, 1)
            result = try reshape(result, Shape(sizes.map { $0 < 0 ? rest : $0 }))
        }
        return result
    }
}
