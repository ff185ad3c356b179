// A connection's sending half: from a handler's response to bytes, files and streams in the output queue.

extension Connection {
    /// Queues the response to the current exchange, and decides whether another request may follow.
    func respond(_ response: HTTPResponse) {
        guard let exchange else { return }
        if case .upload(let upload) = bodyMode {
            upload.abandon()
            uploadInFlightBytes = 0
        }
        bodyMode = .none
        if context.isDraining { keepAlive = false }
        if output.isEmpty { lastOutputAt = now }
        exchange.responseStart = output.queuedBytes
        let head = exchange.request.head
        let withoutBody = exchange.request.method == .head

        switch response.body {
        case .empty:
            writeHead(response, exchange, length: HTTPStatus.hasNoContent(response.status) ? nil : 0)
        case .bytes(let bytes):
            respond(response, bytes: bytes, exchange, withoutBody: withoutBody)
        case .file(let file):
            respond(response, file: file, exchange, withoutBody: withoutBody)
        case .stream(let body):
            // RFC 9112 §6.1: an HTTP/1.0 client gets the end of the connection as the end of the body.
            let isChunked = head.minorVersion >= 1
            if !isChunked { keepAlive = false }
            writeHead(response, exchange, length: nil, chunked: isChunked)
            if !withoutBody, !HTTPStatus.hasNoContent(response.status) {
                let writer = driver.startStream(body, exchange: exchange.number)
                if context.isDraining {
                    writer.markEnding()
                    driver.cancelStream()
                }
                state = .streaming(writer)
                return
            }
        }
        end(exchange)
    }

    /// Everything of the response is queued.
    private func end(_ exchange: Exchange) {
        exchange.responseEnd = output.queuedBytes
        output.mark(.exchangeEnd(exchange))
        self.exchange = nil
        idleSince = now
        state = keepAlive ? .reading : .finishing
    }

    private func respond(
        _ response: HTTPResponse, bytes: [UInt8], _ exchange: Exchange, withoutBody: Bool
    ) {
        if HTTPStatus.hasNoContent(response.status) { return writeHead(response, exchange, length: nil) }
        let method = exchange.request.method
        if response.status == 200, method == .get || method == .head, let tag = response.header("ETag") {
            switch Preconditions.evaluate(exchange.request.head, entityTag: tag, lastModified: nil) {
            case .proceed: break
            case .notModified: return writeNotModified(response, exchange)
            case .failed: return writePreconditionFailed(exchange)
            }
        }
        writeHead(response, exchange, length: Int64(bytes.count))
        if !withoutBody { output.append(bytes) }
    }

    private func respond(
        _ response: HTTPResponse, file content: FileContent, _ exchange: Exchange, withoutBody: Bool
    ) {
        let file: OpenFile
        do {
            file = try OpenFile(path: content.path)
        } catch {
            context.configuration.logger.error("file cannot be sent", metadata: ["error": "\(error)"])
            let failure =
                error.isNotFound
                ? problem(status: 404, code: "not_found", detail: "The file does not exist.")
                : problem(status: 500, code: "file_unreadable", detail: "The file cannot be read.")
            if case .bytes(let bytes) = failure.body {
                writeHead(failure, exchange, length: Int64(bytes.count))
                if !withoutBody { output.append(bytes) }
            }
            return
        }
        var response = response
        response.headers.append(HTTPField("Accept-Ranges", "bytes"))
        if let tag = content.entityTag { response.headers.append(HTTPField("ETag", tag)) }
        if let modified = content.lastModified {
            response.headers.append(HTTPField("Last-Modified", HTTPDate.text(secondsSince1970: modified)))
        }
        var ranges = ByteRanges.whole
        let head = exchange.request.head
        let method = exchange.request.method
        if response.status == 200, method == .get || method == .head {
            switch Preconditions.evaluate(
                head, entityTag: content.entityTag, lastModified: content.lastModified)
            {
            case .proceed: break
            case .notModified: return writeNotModified(response, exchange)
            case .failed: return writePreconditionFailed(exchange)
            }
            // RFC 9110 §14.2: Range is only defined for GET.
            if method == .get, Preconditions.rangeApplies(head, entityTag: content.entityTag) {
                ranges = ByteRanges(head.list("range"), byteCount: file.byteCount)
            }
        }
        let type = HTTPField("Content-Type", content.contentType)
        switch ranges {
        case .whole:
            response.headers.insert(type, at: 0)
            writeHead(response, exchange, length: file.byteCount)
            if !withoutBody { output.append(file, 0..<file.byteCount) }
        case .unsatisfiable:
            var refusal = problem(
                status: 416, code: "range_not_satisfiable",
                detail: "No asked range is within the \(file.byteCount) bytes.")
            refusal.headers.append(HTTPField("Content-Range", "bytes */\(file.byteCount)"))
            refusal.headers.append(HTTPField("Accept-Ranges", "bytes"))
            if case .bytes(let bytes) = refusal.body {
                writeHead(refusal, exchange, length: Int64(bytes.count))
                output.append(bytes)
            }
        case .ranges(let list) where list.count == 1:
            response.status = 206
            response.headers.insert(type, at: 0)
            response.headers.append(
                HTTPField("Content-Range", Self.contentRange(list[0], of: file.byteCount)))
            writeHead(response, exchange, length: list[0].upperBound - list[0].lowerBound)
            output.append(file, list[0])
        case .ranges(let list):
            response.status = 206
            writeParts(response, file: file, contentType: content.contentType, list, exchange)
        }
    }

