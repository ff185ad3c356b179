// A worker's standard error: kept in memory until the worker has a job, then appended to the attempt's log
// file, with a limit. The last part stays in memory for error reports.

import Glibc

struct WorkerLog {
    private static let tailLimit = 64 << 10

    private var descriptor: Int32 = -1
    private var tail: [UInt8] = []
    private var written: Int64 = 0
    private var limitBytes: Int64 = 0
    private var isFull = false

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        tail.append(contentsOf: bytes)
        if tail.count > Self.tailLimit { tail.removeFirst(tail.count - Self.tailLimit / 2) }
        write(bytes)
    }

    mutating func open(path: String, limitBytes: Int64) {
        close()
        self.limitBytes = limitBytes
        written = 0
        isFull = false
        descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let before = tail
        before.withUnsafeBytes { write($0) }
    }

    mutating func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    func lastLines(_ count: Int) -> [String] {
        String(decoding: tail, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: true)
            .suffix(count).map { String($0.prefix(500)) }
    }

    /// A log that cannot be written (disk full) is no reason to stop a run.
    private mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard descriptor >= 0, !isFull, bytes.count > 0 else { return }
        if written + Int64(bytes.count) > limitBytes {
            isFull = true
            let note = Array("\n[log limit of \(limitBytes) bytes reached]\n".utf8)
            _ = Glibc.write(descriptor, note, note.count)
            return
        }
        var start = 0
        while start < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + start }, bytes.count - start)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            start += count
            written += Int64(count)
        }
    }
}
