// A connection's receiving half: routing, admission, body policies, handing complete requests to their
// handlers.

extension Connection {
    /// A head is complete: decides before any content is read whether the request goes on.
    func begin(_ head: RequestHead) {
        exchangeCount += 1
        keepAlive = head.keepAlive && !context.isDraining
        let identifier = RequestID(head: head, generated: context.nextRequestNumber())
        let routing = head.isAsterisk ? .notFound : context.router.route(head)
        let match: RouteMatch? = if case .match(let match) = routing { match } else { nil }
        var request = HTTPRequest(
            head: head, match: match, remoteAddress: remoteAddress, requestID: identifier)
        if case .wrongMethod(_, let template) = routing { request.routeTemplate = template }
        exchange = Exchange(number: exchangeCount, request: request, route: match?.route, startedAt: now)
        bodyMode = .none
        earlyResponse = nil

        guard let match else {
            return refuseEarly(unrouted(routing, request), head)
        }
        if let refusal = context.configuration.admission?(request) ?? match.route.admission?(request) {
            return refuseEarly(refusal, head)
        }
        let limit: Int64 =
            switch match.route.body {
            case .none: 0
            case .bytes(let limit): Int64(limit)
            case .file(let limit, _, _): limit
            }
        if case .length(let length) = head.framing, length > limit {
            return refuse(.bodyTooLarge(limit: limit))
        }
        parser.bodyLimit = limit
        guard head.hasContent else { return }
        switch match.route.body {
        case .none:
            break
        case .bytes:
            var bytes: [UInt8] = []
            // What is announced is not what arrives: at most 64 KiB are reserved on a client's word.
            if case .length(let length) = head.framing { bytes.reserveCapacity(Int(min(length, 65_536))) }
            bodyMode = .bytes(bytes)
        case .file(_, let folder, let makeSink):
            bodyMode = .upload(driver.makeUpload(folder: folder, makeSink: makeSink, exchange: exchangeCount))
        }
        bodyStartedAt = now
        lastBodyByteAt = now
        if output.isEmpty { lastOutputAt = now }
        if head.expectsContinue { output.append { $0.append("HTTP/1.1 100 Continue\r\n\r\n") } }
    }

    /// The response to a request without a route: OPTIONS, 405, 404, 501.
    private func unrouted(_ routing: RoutingResult, _ request: HTTPRequest) -> HTTPResponse {
        if request.head.isAsterisk {
            let allowed = context.router.allMethods.joined(separator: ", ")
            return HTTPResponse(status: 204, headers: [HTTPField("Allow", allowed)])
        }
        if case .wrongMethod(let allowed, _) = routing {
            let allow = HTTPField("Allow", allowed.joined(separator: ", "))
            if request.method == .options { return HTTPResponse(status: 204, headers: [allow]) }
            var response = problem(
                status: 405, code: "method_not_allowed",
                detail: "\(request.method.description) is not possible here; allowed: \(allow.value).")
            response.headers.append(allow)
            return response
        }
        if case .other(let token) = request.method {
            return problem(
                status: 501, code: "method_not_implemented",
                detail: "The method `\(token)` is not implemented.")
        }
        return problem(status: 404, code: "not_found", detail: "Nothing is served at \(request.path).")
    }

    /// Answers before the content is read. With content on its way the connection cannot be kept.
    private func refuseEarly(_ response: HTTPResponse, _ head: RequestHead) {
        if head.hasContent {
            keepAlive = false
            respond(response)
        } else {
            earlyResponse = response
        }
    }

    func receiveBody(_ bytes: UnsafeRawBufferPointer) {
        lastBodyByteAt = now
        exchange?.requestBodyBytes += Int64(bytes.count)
        switch bodyMode {
        case .none:
            break
        case .bytes(var collected):
            // The array leaves the enum for the append, so that it is not copied.
            bodyMode = .none
            collected.append(contentsOf: bytes)
            bodyMode = .bytes(collected)
        case .upload(let upload):
            uploadInFlightBytes += bytes.count
            upload.append(Array(bytes))
        }
    }

    /// The request is complete.
    func complete() {
        guard let exchange else { return }
        if let earlyResponse {
            self.earlyResponse = nil
            return respond(earlyResponse)
        }
        switch bodyMode {
        case .none:
            break
        case .bytes(let bytes):
            exchange.request.body = .bytes(bytes)
            bodyMode = .none
        case .upload(let upload):
            state = .waiting
            upload.finish()
            return
        }
        dispatch(exchange)
    }

