// The wire of the worker protocol: one JSON object per line, at most 16 MiB, both ways. `WorkerCommand` and
// `WorkerReport` are its messages.

import Glibc

package enum WorkerProtocol {
    /// Bytes of a line without its newline.
    package static let maximumLineBytes = 16 << 20

    static let limits = JSONLimits(maximumBytes: maximumLineBytes, maximumValues: 4_000_000)
}

extension WorkerCommand {
    /// With the newline. Throws when the line would be longer than the other side takes.
    package func line() throws(WorkerProtocolError) -> [UInt8] {
        try terminated(json.serializedBytes())
    }

    /// Without the newline.
    package init(line: [UInt8]) throws(WorkerProtocolError) {
        try self.init(json: parsed(line))
    }
}

extension WorkerReport {
    /// With the newline. Throws when the line would be longer than the other side takes.
    package func line() throws(WorkerProtocolError) -> [UInt8] {
        var writer = JSONWriter()
        if case .metrics(let report) = self {
            writer.bytes.reserveCapacity(128 + report.points.count * 80)
            report.write(to: &writer)
        } else {
            writer.write(json)
        }
        return try terminated(writer.bytes)
    }

    /// Without the newline.
    package init(line: [UInt8]) throws(WorkerProtocolError) {
        try self.init(json: parsed(line))
    }
}

private func terminated(_ bytes: consuming [UInt8]) throws(WorkerProtocolError) -> [UInt8] {
    guard bytes.count <= WorkerProtocol.maximumLineBytes else {
        throw WorkerProtocolError(
            "a message of \(bytes.count) bytes is over the limit of \(WorkerProtocol.maximumLineBytes)")
    }
    bytes.append(UInt8(ascii: "\n"))
    return bytes
}

private func parsed(_ line: [UInt8]) throws(WorkerProtocolError) -> JSONValue {
    do {
        return try JSONValue(parsing: line, limits: WorkerProtocol.limits)
    } catch {
        throw WorkerProtocolError("not a message: \(error)")
    }
}

/// Cuts what comes out of a pipe, in pieces of any size, into lines.
package struct LineSplitter: Sendable {
    private var partial: [UInt8] = []
    private let maximumLineBytes: Int

    package init(maximumLineBytes: Int = WorkerProtocol.maximumLineBytes) {
        self.maximumLineBytes = maximumLineBytes
    }

    /// Bytes of a line that has not ended yet; not empty at the end of the pipe if the writer died in a line.
    package var pendingBytes: Int { partial.count }

    /// The lines that these bytes complete, without newlines; empty lines are left out. After an error the
    /// stream has no meaning any more.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(WorkerProtocolError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        // Only the new bytes are searched, so a long line in small pieces costs no more than its length.
        while start < bytes.count, let base = bytes.baseAddress,
            let newline = memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
        {
            let end = UnsafeRawPointer(newline) - base
            try extend(with: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            if !partial.isEmpty {
                lines.append(partial)
                partial = []
            }
            start = end + 1
        }
        try extend(with: UnsafeRawBufferPointer(rebasing: bytes[start...]))
        return lines
    }

    package mutating func append(_ bytes: [UInt8]) throws(WorkerProtocolError) -> [[UInt8]] {
        try bytes.withUnsafeBufferPointer { (buffer) throws(WorkerProtocolError) in
            try append(UnsafeRawBufferPointer(buffer))
        }
    }

    private mutating func extend(with bytes: UnsafeRawBufferPointer) throws(WorkerProtocolError) {
        guard partial.count + bytes.count <= maximumLineBytes else {
            throw WorkerProtocolError("a line of more than \(maximumLineBytes) bytes")
        }
        partial.append(contentsOf: bytes)
    }
}
