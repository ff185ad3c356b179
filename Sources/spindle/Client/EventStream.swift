// Server-sent events (WHATWG HTML §9.2) from bytes: an incremental parser, and a reader that reconnects by event id.
import Foundation
import JobSpec

struct ServerSentEvent {
    var id: String?
    var name = "message"
    var data = ""
}

/// Bytes in, events out, whatever the cuts between the pieces.
struct EventStreamParser {
    private var line: [UInt8] = []
    private var event = ServerSentEvent()
    private var hasData = false
    private var endedWithReturn = false
    private(set) var lastEventID: String?
    /// Seconds that the server asks to wait before a reconnect.
    private(set) var retrySeconds: Double?

    mutating func feed(_ bytes: UnsafeRawBufferPointer) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            if byte == 10, endedWithReturn {
                endedWithReturn = false
                continue
            }
            endedWithReturn = byte == 13
            guard byte == 10 || byte == 13 else {
                line.append(byte)
                continue
            }
            if line.isEmpty {
                if hasData {
                    event.id = lastEventID
                    events.append(event)
                }
                event = ServerSentEvent()
                hasData = false
            } else {
                take(String(decoding: line, as: UTF8.self))
                line.removeAll(keepingCapacity: true)
            }
        }
        return events
    }

    private mutating func take(_ line: String) {
        guard !line.hasPrefix(":") else { return }
        let colon = line.firstIndex(of: ":")
        let field = colon.map { line[..<$0] } ?? line[...]
        var value = colon.map { line[line.index(after: $0)...] } ?? ""
        if value.hasPrefix(" ") { value = value.dropFirst() }
        switch field {
        case "event": event.name = String(value)
        case "data":
            event.data += hasData ? "\n" + value : String(value)
            hasData = true
        case "id": lastEventID = String(value)
        case "retry": retrySeconds = Double(value).map { min(max($0 / 1000, 0.1), 30) }
        default: break
        }
    }
}

extension ServerClient {
    /// Follows a stream until `onEvent` returns false, through restarts of the server: every reconnect names the last
    /// event that arrived, so nothing is missed and nothing comes twice.
    func follow(
        _ path: String, query: [(String, String)] = [], lastEventID: String? = nil, until deadline: Date,
        onOutage: (ClientFailure) -> Void = { _ in }, onEvent: @escaping (ServerSentEvent) throws -> Bool
    ) throws {
        var last = lastEventID
        var finished = false
        while !finished {
            try surviving(until: deadline, onOutage: onOutage) {
                var parser = EventStreamParser()
                var headers = [(name: "Accept", value: "text/event-stream")]
                if let last { headers.append((name: "Last-Event-ID", value: last)) }
                var request = request("GET", path, query: query, headers: headers)
                let secondsLeft = deadline.timeIntervalSinceNow
                if secondsLeft < 86_400 { request.totalTimeoutSeconds = max(0.1, secondsLeft) }
                _ = try send(request) { bytes, _ in
                    for event in parser.feed(bytes) {
                        last = event.id ?? last
                        if try !onEvent(event) {
                            finished = true
                            return false
                        }
                    }
                    return true
                }
            }
            if !finished {
                if Date() >= deadline { throw ClientFailure.timedOut(what: "the time given is over") }
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }
}
