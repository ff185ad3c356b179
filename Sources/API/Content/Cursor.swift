// The cursor of a list: where the last page ended, and for which question. It is opaque, and signed, so that a client can neither
// make one up nor use it with other filters.
import Hashing
import JobSpec

package struct Cursor: Sendable, Equatable {
    /// The order key of the last row of the page: a creation time in milliseconds, or a sequence number.
    package var orderKey: Int64
    /// The identifier of that row, which breaks ties.
    package var id: String

    package init(orderKey: Int64, id: String) {
        self.orderKey = orderKey
        self.id = id
    }
}

package struct CursorSigner: Sendable {
    private static let version: UInt8 = 1
    private static let tagBytes = 16

    private let hmac: HMAC

    package init(key: [UInt8]) {
        hmac = HMAC(key: key)
    }

    /// - RouteParameter question: Everything that decides which rows are listed and in what order, in canonical form.
    package func text(_ cursor: Cursor, question: String) -> String {
        var payload: [UInt8] = [Self.version]
        let key = UInt64(bitPattern: cursor.orderKey)
        for shift in stride(from: 56, through: 0, by: -8) {
            payload.append(UInt8(truncatingIfNeeded: key >> UInt64(shift)))
        }
        payload += Array(cursor.id.utf8)
        return Base64URL.encode(tag(payload, question) + payload)
    }

    /// - Throws: `invalid_cursor` for a cursor of another list or with other filters, and for anything this server did not make.
    package func cursor(_ text: String, question: String) throws -> Cursor {
        let problem = Problem(
            .invalidCursor,
            "The cursor was not made by this server for this list and these filters. "
                + "Take `next` from the page before, and keep the other parameters as they were.",
            errors: [
                SpecProblem(code: "invalid_cursor", pointer: "?after", detail: "not a cursor of this list")
            ])
        guard let bytes = Base64URL.decode(text), bytes.count >= Self.tagBytes + 9 else { throw problem }
        let payload = Array(bytes[Self.tagBytes...])
        guard payload[0] == Self.version,
            constantTimeEqual(Array(bytes[..<Self.tagBytes]), tag(payload, question))
        else { throw problem }
        let key = payload[1..<9].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Cursor(
            orderKey: Int64(bitPattern: key), id: String(decoding: payload[9...], as: UTF8.self))
    }

    private func tag(_ payload: [UInt8], _ question: String) -> [UInt8] {
        let questionDigest = SHA256.hash(Array(question.utf8)).bytes
        return Array(hmac.code(payload + questionDigest)[..<Self.tagBytes])
    }
}
