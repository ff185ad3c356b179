// The list of jobs: filters, order and keyset pages.
import HTTPServer
import JobSpec
import Store

enum JobList {
    static func response(_ call: APICall) async throws -> HTTPResponse {
        let query = call.query
        let limit = try query.integer("limit", in: 1...200) ?? 50
        let ascending = try query.choice("order", among: ["asc", "desc"]) == "asc"
        let states = try query.choices("state", among: SchemaCatalog.jobStates).compactMap(JobState.init)
        let labels = query.members("label")
        let text = query.value("q")
        guard labels.count <= 16, (text?.count ?? 0) <= 200 else {
            throw Problem(.invalidParameter, "At most 16 labels and 200 characters of q.")
        }
        // Everything that decides which rows come and in what order; the cursor is bound to it.
        let question = JSONValue(members: [
            ("list", "jobs"), ("ascending", .bool(ascending)),
            ("states", JSONValue(states.map(\.rawValue).sorted())),
            (
                "labels",
                .array(
                    labels.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
                        .map { [.string($0.name), .string($0.value)] })
            ), ("q", text.map { .string($0) } ?? .null),
        ]).serialized()
        let after = try query.value("after").map {
            try call.context.cursors.cursor($0, question: question)
        }
        var rows = JobQuery()
        rows.states = states
        rows.labels = Dictionary(labels.map { ($0.name, $0.value) }) { $1 }
        rows.nameContains = text
        rows.order = ascending ? .ascending : .descending
        rows.after = after?.orderKey
        rows.limit = limit
        let page = try await call.context.store.jobs(rows)
        let next = page.hasMore ? page.elements.last.map { Cursor(orderKey: $0.ordinal, id: $0.id) } : nil
        return ListPage.response(
            page.elements.map(\.json), ids: page.elements.map(\.id),
            next: next.map { call.context.cursors.text($0, question: question) }, call)
    }
}

/// The body and the Link header of a page.
enum ListPage {
    static func json(_ rows: [JSONValue], ids: [String], next: String?) -> JSONValue {
        JSONValue(members: [
            ("object", "list"), ("data", .array(rows)), ("has_more", .bool(next != nil)),
            ("next", next.map { .string($0) } ?? .null), ("first_id", ids.first.map { .string($0) } ?? .null),
            ("last_id", ids.last.map { .string($0) } ?? .null),
        ])
    }

    static func response(_ rows: [JSONValue], ids: [String], next: String?, _ call: APICall) -> HTTPResponse {
        var headers = [HTTPField]()
        if let next {
            // RFC 8288: the same question, with the next cursor.
            let others = call.request.query.filter { $0.name != "after" }.map {
                "\(percentEncoded($0.name))=\(percentEncoded($0.value))"
            }
            let target = ([call.request.path + "?after=" + next] + others).joined(separator: "&")
            headers.append(HTTPField("Link", "<\(target)>; rel=\"next\""))
        }
        return .json(json(rows, ids: ids, next: next), headers: headers)
    }

    /// RFC 3986 §2.3: everything but the unreserved characters.
    private static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0" + digits : "%" + digits
            }
        }
        return result
    }
}
