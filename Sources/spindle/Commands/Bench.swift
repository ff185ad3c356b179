// spindle bench: training speed on standard workloads, as one JSON object a line.
import ArgumentParser
import Foundation
import TensorEngine
import Training

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure training speed on standard workloads.",
        discussion: """
            One workload is one whole training step: forward, backward and optimizer, in float32, on synthetic data in memory. \
            Prints one JSON object a line: steps_per_s is the median over short bursts, best the fastest burst, first_step_s the \
            time from having the model to the end of the first step, tracing and compiling included.

            Workloads: \(Workload.allCases.map(\.rawValue).joined(separator: ", ")).

            Example: spindle bench mlp_mnist --seconds 3
            """)

    @ArgumentParser.Argument(help: "The workloads; all without.")
    var workloads: [Workload] = []

    @Option(help: "Seconds to measure each.")
    var seconds = 3.0

    @Option(help: "Compute threads; as many as processors without.")
    var threads: Int?

    @Flag(help: "Print the compiled plan to standard error.")
    var plan = false

    func run() throws {
        if let threads { ComputePool.configure(threads: threads) }
        for workload in workloads.isEmpty ? Workload.allCases : workloads {
            let result = try Benchmark.run(workload, seconds: seconds)
            if plan { FileHandle.standardError.write(Data((result.planDescription + "\n").utf8)) }
            print(result.json.serialized())
        }
    }
}

extension Workload: ExpressibleByArgument {}
