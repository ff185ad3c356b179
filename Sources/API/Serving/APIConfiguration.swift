// Everything that the API can be told. The command line maps flags and the environment to one value of this.
import HTTPServer

package struct APIConfiguration: Sendable {
    package var version: String
    /// The folder of the dashboard's files; nil for none.
    package var publicFolder: String?
    /// Every /v1 route asks for it; nil only on loopback, or when the administrator says so.
    package var token: String?
    /// Further names that the Host field may have on loopback without a token.
    package var allowedHosts: [String] = []
    package var limits = APILimits()
    package var server = ServerConfiguration()

    package init(version: String) {
        self.version = version
    }

    var listensOnLoopback: Bool {
        server.host == "::1" || AccessGuard.isLoopbackName(server.host)
    }
}
