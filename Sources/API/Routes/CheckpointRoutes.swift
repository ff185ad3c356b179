// Checkpoints: what one is, its bytes in every format, and those that are brought from outside.
import Foundation
import HTTPServer
import JobSpec
import Store

package enum CheckpointRoutes {
    package static let all = [list, create, get, content, delete]

    private static let checkpoint = Schema.reference("Checkpoint")

    static let list = APIRoute(
        "GET", "/v1/checkpoints", "listImportedCheckpoints", tag: "checkpoints", scope: .read,
        "The imported checkpoints, newest first; those of a job are at /v1/jobs/{id}/checkpoints",
        parameters: [.limit, .after],
        answers: [.json(200, .list(of: checkpoint), "a page", headers: ["Link"])],
        handler: .asynchronous { call in
            let limit = try call.query.integer("limit", in: 1...200) ?? 50
            let question = "{\"list\":\"imported checkpoints\"}"
            let after = try call.query.value("after").map {
                try call.context.cursors.cursor($0, question: question).orderKey
            }
            let rows = try await call.context.store.importedCheckpoints(
                before: after ?? .max, limit: limit + 1)
            let page = Array(rows.prefix(limit))
            let next = rows.count > limit ? page.last.map { Cursor(orderKey: $0.ordinal, id: $0.id) } : nil
            return ListPage.response(
                page.map(\.json), ids: page.map(\.id),
                next: next.map { call.context.cursors.text($0, question: question) }, call)
        })

    static let create = APIRoute(
        "POST", "/v1/checkpoints", "importCheckpoint", tag: "checkpoints", scope: .write,
        "Make a checkpoint of a file of Flax msgpack, safetensors or npz (`curl --data-binary @FILE`); jobs start from it with `init.checkpoint`",
        parameters: [
            .query("name", .string(maxLength: 100, example: "resnet-from-the-hub"), "what to call it")
        ],
        body: .file(
            mediaTypes: [
                "application/octet-stream", "application/vnd.msgpack", "application/vnd.safetensors",
                "application/zip",
            ], limit: \.checkpointBytes),
        answers: [
            .json(201, checkpoint, "the checkpoint", headers: ["Location"]),
            .json(200, checkpoint, "these very values had been imported before", headers: ["Location"]),
        ], errors: [422, 507],
        handler: .asynchronous { call in try await CheckpointUpload.store(call) })

    static let get = APIRoute(
        "GET", "/v1/checkpoints/{id}", "getCheckpoint", tag: "checkpoints", scope: .read, "One checkpoint",
        parameters: [.checkpointID, .ifNoneMatch],
        answers: [
            .json(200, checkpoint, "the checkpoint", headers: ["ETag"]),
            .empty(304, "unchanged"),
        ], errors: [410],
        handler: .asynchronous { call in
            .digested(
                try await call.context.store.storedCheckpoint(id: call.path("id")).json, request: call.request
            )
        })

    static let content = APIRoute(
        "GET", "/v1/checkpoints/{id}/content", "getCheckpointContent", tag: "checkpoints", scope: .read,
        "The checkpoint's values, or its model, in a format: "
            + ExportFormat.allCases.map { "\($0.rawValue) is \($0.doc)" }.joined(separator: "; "),
        parameters: [
            .checkpointID,
            .query(
                "format", .choice(ExportFormat.allCases.map(\.rawValue)),
                "flax-msgpack by default, the bytes as the run wrote them; a saved_model comes as a tar archive"
            ),
            .query(
                "ops", .choice(ExportOperations.allCases.map(\.rawValue)),
                "of a saved_model: stablehlo (the default) for every model, native for TF Lite and TF.js"),
            .query(
                "bake_transforms", .choice(["true", "false"]),
                "of a model: whether it takes the data as it was before the job's transforms"),
            .header("Range", .string(example: "bytes=0-1023"), "RFC 9110 §14: one range or several"),
            .header("If-Range", .string(), "the ETag that the range is of; another one gets the whole"),
            .ifNoneMatch,
        ],
        answers: [
            .media(200, media, "the bytes", headers: fields),
            .media(206, media, "the ranges", headers: fields),
            .empty(304, "unchanged"),
        ], errors: [409, 410, 412, 416, 422, 507],
        handler: .asynchronous { call in try await CheckpointContent.response(call) })

    private static let fields = ["ETag", "Repr-Digest", "Content-Disposition", "Accept-Ranges"]
    private static let media = ExportFormat.allCases.map { ($0.mediaType, Schema.string()) }

    static let delete = APIRoute(
        "DELETE", "/v1/checkpoints/{id}", "deleteCheckpoint", tag: "checkpoints", scope: .write,
        "Delete an imported checkpoint; those of a job go by checkpoint.keep, and with the job",
        parameters: [.checkpointID], answers: [.empty(204, "deleted")], errors: [409, 410],
        handler: .asynchronous { call in
            try call.context.readiness.requireReady()
            switch try await call.context.store.storedCheckpoint(id: call.path("id")) {
            case .imported(let checkpoint): try await call.context.scheduler.delete(checkpoint)
            case .ofJob(let checkpoint):
                throw Problem(
                    .stateConflict,
                    "\(checkpoint.id) belongs to the job \(checkpoint.job): set its checkpoint.keep, or delete the job."
                )
            }
            return HTTPResponse(status: 204, headers: [HTTPField("Cache-Control", "no-store")])
        })
}
