// The bytes of a checkpoint in the format that was asked for: its own file, or an export from the cache.
import Foundation
import HTTPServer
import Hashing
import JobSpec
import Store

enum CheckpointContent {
    static func response(_ call: APICall) async throws -> HTTPResponse {
        let options = try options(call.query)
        let checkpoint = try await call.context.store.storedCheckpoint(id: call.path("id"))
        let (path, digest): (String, Digest)
        if options.format == .flaxMsgpack {
            (path, digest) = (call.context.folder.state(of: checkpoint), checkpoint.stateDigest)
        } else {
            let file = try await refusing {
                try await call.context.scheduler.export(checkpoint, options)
            }
            (path, digest) = (file.path, file.digest)
        }
        let content = FileContent(
            path: path, contentType: options.format.mediaType,
            entityTag: EntityTag.quoted("sha256:" + digest.hex),
            lastModified: checkpoint.createdAt.milliseconds / 1000)
        let name = "\(checkpoint.fileName).\(options.format.fileExtension)"
        return .file(
            content,
            headers: [
                // RFC 9530 §3: of the whole representation, also when a range is sent.
                HTTPField("Repr-Digest", "sha-256=:\(Data(digest.bytes).base64EncodedString()):"),
                HTTPField("Content-Disposition", "attachment; filename=\"\(name)\""),
                // A newer server may write a model differently.
                HTTPField(
                    "Cache-Control",
                    options.format == .flaxMsgpack
                        ? "private, max-age=31536000, immutable" : "private, no-cache"),
            ])
    }

    private static func options(_ query: Query) throws -> ExportOptions {
        let formats = ExportFormat.allCases.map(\.rawValue)
        let format = try query.choice("format", among: formats).flatMap(ExportFormat.init) ?? .flaxMsgpack
        var options = ExportOptions(format: format)
        if let operations = try query.choice("ops", among: ExportOperations.allCases.map(\.rawValue)) {
            guard format == .savedModel else {
                throw unused("ops", "only a saved_model has operations to choose, not \(format.rawValue)")
            }
            options.operations = ExportOperations(rawValue: operations) ?? .stablehlo
        }
        if let bakes = try query.choice("bake_transforms", among: ["true", "false"]) {
            guard format.isProgram else {
                throw unused("bake_transforms", "\(format.rawValue) has no model to put transforms before")
            }
            options.bakesTransforms = bakes == "true"
        }
        return options
    }

    private static func unused(_ name: String, _ detail: String) -> Problem {
        Problem(
            .invalidParameter, "\(name): \(detail)",
            errors: [SpecProblem(code: "invalid_parameter", pointer: "?\(name)", detail: detail)])
    }

    /// What a worker refuses is about a file or a model, not about a spec that was sent.
    static func refusing<Value: Sendable>(
        _ work: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await work()
        } catch let errors as SpecErrors {
            throw ErrorMapping.fileWork(errors)
        }
    }
}
