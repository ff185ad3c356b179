// Properties of effective specs, over random specs made from the catalog itself.

import JobSpec
import TestSupport
import Testing

struct EffectiveSpecTests {
    @Test("an effective spec decodes to the same spec, whose effective spec is the same")
    func roundTrip() throws {
        var maker = SpecMaker(seed: 4)
        var names: Set<String> = []
        for _ in 0..<1_000 {
            let written = maker.spec()
            let spec: JobSpec
            do {
                spec = try JobSpec.decode(written)
            } catch {
                Issue.record("\(written.serialized())\n\(error)")
                return
            }
            let effective = spec.effectiveJSON
            let parsed = try JSONValue(parsing: effective.serializedBytes(pretty: true))
            #expect(parsed == effective)
            #expect(try JobSpec.decode(parsed) == spec, "\(written.serialized())")
            names.formUnion([spec.model.name, spec.optimizer.name, spec.loss.name])
        }
        #expect(
            names.count == Catalog.entries(.module).count + Catalog.entries(.optimizer).count
                + Catalog.entries(.loss).count)
    }

    @Test("random damage to an effective spec is refused or decodes, but never traps")
    func damage() throws {
        var maker = SpecMaker(seed: 5)
        let junk: [JSONValue] = [
            nil, true, -1, 0, 1e308, "x", "relu", [], [nil], [:], ["type": "Dense"], ["type": nil],
            .int(.max), .double(.nan),
        ]
        for _ in 0..<1_500 {
            var spec = try JobSpec.decode(maker.spec()).effectiveJSON
            let places = pointers(of: spec)
            for _ in 0..<Int.random(in: 1...3, using: &maker.generator) {
                let place = places.randomElement(using: &maker.generator) ?? ""
                spec = spec.setting(place, to: junk.randomElement(using: &maker.generator))
            }
            if let decoded = try? JobSpec.decode(spec) {
                #expect(try JobSpec.decode(decoded.effectiveJSON) == decoded)
            }
        }
    }

    private func pointers(of value: JSONValue, _ prefix: String = "") -> [String] {
        switch value {
        case .array(let elements):
            [prefix] + elements.enumerated().flatMap { pointers(of: $0.element, "\(prefix)/\($0.offset)") }
        case .object(let members):
            [prefix] + members.flatMap { pointers(of: $0.value, "\(prefix)/\($0.key)") }
        default: [prefix]
        }
    }
}

/// Makes valid specs; arguments come from the catalog's types, so that new entries are covered by themselves.
struct SpecMaker {
    var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func spec() -> JSONValue {
        let losses = Catalog.entries(.loss)
        let loss = losses[Int.random(in: 0..<losses.count, using: &generator)]
        let validates = Bool.random(using: &generator)
        let generates = loss.target == .values && Bool.random(using: &generator)
        var data: JSONValue = ["train": source(generates)]
        if validates { data = data.setting("/validation", to: source(generates)) }
        if !generates { data = data.setting("/target", to: "y") }
        if !generates, Bool.random(using: &generator) { data = data.setting("/inputs", to: ["a", "b"]) }
        if Bool.random(using: &generator) { data = data.setting("/batch_size", to: 8) }
        if Bool.random(using: &generator) {
            data = data.setting("/transforms", to: ["standardize", ["type": "scale", "by": 2]])
        }
        var spec: JSONValue = [
            "model": entry([.module], depth: 0), "data": data, "loss": .string(loss.name),
            "optimizer": entry([.optimizer], depth: 0),
            "budget": Bool.random(using: &generator) ? ["steps": 5] : ["epochs": 2, "wall_seconds": 1.5],
        ]
        let judged: [TargetKind?] = [.classes, .values].contains(loss.target) ? [loss.target, .either] : []
        let metrics = Catalog.entries(.metric).filter { judged.contains($0.target) }.map(\.name)
        if Bool.random(using: &generator) { spec = spec.setting("/metrics", to: JSONValue(metrics)) }
        if validates, Bool.random(using: &generator) {
            spec = spec.setting("/evaluation", to: ["every_steps": 3, "max_batches": 2])
        }
        if Bool.random(using: &generator) {
            spec = spec.setting(
                "/checkpoint",
                to: [
                    "every_steps": 4,
                    "keep": ["best": ["metric": "train/loss", "mode": "min"], "every_steps": 9],
                ])
        }
        if Bool.random(using: &generator) { spec = spec.setting("/callbacks", to: ["nan_guard"]) }
        if Bool.random(using: &generator) { spec = spec.setting("/labels", to: ["team": "é\"\\"]) }
        return spec
    }

