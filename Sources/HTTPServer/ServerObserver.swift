// What the server tells about itself, for metrics and access logs. Called on I/O queues: must be quick.

package struct ServerObserver: Sendable {
    package var requestFinished: (@Sendable (RequestRecord) -> Void)?
    package var connectionOpened: (@Sendable () -> Void)?
    package var connectionClosed: (@Sendable () -> Void)?
    /// A connection refused, or input given up: see `Rejection`.
    package var rejected: (@Sendable (Rejection) -> Void)?

    package init() {}

    /// Why a connection or request was refused by the server itself; the raw values are metric labels.
    package enum Rejection: String, Sendable, CaseIterable {
        case malformed, headerTooLarge = "header_too_large", bodyTooLarge = "body_too_large"
        case headerTimeout = "header_timeout", bodyTimeout = "body_timeout", writeStalled = "write_stalled"
        case connectionLimit = "connection_limit", addressLimit = "address_limit"
        case streamOverflow = "stream_overflow"
    }
}

/// One finished exchange.
package struct RequestRecord: Sendable {
    /// Not an HTTP status: what nginx logs for a client that left.
    package static let clientClosedStatus = 499

    package let method: HTTPMethod
    /// The route's template or `unmatched`; never a raw path.
    package let routeTemplate: String
    /// Of the response; `clientClosedStatus` if the client was gone before there was one.
    package let status: Int
    /// From the complete head to the last byte handed to the kernel (or the loss of the connection).
    package let durationSeconds: Double
    package let requestBodyBytes: Int64
    /// Header and body bytes handed to the kernel.
    package let responseBytes: Int64
    package let requestID: RequestID
    package let remoteAddress: String
    /// False when the connection was lost before the response was out.
    package let completed: Bool
}
