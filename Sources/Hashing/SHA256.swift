// SHA-256 over libcrypto's EVP interface, incremental and of whole files.

import CCrypto
import Glibc

/// An incremental SHA-256. A value: a copy continues on its own from where it was copied.
package struct SHA256: Sendable {
    private var context: DigestContext

    package init() {
        context = DigestContext(EVP_sha256())
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if !isKnownUniquelyReferenced(&context) { context = context.copy() }
        context.update(bytes)
    }

    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The digest of everything so far; more may be added afterwards.
    package func finalize() -> Digest {
        Digest(sha256: context.copy().finish())
    }

    package static func hash(_ bytes: [UInt8]) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }

    /// Reads the file in pieces of 1 MiB. Throws `FileHashError` with the path and the system's reason.
    package static func hash(file path: String) throws -> Digest {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileHashError(path: path, operation: "open", errorNumber: errno) }
        defer { close(descriptor) }
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileHashError(path: path, operation: "read", errorNumber: errno)
            }
            if count == 0 { return hash.finalize() }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}

package struct FileHashError: Error, CustomStringConvertible {
    package let path: String
    package let operation: String
    package let errorNumber: Int32

    package var description: String {
        "cannot \(operation) \(path) to hash it: \(String(cString: strerror(errorNumber)))"
    }
}
