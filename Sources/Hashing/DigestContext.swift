// Owner of one EVP_MD_CTX. Its calls fail only when memory is exhausted or libcrypto lacks the algorithm, never
// because of the bytes hashed.

import CCrypto

/// Unchecked because the compiler cannot see it: a context is mutated only by a holder of its sole reference
/// (`SHA256` copies it otherwise), so no two threads ever touch one.
final class DigestContext: @unchecked Sendable {
    private let context: OpaquePointer

    init(_ algorithm: OpaquePointer?) {
        context = EVP_MD_CTX_new()
        let result = EVP_DigestInit_ex(context, algorithm, nil)
        precondition(result == 1, "libcrypto cannot start a digest")
    }

    private init(copyOf other: DigestContext) {
        context = EVP_MD_CTX_new()
        let result = EVP_MD_CTX_copy_ex(context, other.context)
        precondition(result == 1, "libcrypto cannot copy a digest")
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    func copy() -> DigestContext {
        DigestContext(copyOf: self)
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
        let result = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(result == 1, "libcrypto cannot continue a digest")
    }

    /// Ends the digest: the context must not be used afterwards.
    func finish() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let result = EVP_DigestFinal_ex(context, &bytes, &count)
        precondition(result == 1, "libcrypto cannot end a digest")
        return Array(bytes.prefix(Int(count)))
    }
}
