// Incremental HTTP/1.1 request parser: bytes in, events out, whatever the pieces they come in. No I/O, no
// clock. Every byte is looked at once. After a rejection it stays rejected.

struct RequestParser {
    struct Limits: Sendable {
        var headerBlockBytes = 32 * 1024
        var headerFields = 100
        var targetBytes = 8 * 1024
        var methodBytes = 32
        /// Chunk extensions of one whole body (RFC 9112 §7.1.1 asks for a limit).
        var chunkExtensionBytes = 4 * 1024
    }

    enum Event {
        /// All input is consumed and nothing is complete.
        case needMore
        /// The head is complete; set `bodyLimit` before going on.
        case head(RequestHead)
        /// A piece of the body, as a range of the input.
        case body(Range<Int>)
        /// The request is complete; the next byte begins another.
        case end
        case rejected(RequestRejection)
    }

    private enum Phase {
        case beforeRequest, beforeRequestLF
        case method, target, version, requestLineLF
        case fieldStart, fieldName, valueStart, value, valueLF, sectionLF
        case fixedBody(Int64)
        case chunkSizeStart, chunkSize, chunkExtension, chunkSizeLF
        case chunkData(Int64), chunkDataCR, chunkDataLF
        case complete
        case rejected(RequestRejection)
    }

    let limits: Limits
    /// The most content bytes the current request may have; refused with 413 as soon as a length says so.
    var bodyLimit = Int64.max

    private var phase = Phase.beforeRequest
    /// The bytes of an incomplete header block from earlier inputs.
    private var pending: [UInt8] = []
    /// Bytes of the current section (header block or trailers) before the current byte.
    private var position = 0
    private var leadingEmptyLines = 0
    private var isTrailer = false
    private var fieldCount = 0

    // Offsets into the header block of what has been seen.
    private var methodEnd = 0
    private var targetStart = 0
    private var targetEnd = 0
    private var versionStart = 0
    private var nameStart = 0
    private var nameEnd = 0
    private var valueStart = 0
    private var valueEnd = 0
    private var fields: [RequestHead.Field] = []
    private var minorVersion: UInt8 = 1

    // Chunked coding.
    private var chunkBytes: Int64 = 0
    private var chunkDigits = 0
    private var extensionBytes = 0
    private var bodyBytes: Int64 = 0

    init(limits: Limits) {
        var limits = limits
        // Offsets are 16 bits wide.
        limits.headerBlockBytes = min(limits.headerBlockBytes, 65_535)
        self.limits = limits
    }

    /// Whether no byte of a request has been seen since the last one ended.
    var isBetweenRequests: Bool {
        switch phase {
        case .beforeRequest, .beforeRequestLF: true
        default: false
        }
    }

    /// Whether the next event is `.end`, without further input.
    var isAtEndOfRequest: Bool {
        if case .complete = phase { true } else { false }
    }

    /// Goes on at `cursor` and advances it over what was consumed.
    mutating func next(_ input: UnsafeRawBufferPointer, _ cursor: inout Int) -> Event {
        switch phase {
        case .rejected(let rejection):
            return .rejected(rejection)
        case .complete:
            phase = .beforeRequest
            position = 0
            return .end
        case .fixedBody(let remaining):
            return fixedBody(remaining, input, &cursor)
        case .chunkSizeStart, .chunkSize, .chunkExtension, .chunkSizeLF, .chunkData, .chunkDataCR,
            .chunkDataLF:
            return chunked(input, &cursor)
        default:
            return section(input, &cursor)
        }
    }

    private mutating func reject(_ rejection: RequestRejection) -> Event {
        phase = .rejected(rejection)
        pending = []
        fields = []
        return .rejected(rejection)
    }

    private mutating func malformed(_ detail: String) -> Event { reject(.malformed(detail)) }

    // MARK: - Request line, fields, trailers

