// Runs one case of the suite linen: initialize, the calls with their gradients, the facts about parameters.
import JobSpec
import Linen
import TensorEngine

struct LinenCase {
    let parityCase: ParityCase
    private let spec: JSONValue
    private let inputs: [Tree]
    private var tolerance: ParityTolerance { parityCase.tolerance }

    /// Cases, by the beginning of their names, in which what is expected is itself further from the exact value than the tolerance, and of what.
    private static let widened: [String: (parts: [String], tolerance: ParityTolerance)] = [
        // Inputs of 5 ± 0.01: the last bit of the mean, which depends on the order of the sum, is 5e-5 of the result, and times
        // the 100 of 1 / deviation 5e-3 of the gradient.
        "ln_slow": (["out", "loss", "gradient"], ParityTolerance(relative: 1e-4, absolute: 5e-3)),
        // The gradient of the keys' bias is 0 (softmax does not see what all keys share); in bfloat16 it is rounding noise.
        "mha_bf16": (["gradient"], ParityTolerance(relative: 2e-2, absolute: 6e-2)),
        // One gradient is a difference of terms 200 times its size: noise of 1e-7 of them is 2e-5 of it.
        "decoder_lm_tied": (["gradient"], ParityTolerance(relative: 2e-5, absolute: 3e-5)),
    ]

    private func tolerance(of part: String) -> ParityTolerance {
        let widened = LinenCase.widened.first { parityCase.name.hasPrefix($0.key) }?.value
        return widened.map { $0.parts.contains(part) ? $0.tolerance : tolerance } ?? tolerance
    }

    init(_ parityCase: ParityCase) throws {
        self.parityCase = parityCase
        spec = try parityCase.config.member("module")
        inputs = try (parityCase.inputs["args"]?.arrayValue ?? []).map { try $0.tree() }
    }

    /// Throws `ParityMismatch` at the first difference, `NotBuilt` for what is missing, and the engine's own errors.
    func check() throws {
        var variables = try initialize()
        if let expected = parityCase.expected["variables"] {
            try expectClose(variables, expected, tolerance, "variables")
        }
        if let facts = parityCase.expected["param_facts"]?.objectValue {
            let parameters = variables["params"] ?? .dictionary([:])
            for (path, fact) in facts {
                // A name may have slashes itself, so the path is followed name by name.
                let names = path.split(separator: "/").map(String.init)
                let leaves = names.reduce(parameters as Tree?) { $0?[$1] }?.leaves ?? []
                let count = leaves.reduce(0) { $0 + $1.shape.elementCount }
                let bytes = leaves.reduce(0) { $0 + $1.type.byteCount }
                guard count == fact["count"]?.intValue, bytes == fact["bytes"]?.intValue else {
                    throw ParityMismatch(
                        "facts of '\(path)': expected \(fact), got \(count) in \(bytes) bytes")
                }
            }
        }
        try checkTable()
        if parityCase.expectsError { variables = try damaged(variables) }
        for (index, call) in (parityCase.config["calls"]?.arrayValue ?? [[:]]).enumerated() {
            let expected = parityCase.expected["calls"]?[index]
            let updates = try check(call, index, variables, expected)
            if call["carry_state"]?.boolValue == true, let updates { variables = variables.merging(updates) }
        }
    }

    private func initialize() throws -> FrozenDict {
        let config = try parityCase.config.member("init")
        let mutable = try config["mutable"].map(LinenCase.filter) ?? initializedCollections
        let arguments = try arguments(config["args"])
        let module = try SpecModule.build(spec)
        return try module.module.initializeWithOutput(
            rngs: try LinenCase.rngs(try config.member("rngs")), mutable: mutable
        ) {
            _ in
            try module.call(config["method"]?.stringValue, arguments, config["kwargs"] ?? [:])
        }.variables
    }

