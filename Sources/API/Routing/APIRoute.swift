// A route as one value: how it is dispatched, what it accepts and answers, and who may call it. Dispatch, 405 answers, the OpenAPI
// document and the route tests are all made from these values, so they cannot differ.
import HTTPServer

package struct APIRoute: Sendable {
    /// What a caller must be allowed to do.
    package enum Scope: Sendable {
        /// Open to everybody who reaches the socket: health, metrics, the document, the dashboard's files.
        case open
        case read
        case write
    }

    /// What the request's body may be.
    package enum RequestBody: Sendable {
        case none
        /// JSON in memory. `required`: an empty body is an error rather than `{}`.
        case json(Schema, required: Bool, example: JSONText?)
        /// Any bytes, streamed to a file, up to one of the API's limits.
        case file(mediaTypes: [String], limit: KeyPath<APILimits, Int64> & Sendable = \.datasetBytes)
    }

    package struct Answer: Sendable {
        package var status: Int
        package var doc: String
        /// The media types and what they hold; the first is the default.
        package var content: [Content]
        package var headers: [String]

        package struct Content: Sendable {
            package var mediaType: String
            package var schema: Schema
        }

        package static func json(_ status: Int, _ schema: Schema, _ doc: String, headers: [String] = [])
            -> Answer
        {
            Answer(
                status: status, doc: doc, content: [Content(mediaType: "application/json", schema: schema)],
                headers: headers)
        }

        package static func empty(_ status: Int, _ doc: String) -> Answer {
            Answer(status: status, doc: doc, content: [], headers: [])
        }

        package static func media(
            _ status: Int, _ content: [(mediaType: String, schema: Schema)], _ doc: String,
            headers: [String] = []
        ) -> Answer {
            Answer(
                status: status, doc: doc,
                content: content.map { Content(mediaType: $0.mediaType, schema: $0.schema) }, headers: headers
            )
        }
    }

    package enum Handler: Sendable {
        /// Answered from memory on the connection's queue: must not block.
        case immediate(@Sendable (APICall) throws -> HTTPResponse)
        /// Answered at once when the first closure gives an answer; by the second one otherwise.
        case immediateOrAsynchronous(
            @Sendable (APICall) throws -> HTTPResponse?, @Sendable (APICall) async throws -> HTTPResponse)
        case asynchronous(@Sendable (APICall) async throws -> HTTPResponse)
    }

    package var method: String
    /// `/v1/jobs/{id}`
    package var template: String
    package var operationID: String
    package var tag: String
    package var summary: String
    package var scope: Scope
    package var parameters: [RouteParameter]
    package var body: RequestBody
    package var answers: [Answer]
    /// Error statuses of this route beyond those that every route of its kind has.
    package var errors: [Int]
    package var handler: Handler

    package init(
        _ method: String, _ template: String, _ operationID: String, tag: String, scope: Scope,
        _ summary: String,
        parameters: [RouteParameter] = [], body: RequestBody = .none, answers: [Answer], errors: [Int] = [],
        handler: Handler
    ) {
        self.method = method
        self.template = template
        self.operationID = operationID
        self.tag = tag
        self.summary = summary
        self.scope = scope
        self.parameters = parameters
        self.body = body
        self.answers = answers
        self.errors = errors
        self.handler = handler
    }

    /// Every status that the route may answer with.
    package var statuses: [Int] {
        var all = Set(answers.map(\.status)).union(errors)
        all.formUnion([400, 500, 503])
        if scope != .open { all.formUnion([401, 403]) }
        if parameters.contains(where: { $0.location == .path }) { all.insert(404) }
        switch body {
        case .none: all.insert(413)
        case .json: all.formUnion([408, 413, 415, 422])
        case .file: all.formUnion([408, 413, 422, 507])
        }
        return all.sorted()
    }
}

/// JSON text that is checked by a test to parse and to validate.
package struct JSONText: Sendable {
    package var text: String

    package init(_ text: String) {
        self.text = text
    }
}