    private mutating func section(_ input: UnsafeRawBufferPointer, _ cursor: inout Int) -> Event {
        let start = cursor
        var index = cursor
        while index < input.count {
            let byte = input[index]
            if position >= limits.headerBlockBytes {
                cursor = index
                return reject(tooLarge())
            }
            switch phase {
            case .beforeRequest:
                // RFC 9112 §2.2: an empty line before the request line is ignored.
                if byte == 0x0D, leadingEmptyLines < 2 {
                    phase = .beforeRequestLF
                    index += 1
                    continue
                }
                guard isTokenByte(byte) else {
                    cursor = index
                    return malformed("A request starts with a method (RFC 9112 §3).")
                }
                beginHead()
                return section(input, &cursor, from: index)
            case .beforeRequestLF:
                guard byte == 0x0A else {
                    cursor = index
                    return malformed("A carriage return must be followed by a line feed (RFC 9112 §2.2).")
                }
                leadingEmptyLines += 1
                phase = .beforeRequest
                index += 1
                continue
            case .method:
                if byte == 0x20 {
                    methodEnd = position
                    targetStart = position + 1
                    phase = .target
                } else if !isTokenByte(byte) {
                    cursor = index
                    return malformed("The method must be a token followed by one space (RFC 9112 §3.1).")
                } else if position >= limits.methodBytes {
                    cursor = index
                    return reject(
                        RequestRejection(
                            status: 501, code: "method_not_implemented",
                            detail: "The method is longer than any known one (RFC 9112 §3)."))
                }
            case .target:
                if byte == 0x20 {
                    guard position > targetStart else {
                        cursor = index
                        return malformed(
                            "The request line must have one space between its parts (RFC 9112 §3).")
                    }
                    targetEnd = position
                    versionStart = position + 1
                    phase = .version
                } else if byte <= 0x20 || byte >= 0x7F {
                    cursor = index
                    return malformed(
                        "The request target has a byte that must be percent-encoded (RFC 9112 §3.2).")
                } else if position - targetStart >= limits.targetBytes {
                    cursor = index
                    return reject(
                        RequestRejection(
                            status: 414, code: "target_too_long",
                            detail: "The request target is longer than \(limits.targetBytes) bytes.",
                            limitBytes: Int64(limits.targetBytes)))
                }
            case .version:
                if byte == 0x0D, position - versionStart == 8 {
                    phase = .requestLineLF
                } else if !versionByteFits(byte) {
                    cursor = index
                    return malformed(
                        "The request line must end with `HTTP/1.1` and CRLF (RFC 9112 §2.3, §3).")
                } else if position - versionStart == 7, let rejection = versionProblem(byte) {
                    cursor = index
                    return reject(rejection)
                } else if position - versionStart == 5 {
                    // The major digit; kept until the minor one is there.
                    minorVersion = byte
                }
            case .requestLineLF:
                guard byte == 0x0A else { return unterminated(index, &cursor) }
                phase = .fieldStart
            case .fieldStart:
                if byte == 0x0D {
                    phase = .sectionLF
                } else if byte == 0x20 || byte == 0x09 {
                    cursor = index
                    return malformed("Line folding is not accepted (RFC 9112 §5.2).")
                } else if !isTokenByte(byte) {
                    cursor = index
                    return malformed("A field must start with a name (RFC 9112 §5).")
                } else if fieldCount >= limits.headerFields {
                    cursor = index
                    return reject(
                        RequestRejection(
                            status: 431, code: "too_many_header_fields",
                            detail: "More than \(limits.headerFields) header fields."))
                } else {
                    nameStart = position
                    phase = .fieldName
                }
            case .fieldName:
                if byte == 0x3A {
                    nameEnd = position
                    phase = .valueStart
                } else if !isTokenByte(byte) {
                    cursor = index
                    return malformed(
                        "A field name must be a token directly followed by a colon (RFC 9112 §5.1).")
                }
            case .valueStart:
                if byte == 0x20 || byte == 0x09 { break }
                valueStart = position
                valueEnd = position
                phase = .value
                fallthrough
            case .value:
                if byte == 0x0D {
                    phase = .valueLF
                } else if byte > 0x20 && byte != 0x7F {
                    valueEnd = position + 1
                } else if byte != 0x20 && byte != 0x09 {
                    cursor = index
                    return malformed(
                        "A field value has a control character or a bare line feed (RFC 9110 §5.5).")
                }
            case .valueLF:
                guard byte == 0x0A else { return unterminated(index, &cursor) }
                fieldCount += 1
                if !isTrailer {
                    fields.append(
                        RequestHead.Field(
                            name: .init(start: UInt16(nameStart), end: UInt16(nameEnd)),
                            value: .init(start: UInt16(valueStart), end: UInt16(valueEnd))))
                }
                phase = .fieldStart
            case .sectionLF:
                guard byte == 0x0A else { return unterminated(index, &cursor) }
                position += 1
                index += 1
                cursor = index
                return isTrailer ? endOfTrailers() : endOfHead(input, start..<index)
            default:
                break
            }
            position += 1
            index += 1
        }
        cursor = index
        keep(input, start..<index)
        return .needMore
    }

