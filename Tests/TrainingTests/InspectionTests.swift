// What `spindle inspect` finds out about a job.
import JobSpec
import TestSupport
import Testing

@testable import Training

@Suite struct InspectionTests {
    private let files = ["digits": Repository.fixture("data/digits.csv").path]

    @Test("an inspection has the modules, the step with named inputs, and the plan")
    func digits() throws {
        let spec = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
        let inspection = try Inspection(spec, files: files)
        #expect(inspection.modules.map(\.path) == ["", "Dense_0", "Dense_1", "Dense_2"])
        #expect(inspection.modules[0].parameters == 8970)
        #expect(inspection.modules[0].parameterBytes == 4 * 8970)
        #expect(inspection.inputNames.count == inspection.program.inputTypes.count)
        #expect(inspection.inputNames.contains("params/Dense_0/kernel"))
        // Forward, and backward by the kernels and (all but the first layer) the inputs.
        #expect(inspection.stepOperations > 2 * inspection.modules[0].operations)
        let text = inspection.optimized.text(inputNames: inspection.inputNames)
        #expect(text.contains("float32[64,64]   params/Dense_0/kernel\n"))
        #expect(inspection.executable.planDescription.contains("# /Dense_2"))
    }

    @Test("a dataset without a file is a problem with its place in the spec")
    func withoutFile() throws {
        let spec = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
        let errors = #expect(throws: SpecErrors.self) { try Inspection(spec, files: [:]) }
        #expect(errors?.problems.first?.pointer == "#/data/train/dataset")
    }
}
