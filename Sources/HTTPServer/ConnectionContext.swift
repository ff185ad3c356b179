// What the connections of one I/O queue share: configuration, routes, clocks, the Date line of this second.
import Glibc

/// Confined to one I/O queue.
final class ConnectionContext {
    let configuration: ServerConfiguration
    let router: Router
    let observer: ServerObserver
    let parserLimits: RequestParser.Limits
    /// Set once a shutdown begins: responses then close their connections.
    var isDraining = false

    private var requestNumber: UInt64
    private var commonSecond: Int64 = -1
    private var common: [UInt8] = []

    init(configuration: ServerConfiguration, router: Router, observer: ServerObserver, seed: UInt64) {
        self.configuration = configuration
        self.router = router
        self.observer = observer
        self.requestNumber = seed
        var limits = RequestParser.Limits()
        limits.headerBlockBytes = configuration.limits.headerBlockBytes
        limits.headerFields = configuration.limits.headerFields
        limits.targetBytes = configuration.limits.targetBytes
        self.parserLimits = limits
    }

    /// A number for X-Request-Id: the splitmix64 sequence from a random seed, so without repeats per queue.
    func nextRequestNumber() -> UInt64 {
        requestNumber &+= 0x9E37_79B9_7F4A_7C15
        var mixed = requestNumber
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// The fields of every response up to the value of X-Request-Id; made once per second.
    func commonFields() -> [UInt8] {
        let second = Int64(time(nil))
        if second != commonSecond {
            commonSecond = second
            common.removeAll(keepingCapacity: true)
            common.append("Date: ")
            HTTPDate.append(secondsSince1970: second, to: &common)
            if let name = configuration.serverName {
                common.append("\r\nServer: ")
                common.append(contentsOf: name.utf8.filter { $0 >= 0x20 && $0 < 0x7F })
            }
            common.append("\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: ")
        }
        return common
    }
}

/// Monotonic nanoseconds.
func monotonicNanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// One request and the response to it.
final class Exchange {
    let number: UInt64
    var request: HTTPRequest
    let route: Route?
    let startedAt: UInt64
    var status = 0
    var requestBodyBytes: Int64 = 0
    /// `OutputQueue.queuedBytes` when the response began.
    var responseStart: Int64 = 0
    var responseEnd: Int64 = 0

    init(number: UInt64, request: HTTPRequest, route: Route?, startedAt: UInt64) {
        self.number = number
        self.request = request
        self.route = route
        self.startedAt = startedAt
    }
}
