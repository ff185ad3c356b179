// What a job's model and training step are, before anything runs: for people who want to look inside.
import Datasets
import JobSpec
import Linen
import OrderedCollections
import TensorEngine

/// The parts of a job that `spindle inspect` shows.
package struct Inspection: Sendable {
    /// The modules in the order of their first calls, for one training batch in a forward pass.
    package let modules: [Module]
    /// Floating-point operations of a whole training step.
    package let stepOperations: Double
    /// Bytes of parameters, optimizer state and other collections.
    package let stateByteCount: Int
    /// The training step as it was traced.
    package let program: Program
    /// The training step after the compiler's passes, and compiled.
    package let optimized: Program
    package let executable: Executable
    /// What the step's inputs are: the paths of the state's leaves, then the batch.
    package let inputNames: [String]

    package struct Module: Sendable {
        package let path: String
        package let type: String
        package let outputs: [TensorType]
        /// Numbers in its own parameters and in those of its submodules.
        package let parameters: Int
        package let parameterBytes: Int
        /// Floating-point operations of its calls, submodules included.
        package let operations: Double
    }

    /// Traces and compiles the job's training step without computing anything.
    ///
    /// - Parameter files: by the names of datasets in the spec, CSV files with their columns.
    /// - Throws: `SpecErrors` with every problem found.
    package init(_ json: JSONValue, files: [String: String]) throws {
        let spec = try JobSpec.decode(json)
        let shape = try DataShape(spec) { (reference) throws(DatasetError) in
            let location = try Inspection.location(of: reference, files)
            return try DatasetFile(path: location.path, format: location.format).inspect()
        }
        let programs = try TrainingPrograms(spec, BatchTypes(shape))
        let rows = min(spec.data.batchSize, shape.trainRows)
        let state = try evalShape(programs.initialState, try PRNGKey(seed: spec.seed))
        let step = try programs.step(state: state, rows: rows)
        modules = try programs.modules(rows: rows)
        stepOperations = step.program.operationCount
        stateByteCount = state.leaves.reduce(0) { $0 + $1.type.byteCount }
        program = step.program
        optimized = try step.program.optimized()
        executable = try Executable(step.program, carry: step.carry)
        inputNames =
            state.tree.leavesWithPaths().map(\.path) + ["training key", "batch inputs", "batch targets"]
    }

    /// The file that was given for a dataset.
    static func location(
        of reference: DatasetReference, _ files: [String: String]
    ) throws(DatasetError) -> DatasetLocation {
        guard let path = files[reference.name] else {
            throw DatasetError("no file was given for the dataset \(reference.name)")
        }
        let format = try DatasetFile.format(
            ofFileAt: path, mediaType: path.hasSuffix(".txt") ? "text/plain" : nil)
        return DatasetLocation(path: path, format: format)
    }
}
