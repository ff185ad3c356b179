// Checkpoints leave the house in other formats, and come in from outside: both through workers that write a file.

import Hashing
import JobSpec
import Store

extension Scheduler {
    /// The checkpoint in another format, from the cache or made now.
    ///
    /// - Throws: `SpecErrors` where the model or the checkpoint cannot be expressed in the format.
    package nonisolated func export(
        _ checkpoint: StoredCheckpoint, _ options: ExportOptions
    ) async throws -> ExportedFile {
        let (store, workers) = (store, fileWorkers)
        return try await exports.file(of: checkpoint, options) { path in
            var command = ExportCommand(
                options: options, spec: nil, datasets: [:], state: store.folder.state(of: checkpoint),
                stateSHA256: checkpoint.stateDigest.hex, resume: nil, output: path)
            if case .ofJob(let record) = checkpoint {
                let job = try await store.job(id: record.job)
                let spec = Self.withoutInit(
                    try JSONValue(parsing: try await store.effectiveSpec(of: job)))
                command.spec = spec
                command.resume = store.folder.resume(of: record)
                if options.format.isProgram {
                    command.datasets = try await DatasetPinning.locations(of: spec, in: store)
                }
            }
            return try await workers.perform(.export(command))
        }
    }

    /// What a job started from does not matter to its model, and may be gone.
    private static func withoutInit(_ spec: JSONValue) -> JSONValue {
        guard case .object(var members) = spec else { return spec }
        members["init"] = nil
        return .object(members)
    }

    /// Makes a checkpoint of an uploaded file, which stays where it is.
    ///
    /// - Throws: `SpecErrors` where the file is none.
    package nonisolated func importCheckpoint(
        file: String, name: String, maximumBytes: Int
    ) async throws -> (record: ImportedCheckpoint, isNew: Bool) {
        let output = file + ".imported"
        do {
            let written = try await fileWorkers.perform(
                .importFile(ImportCommand(input: file, maximumBytes: maximumBytes, output: output)))
            guard let digest = Digest(hex: written.sha256) else {
                throw SchedulerError.workerFailed(detail: "the worker reported no SHA-256")
            }
            return try await store.put(
                NewImport(
                    name: name, stateDigest: digest, stateBytes: Int64(written.bytes),
                    contents: written.contents, file: output))
        } catch {
            try? await offThread { try CheckpointFiles.remove(output) }
            throw error
        }
    }

    /// Deletes an imported checkpoint with everything that was made of it.
    package nonisolated func delete(_ checkpoint: ImportedCheckpoint) async throws {
        try await store.delete(checkpoint)
        await exports.remove(checkpoint: checkpoint.id)
    }
}
