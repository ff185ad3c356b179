// The JSON parser: what it takes, what it refuses and where it says so, and that no bytes make it trap.

import JobSpec
import TestSupport
import Testing

struct JSONParserTests {
    @Test(
        "values parse to what they say",
        arguments: [
            ("null", JSONValue.null), (" true ", true), ("false", false), ("0", 0), ("-0", 0), ("12", 12),
            ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)), ("1.5", 1.5),
            ("1e3", 1000.0), ("1E+2", 100.0), ("-2.5e-3", -0.0025), ("1e-400", 0.0),
            ("0.1", 0.1), ("123456789012345678901234567890.0", 123456789012345678901234567890.0),
            ("2.2250738585072014e-308", .double(.leastNormalMagnitude)),
            ("9007199254740993.0", 9007199254740992.0),
            ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
            ("5e-324", .double(.leastNonzeroMagnitude)),
            ("\"\"", ""), ("\"a\\n\\u00e9\\ud83d\\ude00\\/\"", "a\né😀/"), ("\"é\"", "é"), ("[]", []),
            ("{}", [:]),
            ("[1, [2], {\"a\": [ ]}]", [1, [2], ["a": []]]),
            ("{\"b\":1,\"a\":{\"c\":null}}", ["b": 1, "a": ["c": nil]]),
        ] as [(String, JSONValue)])
    func valid(text: String, expected: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == expected)
    }

    @Test(
        "what is not JSON is refused at the byte where it goes wrong",
        arguments: [
            ("", 0, "expected a value"), ("  ", 2, "expected a value"), ("nul", 0, "expected null"),
            ("[1,]", 3, "expected a value"), ("[1 2]", 3, "expected ','"), ("[1", 2, "ends inside an array"),
            ("{\"a\":1,}", 7, "expected a key"), ("{a:1}", 1, "expected a key"),
            ("{\"a\" 1}", 5, "expected ':'"),
            ("{\"a\":1", 6, "ends inside an object"), ("{\"a\":1]", 6, "expected ',' or '}'"),
            ("1 2", 2, "expected the end"), ("01", 0, "begin with a zero"), ("-", 1, "expected a digit"),
            ("1.", 2, "digit after the point"), (".5", 0, "expected a value"),
            ("1e", 2, "digit in the exponent"),
            ("+1", 0, "expected a value"), ("NaN", 0, "expected a value"),
            ("Infinity", 0, "expected a value"),
            ("1e999", 0, "larger than a double"), ("-1e999", 0, "larger than a double"),
            ("9223372036854775808", 0, "does not fit 64 bits"),
            ("-9223372036854775809", 0, "does not fit 64 bits"),
            ("99999999999999999999999", 0, "does not fit 64 bits"), ("\"a", 0, "ends inside a string"),
            ("\"a\nb\"", 2, "control character"), ("\"\\x\"", 1, "no escape"),
            ("\"\\u12g4\"", 5, "hexadecimal"),
            ("\"\\ud800\"", 1, "surrogate"), ("\"\\udc00\"", 1, "surrogate"),
            ("\"\\ud800\\u0041\"", 1, "surrogate"),
            ("{\"a\":1,\"b\":2,\"a\":3}", 13, "\"a\" occurs twice"),
            ("{\"a\":1,\"\\u0061\":2}", 7, "occurs twice"),
            ("\u{FEFF}{}", 0, "byte order mark"), ("[1]//x", 3, "expected the end"),
            ("'a'", 0, "expected a value"),
        ])
    func invalid(text: String, offset: Int, detail: String) throws {
        let error = try #require(throws: JSONParseError.self) { try JSONValue(parsing: text) }
        #expect(error.offset == offset, "\(error)")
        #expect(error.detail.contains(detail), "\(error)")
    }

    @Test("an error names line and column")
    func position() throws {
        let error = try #require(throws: JSONParseError.self) {
            try JSONValue(parsing: "{\n  \"a\": 1,\n  \"b\": x\n}")
        }
        #expect(error.line == 3)
        #expect(error.column == 8)
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [[0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]]
            as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) throws {
        let text = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
        let error = try #require(throws: JSONParseError.self) { try JSONValue(parsing: text) }
        #expect(error.detail.contains("UTF-8"))
    }

    @Test("64 levels parse, 65 and 100,000 are refused")
    func depth() throws {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        }
        _ = try JSONValue(parsing: nested(64, "[", "]"))
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [65, 100_000] {
                let error = try #require(throws: JSONParseError.self) {
                    try JSONValue(parsing: nested(depth, open, close))
                }
                #expect(error.offset == 64 * open.utf8.count)
                #expect(error.detail.contains("deeper than 64"))
            }
        }
        #expect(throws: JSONParseError.self) {
            try JSONValue(parsing: String(repeating: "[", count: 100_000))
        }
    }

    @Test("texts over the limits of bytes and values are refused")
    func limits() {
        let limits = JSONLimits(maximumBytes: 20, maximumValues: 3)
        #expect(throws: JSONParseError.self) {
            try JSONValue(parsing: Array("                     1".utf8), limits: limits)
        }
        #expect(throws: JSONParseError.self) { try JSONValue(parsing: Array("[1,2,3]".utf8), limits: limits) }
        #expect(throws: Never.self) { try JSONValue(parsing: Array("[1,2]".utf8), limits: limits) }
    }

    @Test("decimals round as the C library rounds them")
    func rounding() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let digits = Int.random(in: 1...20, using: &generator)
            var text = String(Int.random(in: 1...9, using: &generator))
            for _ in 1..<max(2, digits) { text += String(Int.random(in: 0...9, using: &generator)) }
            text +=
                ".\(Int.random(in: 0...999_999, using: &generator))e\(Int.random(in: -330...286, using: &generator))"
            #expect(try JSONValue(parsing: text) == .double(#require(Double(text))), "\(text)")
        }
    }

    @Test("mutated documents parse or are refused, and what parses survives a round trip")
    func fuzz() throws {
        let seeds = [
            try Repository.bytes(Repository.example("digits.json")),
            try Repository.bytes(Repository.fixture("specs/charlm.json")),
            Array("{\"a\":[1,-2.5e3,\"\\ud83d\\ude00\\n\",true,null,{}],\"é\":{\"b\":[]}}".utf8),
        ]
        let alphabet = Array("{}[]\",:\\u0dDe+-.19tnf \n\u{0}".utf8) + [0x80, 0xC3, 0xED, 0xF4, 0xFF]
        var generator = SeededGenerator(seed: 2)
        var accepted = 0
        for round in 0..<20_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = alphabet.randomElement(using: &generator) ?? 0
                case 1: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: index)
                case 2: bytes.remove(at: index)
                default: bytes.removeSubrange(index...)
                }
            }
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            accepted += 1
            #expect(try JSONValue(parsing: value.serializedBytes()) == value)
            #expect(try JSONValue(parsing: value.serializedBytes(pretty: true)) == value)
            _ = try? JobSpec.decode(value)
        }
        #expect(accepted > 500)
    }
}
