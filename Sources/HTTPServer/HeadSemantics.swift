// What the fields of a complete head mean for the connection: framing, persistence, Host. Refuses what is
// ambiguous.

struct HeadSemantics: Sendable {
    private(set) var framing = RequestHead.Framing.none
    private(set) var keepAlive: Bool
    private(set) var expectsContinue = false
    private(set) var requestID: RequestHead.Span?

    init(
        _ bytes: UnsafeRawBufferPointer, fields: [RequestHead.Field], minorVersion: UInt8
    ) throws(RequestRejection) {
        keepAlive = minorVersion >= 1
        var hostCount = 0
        var length: Int64?
        var isChunked = false
        for field in fields {
            let name = field.name.range
            let value = field.value.range
            switch name.count {
            case 4 where Self.equal(bytes, name, "host"):
                hostCount += 1
                // RFC 9112 §3.2: an invalid Host is answered with 400; an empty one is allowed.
                guard isHostValue(bytes, value) else {
                    throw .malformed("The Host field is not a host with an optional port (RFC 9110 §7.2).")
                }
            case 6 where Self.equal(bytes, name, "expect"):
                // RFC 9110 §10.1.1: ignored in HTTP/1.0; other expectations may be ignored.
                if minorVersion >= 1, Self.equal(bytes, value, "100-continue") { expectsContinue = true }
            case 10 where Self.equal(bytes, name, "connection"):
                noteConnectionOptions(bytes, value, minorVersion)
            case 12 where Self.equal(bytes, name, "x-request-id"):
                requestID = requestID ?? field.value
            case 14 where Self.equal(bytes, name, "content-length"):
                guard length == nil else {
                    throw .malformed("Content-Length is sent more than once (RFC 9112 §6.3).")
                }
                length = try Self.contentLength(bytes, value)
            case 17 where Self.equal(bytes, name, "transfer-encoding"):
                guard !isChunked else { throw .malformed("Transfer-Encoding is sent more than once.") }
                // RFC 9112 §6.1: in HTTP/1.0 the framing is faulty.
                guard minorVersion >= 1 else {
                    throw .malformed("Transfer-Encoding is not part of HTTP/1.0 (RFC 9112 §6.1).")
                }
                guard Self.equal(bytes, value, "chunked") else {
                    throw RequestRejection(
                        status: 501, code: "transfer_coding_not_implemented",
                        detail: "The only transfer coding is `chunked` (RFC 9112 §6.1).")
                }
                isChunked = true
            default:
                break
            }
        }
        guard hostCount == 1 || (hostCount == 0 && minorVersion == 0) else {
            throw .malformed("A request must have exactly one Host field (RFC 9112 §3.2).")
        }
        if isChunked {
            guard length == nil else {
                throw .malformed(
                    "Content-Length and Transfer-Encoding together are ambiguous (RFC 9112 §6.3).")
            }
            framing = .chunked
        } else if let length {
            framing = .length(length)
        }
    }

    /// `1*DIGIT`, RFC 9110 §8.6: no sign, no list, no spaces.
    private static func contentLength(
        _ bytes: UnsafeRawBufferPointer, _ value: Range<Int>
    ) throws(RequestRejection) -> Int64 {
        guard !value.isEmpty else { throw .malformed("Content-Length is empty (RFC 9110 §8.6).") }
        var length: Int64 = 0
        for index in value {
            let byte = bytes[index]
            guard byte >= 48, byte <= 57 else {
                throw .malformed("Content-Length must be decimal digits only (RFC 9110 §8.6).")
            }
            let (product, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(byte - 48))
            guard !overflow, !carry else { throw .malformed("Content-Length is too large a number.") }
            length = sum
        }
        return length
    }

    /// RFC 9112 §9.3: `close` wins; HTTP/1.0 persists only if asked to.
    private mutating func noteConnectionOptions(
        _ bytes: UnsafeRawBufferPointer, _ value: Range<Int>, _ minorVersion: UInt8
    ) {
        var start = value.lowerBound
        var index = start
        while index <= value.upperBound {
            if index == value.upperBound || bytes[index] == UInt8(ascii: ",") {
                var option = start..<index
                while let first = option.first, bytes[first] == 0x20 || bytes[first] == 0x09 {
                    option = (first + 1)..<option.upperBound
                }
                while let last = option.last, bytes[last] == 0x20 || bytes[last] == 0x09 {
                    option = option.lowerBound..<last
                }
                if Self.equal(bytes, option, "close") {
                    keepAlive = false
                    sawClose = true
                } else if Self.equal(bytes, option, "keep-alive"), !sawClose {
                    keepAlive = true
                }
                start = index + 1
            }
            index += 1
        }
    }

    private var sawClose = false

    private static func equal(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ lowercase: StaticString
    ) -> Bool {
        guard range.count == lowercase.utf8CodeUnitCount else { return false }
        let expected = lowercase.utf8Start
        for offset in 0..<range.count
        where asciiLowercase(bytes[range.lowerBound + offset]) != expected[offset] {
            return false
        }
        return true
    }
}

extension HTTPMethod {
    /// The method by its bytes, without a string for the known ones.
    init(recognising token: ArraySlice<UInt8>) {
        func equals(_ name: StaticString) -> Bool {
            token.count == name.utf8CodeUnitCount
                && zip(token, UnsafeBufferPointer(start: name.utf8Start, count: token.count)).allSatisfy {
                    $0 == $1
                }
        }
        if equals("GET") {
            self = .get
        } else if equals("POST") {
            self = .post
        } else if equals("HEAD") {
            self = .head
        } else {
            self = HTTPMethod(String(decoding: token, as: UTF8.self))
        }
    }
}
