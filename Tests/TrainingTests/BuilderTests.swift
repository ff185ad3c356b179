// The catalog and its builders know the same names.
import JobSpec
import TestSupport
import Testing

@testable import Training

@Suite struct BuilderTests {
    /// A spec with one entry of the catalog in its place, with the arguments that the entry requires.
    private func spec(with entry: CatalogEntry) throws -> JobSpec {
        var members: [(String, JSONValue)] = [("type", .string(entry.name))]
        for parameter in entry.parameters where parameter.isRequired {
            let given =
                entry.name == "MLP" && parameter.name == "features"
                ? [16, 10] : Self.arguments[parameter.name]
            members.append((parameter.name, try #require(given, "\(parameter.name)")))
        }
        let value = JSONValue(members: members)
        let isForValues = entry.target == .values
        var json = try JSONValue(
            parsing: Repository.bytes(Repository.example(isForValues ? "flax-basics.json" : "digits.json")))
        let pointer =
            switch entry.kind {
            case .module: "/model"
            case .activation, .initializer: "/model"
            case .optimizer, .transformation: "/optimizer"
            case .schedule: "/optimizer/learning_rate"
            case .loss: "/loss"
            case .metric: "/metrics"
            case .transform: "/data/transforms"
            case .generator: "/data/train/generator"
            case .callback: "/callbacks"
            }
        switch entry.kind {
        case .activation: json = json.setting("/model/activation", to: value)
        case .initializer:
            json = json.setting(
                pointer, to: ["type": "Dense", "features": 10, "kernel_init": value])
        case .transformation:
            json = json.setting(pointer, to: ["type": "chain", "transforms": .array([value])])
        case .metric, .transform, .callback: json = json.setting(pointer, to: .array([value]))
        default: json = json.setting(pointer, to: value)
        }
        if entry.kind == .metric, isForValues {
            json = json.setting("/data/validation", to: json["data"]?["train"])
        }
        return try JobSpec.decode(json)
    }

    private static let arguments: [String: JSONValue] = [
        "features": 10, "layers": [["type": "Dense", "features": 10], "relu"], "scale": 1.0, "mode": "fan_in",
        "distribution": "normal", "value": 0.5, "learning_rate": 0.1, "transforms": [["type": "identity"]],
        "step_size": -0.1, "step_size_fn": ["type": "constant_schedule", "value": -0.1], "decay": 0.9,
        "init_value": 0.1, "end_value": 0.01, "transition_steps": 10, "power": 2.0, "decay_steps": 100,
        "decay_rate": 0.5, "peak_value": 0.1, "warmup_steps": 10, "by": 0.5, "samples": 20, "inputs": 3,
        "outputs": 5,
    ]

    @Test(
        "every entry of the catalog can be built and trained a step", arguments: Catalog.entries.map(\.name))
    func everyEntryIsBuilt(name: String) throws {
        for entry in Catalog.entries where entry.name == name && entry.kind != .callback {
            let decoded = try spec(with: entry)
            let result = try RunFixture(decoded.effectiveJSON.setting("/budget", to: ["steps": 1])).train()
            #expect(result.checkpoints.last?.step == 1, "\(entry.kind) \(entry.name)")
            #expect(result.losses.count == 1)
        }
    }
}
