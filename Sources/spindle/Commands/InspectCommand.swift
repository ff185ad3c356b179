// spindle inspect: what a job's model and training step are, without a server.
import ArgumentParser
import Foundation
import JobSpec
import TensorEngine
import Training

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show a job's modules, its training step and the compiled plan.",
        discussion: """
            Traces and compiles the spec here, without a server and without training. The table has one line a module: the output \
            of a training batch, parameters, their bytes, and the floating-point operations of the forward pass, submodules \
            included.

            EXAMPLES
              spindle inspect deploy/examples/flax-basics.json --plan
              spindle inspect digits.json --dataset digits=deploy/examples/digits.csv --program
            """)
    @OptionGroup var spec: SpecArgument
    @OptionGroup var datasets: DatasetFileOptions
    @Flag(help: "Print the training step as it is traced.")
    var program = false
    @Flag(help: "Print the training step after the compiler's passes.")
    var optimized = false
    @Flag(help: "Print the compiled plan: its steps, what they read and write, and the arena.")
    var plan = false

    func run() throws {
        let inspection: Inspection
        do {
            inspection = try Inspection(try JSONValue(parsing: try spec.bytes()), files: try datasets.files())
        } catch let errors as SpecErrors {
            throw datasets.explained(errors)
        } catch let error as TensorError {
            Console.note("#/model: \(error)")
            throw ExitCode(ExitStatus.error.rawValue)
        }
        Console.output(Self.page(inspection))
        if program { Console.output("\n" + inspection.program.text(inputNames: inspection.inputNames)) }
        if optimized { Console.output("\n" + inspection.optimized.text(inputNames: inspection.inputNames)) }
        if plan { Console.output("\n" + inspection.executable.planDescription) }
    }

    private static func page(_ inspection: Inspection) -> String {
        let table = TextTable(
            header: ["MODULE", "TYPE", "OUTPUT", "PARAMETERS", "BYTES", "FLOP"],
            rows: inspection.modules.map { module in
                [
                    module.path.isEmpty ? "·" : module.path, module.type,
                    module.outputs.map(\.description).joined(separator: ", "), "\(module.parameters)",
                    Quantity.bytes(module.parameterBytes), Quantity.operations(module.operations),
                ]
            }, numeric: [3, 4, 5])
        return table.render() + "\n\n" + """
            training step  \(Quantity.operations(inspection.stepOperations)); \
            \(inspection.program.equations.count) equations, \(inspection.optimized.equations.count) after the passes
            state          \(Quantity.bytes(inspection.stateByteCount))
            plan           \(inspection.executable.planSummary)
            """
    }
}

/// Where the datasets of a spec are, for commands that need no server.
struct DatasetFileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file of a dataset that the spec names; may be repeated.", valueName: "name=file"))
    var dataset: [String] = []

    /// By name.
    func files() throws -> [String: String] {
        var files: [String: String] = [:]
        for pair in dataset {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { throw ValidationError("--dataset is NAME=FILE, not \(pair)") }
            files[String(parts[0])] = String(parts[1])
        }
        return files
    }

    /// Tells the problems of a spec, each with its place.
    func explained(_ errors: SpecErrors) -> ExitCode {
        for problem in errors.problems { Console.note("\(problem.pointer): \(problem.detail)") }
        if errors.problems.contains(where: { $0.detail.contains("no file was given") }) {
            Console.note("Give each dataset's file: --dataset NAME=FILE")
        }
        return ExitCode(ExitStatus.error.rawValue)
    }
}
