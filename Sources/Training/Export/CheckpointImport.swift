// A file from outside becomes a checkpoint that jobs can start from.
import JobSpec
import Serialization

package enum CheckpointImport {
    /// Reads a file of any format that is known, checks all of it, and writes it as a Flax TrainState.
    ///
    /// - Returns: what was written, and what is in it.
    /// - Throws: `SerializationError` with its place in the file, `CheckpointError` of the system.
    package static func write(
        _ input: String, maximumBytes: Int, to output: String
    ) throws -> (file: FileSummary, contents: JSONValue) {
        let brought = try BroughtState(fileAt: input, maximumBytes: maximumBytes)
        let file = try StateFile.writeMessagePack(brought.state, to: output)
        return (
            file,
            [
                "format": .string(brought.format.rawValue), "parts": JSONValue(brought.parts),
                "arrays": JSONValue(brought.arrayCount), "elements": JSONValue(brought.elementCount),
            ]
        )
    }

    static func answer(_ command: ImportCommand) throws -> WrittenFile {
        do {
            let (file, contents) = try write(
                command.input, maximumBytes: command.maximumBytes, to: command.output)
            return WrittenFile(sha256: file.sha256.hex, bytes: file.byteCount, contents: contents)
        } catch let error as SerializationError {
            // Whatever is wrong here, it is the file.
            throw SpecErrors(problems: [
                SpecProblem(
                    code: "invalid_checkpoint",
                    pointer: error.byteOffset.map { "#byte=\($0)" } ?? "#" + error.path,
                    detail: error.description)
            ])
        }
    }
}
