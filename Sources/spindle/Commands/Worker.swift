// spindle worker: the process that plans and trains. The server starts it; people use it to look at the protocol.
import ArgumentParser
import Foundation
import TensorEngine
import Training

struct WorkerCommandLine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Plan and train for a server, over standard input and output.",
        discussion: """
            The server starts workers by itself. Each reads one JSON command a line ("plan", "run", "pause", "cancel") and \
            writes one JSON report a line; its log goes to standard error.
            """,
        shouldDisplay: false)

    @Option(help: "End when this process, the server, ends.")
    var parentPid: Int32?

    @Option(help: "Compute threads until a job says otherwise.")
    var threads = 1

    @Option(help: "Use at most these kernels: portable, avx2 or avx512. The results are the same bits.")
    var kernels: String?

    func run() throws {
        if let kernels {
            guard let level = KernelLevel.allCases.first(where: { $0.description == kernels }) else {
                throw ValidationError("--kernels is portable, avx2 or avx512, not \(kernels)")
            }
            KernelLevel.set(level)
        }
        let status = Worker.serve(parent: parentPid, threads: max(1, threads))
        Foundation.exit(status)
    }
}
