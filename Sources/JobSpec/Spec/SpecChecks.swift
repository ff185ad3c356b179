// Contradictions between fields of a spec that are right one by one, as far as they show without data or engine.

import OrderedCollections

enum SpecChecks {
    /// Any argument may be absent, because a problem with it has been reported already.
    static func run(_ job: Arguments, _ decoder: SpecDecoder) {
        if let data = job.optionalBlock("data") { checkData(data, decoder) }
        checkTargets(job, decoder)
        checkMetrics(job, decoder)
        if let optimizer = job.optionalSpec("optimizer") {
            checkSchedules(optimizer, isInjected: false, decoder)
            checkInner(optimizer, decoder)
        }
        if let budget = job.optionalBlock("budget") {
            exactlyOne(of: ["steps", "epochs"], in: budget, at: JSONPointer(tokens: ["budget"]), decoder)
        }
        if let evaluation = job.optionalBlock("evaluation") {
            let pointer = JSONPointer(tokens: ["evaluation"])
            exactlyOne(of: ["every_steps", "every_epochs"], in: evaluation, at: pointer, decoder)
            if let data = job.optionalBlock("data"), data.values["validation"] == nil {
                decoder.report(
                    .conflict, pointer,
                    "there is nothing to evaluate; add data.validation or leave evaluation out")
            }
        }
        checkBest(job, decoder)
        checkCallbacks(job, decoder)
    }

    /// Defaults that depend on other fields.
    static func fillDependentDefaults(_ job: inout Arguments) {
        if job.values["evaluation"] == nil, job.optionalBlock("data")?.values["validation"] != nil {
            job.values["evaluation"] = .block(
                Arguments(owner: "evaluation", values: ["every_epochs": .integer(1)]))
        }
        if var checkpoint = job.optionalBlock("checkpoint"),
            !["every_steps", "every_seconds", "every_epochs"].contains(where: { checkpoint.values[$0] != nil }
            )
        {
            checkpoint.values["every_seconds"] = .number(60)
            job.values["checkpoint"] = .block(checkpoint)
        }
    }

    private static func exactlyOne(
        of names: [String], in block: Arguments, at pointer: JSONPointer, _ decoder: SpecDecoder
    ) {
        let given = names.filter { block.values[$0] != nil }
        let choice = names.joined(separator: " or ")
        if given.count > 1 {
            decoder.report(
                .conflict, pointer.appending(given[1]),
                "\(given[0]) is given too; \(block.owner) takes either \(choice)")
        } else if given.isEmpty,
            !decoder.problems.contains(where: { problem in
                names.contains { problem.pointer == pointer.appending($0).description }
            })
        {
            decoder.report(.missingField, pointer, "missing; \(block.owner) needs \(choice)")
        }
    }

    private static let sources = ["train", "validation", "test"]

    private static func checkData(_ data: Arguments, _ decoder: SpecDecoder) {
        let pointer = JSONPointer(tokens: ["data"])
        for name in sources {
            guard let source = data.optionalBlock(name) else { continue }
            let place = pointer.appending(name)
            exactlyOne(of: ["dataset", "generator"], in: source, at: place, decoder)
            for field in ["split", "target_dataset"]
            where source.values["generator"] != nil && source.values[field] != nil {
                decoder.report(.conflict, place.appending(field), "a generator has no \(field); leave it out")
            }
            if source.values["target_dataset"] != nil, data.values["target"] != nil {
                decoder.report(
                    .conflict, pointer.appending("target"),
                    "\(name).target_dataset has the target already; leave one of them out")
            }
        }
        guard let train = data.optionalBlock("train") else { return }
        if train.values["dataset"] != nil {
            if data.values["target"] == nil, train.values["target_dataset"] == nil,
                !decoder.problems.contains(where: { $0.pointer.hasPrefix("#/data/target") })
            {
                decoder.report(
                    .missingField, pointer.appending("target"),
                    "missing; name the column that the model should predict (or {\"shift\": 1} for text, or train.target_dataset for arrays)"
                )
            }
        } else if let generator = train.optionalSpec("generator") {
            for name in ["target", "inputs"] where data.values[name] != nil {
                decoder.report(
                    .conflict, pointer.appending(name),
                    "\(generator.name) makes inputs and targets itself; leave \(name) out")
            }
            if let samples = generator.arguments.optionalInteger("samples"),
                let batchSize = data.optionalInteger("batch_size"), batchSize > samples,
                data.optionalBoolean("drop_remainder") == true
            {
                decoder.report(
                    .conflict, pointer.appending("batch_size"),
                    "a batch of \(batchSize) is more than the \(samples) samples, and drop_remainder leaves it out; make it \(samples) or less"
                )
            }
        }
        checkTransforms(data, decoder)
        if let target = data.optionalText("target"), let inputs = data.optionalTexts("inputs"),
            let index = inputs.firstIndex(of: target)
        {
            decoder.report(
                .conflict, pointer.appending("inputs").appending(index),
                "\"\(excerpt(target))\" is the target; it cannot be an input too")
        }
    }

    private static func checkTransforms(_ data: Arguments, _ decoder: SpecDecoder) {
        guard let transforms = try? data.specs("transforms") else { return }
        var isRandom = false
        for transform in transforms {
            let changesBatches = transform.name.hasPrefix("random_")
            if isRandom, !changesBatches {
                decoder.report(
                    .conflict, transform.pointer,
                    "random transforms change the batches of a step, after all others; move \(transform.name) before them"
                )
            }
            isRandom = isRandom || changesBatches
        }
        let encodings = transforms.filter { $0.name == "one_hot" }
        if encodings.count > 1 {
            decoder.report(.conflict, encodings[1].pointer, "one_hot is listed twice; it changes the target")
        }
    }