    private static func contentRange(_ range: Range<Int64>, of byteCount: Int64) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(byteCount)"
    }

    /// `multipart/byteranges`, RFC 9110 §14.6.
    private func writeParts(
        _ response: HTTPResponse, file: OpenFile, contentType: String, _ ranges: [Range<Int64>],
        _ exchange: Exchange
    ) {
        var response = response
        var digits: [UInt8] = []
        digits.appendHex(Int(truncatingIfNeeded: context.nextRequestNumber()))
        let boundary = "spindle-" + String(decoding: digits, as: UTF8.self)
        let heads = ranges.map { range in
            Array(
                ("\r\n--\(boundary)\r\nContent-Type: \(contentType)\r\n"
                    + "Content-Range: \(Self.contentRange(range, of: file.byteCount))\r\n\r\n").utf8)
        }
        let closing = Array("\r\n--\(boundary)--\r\n".utf8)
        var length = Int64(closing.count)
        for (range, head) in zip(ranges, heads) {
            length += range.upperBound - range.lowerBound + Int64(head.count)
        }
        response.headers.insert(
            HTTPField("Content-Type", "multipart/byteranges; boundary=\(boundary)"), at: 0)
        writeHead(response, exchange, length: length)
        for (range, head) in zip(ranges, heads) {
            output.append(head)
            output.append(file, range)
        }
        output.append(closing)
    }

    /// RFC 9110 §15.4.5: the fields that would update a cached response, without content.
    private func writeNotModified(_ response: HTTPResponse, _ exchange: Exchange) {
        var response = response
        response.status = 304
        response.headers.removeAll { asciiEqualIgnoringCase($0.name, "content-type") }
        writeHead(response, exchange, length: nil)
    }

    private func writePreconditionFailed(_ exchange: Exchange) {
        let response = problem(
            status: 412, code: "precondition_failed",
            detail: "The representation is not the one that If-Match or If-Unmodified-Since names.")
        guard case .bytes(let bytes) = response.body else { return }
        writeHead(response, exchange, length: Int64(bytes.count))
        if exchange.request.method != .head { output.append(bytes) }
    }

    // MARK: - Streams

    func streamReady(exchange number: UInt64, now: UInt64) {
        self.now = now
        guard exchange?.number == number else { return }
        pullStream()
        processPending()
        finishIfSent()
    }

    /// Takes from the producer as much as the socket is likely to take.
    func pullStream() {
        guard case .streaming(let writer) = state, let exchange,
            output.unsentBytes < Int64(Self.streamPullBytes)
        else { return }
        if output.isEmpty { lastOutputAt = now }
        let taken = writer.take(Self.streamPullBytes)
        let isChunked = exchange.request.head.minorVersion >= 1
        for piece in taken.pieces {
            if isChunked {
                output.append {
                    $0.appendHex(piece.count)
                    $0.append("\r\n")
                }
            }
            output.append(piece)
            if isChunked { output.append { $0.append("\r\n") } }
            output.mark(.streamBytes(writer, piece.count))
        }
        if taken.finished {
            if taken.overflowed {
                context.observer.rejected?(.streamOverflow)
                keepAlive = false
            }
            if isChunked { output.append { $0.append("0\r\n\r\n") } }
            driver.cancelStream()
            end(exchange)
        }
    }

    // MARK: - Head

    /// Writes status line and fields. `length` nil means no Content-Length: no content, or chunked, or until
    /// the end.
    private func writeHead(
        _ response: HTTPResponse, _ exchange: Exchange, length: Int64?, chunked: Bool = false
    ) {
        exchange.status = response.status
        let common = context.commonFields()
        let keepAlive = self.keepAlive
        let isOld = exchange.request.head.minorVersion == 0
        output.append { bytes in
            bytes.append("HTTP/1.1 ")
            bytes.appendDecimal(Int64(min(max(response.status, 100), 999)))
            bytes.append(UInt8(ascii: " "))
            bytes.append(HTTPStatus.reason(response.status))
            bytes.append("\r\n")
            bytes.append(contentsOf: common)
            exchange.request.requestID.append(to: &bytes)
            bytes.append("\r\n")
            for field in response.headers { Self.write(field, to: &bytes) }
            if let length {
                bytes.append("Content-Length: ")
                bytes.appendDecimal(length)
                bytes.append("\r\n")
            }
            if chunked { bytes.append("Transfer-Encoding: chunked\r\n") }
            if !keepAlive {
                bytes.append("Connection: close\r\n")
            } else if isOld {
                bytes.append("Connection: keep-alive\r\n")
            }
            bytes.append("\r\n")
        }
    }

    /// Leaves out the fields that are the server's, and any with bytes that could end the line.
    private static func write(_ field: HTTPField, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: field.name.utf8)
        var isSane = bytes.count > start
        for index in start..<bytes.count where !isTokenByte(bytes[index]) { isSane = false }
        switch field.name.utf8.count {
        case 4 where asciiEqualIgnoringCase(field.name, "date"),
            10 where asciiEqualIgnoringCase(field.name, "connection"),
            12 where asciiEqualIgnoringCase(field.name, "x-request-id"),
            14 where asciiEqualIgnoringCase(field.name, "content-length"),
            17 where asciiEqualIgnoringCase(field.name, "transfer-encoding"):
            isSane = false
        default: break
        }
        bytes.append(": ")
        let valueStart = bytes.count
        bytes.append(contentsOf: field.value.utf8)
        for index in valueStart..<bytes.count
        where bytes[index] < 0x20 && bytes[index] != 0x09 || bytes[index] == 0x7F {
            isSane = false
        }
        if isSane {
            bytes.append("\r\n")
        } else {
            bytes.removeLast(bytes.count - start)
        }
    }
}