    private mutating func source(_ generates: Bool) -> JSONValue {
        if generates {
            return ["generator": ["type": "linear_regression", "samples": 40, "inputs": 2, "outputs": 1]]
        }
        return Bool.random(using: &generator) ? ["dataset": "d", "split": "10%:12.5%"] : ["dataset": "d"]
    }

    /// An entry without the contradictions that the catalog's own checks find.
    private mutating func entry(_ kinds: [CatalogKind], depth: Int) -> JSONValue {
        for _ in 0..<100 {
            let (value, kind) = candidate(kinds, depth: depth)
            if case .success = SpecDecoding.entry(value, kind) { return value }
        }
        Issue.record("no valid entry of \(kinds) was found")
        return nil
    }

    private mutating func candidate(_ kinds: [CatalogKind], depth: Int) -> (JSONValue, CatalogKind) {
        // The one optimizer that must be the outermost.
        let entries = kinds.flatMap { Catalog.entries($0) }.filter { depth == 0 || $0.name != "dpsgd" }
        let leaves = entries.filter { entry in
            !entry.parameters.contains { parameter in
                switch parameter.type {
                case .typedList, .typedMap: true
                case .typed(let kinds): parameter.isRequired && kinds[0] != .cell && kinds[0] != .schedule
                default: false
                }
            }
        }
        let choices = depth < 3 ? entries : leaves
        let entry = choices[Int.random(in: 0..<choices.count, using: &generator)]
        var value: JSONValue = ["type": .string(entry.name)]
        for parameter in entry.parameters
        where parameter.name != "name" && (parameter.isRequired || Bool.random(using: &generator)) {
            value = value.setting("/\(parameter.name)", to: argument(parameter, depth: depth))
        }
        // Contradictions that chance rarely avoids.
        if entry.kind == .schedule, value["warmup_steps"] != nil {
            value = value.setting("/warmup_steps", to: 0).setting("/peak_value", to: 1)
        }
        if entry.name == "named_chain", let count = value["transforms"]?.arrayValue?.count {
            value = value.setting("/names", to: JSONValue((0..<count).map { "part\($0)" }))
        }
        if value["emb_dim"] != nil { value = value.setting("/emb_dim", to: 12).setting("/num_heads", to: 3) }
        return (value, entry.kind)
    }

    private mutating func argument(_ parameter: Parameter, depth: Int) -> JSONValue {
        switch parameter.type {
        case .boolean: return .bool(Bool.random(using: &generator))
        case .integerOrAuto: return Bool.random(using: &generator) ? "auto" : 7
        case .integerOrSchedule:
            return Bool.random(using: &generator) ? entry([.schedule], depth: depth + 1) : 3
        case .numbers(let count): return JSONValue(Array(repeating: 1, count: count.lowerBound))
        case .patterns: return Bool.random(using: &generator) ? "**/kernel" : ["a/*", "**"]
        case .patternLabels: return ["**/bias": "a", "**": "b"]
        case .typedMap(let kinds):
            return ["a": entry(kinds, depth: depth + 1), "b": entry(kinds, depth: depth + 1)]
        case .names: return []
        case .text: return "ab,bc->ac"
        case .padding:
            return ["SAME", 2, [[0, 1], [2, 3]]][Int.random(in: 0...2, using: &generator)] ?? nil
        case .blocks:
            return [["init_value": 0, "peak_value": 1, "warmup_steps": 1, "decay_steps": 3]]
        case .integer(let range): return JSONValue(Int.random(in: range, using: &generator))
        case .number(let range), .numberOrSchedule(let range), .hyperparameter(let range):
            if case .numberOrSchedule = parameter.type, Bool.random(using: &generator) {
                return entry([.schedule], depth: depth + 1)
            }
            let upper = min(range.maximum, 10)
            let lower = max(range.minimum, -10)
            return .double(upper - Double.random(in: 0..<1, using: &generator) * (upper - lower))
        case .choice(let choices, _): return .string(choices.randomElement(using: &generator) ?? "")
        case .integers where parameter.name == "boundaries": return []
        case .integers(let count, _) where count.upperBound < 2: return [1]
        case .integers(_, let each) where !each.contains(3): return [0]
        case .integers(_, let each): return [JSONValue(Int.random(in: each, using: &generator)), 3]
        case .stepScales: return ["100": 0.5, "20": 2, "3": 0]
        case .typed(let kinds): return entry(kinds, depth: depth + 1)
        case .typedList(let kinds, _):
            return .array(
                (0..<Int.random(in: 1...3, using: &generator)).map { _ in entry(kinds, depth: depth + 1) })
        default:
            Issue.record("the catalog has a parameter type that this test cannot make: \(parameter.name)")
            return nil
        }
    }
}
