// Responses of the API: JSON with the cache rules that its resources have.

import HTTPServer
import Hashing
import JobSpec

extension HTTPResponse {
    /// A dynamic answer: not to be stored.
    static func json(_ value: JSONValue, status: Int = 200, headers: [HTTPField] = []) -> HTTPResponse {
        json(value.serializedBytes(), status: status, headers: headers)
    }

    static func json(_ bytes: [UInt8], status: Int = 200, headers: [HTTPField] = []) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: CommonFields.json + headers, body: .bytes(bytes))
    }

    /// A resource with a strong entity tag: may be stored, must be asked about before every use.
    static func resource(
        _ bytes: [UInt8], tag: String, status: Int = 200, headers: [HTTPField] = []
    ) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: CommonFields.resource + [HTTPField("ETag", tag)] + headers,
            body: .bytes(bytes))
    }

    /// A resource whose entity tag is the digest of what is shown, or 304.
    static func digested(_ value: JSONValue, request: HTTPRequest) -> HTTPResponse {
        let bytes = value.serializedBytes()
        let tag = EntityTag.quoted(SHA256.hash(bytes).hex)
        if EntityTag.noneMatchHits(request.headers["If-None-Match"], tag) { return .notModified(tag: tag) }
        return .resource(bytes, tag: tag)
    }

    /// RFC 9110 §15.4.5: the fields that the 200 would have had.
    static func notModified(tag: String) -> HTTPResponse {
        HTTPResponse(
            status: 304, headers: [HTTPField("Cache-Control", "no-cache"), HTTPField("ETag", tag)],
            body: .empty)
    }

    /// Content whose digest is its entity tag: never changes.
    static func immutable(_ bytes: [UInt8], tag: String, request: HTTPRequest) -> HTTPResponse {
        if EntityTag.noneMatchHits(request.headers["If-None-Match"], tag) { return .notModified(tag: tag) }
        return HTTPResponse(
            status: 200, headers: CommonFields.immutable + [HTTPField("ETag", tag)], body: .bytes(bytes))
    }
}

private enum CommonFields {
    static let json = [
        HTTPField("Content-Type", "application/json"), HTTPField("Cache-Control", "no-store"),
    ]
    static let resource = [
        HTTPField("Content-Type", "application/json"), HTTPField("Cache-Control", "no-cache"),
    ]
    static let immutable = [
        HTTPField("Content-Type", "application/json"),
        HTTPField("Cache-Control", "public, max-age=31536000, immutable"),
    ]
}