    /// Metrics and generated data must be about the same kind of target as the loss.
    private static func checkTargets(_ job: Arguments, _ decoder: SpecDecoder) {
        guard let loss = job.optionalSpec("loss"), let target = Catalog.entry(.loss, loss.name)?.target else {
            return
        }
        func check(_ spec: TypedSpec) {
            guard let other = Catalog.entry(spec.kind, spec.name)?.target, other != target else { return }
            if other == .either, [.classes, .values].contains(target) { return }
            decoder.report(
                .conflict, spec.pointer,
                "\(spec.name) is about \(other.phrase), the loss \(loss.name) about \(target.phrase)")
        }
        for metric in (try? job.specs("metrics")) ?? [] { check(metric) }
        if target != .values, let data = job.optionalBlock("data"),
            let encoding = (try? data.specs("transforms"))?.first(where: { $0.name == "one_hot" })
        {
            decoder.report(
                .conflict, encoding.pointer,
                "one_hot makes numbers of the labels, and the loss \(loss.name) is about labels; use softmax_cross_entropy or leave one_hot out"
            )
        }
        for name in sources {
            if let source = job.optionalBlock("data")?.optionalBlock(name),
                let generator = source.optionalSpec("generator")
            {
                check(generator)
            }
        }
    }

    /// Only learning rates follow a schedule by themselves.
    private static func checkSchedules(_ spec: TypedSpec, isInjected: Bool, _ decoder: SpecDecoder) {
        let types = Dictionary(
            uniqueKeysWithValues: (Catalog.entry(spec.kind, spec.name)?.parameters ?? []).map {
                ($0.name, $0.type)
            })
        for (name, argument) in spec.arguments.values {
            guard case .typed(let schedule) = argument, schedule.kind == .schedule, !isInjected,
                case .hyperparameter = types[name]
            else { continue }
            decoder.report(
                .conflict, spec.pointer.appending(name),
                "only a learning rate follows a schedule by itself; put \(spec.name) into {\"type\": \"inject_hyperparams\", \"inner\": …}"
            )
        }
        for inner in spec.arguments.inner where inner.kind != .schedule {
            checkSchedules(inner, isInjected: spec.name == "inject_hyperparams", decoder)
        }
    }

    /// What an optimizer contains must not be one that needs the gradients of single examples: only the outermost gets them.
    private static func checkInner(_ spec: TypedSpec, _ decoder: SpecDecoder) {
        for inner in spec.arguments.inner where [.optimizer, .transformation].contains(inner.kind) {
            if inner.name == "dpsgd" {
                decoder.report(
                    .conflict, inner.pointer,
                    "dpsgd needs the gradient of each example, which only the outermost optimizer gets; take it out of \(spec.name)"
                )
            }
            checkInner(inner, decoder)
        }
    }

    private static func checkMetrics(_ job: Arguments, _ decoder: SpecDecoder) {
        if let metrics = try? job.specs("metrics") { checkUnique(metrics, "metric", decoder) }
    }

    private static func checkUnique(_ specs: [TypedSpec], _ what: String, _ decoder: SpecDecoder) {
        var seen: Set<String> = []
        for spec in specs where !seen.insert(spec.name).inserted {
            decoder.report(.conflict, spec.pointer, "the \(what) \(spec.name) is listed twice")
        }
    }

    private static func checkBest(_ job: Arguments, _ decoder: SpecDecoder) {
        guard let best = job.optionalBlock("checkpoint")?.optionalBlock("keep")?.optionalBlock("best"),
            let metric = best.optionalText("metric")
        else { return }
        let pointer = JSONPointer(tokens: ["checkpoint", "keep", "best", "metric"])
        checkReported(metric, at: pointer, job, decoder)
    }

    private static func checkCallbacks(_ job: Arguments, _ decoder: SpecDecoder) {
        guard let callbacks = try? job.specs("callbacks") else { return }
        // A run can stop for several reasons; everything else would be in each other's way.
        checkUnique(callbacks.filter { $0.name != "stop_when" }, "callback", decoder)
        for callback in callbacks {
            guard let metric = callback.arguments.optionalText("metric") else { continue }
            checkReported(metric, at: callback.pointer.appending("metric"), job, decoder)
        }
    }

    /// A metric that something refers to must be one that training or an evaluation reports.
    private static func checkReported(
        _ metric: String, at pointer: JSONPointer, _ job: Arguments, _ decoder: SpecDecoder
    ) {
        guard let metrics = try? job.specs("metrics"), let data = job.optionalBlock("data") else { return }
        // A metric that was refused is not missing for this reason.
        if decoder.problems.contains(where: { $0.pointer.hasPrefix("#/metrics") }) { return }
        let evaluated = ["validation/loss"] + metrics.map { "validation/\($0.name)" }
        if metric.hasPrefix("validation/"), data.values["validation"] == nil {
            decoder.report(
                .conflict, pointer, "\(excerpt(metric)) needs data.validation, which the spec does not have")
            return
        }
        let known = ["train/loss"] + (data.values["validation"] == nil ? [] : evaluated)
        guard !known.contains(metric) else { return }
        let hint = suggestion(for: metric, among: known)
        decoder.report(
            .unknownName, pointer,
            "no metric \"\(excerpt(metric))\" is reported\(hint.isEmpty ? "; there is \(known.joined(separator: ", "))" : hint)"
        )
    }
}

extension TargetKind {
    fileprivate var phrase: String {
        switch self {
        case .classes, .groups: "class labels"
        case .labelSequences: "sequences of labels"
        case .values: "numbers"
        case .either: "class labels or numbers"
        }
    }
}
