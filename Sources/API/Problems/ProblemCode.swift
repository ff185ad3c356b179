// The closed list of machine-readable error codes. A code never changes its meaning: clients branch on it, and it is a
// Prometheus label value.

package enum ProblemCode: String, Sendable, CaseIterable {
    case invalidJSON = "invalid_json"
    case invalidParameter = "invalid_parameter"
    case invalidCursor = "invalid_cursor"
    case invalidSpec = "invalid_spec"
    case invalidPatch = "invalid_patch"
    case invalidDataset = "invalid_dataset"
    case unknownField = "unknown_field"
    case shapeMismatch = "shape_mismatch"
    case datasetNotFound = "dataset_not_found"
    case datasetChanged = "dataset_changed"
    case idempotencyMismatch = "idempotency_mismatch"
    case idempotencyInFlight = "idempotency_in_flight"
    case stateConflict = "state_conflict"
    case preconditionFailed = "precondition_failed"
    case preconditionRequired = "precondition_required"
    case checkpointPending = "checkpoint_pending"
    case checkpointCorrupt = "checkpoint_corrupt"
    case checkpointIncompatible = "checkpoint_incompatible"
    case invalidCheckpoint = "invalid_checkpoint"
    case notExportable = "not_exportable"
    case notFound = "not_found"
    case gone = "gone"
    case methodNotAllowed = "method_not_allowed"
    case notAcceptable = "not_acceptable"
    case unsupportedMediaType = "unsupported_media_type"
    case rangeNotSatisfiable = "range_not_satisfiable"
    case malformedRequest = "malformed_request"
    case requestTimeout = "request_timeout"
    case uriTooLong = "uri_too_long"
    case headersTooLarge = "headers_too_large"
    case bodyTooLarge = "body_too_large"
    case quotaExceeded = "quota_exceeded"
    case rateLimited = "rate_limited"
    case diskLow = "disk_low"
    case unauthenticated = "unauthenticated"
    case forbidden = "forbidden"
    case draining = "draining"
    case notReady = "not_ready"
    case workerFailed = "worker_failed"
    case `internal` = "internal"

    /// The HTTP status that goes with the code.
    package var status: Int {
        switch self {
        case .invalidJSON, .invalidParameter, .invalidCursor, .malformedRequest: 400
        case .unauthenticated: 401
        case .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .notAcceptable: 406
        case .requestTimeout: 408
        case .idempotencyInFlight, .stateConflict, .checkpointCorrupt: 409
        case .gone: 410
        case .preconditionFailed: 412
        case .bodyTooLarge: 413
        case .uriTooLong: 414
        case .unsupportedMediaType: 415
        case .rangeNotSatisfiable: 416
        case .invalidSpec, .invalidPatch, .invalidDataset, .unknownField, .shapeMismatch, .datasetNotFound,
            .datasetChanged, .idempotencyMismatch, .checkpointIncompatible, .invalidCheckpoint,
            .notExportable:
            422
        case .checkpointPending: 425
        case .preconditionRequired: 428
        case .quotaExceeded, .rateLimited: 429
        case .headersTooLarge: 431
        case .internal, .workerFailed: 500
        case .draining, .notReady: 503
        case .diskLow: 507
        }
    }

    /// RFC 9457 §3.1.3: a short summary that is the same for every occurrence.
    package var title: String {
        switch self {
        case .invalidJSON: "The body is not valid JSON"
        case .invalidParameter: "A query parameter or header is not valid"
        case .invalidCursor: "The cursor is not valid"
        case .invalidSpec: "Job spec is invalid"
        case .invalidPatch: "The patch is not valid"
        case .invalidDataset: "The dataset is not valid"
        case .unknownField: "Unknown field"
        case .shapeMismatch: "Shapes do not match"
        case .datasetNotFound: "Dataset not found"
        case .datasetChanged: "Dataset has changed"
        case .idempotencyMismatch: "Idempotency key was used with another request"
        case .idempotencyInFlight: "The first request with this idempotency key is still running"
        case .stateConflict: "The state does not allow this"
        case .preconditionFailed: "Precondition failed"
        case .preconditionRequired: "If-Match is required"
        case .checkpointPending: "The checkpoint is still being written"
        case .checkpointCorrupt: "The checkpoint is damaged"
        case .checkpointIncompatible: "The checkpoint does not fit"
        case .invalidCheckpoint: "The file is no checkpoint"
        case .notExportable: "The checkpoint cannot be had in this format"
        case .notFound: "Not found"
        case .gone: "Gone"
        case .methodNotAllowed: "Method not allowed"
        case .notAcceptable: "Not acceptable"
        case .unsupportedMediaType: "Unsupported media type"
        case .rangeNotSatisfiable: "Range not satisfiable"
        case .malformedRequest: "Malformed request"
        case .requestTimeout: "Request timeout"
        case .uriTooLong: "The address is too long"
        case .headersTooLarge: "The headers are too large"
        case .bodyTooLarge: "The body is too large"
        case .quotaExceeded: "Quota exceeded"
        case .rateLimited: "Too many requests"
        case .diskLow: "The disk is nearly full"
        case .unauthenticated: "Not authenticated"
        case .forbidden: "Forbidden"
        case .draining: "The server is shutting down"
        case .notReady: "The server is not ready"
        case .workerFailed: "The worker failed"
        case .internal: "Internal error"
        }
    }

    /// RFC 9457 §3.1.1: a relative reference, `/problems/invalid-spec`.
    package var typeReference: String {
        "/problems/" + String(rawValue.map { $0 == "_" ? "-" : $0 })
    }
}
