// From the route table to the HTTP server's routes: access check, query check, the handler, and errors as problem+json.
import HTTPServer
import JobSpec
import Logging
import Scheduler

package struct Dispatcher: Sendable {
    let context: APIContext
    let access: AccessGuard

    package init(context: APIContext, access: AccessGuard) {
        self.context = context
        self.access = access
    }

    package func route(_ route: APIRoute) -> Route {
        // What can be answered from memory is answered where the guard runs: on the connection's queue, before a task is made.
        let immediate: (@Sendable (APICall) throws -> HTTPResponse?)?
        let handler: Handler
        switch route.handler {
        case .immediate(let closure):
            immediate = nil
            handler = .inline { answer($0, route, closure) }
        case .immediateOrAsynchronous(let closure, let rest):
            immediate = closure
            handler = .asynchronous { await answer($0, route, rest) }
        case .asynchronous(let closure):
            immediate = nil
            handler = .asynchronous { await answer($0, route, closure) }
        }
        return Route(
            HTTPMethod(route.method), route.template, body: bodyPolicy(route.body),
            cancelsOnShutdown: route.method == "GET",
            admission: { request in
                if let refused = refusal(request, route) { return refused }
                guard let immediate else { return nil }
                do {
                    return try immediate(try call(request, route))
                } catch {
                    return response(to: error, request)
                }
            },
            handler: handler)
    }

    private func refusal(_ request: HTTPRequest, _ route: APIRoute) -> HTTPResponse? {
        guard let (reason, problem) = access.refusal(request, scope: route.scope) else { return nil }
        context.metrics.authFailures.increment([reason.rawValue])
        return response(to: problem, request)
    }

    private func call(_ request: HTTPRequest, _ route: APIRoute) throws -> APICall {
        APICall(
            request: request,
            query: try Query(
                request.query.map { Query.Item(name: $0.name, value: $0.value) }, declared: route.parameters),
            context: context)
    }

    private func answer(
        _ request: HTTPRequest, _ route: APIRoute, _ handler: (APICall) throws -> HTTPResponse
    ) -> HTTPResponse {
        do {
            return try handler(try call(request, route))
        } catch {
            return response(to: error, request)
        }
    }

    private func answer(
        _ request: HTTPRequest, _ route: APIRoute, _ handler: (APICall) async throws -> HTTPResponse
    ) async -> HTTPResponse {
        do {
            return try await handler(try call(request, route))
        } catch {
            if case .file(let upload) = request.body { UploadFile.remove(upload.path) }
            return response(to: error, request)
        }
    }

    private func bodyPolicy(_ body: APIRoute.RequestBody) -> BodyPolicy {
        switch body {
        case .none: return .none
        case .json: return .bytes(limit: context.configuration.limits.jsonBodyBytes)
        case .file(_, let limit):
            return .file(
                limit: context.configuration.limits[keyPath: limit], folder: context.folder.temporary,
                makeSink: { DigestSink() })
        }
    }

    private func response(to error: any Error, _ request: HTTPRequest) -> HTTPResponse {
        let requestID = request.requestID.description
        let problem = ErrorMapping.problem(error)
        if problem.code == .internal {
            // The cause goes to the log, never to the client.
            context.logger.error("request \(requestID) failed: \(error)")
        }
        return problem.response(instance: request.path, requestID: requestID)
    }
}
