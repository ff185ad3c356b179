// An export from files, in this process: what `spindle export` does without a server.
import ArgumentParser
import Foundation
import JobSpec
import Serialization
import TensorEngine
import Training

struct LocalExport {
    let checkpoint: String
    let spec: String?
    let datasets: DatasetFileOptions
    let output: String?

    func run(_ options: ExportOptions) throws {
        do {
            let destination =
                output
                ?? URL(fileURLWithPath: checkpoint).deletingPathExtension().lastPathComponent + "."
                + ExportCommandLine.ending(options.format)
            try write(options, to: destination)
            Console.output(destination)
        } catch let errors as SpecErrors {
            throw datasets.explained(errors)
        } catch let failure as ClientFailure {
            throw told(failure.description)
        } catch let error as TensorError {
            throw told("#/model: \(error)")
        } catch let error as SerializationError {
            throw told("\(error)")
        } catch let error as CheckpointError {
            throw told("\(error)")
        }
    }

    private func told(_ text: String) -> ExitCode {
        Console.note(Console.styled("spindle: ", "31;1") + text)
        return ExitCode(ExitStatus.error.rawValue)
    }

    private func write(_ options: ExportOptions, to destination: String) throws {
        let source = try source()
        if options.format == .savedModel, !destination.hasSuffix(".tar") {
            return try CheckpointExport.writeSavedModel(source, options, to: destination)
        }
        let partial = destination + ".part"
        unlink(partial)
        do {
            let file = try CheckpointExport.writeFile(source, options, to: partial)
            guard rename(partial, destination) == 0 else {
                throw ClientFailure.local(
                    "\(destination) cannot be written: \(String(cString: strerror(errno)))")
            }
            Console.note("\(Readable.bytes(Int64(file.byteCount)))")
        } catch {
            unlink(partial)
            throw error
        }
    }

    private func source() throws -> TrainedModel.Source {
        guard let spec else {
            return TrainedModel.Source(spec: .null, datasets: [:], statePath: checkpoint, resumePath: nil)
        }
        guard let data = FileManager.default.contents(atPath: spec) else {
            throw ClientFailure.local("\(spec) cannot be read")
        }
        let json: JSONValue
        do { json = try JSONValue(parsing: [UInt8](data)) } catch {
            throw ClientFailure.local("\(spec) is not JSON: \(error)")
        }
        return try TrainedModel.Source(spec: json, files: try datasets.files(), statePath: checkpoint)
    }
}
