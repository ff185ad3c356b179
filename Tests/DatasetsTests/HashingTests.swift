// The hash functions, against published values. They are a target without tests of its own.

import Hashing
import TestSupport
import Testing

struct HashingTests {
    @Test(
        "SHA-256 gives the values of FIPS 180-4's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func sha256(text: String, hex: String) throws {
        #expect(SHA256.hash(Array(text.utf8)).hex == hex)
        #expect(Digest(hex: hex.uppercased()) == SHA256.hash(Array(text.utf8)))
        let folder = try TemporaryFolder()
        #expect(try SHA256.hash(file: folder.write("f", text)).hex == hex)
    }

    @Test("SHA-1 gives FIPS 180-4's value")
    func sha1() {
        #expect(hexadecimal(SHA1.hash(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    }

    @Test("pieces of any size give the digest of the whole, and a copy goes its own way")
    func incremental() {
        var generator = SeededGenerator(seed: 3)
        let bytes = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var hash = SHA256()
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 0...5_000, using: &generator))
            hash.update(Array(bytes[start..<end]))
            start = end
        }
        var copy = hash
        copy.update([1])
        #expect(hash.finalize() == SHA256.hash(bytes))
        #expect(hash.finalize() == SHA256.hash(bytes))
        #expect(copy.finalize() == SHA256.hash(bytes + [1]))
    }

    @Test("a file that cannot be read is an error with its path", arguments: ["/nonexistent/file", "/"])
    func unreadable(path: String) throws {
        let error = try #require(throws: FileHashError.self) { try SHA256.hash(file: path) }
        #expect(error.description.contains(path))
    }

    @Test(
        "digests are 64 hexadecimal digits",
        arguments: ["", "ab", String(repeating: "g", count: 64), String(repeating: "a", count: 65)])
    func wrongHex(text: String) {
        #expect(Digest(hex: text) == nil)
    }

    @Test("CRC-32C gives RFC 3720's values, for any division of the bytes")
    func crc32c() {
        #expect(CRC32C.hash(Array("123456789".utf8)).value == 0xE306_9283)
        #expect(CRC32C.hash([UInt8](repeating: 0, count: 32)).value == 0x8A91_36AA)
        #expect(CRC32C.hash([UInt8](repeating: 0xFF, count: 32)).value == 0x62A8_AB43)
        #expect(CRC32C.hash(Array(0..<32)).value == 0x46DD_794E)
        #expect(CRC32C.hash((0..<32).reversed()).value == 0x113F_DB5C)
        var pieces = CRC32C()
        for (start, end) in [(0, 1), (1, 10), (10, 27), (27, 32)] {
            pieces.update((start..<end).map { UInt8($0) })
        }
        #expect(pieces.value == 0x46DD_794E)
    }
}
