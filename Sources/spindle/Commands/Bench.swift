// spindle bench: training speed on standard workloads, as one JSON object a line.
import ArgumentParser
import Foundation
import JobSpec
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
            Example: spindle bench gpt_nano --profile --roofline
            Example: spindle bench --growth --seconds 1
            """)

    @ArgumentParser.Argument(help: "The workloads; all without.")
    var workloads: [Workload] = []

    @Option(help: "Seconds to measure each.")
    var seconds = 3.0

    @Option(help: "Compute threads; as many as processors without.")
    var threads: Int?

    @Flag(help: "Print the compiled plan to standard error.")
    var plan = false

    @Flag(
        help:
            "Print where a step's time goes to standard error: time, GFLOP/s and GB/s of each step of the plan."
    )
    var profile = false

    @Flag(help: "Measure what this machine can do at most, and compare the profile's steps with it.")
    var roofline = false

    @Flag(help: "Measure MLPs of growing batch size, width and depth instead of the workloads.")
    var growth = false

    func run() throws {
        if let threads { ComputePool.configure(threads: threads) }
        var limits: PlanProfile.Limits?
        if roofline {
            let measured = try Roofline.measure()
            let line: JSONValue = [
                "roofline": "spindle", "gflop_per_s": .double(measured.operationsPerSecond / 1e9),
                "gb_per_s": .double(measured.bytesPerSecond / 1e9), "threads": JSONValue(ComputePool.threads),
                "kernel_level": .string(KernelLevel.current.description),
            ]
            print(line.serialized())
            limits = measured
            if workloads.isEmpty, !profile, !plan { return }
        }
        if growth {
            for point in Growth.points { print(try Growth.measure(point, seconds: seconds).serialized()) }
            if workloads.isEmpty { return }
        }
        for workload in workloads.isEmpty ? Workload.allCases : workloads {
            let result = try Benchmark.run(workload, seconds: seconds, profiles: profile)
            if plan { FileHandle.standardError.write(Data((result.planDescription + "\n").utf8)) }
            if let profile = result.profile {
                let text = profile.description(limits: limits) + "\n"
                FileHandle.standardError.write(Data(text.utf8))
            }
            print(result.json.serialized())
        }
    }
}

extension Workload: ExpressibleByArgument {}
