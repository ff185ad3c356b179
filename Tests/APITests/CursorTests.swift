// List cursors: round trip, and refusal of everything that was not made for the very same list.
import Testing

@testable import API

@Suite struct CursorTests {
    let signer = CursorSigner(key: Array("a key of this server".utf8))

    @Test(
        "A cursor comes back as it was made",
        arguments: [
            Cursor(orderKey: 0, id: ""), Cursor(orderKey: .max, id: "job_01"),
            Cursor(orderKey: .min, id: "ä\u{0}"),
            Cursor(orderKey: -1, id: String(repeating: "x", count: 200)),
        ])
    func roundTrip(cursor: Cursor) throws {
        let text = signer.text(cursor, question: "q")
        #expect(try signer.cursor(text, question: "q") == cursor)
        #expect(
            text.utf8.allSatisfy {
                $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=")
            })
    }

    @Test("A cursor of another list, of another server, or changed in any character is refused")
    func tampering() {
        let text = signer.text(Cursor(orderKey: 42, id: "job_01"), question: "q")
        #expect(throws: Problem.self) { try signer.cursor(text, question: "p") }
        let other = CursorSigner(key: Array("another key".utf8))
        #expect(throws: Problem.self) { try other.cursor(text, question: "q") }
        for index in text.indices {
            for replacement in ["A", "B", "_"] where String(text[index]) != replacement {
                var changed = text
                changed.replaceSubrange(index...index, with: replacement)
                // The unused low bits of the last character carry nothing: the same bytes are the same cursor.
                if Base64URL.decode(changed) == Base64URL.decode(text) { continue }
                #expect(throws: Problem.self, "\(changed)") { try signer.cursor(changed, question: "q") }
            }
        }
        for text in [
            "", "A", "ab", "====", "🙂", String(repeating: "A", count: 100_000), String(text.dropLast(4)),
        ] {
            #expect(throws: Problem.self) { try signer.cursor(text, question: "q") }
        }
    }

    @Test("HMAC-SHA256 gives the codes of RFC 4231")
    func hmacVectors() {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(
            hex(HMAC(key: Array("Jefe".utf8)).code(Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            hex(
                HMAC(key: [UInt8](repeating: 0xaa, count: 131)).code(
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }
}