    /// Runs one call and compares it; returns the updated collections, if any are mutable.
    private func check(
        _ call: JSONValue, _ index: Int, _ variables: FrozenDict, _ expected: JSONValue?
    ) throws -> FrozenDict? {
        var tensors: [String: Tree] = [:]
        for (name, position) in call["array_kwargs"]?.objectValue ?? [:] {
            tensors[name] = inputs[position.intValue ?? 0]
        }
        let mutable = try LinenCase.filter(call["mutable"])
        let rngs = try call["rngs"].map(LinenCase.rngs) ?? [:]
        let captures = call["capture_intermediates"]?.boolValue ?? false
        let positions = call["args"]?.integers ?? Array(inputs.indices)
        func run(_ variables: FrozenDict, _ arguments: [Tree]) throws -> (output: Tree, updates: FrozenDict) {
            let module = try SpecModule.build(spec)
            return try module.module.apply(
                variables, mutable: mutable, rngs: rngs, captureIntermediates: captures
            ) { _ in
                try module.call(
                    call["method"]?.stringValue,
                    CallArguments(inputs: arguments, keywords: call["kwargs"] ?? [:], tensors: tensors))
            }
        }
        let (output, updates) = try run(variables, try arguments(call["args"]))
        guard let expected else { return mutable == .none ? nil : updates }
        try expectClose(output, try expected.member("out"), tolerance(of: "out"), "call \(index) out")
        if let expectedUpdates = expected["updates"] {
            try expectClose(updates, expectedUpdates, tolerance, "call \(index) updates")
        }
        if let expectedLoss = expected["loss"] {
            let cotangents = try (parityCase.inputs["ct"]?[index]?.arrayValue ?? []).map { try $0.tensor() }
            let differentiable = positions.filter { inputs[$0].tensor?.dtype.isFloating == true }
            let lossAndGrad = valueAndGrad { (root: Tree) in
                var arguments = positions.map { inputs[$0] }
                for (k, position) in positions.enumerated() {
                    if let place = differentiable.firstIndex(of: position) {
                        arguments[k] = root["args"]?["\(place)"] ?? arguments[k]
                    }
                }
                var full = variables
                if variables["params"] != nil { full["params"] = root["params"] }
                let leaves = try run(full, arguments).output.leaves.filter(\.dtype.isFloating)
                var loss = try zeros([])
                for (leaf, cotangent) in zip(leaves, cotangents) {
                    loss = try loss + sum((leaf * cotangent).astype(.float32))
                }
                return loss
            }
            let root = Tree.dictionary([
                "params": variables["params"] ?? .dictionary([:]),
                "args": .tuple(differentiable.map { inputs[$0] }),
            ])
            let (loss, gradients) = try lossAndGrad(root)
            try expectClose(loss, expectedLoss, tolerance(of: "loss"), "call \(index) loss")
            let grads = try expected.member("grads")
            if let expectedParameters = grads["params"] {
                try expectClose(
                    gradients["params"] ?? .dictionary([:]), expectedParameters,
                    tolerance(of: "gradient"), "call \(index) gradient")
            }
            for (place, position) in differentiable.enumerated() {
                // The gradient of an argument is stored under its place among the call's arguments.
                let key = "\(positions.firstIndex(of: position) ?? position)"
                guard let expectedGradient = grads["args"]?[key], let got = gradients["args"]?["\(place)"]
                else {
                    continue
                }
                try expectClose(
                    got, expectedGradient, tolerance(of: "gradient"),
                    "call \(index) gradient of argument \(key)")
            }
        }
        return mutable == .none ? nil : updates
    }

    /// The rows of Flax's table, each found in ours; parameter counts are of the module itself.
    private func checkTable() throws {
        guard let rows = parityCase.expected["tabulate"]?.arrayValue else { return }
        let config = try parityCase.config.member("init")
        let arguments = try arguments(config["args"])
        let module = try SpecModule.build(spec)
        let table = try module.module.tabulate { _ in
            try module.call(config["method"]?.stringValue, arguments, config["kwargs"] ?? [:])
        }
        for row in rows {
            let path = try row.member("path").stringValue ?? ""
            guard let mine = table.first(where: { $0.path == path }) else {
                throw ParityMismatch("no row '\(path)'")
            }
            let counts = row["counts"]?["params"]?.integers ?? [0, 0]
            let got = [mine.own["params"]?.elements ?? 0, mine.own["params"]?.bytes ?? 0]
            guard mine.type == row["module"]?.stringValue, got == counts else {
                throw ParityMismatch("row '\(path)': expected \(row), got \(mine)")
            }
        }
    }

    /// What an error case does to the variables between init and apply.
    private func damaged(_ variables: FrozenDict) throws -> FrozenDict {
        var result = variables
        for name in parityCase.config["drop_collection"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
            result[name] = nil
        }
        if let replacement = parityCase.config["replace_param"], let path = replacement["path"]?.stringValue,
            var parameters = result["params"]?.dictionary
        {
            if path.contains("/") {
                throw ParityMismatch("only parameters of the outermost module are replaced")
            }
            parameters[path] = try replacement["shape"]?.integers.map { .tensor(try zeros(Shape($0))) }
            result["params"] = .dictionary(parameters)
        }
        return result
    }

    private func arguments(_ positions: JSONValue?) throws -> [Tree] {
        (positions?.integers ?? Array(inputs.indices)).map { inputs[$0] }
    }

    /// A seed, a map of seeds, or `{"$key": [w0, w1]}`.
    static func rngs(_ spec: JSONValue) throws -> [String: PRNGKey] {
        if let words = spec["$key"] { return ["params": try words.prngKey()] }
        guard let streams = spec.objectValue else { return ["params": try spec.prngKey()] }
        return try streams.reduce(into: [:]) { $0[$1.key] = try $1.value.prngKey() }
    }

    static func filter(_ spec: JSONValue?) throws -> CollectionFilter {
        guard let spec, !spec.isNull else { return .none }
        if let flag = spec.boolValue { return flag ? .all : .none }
        if let names = spec.arrayValue { return .only(Set(names.compactMap(\.stringValue))) }
        if let name = spec.stringValue { return .only([name]) }
        let denied = spec["deny"]
        return .except(Set(denied?.arrayValue?.compactMap(\.stringValue) ?? [denied?.stringValue ?? ""]))
    }
}
