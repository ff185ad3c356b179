// One entry of the route table: method, template, what body it takes, and who answers.

package struct Route: Sendable {
    package let method: HTTPMethod
    /// `/v1/jobs/{id}`: literal segments, `{name}` for one non-empty segment (a literal may stand before and
    /// after it within the segment, as in `{id}:pause`), and as the last segment `{name...}` for the rest of
    /// the path.
    package let template: String
    package let body: BodyPolicy
    /// Asked when the head is complete and before any of the body is read or `100 Continue` is sent.
    /// A response refuses the request: it is sent, and an unread body closes the connection. Runs on the I/O
    /// queue.
    package let admission: (@Sendable (HTTPRequest) -> HTTPResponse?)?
    /// For long polls: the task of an asynchronous handler is cancelled as soon as a shutdown begins.
    package let cancelsOnShutdown: Bool
    package let handler: Handler

    package init(
        _ method: HTTPMethod, _ template: String, body: BodyPolicy = .none, cancelsOnShutdown: Bool = false,
        admission: (@Sendable (HTTPRequest) -> HTTPResponse?)? = nil, handler: Handler
    ) {
        self.method = method
        self.template = template
        self.body = body
        self.cancelsOnShutdown = cancelsOnShutdown
        self.admission = admission
        self.handler = handler
    }
}

package enum Handler: Sendable {
    /// Runs on the connection's I/O queue: only for answers from memory, it must never block.
    case inline(@Sendable (HTTPRequest) -> HTTPResponse)
    /// Runs in a task of its own, without a deadline. A client that goes away cancels the task.
    case asynchronous(@Sendable (HTTPRequest) async -> HTTPResponse)
}

/// What a route does with a request's content.
package enum BodyPolicy: Sendable {
    /// Content is refused with 413.
    case none
    /// Collected in memory, refused with 413 above `limit` bytes.
    case bytes(limit: Int)
    /// Written to a new file in `folder`, away from the I/O queue, refused with 413 above `limit` bytes.
    /// `makeSink` makes an observer of the bytes on their way, for a digest.
    case file(limit: Int64, folder: String, makeSink: @Sendable () -> (any BodySink)?)
}

/// Sees the bytes of an upload in order. Made, called and ended on one disk queue, so it needs no lock.
package protocol BodySink: AnyObject {
    func receive(_ bytes: UnsafeRawBufferPointer)
    /// The digest, for `UploadedFile.digest`.
    func finish() -> String?
}
