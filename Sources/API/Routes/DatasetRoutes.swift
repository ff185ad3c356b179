// Datasets: upload, list, look at, delete.
import Datasets
import HTTPServer
import Hashing
import JobSpec
import Store

package enum DatasetRoutes {
    package static let all = [list, put, get, preview, delete]

    private static let dataset = Schema.reference("Dataset")

    static let list = APIRoute(
        "GET", "/v1/datasets", "listDatasets", tag: "datasets", scope: .read,
        "Datasets by name, each in its newest version",
        parameters: [.limit, .after],
        answers: [.json(200, .list(of: dataset), "a page", headers: ["Link"])],
        handler: .asynchronous { call in
            let limit = try call.query.integer("limit", in: 1...200) ?? 50
            let question = "{\"list\":\"datasets\"}"
            let after = try call.query.value("after").map {
                try call.context.cursors.cursor($0, question: question).id
            }
            // Newest version first within a name: the first row of each name is the one to show.
            var rows = [DatasetRecord]()
            for row in try await call.context.store.datasets()
            where row.name > after ?? "" && row.name != rows.last?.name {
                rows.append(row)
                if rows.count > limit { break }
            }
            let page = Array(rows.prefix(limit))
            let next = rows.count > limit ? page.last.map { Cursor(orderKey: $0.ordinal, id: $0.name) } : nil
            return ListPage.response(
                page.map(\.json), ids: page.map(\.name),
                next: next.map { call.context.cursors.text($0, question: question) }, call)
        })

    static let put = APIRoute(
        "PUT", "/v1/datasets/{name}", "putDataset", tag: "datasets", scope: .write,
        "Store a CSV, NPY, IDX or text file under a name (`curl -T FILE`; `Content-Type: text/plain` for a text); a new digest is a new version of the name",
        parameters: [.datasetName],
        body: .file(mediaTypes: ["text/csv", "text/plain", "application/msgpack", "application/octet-stream"]
        ),
        answers: [
            .json(201, dataset, "stored", headers: ["Location"]),
            .json(200, dataset, "the name has had these very bytes before", headers: ["Location"]),
        ], errors: [409, 422, 507],
        handler: .asynchronous { call in try await DatasetUpload.store(call) })

    static let get = APIRoute(
        "GET", "/v1/datasets/{name}", "getDataset", tag: "datasets", scope: .read,
        "One dataset; `name@sha256:HEX` or `name@VERSION` is an older version",
        parameters: [.datasetReference, .ifNoneMatch],
        answers: [.json(200, dataset, "the dataset", headers: ["ETag"]), .empty(304, "unchanged")],
        errors: [410],
        handler: .asynchronous { call in
            .digested(try await requireDataset(call).json, request: call.request)
        })

    static let preview = APIRoute(
        "GET", "/v1/datasets/{name}/preview", "previewDataset", tag: "datasets", scope: .read,
        "The first rows",
        parameters: [
            .datasetReference,
            .query("rows", .integer(minimum: 1, maximum: 200, default: 20), "how many rows"),
        ],
        answers: [
            .json(
                200,
                Schema.object([.init("columns", .array(.string())), .init("rows", .array(.array(.any)))]),
                "the rows")
        ], errors: [410],
        handler: .asynchronous { call in
            let count = try call.query.integer("rows", in: 1...200) ?? 20
            let record = try await requireDataset(call)
            let path = call.context.folder.dataset(record.digest)
            return .json(
                try await UploadFile.onDisk {
                    try DatasetFile(path: path, format: record.format).preview(rows: count)
                })
        })

    static let delete = APIRoute(
        "DELETE", "/v1/datasets/{name}", "deleteDataset", tag: "datasets", scope: .write,
        "Delete a dataset that no job refers to",
        parameters: [.datasetReference], answers: [.empty(204, "deleted")], errors: [409, 410],
        handler: .asynchronous { call in
            try call.context.readiness.requireReady()
            try await call.context.store.delete(try await requireDataset(call))
            return HTTPResponse(status: 204, headers: [HTTPField("Cache-Control", "no-store")])
        })

    private static func reference(_ call: APICall) throws -> DatasetSelector {
        guard let reference = DatasetSelector(call.path("name")) else {
            throw Problem(.notFound, "\"\(call.path("name").prefix(100))\" is not a dataset's name.")
        }
        return reference
    }

    private static func requireDataset(_ call: APICall) async throws -> DatasetRecord {
        let reference = try reference(call)
        do {
            return try await call.context.store.dataset(reference)
        } catch StoreError.notFound {
            let known = try await call.context.store.datasets().map(\.name)
            throw Problem(
                .notFound,
                "There is no dataset \"\(call.path("name").prefix(140))\""
                    + suggestion(for: reference.name, among: known))
        }
    }
}
