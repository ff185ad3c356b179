// The command line's root command.
import ArgumentParser

@main
struct Spindle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spindle", abstract: "Train models over plain HTTP.")
}
