// The client commands for the root command's list, and the entry point that gives usage errors the exit code 2.
import ArgumentParser

/// What `spindle` offers besides serve, worker and bench.
enum ClientCommands {
    static let jobs: [any ParsableCommand.Type] = [
        SubmitCommand.self, ListCommand.self, GetCommand.self, WaitCommand.self, WatchCommand.self,
        CancelCommand.self, PauseCommand.self, ResumeCommand.self, RetryCommand.self, RemoveCommand.self,
    ]
    static let observation: [any ParsableCommand.Type] = [
        LogsCommand.self, MetricsCommand.self, EventsCommand.self, CheckpointCommand.self,
        ExportCommandLine.self, ImportCommandLine.self,
    ]
    static let preparation: [any ParsableCommand.Type] = [
        DataCommand.self, ValidateCommand.self, PlanCommand.self, InspectCommand.self,
    ]
    static let care: [any ParsableCommand.Type] = [DoctorCommand.self, VersionCommand.self]
    static let groups = [
        CommandGroup(name: "Job", subcommands: jobs),
        CommandGroup(name: "Result", subcommands: observation),
        CommandGroup(name: "Preparation", subcommands: preparation),
        CommandGroup(name: "Care", subcommands: care),
    ]
}

extension AsyncParsableCommand {
    /// `main()` with the documented exit codes: ArgumentParser says 64 (EX_USAGE) for a wrong command line, Spindle 2.
    static func runFromCommandLine() async {
        MemoryReturn.configure()
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            guard code == .validationFailure else { exit(withError: error) }
            Console.note(fullMessage(for: error))
            exit(withError: ExitCode(ExitStatus.usage.rawValue))
        }
    }
}
