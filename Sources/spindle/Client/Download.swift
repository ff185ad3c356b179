// A file from the server to the disk: resumed with Range after a cut, checked against its SHA-256, moved into place whole.
import Foundation
import Hashing

#if canImport(Glibc)
    import Glibc
#endif

/// What the server says about a stored file before any byte of it is sent.
struct RemoteFile {
    let sizeBytes: Int64
    let etag: String
    /// From Repr-Digest (RFC 9530): `sha-256=:BASE64:`.
    let sha256: [UInt8]?

    init(_ reply: ClientReply) throws(ClientFailure) {
        guard let length = reply.header("content-length").flatMap(Int64.init), length >= 0 else {
            throw .badAnswer("the server does not say how long the file is")
        }
        sizeBytes = length
        etag = reply.header("etag") ?? ""
        sha256 = reply.header("repr-digest").flatMap(Self.digest)
    }

    static func digest(_ header: String) -> [UInt8]? {
        for member in header.split(separator: ",") {
            let text = member.trimmingCharacters(in: .whitespaces)
            guard text.lowercased().hasPrefix("sha-256=:"), text.hasSuffix(":") else { continue }
            let encoded = String(text.dropFirst("sha-256=:".count).dropLast())
            guard let data = Data(base64Encoded: encoded), data.count == 32 else { return nil }
            return [UInt8](data)
        }
        return nil
    }
}

/// An open file that closes itself.
private final class PartialFile {
    let descriptor: Int32
    let path: String
    var sizeBytes: Int64

    init(_ path: String) throws(ClientFailure) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .local("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        sizeBytes = Int64(lseek(descriptor, 0, SEEK_END))
    }

    deinit { close(descriptor) }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ClientFailure) {
        var rest = bytes
        while let base = rest.baseAddress, rest.count > 0 {
            let written = Glibc.write(descriptor, base, rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                throw .local("\(path) cannot be written: \(String(cString: strerror(errno)))")
            }
            sizeBytes += Int64(written)
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    func restart() {
        ftruncate(descriptor, 0)
        lseek(descriptor, 0, SEEK_SET)
        sizeBytes = 0
    }
}

extension ServerClient {
    /// Downloads `path` to `destination` and returns what the server said of the file. The bytes go to
    /// `destination.HEX.part` first, named by the file's digest, so that an interrupted download goes on where it stopped
    /// and never mixes two files. `onProgress` gets the bytes on disk and the total.
    ///
    /// - Parameter secondsUntilMade: how long the server may take before it answers: some files are made when they are asked for.
    func download(
        _ path: String, query: [(String, String)] = [], to destination: String, until deadline: Date,
        secondsUntilMade: Int = 60,
        onOutage: (ClientFailure) -> Void = { _ in }, onProgress: @escaping (Int64, Int64) -> Void
    ) throws -> RemoteFile {
        var question = request("HEAD", path, query: query, headers: [(name: "Accept", value: "*/*")])
        question.idleTimeoutSeconds = secondsUntilMade
        let remote: RemoteFile
        do {
            remote = try RemoteFile(send(question))
        } catch ClientFailure.refused(let problem) where problem.status != 404 {
            // The answer to HEAD has no words; the same question with GET says what is wrong.
            _ = try send(request("GET", path, query: query)) { _, _ in false }
            throw ClientFailure.refused(problem)
        }
        let tag = remote.etag.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.suffix(16)
        let partPath = "\(destination).\(tag.isEmpty ? "new" : String(tag)).part"
        let part = try PartialFile(partPath)
        if remote.etag.isEmpty || part.sizeBytes > remote.sizeBytes { part.restart() }
        var restarts = 0
        while true {
            if part.sizeBytes < remote.sizeBytes {
                try surviving(until: deadline, onOutage: onOutage) {
                    try fetch(path, query, remote, part, onProgress)
                    if part.sizeBytes < remote.sizeBytes {
                        throw ClientFailure.interrupted(
                            reason: "\(part.sizeBytes) of \(remote.sizeBytes) bytes came")
                    }
                }
            }
            onProgress(part.sizeBytes, remote.sizeBytes)
            guard let expected = remote.sha256 else { break }
            fsync(part.descriptor)
            let found = try SHA256.hash(file: partPath)
            if found.bytes == expected { break }
            // What was there before may have been something else: once more from the start, then give up.
            restarts += 1
            guard restarts < 2 else {
                unlink(partPath)
                throw ClientFailure.badAnswer(
                    "the bytes that came do not have the SHA-256 that the server announced")
            }
            part.restart()
        }
        fsync(part.descriptor)
        guard rename(partPath, destination) == 0 else {
            throw ClientFailure.local("\(destination) cannot be written: \(String(cString: strerror(errno)))")
        }
        return remote
    }

    private func fetch(
        _ path: String, _ query: [(String, String)], _ remote: RemoteFile, _ part: PartialFile,
        _ onProgress: @escaping (Int64, Int64) -> Void
    ) throws {
        var headers = [(name: "Accept", value: "*/*")]
        let start = part.sizeBytes
        if start > 0 {
            headers.append((name: "Range", value: "bytes=\(start)-"))
            headers.append((name: "If-Range", value: remote.etag))
        }
        var first = true
        _ = try send(request("GET", path, query: query, headers: headers)) { bytes, reply in
            if first {
                first = false
                // 200 to a range request: the file changed, or ranges are not served. Its bytes start at 0.
                if start > 0, reply.status == 200 { part.restart() }
                if let etag = reply.header("etag"), !remote.etag.isEmpty, etag != remote.etag {
                    throw ClientFailure.badAnswer(
                        "the file changed on the server during the download; start again")
                }
            }
            try part.write(bytes)
            onProgress(part.sizeBytes, remote.sizeBytes)
            return true
        }
    }
}
