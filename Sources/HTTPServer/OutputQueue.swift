// What a connection has to send: bytes and pieces of files in order, with notes on what ends where. No I/O.
import Glibc

/// An open file descriptor that closes itself.
final class OpenFile: Sendable {
    let descriptor: Int32
    let byteCount: Int64

    /// Opens a regular file for reading.
    init(path: String) throws(SocketError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SocketError(action: "open", address: path, code: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw SocketError(action: "open", address: path, code: EISDIR)
        }
        self.descriptor = descriptor
        self.byteCount = Int64(status.st_size)
    }

    deinit { close(descriptor) }
}

struct OutputQueue {
    enum Segment {
        case bytes([UInt8])
        case file(OpenFile, Range<Int64>)
    }

    /// Something to do once everything before it has been handed to the kernel.
    enum Mark {
        case exchangeEnd(Exchange)
        case streamBytes(StreamWriter, Int)
    }

    private(set) var segments: [Segment] = []
    /// Bytes of the first segment (or of `tail`, when there are no segments) that are sent.
    private(set) var sentOfFirst: Int64 = 0
    /// Collects small writes; goes out after `segments`.
    private(set) var tail: [UInt8] = []
    private var marks: [(at: Int64, mark: Mark)] = []
    private var nextMark = 0

    /// Bytes ever queued and ever sent.
    private(set) var queuedBytes: Int64 = 0
    private(set) var sentBytes: Int64 = 0

    var unsentBytes: Int64 { queuedBytes - sentBytes }
    var isEmpty: Bool { queuedBytes == sentBytes }

    /// Lets `body` append to the end.
    mutating func append(_ body: (inout [UInt8]) -> Void) {
        let before = tail.count
        body(&tail)
        queuedBytes += Int64(tail.count - before)
    }

    /// Copies small pieces behind what waits; large ones go out from where they are.
    mutating func append(_ bytes: [UInt8]) {
        if bytes.count <= 32 * 1024 {
            tail.append(contentsOf: bytes)
        } else {
            closeTail()
            segments.append(.bytes(bytes))
        }
        queuedBytes += Int64(bytes.count)
    }

    mutating func append(_ file: OpenFile, _ range: Range<Int64>) {
        guard !range.isEmpty else { return }
        closeTail()
        segments.append(.file(file, range))
        queuedBytes += range.upperBound - range.lowerBound
    }

    mutating func mark(_ mark: Mark) { marks.append((queuedBytes, mark)) }

    private mutating func closeTail() {
        guard !tail.isEmpty else { return }
        // If it was the front, `sentOfFirst` goes on to count for it.
        segments.append(.bytes(tail))
        tail = []
    }

    /// The kernel has taken that many bytes of the front.
    mutating func advance(_ byteCount: Int64) {
        sentBytes += byteCount
        sentOfFirst += byteCount
        guard let first = segments.first else {
            if sentOfFirst == Int64(tail.count) {
                tail.removeAll(keepingCapacity: tail.capacity <= 2048)
                sentOfFirst = 0
            }
            return
        }
        let length =
            switch first {
            case .bytes(let bytes): Int64(bytes.count)
            case .file(_, let range): range.upperBound - range.lowerBound
            }
        if sentOfFirst >= length {
            segments.removeFirst()
            sentOfFirst = 0
        }
    }

    /// The marks that have been reached, in order.
    mutating func popMark() -> Mark? {
        guard nextMark < marks.count, marks[nextMark].at <= sentBytes else { return nil }
        let mark = marks[nextMark].mark
        nextMark += 1
        if nextMark == marks.count {
            marks.removeAll(keepingCapacity: marks.capacity <= 16)
            nextMark = 0
        }
        return mark
    }

    /// All marks, reached or not, for a connection that is lost.
    mutating func drainMarks() -> [Mark] {
        let rest = marks[nextMark...].map(\.mark)
        marks = []
        nextMark = 0
        return rest
    }

    /// Forgets what is unsent.
    mutating func removeAll() {
        segments = []
        tail = []
        sentOfFirst = 0
        sentBytes = queuedBytes
    }
}