    private func dispatch(_ exchange: Exchange) {
        guard let route = exchange.route else { return }
        switch route.handler {
        case .inline(let handler):
            respond(handler(exchange.request))
        case .asynchronous(let handler):
            state = .waiting
            handlerIsRunning = true
            driver.start(handler, request: exchange.request, exchange: exchange.number)
        }
    }

    // MARK: - What the driver reports

    func handlerFinished(_ response: HTTPResponse, exchange number: UInt64, now: UInt64) {
        self.now = now
        guard case .waiting = state, exchange?.number == number else { return }
        handlerIsRunning = false
        state = .reading
        respond(response)
        processPending()
        finishIfSent()
    }

    /// That many bytes of the upload have left memory.
    func uploadWrote(_ byteCount: Int, exchange number: UInt64, now: UInt64) {
        self.now = now
        guard exchange?.number == number else { return }
        uploadInFlightBytes -= byteCount
        processPending()
        finishIfSent()
    }

    /// - Returns: false if nobody waits for the file any more, so that it must be removed.
    func uploadFinished(
        _ result: Result<UploadedFile, SocketError>, exchange number: UInt64, now: UInt64
    ) -> Bool {
        self.now = now
        guard let exchange, exchange.number == number, case .upload = bodyMode else { return false }
        bodyMode = .none
        uploadInFlightBytes = 0
        switch result {
        case .success(let file):
            state = .reading
            exchange.request.body = .file(file)
            dispatch(exchange)
        case .failure(let error):
            context.configuration.logger.error("upload failed", metadata: ["error": "\(error)"])
            // The request may still be arriving; what is left of it is not read.
            keepAlive = false
            let isFull = error.isDiskFull
            state = .reading
            respond(
                problem(
                    status: isFull ? 507 : 500, code: isFull ? "disk_full" : "upload_failed",
                    detail: isFull
                        ? "There is no room on the disk for the body." : "The body could not be stored."))
        }
        processPending()
        finishIfSent()
        return true
    }

    // MARK: - Refusals

    /// A connection too many: told so and closed.
    func refuseConnection(byAddress: Bool, now: UInt64) {
        self.now = now
        keepAlive = false
        beginUnreadable()
        var response = problem(
            status: 503, code: "too_many_connections",
            detail: byAddress
                ? "Too many connections from \(remoteAddress) are open." : "Too many connections are open.")
        response.headers.append(HTTPField("Retry-After", "1"))
        respond(response)
    }

    /// An exchange whose request could not be read.
    private func beginUnreadable() {
        exchangeCount += 1
        let request = HTTPRequest(
            head: .unreadable, match: nil, remoteAddress: remoteAddress,
            requestID: RequestID(head: nil, generated: context.nextRequestNumber()))
        exchange = Exchange(number: exchangeCount, request: request, route: nil, startedAt: now)
    }

    /// A request that breaks the rules: answered, and the connection is closed.
    func refuse(_ rejection: RequestRejection, reason: ServerObserver.Rejection? = nil) {
        if exchange == nil { beginUnreadable() }
        let reason =
            reason
            ?? {
                switch rejection.status {
                case 413: .bodyTooLarge
                case 414, 431: .headerTooLarge
                default: .malformed
                }
            }()
        context.observer.rejected?(reason)
        keepAlive = false
        headStartedAt = nil
        respond(
            problem(
                status: rejection.status, code: rejection.code, detail: rejection.detail,
                limitBytes: rejection.limitBytes))
    }

    /// One of the server's own errors, rendered as the configuration says.
    func problem(status: Int, code: String, detail: String, limitBytes: Int64? = nil) -> HTTPResponse {
        let request = exchange?.request
        let isReadable = request.map { $0.head !== RequestHead.unreadable } ?? false
        let body = context.configuration.errorBody(
            ServerProblem(
                status: status, code: code, detail: detail,
                requestID: request?.requestID.description ?? "", path: isReadable ? request?.path : nil,
                limitBytes: limitBytes))
        return .bytes(
            body.bytes, contentType: body.contentType, status: status,
            headers: [HTTPField("Cache-Control", "no-store")])
    }
}

extension RequestHead {
    /// Stands for a head that could not be parsed.
    static let unreadable = RequestHead(unreadable: ())

    /// Whether bytes follow the head.
    var hasContent: Bool {
        switch framing {
        case .none, .length(0): false
        case .length, .chunked: true
        }
    }
}
