// The stored answer to a request that carried an Idempotency-Key, written with the effect it answers for.

import Hashing

/// What came with the request.
package struct IdempotencyKey: Sendable, Hashable {
    /// As sent, at most 255 characters.
    package let key: String
    /// Who and where: token, method and route.
    package let scope: String
    /// SHA-256 of the canonical body and the query.
    package let fingerprint: Digest

    package init(key: String, scope: String, fingerprint: Digest) {
        self.key = key
        self.scope = scope
        self.fingerprint = fingerprint
    }
}

package struct StoredResponse: Sendable, Hashable {
    package let status: Int
    package let headers: [String: String]
    package let body: [UInt8]

    package init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A key, and how to write the answer once the effect is known (inside its transaction).
package struct IdempotencyRecord: Sendable {
    package let key: IdempotencyKey
    package let response: @Sendable (JobRecord) -> StoredResponse

    package init(key: IdempotencyKey, response: @escaping @Sendable (JobRecord) -> StoredResponse) {
        self.key = key
        self.response = response
    }
}

package enum IdempotencyLookup: Sendable, Hashable {
    case fresh
    case replay(StoredResponse, job: String?)
    /// The key was used with another body.
    case mismatch
}