    /// Enters the header block at `index`, leaving out empty lines before it.
    private mutating func section(
        _ input: UnsafeRawBufferPointer, _ cursor: inout Int, from index: Int
    ) -> Event {
        cursor = index
        return section(input, &cursor)
    }

    private mutating func beginHead() {
        phase = .method
        position = 0
        leadingEmptyLines = 0
        isTrailer = false
        fieldCount = 0
        fields = []
    }

    private mutating func keep(_ input: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard !isTrailer, !isBetweenRequests, !range.isEmpty else { return }
        pending.append(contentsOf: input[range])
    }

    private mutating func unterminated(_ index: Int, _ cursor: inout Int) -> Event {
        cursor = index
        return malformed("A carriage return must be followed by a line feed (RFC 9112 §2.2).")
    }

    private func tooLarge() -> RequestRejection {
        RequestRejection(
            status: 431, code: "header_block_too_large",
            detail: "The request line and header fields are longer than \(limits.headerBlockBytes) bytes.",
            limitBytes: Int64(limits.headerBlockBytes))
    }

    /// `HTTP/d.d`, RFC 9112 §2.3, one byte at a time.
    private func versionByteFits(_ byte: UInt8) -> Bool {
        switch position - versionStart {
        case 0: byte == UInt8(ascii: "H")
        case 1, 2: byte == UInt8(ascii: "T")
        case 3: byte == UInt8(ascii: "P")
        case 4: byte == UInt8(ascii: "/")
        case 5, 7: byte >= 48 && byte <= 57
        case 6: byte == UInt8(ascii: ".")
        default: false
        }
    }

    private mutating func versionProblem(_ minor: UInt8) -> RequestRejection? {
        guard minorVersion == UInt8(ascii: "1") else {
            return RequestRejection(
                status: 505, code: "http_version_not_supported",
                detail: "This server speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 §15.6.6).")
        }
        minorVersion = minor == 48 ? 0 : 1
        return nil
    }

    private mutating func endOfHead(_ input: UnsafeRawBufferPointer, _ range: Range<Int>) -> Event {
        var block: [UInt8]
        if pending.isEmpty {
            block = Array(input[range])
        } else {
            block = pending
            block.append(contentsOf: input[range])
            pending = []
        }
        do throws(RequestRejection) {
            let head = try makeHead(block)
            bodyBytes = 0
            bodyLimit = .max
            switch head.framing {
            case .none, .length(0):
                phase = .complete
            case .length(let length):
                phase = .fixedBody(length)
            case .chunked:
                extensionBytes = 0
                phase = .chunkSizeStart
            }
            return .head(head)
        } catch {
            return reject(error)
        }
    }

    private mutating func makeHead(_ block: [UInt8]) throws(RequestRejection) -> RequestHead {
        let method = HTTPMethod(recognising: block[0..<methodEnd])
        if method == .other("CONNECT") {
            throw RequestRejection(
                status: 501, code: "method_not_implemented", detail: "This server is not a proxy; no CONNECT."
            )
        }
        let fields = self.fields
        self.fields = []
        let parsed: Result<(RequestTarget, HeadSemantics), RequestRejection> = block.withUnsafeBytes {
            bytes in
            do throws(RequestRejection) {
                let semantics = try HeadSemantics(bytes, fields: fields, minorVersion: minorVersion)
                let target = try RequestTarget(bytes, span: targetStart..<targetEnd, method: method)
                return .success((target, semantics))
            } catch {
                return .failure(error)
            }
        }
        let (target, semantics) = try parsed.get()
        return RequestHead(
            bytes: block, method: method, target: target, fields: fields, minorVersion: minorVersion,
            semantics: semantics)
    }

