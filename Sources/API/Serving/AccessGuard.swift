// Who may call: the bearer token, and the protection of a loopback server from web pages of other origins. Runs before any
// of a request's body is read.
import Foundation
import HTTPServer
import JobSpec

package struct AccessGuard: Sendable {
    package enum Refusal: String, Sendable, CaseIterable {
        case missingToken = "missing_token"
        case wrongToken = "wrong_token"
        case foreignHost = "foreign_host"
        case foreignOrigin = "foreign_origin"
    }

    /// nil: no token is asked for.
    private let token: [UInt8]?
    /// Whether the Host field is checked: on loopback without a token, where nothing else keeps a page out whose name
    /// was re-bound to 127.0.0.1 (DNS rebinding).
    private let checksHost: Bool
    private let allowedHosts: [String]
    /// What clients on this machine send nearly always, so that the common case is two comparisons.
    private let usualHosts: [String]

    package init(token: String?, listensOnLoopback: Bool, port: UInt16, allowedHosts: [String]) {
        usualHosts = ["127.0.0.1:\(port)", "localhost:\(port)"]
        self.token = token.map { Array($0.utf8) }
        checksHost = token == nil && listensOnLoopback
        self.allowedHosts = allowedHosts.map { $0.lowercased() }
    }

    /// nil when the request may go on.
    package func refusal(_ request: HTTPRequest, scope: APIRoute.Scope) -> (Refusal, Problem)? {
        if let token, scope != .open {
            let (scheme, credentials) = Self.credentials(request.headers["Authorization"])
            guard let credentials, scheme == "bearer" else {
                return (
                    .missingToken,
                    Self.unauthenticated("This server asks for a token: Authorization: Bearer TOKEN.")
                )
            }
            guard constantTimeEqual(Array(credentials.utf8), token) else {
                return (.wrongToken, Self.unauthenticated("The token is not the one of this server."))
            }
        }
        if checksHost, case let field = request.headers["Host"] ?? "", !usualHosts.contains(field) {
            let host = Self.hostName(field)
            guard Self.isLoopbackName(host) || allowedHosts.contains(host) else {
                return (
                    .foreignHost,
                    Problem(
                        .forbidden,
                        "The Host field names \"\(host.prefix(100))\", which is not this machine's loopback. Start the server "
                            + "with --allow-host NAME if a proxy sends this, or with --token-file.")
                )
            }
        }
        // Browsers send Origin with every request that may write; other clients do not send it at all.
        if Self.mayWrite(request.method), let origin = request.headers["Origin"] {
            guard Self.isSameOrigin(origin, host: request.headers["Host"] ?? "") else {
                return (
                    .foreignOrigin,
                    Problem(
                        .forbidden,
                        "Web pages of other origins may not change anything here. Only this server's own pages may."
                    )
                )
            }
        }
        return nil
    }

    private static func mayWrite(_ method: HTTPMethod) -> Bool {
        switch method {
        case .get, .head, .options: false
        default: true
        }
    }

    private static func unauthenticated(_ detail: String) -> Problem {
        Problem(.unauthenticated, detail).with(header: "WWW-Authenticate", "Bearer realm=\"spindle\"")
    }

    private static func credentials(_ field: String?) -> (scheme: String?, credentials: Substring?) {
        guard let field else { return (nil, nil) }
        let parts = field.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2 else { return (nil, nil) }
        return (parts[0].lowercased(), parts[1].trimmed)
    }

    /// `Example.org:7070` is `example.org`, `[::1]:7070` is `[::1]`.
    static func hostName(_ field: String) -> String {
        let lower = field.lowercased()
        if lower.hasPrefix("["), let end = lower.firstIndex(of: "]") {
            return String(lower[...end])
        }
        return String(lower.prefix { $0 != ":" })
    }

    static func isLoopbackName(_ host: String) -> Bool {
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// `http://HOST` or `https://HOST` with the very host and port that the request was sent to.
    static func isSameOrigin(_ origin: String, host: String) -> Bool {
        guard !host.isEmpty, let scheme = origin.range(of: "://") else { return false }
        return origin[scheme.upperBound...].lowercased() == host.lowercased()
    }
}
