// SHA-1, for places where a format or protocol asks for it (Flax's PRNG paths); never for integrity.

import CCrypto

package enum SHA1 {
    /// 20 bytes.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        let context = DigestContext(EVP_sha1())
        bytes.withUnsafeBytes { context.update($0) }
        return context.finish()
    }
}
