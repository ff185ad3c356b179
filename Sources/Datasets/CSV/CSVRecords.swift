// Cuts a file into records, RFC 4180: lines, except that line breaks in quotes do not end one. Reads in chunks, so
// a file may be larger than memory, and one that shrinks meanwhile is only shorter.

import Glibc
import JobSpec

final class CSVRecords {
    struct Record {
        /// Without the line break; valid until the next record is asked for.
        let bytes: UnsafeBufferPointer<UInt8>
        /// Line of the file that it begins on, from 1.
        let line: Int
        let hasQuotes: Bool
    }

    private let descriptor: Int32
    private let path: String
    private let limits: CSVLimits
    private var buffer: UnsafeMutableBufferPointer<UInt8>
    /// Bytes not given out yet: buffer[start..<end].
    private var start = 0
    private var end = 0
    private var atEndOfFile = false
    private var nextLine = 1
    let fileBytes: Int

    init(path: String, limits: CSVLimits, chunkBytes: Int) throws(DatasetError) {
        self.path = path
        self.limits = limits
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            buffer = UnsafeMutableBufferPointer(start: nil, count: 0)
            fileBytes = 0
            throw DatasetError("cannot open \(path): \(String(cString: strerror(errno)))")
        }
        buffer = .allocate(capacity: max(chunkBytes, 16))
        var status = stat()
        fileBytes = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
        guard status.st_mode & S_IFMT == S_IFREG else { throw DatasetError("\(path) is not a file") }
        guard fileBytes <= limits.maximumFileBytes else {
            throw DatasetError(
                "the file has \(fileBytes) bytes; the limit is \(limits.maximumFileBytes)")
        }
        try skipByteOrderMark()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        buffer.deallocate()
    }

    /// Nil at the end of the file.
    func next() throws(DatasetError) -> Record? {
        var searched = start
        var state = QuoteState()
        while true {
            if let newline = endOfRecord(&searched, &state) { return record(to: newline, skipping: 1, state) }
            guard !atEndOfFile else {
                guard start < end else { return nil }
                guard !state.isInside else {
                    throw DatasetError("a quote is opened and never closed", line: nextLine)
                }
                return record(to: end, skipping: 0, state)
            }
            guard end - start <= limits.maximumRowBytes else {
                throw DatasetError(
                    "a row of more than \(limits.maximumRowBytes) bytes\(state.isInside ? "; is a quote never closed?" : "")",
                    line: nextLine)
            }
            let consumed = start
            try fill()
            searched -= consumed - start
        }
    }

    private struct QuoteState {
        var isInside = false
        var hasQuotes = false
        /// Line breaks in quotes.
        var lineBreaks = 0
    }

    /// The first line break outside quotes from `searched` on, which moves to where the next search begins.
    @inline(__always)
    private func endOfRecord(_ searched: inout Int, _ state: inout QuoteState) -> Int? {
        guard let base = buffer.baseAddress, searched < end else { return nil }
        while searched < end {
            let from = base + searched
            let newline = memchr(from, 0x0A, end - searched).map {
                UnsafeRawPointer($0) - UnsafeRawPointer(base)
            }
            let stop = newline ?? end
            // Each quote, also an escaped one (two quotes), turns the state.
            var cursor = searched
            while cursor < stop, let quote = memchr(base + cursor, 0x22, stop - cursor) {
                state.hasQuotes = true
                state.isInside.toggle()
                cursor = UnsafeRawPointer(quote) - UnsafeRawPointer(base) + 1
            }
            guard let newline else {
                searched = end
                return nil
            }
            if !state.isInside { return newline }
            state.lineBreaks += 1
            searched = newline + 1
        }
        return nil
    }

    private func record(to recordEnd: Int, skipping lineBreak: Int, _ state: QuoteState) -> Record {
        var last = recordEnd
        if last > start, buffer[last - 1] == 0x0D { last -= 1 }
        let record = Record(
            bytes: UnsafeBufferPointer(rebasing: buffer[start..<last]), line: nextLine,
            hasQuotes: state.hasQuotes)
        start = recordEnd + lineBreak
        nextLine += 1 + state.lineBreaks
        return record
    }

    /// Moves what is left to the front, doubles the buffer if it is full, and reads once.
    private func fill() throws(DatasetError) {
        guard let base = buffer.baseAddress else { return }
        if start > 0 {
            memmove(base, base + start, end - start)
            end -= start
            start = 0
        } else if end == buffer.count {
            let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: buffer.count * 2)
            larger.baseAddress?.update(from: base, count: end)
            buffer.deallocate()
            buffer = larger
        }
        guard let target = buffer.baseAddress else { return }
        var count: Int
        repeat {
            count = read(descriptor, target + end, buffer.count - end)
        } while count < 0 && errno == EINTR
        guard count >= 0 else {
            throw DatasetError("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        end += count
        atEndOfFile = count == 0
    }

    /// Some programs begin a UTF-8 file with one.
    private func skipByteOrderMark() throws(DatasetError) {
        while end < 3, !atEndOfFile { try fill() }
        if end >= 3, buffer[0] == 0xEF, buffer[1] == 0xBB, buffer[2] == 0xBF { start = 3 }
    }
}
