// From an uploaded file to a dataset: inspected, made durable, then named.
import Datasets
import Dispatch
import Glibc
import HTTPServer
import Hashing
import JobSpec
import Store

enum DatasetUpload {
    /// 201 for new bytes, 200 for bytes that the name has had before.
    static func store(_ call: APICall) async throws -> HTTPResponse {
        guard case .file(let upload) = call.request.body, let hex = upload.digest,
            let digest = Digest(hex: hex)
        else {
            throw Problem(
                .invalidDataset, "The body is empty; send the file's bytes, for example with curl -T FILE.")
        }
        let metrics = call.context.metrics
        do {
            let record = try await keep(upload, digest, name: call.path("name"), call)
            metrics.uploads.increment([record.isNew ? "created" : "unchanged"])
            return .json(
                record.record.json, status: record.isNew ? 201 : 200,
                headers: [HTTPField("Location", "/v1/datasets/\(record.record.name)")])
        } catch {
            // Harmless when the file has been moved to its place already.
            UploadFile.remove(upload.path)
            metrics.uploads.increment(["refused"])
            throw error
        }
    }

    private static func keep(
        _ upload: UploadedFile, _ digest: Digest, name: String, _ call: APICall
    ) async throws -> (record: DatasetRecord, isNew: Bool) {
        guard DatasetReference.isValidName(name) else {
            throw Problem(
                .invalidDataset,
                "\"\(name.prefix(100))\" cannot be a dataset's name: 1 to 100 letters, digits, dots, dashes and underscores, "
                    + "the first a letter or a digit.")
        }
        try call.context.readiness.requireReady()
        // Reading a large file takes seconds; it must not hold a thread of the concurrency pool.
        let mediaType = call.request.headers["Content-Type"]
        let (format, found) = try await UploadFile.onDisk { () throws -> (String, FileSchema) in
            let format = try DatasetFile.format(ofFileAt: upload.path, mediaType: mediaType)
            let found = try DatasetFile(path: upload.path, format: format).inspect()
            try UploadFile.synchronize(upload.path)
            return (format, found)
        }
        return try await call.context.store.put(
            NewDataset(
                name: name, digest: digest, format: format, bytes: upload.byteCount, rows: Int64(found.rows),
                schema: found.json, uploadedFile: upload.path))
    }
}

enum UploadFile {
    private static let queue = DispatchQueue(label: "spindle.api.files", attributes: .concurrent)

    static func remove(_ path: String) {
        unlink(path)
    }

    /// Makes the file's bytes durable.
    static func synchronize(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", path) }
    }

    private static func failure(_ operation: String, _ path: String) -> StoreError {
        errno == ENOSPC || errno == EDQUOT
            ? .diskFull(detail: path)
            : .folder(path: path, operation: operation, detail: String(cString: strerror(errno)))
    }

    /// Runs blocking work on a queue of its own.
    static func onDisk<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}
