// The wire format of server-sent events (WHATWG HTML §9.2).
import JobSpec

package enum EventFormat {
    /// - RouteParameter id: nil for events that are not kept, so that a reconnect resumes from the last kept one.
    package static func event(_ type: String, id: Int64?, data: JSONValue) -> [UInt8] {
        // Serialised JSON holds no line break, so one data line is enough.
        var bytes = Array("event: \(type)\n".utf8)
        if let id { bytes += Array("id: \(id)\n".utf8) }
        bytes += Array("data: ".utf8)
        bytes += data.serializedBytes()
        bytes += Array("\n\n".utf8)
        return bytes
    }

    /// How long a client waits before it reconnects, in milliseconds.
    package static let retry = Array("retry: 2000\n\n".utf8)
    package static let heartbeat = Array(": heartbeat\n\n".utf8)
}
