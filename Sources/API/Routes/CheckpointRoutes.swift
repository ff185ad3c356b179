// Checkpoints: what one is, and its bytes.
import Foundation
import HTTPServer
import JobSpec
import Store

package enum CheckpointRoutes {
    package static let all = [get, content]

    static let get = APIRoute(
        "GET", "/v1/checkpoints/{id}", "getCheckpoint", tag: "checkpoints", scope: .read, "One checkpoint",
        parameters: [.checkpointID, .ifNoneMatch],
        answers: [
            .json(200, .reference("Checkpoint"), "the checkpoint", headers: ["ETag"]),
            .empty(304, "unchanged"),
        ], errors: [410],
        handler: .asynchronous { call in
            .digested(
                try await call.context.store.checkpoint(id: call.path("id")).json, request: call.request)
        })

    static let content = APIRoute(
        "GET", "/v1/checkpoints/{id}/content", "getCheckpointContent", tag: "checkpoints", scope: .read,
        "The checkpoint's bytes: a Flax TrainState, for flax.serialization.from_bytes",
        parameters: [
            .checkpointID,
            .header("Range", .string(example: "bytes=0-1023"), "RFC 9110 §14: one range or several"),
            .header("If-Range", .string(), "the ETag that the range is of; another one gets the whole"),
            .ifNoneMatch,
        ],
        answers: [
            .media(200, [("application/vnd.msgpack", Schema.string())], "the bytes", headers: fields),
            .media(206, [("application/vnd.msgpack", Schema.string())], "the ranges", headers: fields),
            .empty(304, "unchanged"),
        ], errors: [410, 412, 416],
        handler: .asynchronous { call in
            let checkpoint = try await call.context.store.checkpoint(id: call.path("id"))
            let path = call.context.folder.state(of: checkpoint)
            let content = FileContent(
                path: path, contentType: "application/vnd.msgpack", entityTag: checkpoint.entityTag,
                lastModified: checkpoint.createdAt.milliseconds / 1000)
            let digest = Data(checkpoint.stateDigest.bytes).base64EncodedString()
            let name = "\(checkpoint.job)-step-\(checkpoint.step).msgpack"
            return .file(
                content,
                headers: [
                    // RFC 9530 §3: of the whole representation, also when a range is sent.
                    HTTPField("Repr-Digest", "sha-256=:\(digest):"),
                    HTTPField("Content-Disposition", "attachment; filename=\"\(name)\""),
                    HTTPField("Cache-Control", "private, max-age=31536000, immutable"),
                ])
        })

    private static let fields = ["ETag", "Repr-Digest", "Content-Disposition", "Accept-Ranges"]
}