    private mutating func endOfTrailers() -> Event {
        isTrailer = false
        phase = .beforeRequest
        position = 0
        return .end
    }

    // MARK: - Content

    private mutating func fixedBody(
        _ remaining: Int64, _ input: UnsafeRawBufferPointer, _ cursor: inout Int
    ) -> Event {
        let count = Int(min(remaining, Int64(input.count - cursor)))
        guard count > 0 else { return .needMore }
        let range = cursor..<(cursor + count)
        cursor += count
        phase = remaining == Int64(count) ? .complete : .fixedBody(remaining - Int64(count))
        return .body(range)
    }

    /// RFC 9112 §7.1. Sizes are hex digits only: no sign, no `0x`, no space before the extension.
    private mutating func chunked(_ input: UnsafeRawBufferPointer, _ cursor: inout Int) -> Event {
        while cursor < input.count {
            let byte = input[cursor]
            switch phase {
            case .chunkSizeStart, .chunkSize:
                if let digit = hexValue(byte) {
                    if case .chunkSizeStart = phase {
                        chunkBytes = 0
                        chunkDigits = 0
                        phase = .chunkSize
                    }
                    chunkDigits += 1
                    // 15 digits stay below 2^60, so that sums of sizes cannot overflow.
                    guard chunkDigits <= 15 else {
                        return malformed("A chunk size has too many digits (RFC 9112 §7.1).")
                    }
                    chunkBytes = chunkBytes << 4 | Int64(digit)
                } else if case .chunkSize = phase, byte == 0x0D {
                    phase = .chunkSizeLF
                } else if case .chunkSize = phase, byte == 0x3B {
                    phase = .chunkExtension
                } else {
                    return malformed("A chunk size must be hex digits followed by CRLF (RFC 9112 §7.1).")
                }
            case .chunkExtension:
                extensionBytes += 1
                if byte == 0x0D {
                    phase = .chunkSizeLF
                } else if (byte < 0x20 && byte != 0x09) || byte == 0x7F {
                    return malformed("A chunk extension has a control character (RFC 9112 §7.1.1).")
                } else if extensionBytes > limits.chunkExtensionBytes {
                    return malformed(
                        "The chunk extensions are longer than \(limits.chunkExtensionBytes) bytes.")
                }
            case .chunkSizeLF:
                guard byte == 0x0A else {
                    return malformed("A chunk size must end with CRLF (RFC 9112 §7.1).")
                }
                if chunkBytes == 0 {
                    isTrailer = true
                    position = 0
                    fieldCount = 0
                    phase = .fieldStart
                    cursor += 1
                    return section(input, &cursor)
                }
                guard chunkBytes <= bodyLimit, bodyBytes <= bodyLimit - chunkBytes else {
                    return reject(.bodyTooLarge(limit: bodyLimit))
                }
                bodyBytes += chunkBytes
                phase = .chunkData(chunkBytes)
            case .chunkData(let remaining):
                let count = Int(min(remaining, Int64(input.count - cursor)))
                let range = cursor..<(cursor + count)
                cursor += count
                phase = remaining == Int64(count) ? .chunkDataCR : .chunkData(remaining - Int64(count))
                return .body(range)
            case .chunkDataCR:
                guard byte == 0x0D else {
                    return malformed("A chunk's data must end with CRLF (RFC 9112 §7.1).")
                }
                phase = .chunkDataLF
            case .chunkDataLF:
                guard byte == 0x0A else {
                    return malformed("A chunk's data must end with CRLF (RFC 9112 §7.1).")
                }
                phase = .chunkSizeStart
            default:
                return .needMore
            }
            cursor += 1
        }
        return .needMore
    }
}

extension RequestRejection {
    static func bodyTooLarge(limit: Int64) -> RequestRejection {
        RequestRejection(
            status: 413, code: "body_too_large",
            detail: limit == 0
                ? "This request takes no body." : "The body is longer than \(limit) bytes.", limitBytes: limit
        )
    }
}
