// The command line's root command.
import ArgumentParser

@main
struct Spindle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spindle", abstract: "Train models over plain HTTP.",
        groupedSubcommands: [
            CommandGroup(
                name: "Server", subcommands: [ServeCommand.self, WorkerCommandLine.self, BenchCommand.self])
        ]
            + ClientCommands.groups)

    static func main() async { await runFromCommandLine() }
}

/// The property wrapper of the commands; JobSpec has an `Argument` of its own.
typealias Argument = ArgumentParser.Argument
