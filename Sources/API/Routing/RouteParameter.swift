// A parameter that a route declares: what the dispatcher accepts and what the OpenAPI document lists.
import JobSpec

package struct RouteParameter: Sendable {
    package enum Location: String, Sendable {
        case path, query, header
    }

    package var name: String
    package var location: Location
    package var schema: Schema
    package var required: Bool
    package var doc: String
    /// `name=a&name=b` is allowed.
    package var repeated = false
    /// `label[key]=value`: OpenAPI's `deepObject` style.
    package var deepObject = false

    package static func path(_ name: String, _ schema: Schema, _ doc: String) -> RouteParameter {
        RouteParameter(name: name, location: .path, schema: schema, required: true, doc: doc)
    }

    package static func query(
        _ name: String, _ schema: Schema, required: Bool = false, repeated: Bool = false, _ doc: String
    ) -> RouteParameter {
        RouteParameter(
            name: name, location: .query, schema: schema, required: required, doc: doc, repeated: repeated)
    }

    package static func header(_ name: String, _ schema: Schema, required: Bool = false, _ doc: String)
        -> RouteParameter
    {
        RouteParameter(name: name, location: .header, schema: schema, required: required, doc: doc)
    }
}

/// The parameters that several routes share.
extension RouteParameter {
    package static let jobID = RouteParameter.path(
        "id", .string(pattern: "^job_[0-9a-z]{26}$", example: "job_01jd8m2k4v7w9x3y5z6a8b0c1d"),
        "the job's identifier")
    package static let checkpointID = RouteParameter.path(
        "id", .string(pattern: "^ckpt_[0-9a-z]+$"), "the checkpoint's identifier")
    package static let datasetName = RouteParameter.path(
        "name", .string(pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", example: "digits"),
        "the dataset's name")
    package static let datasetReference = RouteParameter.path(
        "name",
        .string(
            pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@(sha256:[0-9a-f]{64}|[0-9]{1,9}))?$",
            example: "digits"),
        "the dataset's name; `name@sha256:HEX` and `name@VERSION` are older versions"
    )
    package static let limit = RouteParameter.query(
        "limit", .integer(minimum: 1, maximum: 200, default: 50), "how many rows at most")
    package static let after = RouteParameter.query(
        "after", .string(maxLength: 512), "the cursor `next` of the page before")
    package static let wait = RouteParameter.query(
        "wait", .number(minimum: 0), "seconds to wait for the answer to change; more than 60 counts as 60")
    package static let prefer = RouteParameter.header(
        "Prefer", .string(example: "wait=10"), "`wait=SECONDS` (RFC 7240) does what `?wait=` does")
    package static let ifNoneMatch = RouteParameter.header(
        "If-None-Match", .string(), "answer 304 if the entity tag is still one of these")
    package static let idempotencyKey = RouteParameter.header(
        "Idempotency-Key", .string(maxLength: 512, example: "\"9f3c\""),
        "a repeat with the same key within 24 h gets the first answer back, and nothing is done twice")
}
