// From an uploaded file to an imported checkpoint. The file is never read here: a worker does that.
import HTTPServer
import JobSpec
import Store

enum CheckpointUpload {
    /// 201 for new values, 200 for values that have been imported before.
    static func store(_ call: APICall) async throws -> HTTPResponse {
        let name = call.query.value("name") ?? ""
        guard name.count <= 100 else {
            throw Problem(.invalidParameter, "name: at most 100 characters, got \(name.count).")
        }
        guard case .file(let upload) = call.request.body, upload.byteCount > 0 else {
            throw Problem(
                .invalidCheckpoint,
                "The body is empty; send the file's bytes, for example with curl --data-binary @FILE.")
        }
        // The dispatcher removes it where this throws.
        defer { UploadFile.remove(upload.path) }
        try call.context.readiness.requireReady()
        let limit = call.context.configuration.limits.checkpointBytes
        let result = try await CheckpointContent.refusing {
            try await call.context.scheduler.importCheckpoint(
                file: upload.path, name: name, maximumBytes: Int(limit))
        }
        return .json(
            result.record.json, status: result.isNew ? 201 : 200,
            headers: [HTTPField("Location", "/v1/checkpoints/\(result.record.id)")])
    }
}
