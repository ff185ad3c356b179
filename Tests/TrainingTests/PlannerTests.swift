// Plans: exact sizes, and shape errors at their place in the spec.
import JobSpec
import TestSupport
import Testing

@testable import Training

@Suite struct PlannerTests {
    @Test("a plan has the exact number of parameters, bytes and steps")
    func sizes() throws {
        let fixture = try RunFixture.digits(epochs: 20)
        let plan = try fixture.plan()
        #expect(plan.parameterCount == 64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10)
        #expect(plan.parameterBytes == 4 * plan.parameterCount)
        #expect(plan.stepsPerEpoch == 44)
        #expect(plan.stepsTotal == 880)
        #expect(plan.modules.map(\.path) == ["", "Dense_0", "Dense_1", "Dense_2"])
        #expect(plan.modules[0].parameters == plan.parameterCount)
        #expect(plan.modules[3].outputShape == [32, 10])
        // A product of two operations a term, and the bias.
        #expect(plan.modules[3].operations == 32 * 10 * (2 * 64 + 1))
        #expect(plan.modules[0].operations > plan.modules[1...].reduce(0) { $0 + $1.operations })
        let trained = try fixture.train(stopAfter: 0)
        #expect(abs(plan.checkpointBytes - (trained.checkpoints.last?.stateBytes ?? 0)) <= 32)
    }

    @Test("an output that does not fit the target is refused with what to write instead")
    func outputWidth() throws {
        let example = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
        let fixture = try RunFixture(example.setting("/model/features", to: [64, 7]))
        let errors = #expect(throws: SpecErrors.self) { try fixture.plan() }
        #expect(errors?.problems.first?.pointer == "#/model")
        #expect(errors?.problems.first?.detail.contains("features 10") == true)
    }

    @Test("a budget that the job exceeds is refused at submission")
    func memoryBudget() throws {
        let example = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
        let spec = example.setting("/budget", to: ["epochs": 1, "memory_bytes": 1_000_000])
        let errors = #expect(throws: SpecErrors.self) { try RunFixture(spec).plan() }
        #expect(errors?.problems.first?.pointer == "#/budget/memory_bytes")
    }

    @Test("an absurd model is an error, not a crash")
    func absurdModel() throws {
        let example = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
        let fixture = try RunFixture(
            example.setting("/model/features", to: [1_000_000, 1_000_000, 1_000_000, 10]))
        #expect(throws: SpecErrors.self) { try fixture.plan() }
    }
}
