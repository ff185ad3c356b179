// SHA-256 of an upload, taken while its bytes go to disk.

import HTTPServer
import Hashing

final class DigestSink: BodySink {
    private var hash = SHA256()

    func receive(_ bytes: UnsafeRawBufferPointer) {
        hash.update(bytes)
    }

    func finish() -> String? {
        hash.finalize().hex
    }
}
