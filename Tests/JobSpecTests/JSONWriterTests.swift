// The JSON writer: exact text, numbers that read back, canonical order.

import JobSpec
import TestSupport
import Testing

struct JSONWriterTests {
    @Test("values are written compactly, with the keys in their order")
    func compact() {
        let value: JSONValue = [
            "b": [1, -20, 1.5, true, nil], "a": ["x": "q\"\\\n\u{1}é/"], "c": [], "d": [:],
            "e": .int(.min), "f": 0,
        ]
        #expect(
            value.serialized()
                == #"{"b":[1,-20,1.5,true,null],"a":{"x":"q\"\\\n\u0001é/"},"c":[],"d":{},"e":-9223372036854775808,"f":0}"#
        )
    }

    @Test("pretty text is indented, short arrays stay on their line")
    func pretty() {
        let value: JSONValue = ["a": [1, 2], "b": [["c": 1]], "d": [:]]
        #expect(
            value.serialized(pretty: true) == """
                {
                  "a": [1, 2],
                  "b": [
                    {
                      "c": 1
                    }
                  ],
                  "d": {}
                }
                """)
    }

    @Test("numbers that JSON cannot write become strings, and read back as numbers")
    func nonfinite() throws {
        let value: JSONValue = [.double(.nan), .double(.infinity), .double(-.infinity)]
        #expect(value.serialized() == #"["NaN","Infinity","-Infinity"]"#)
        let back = try #require(JSONValue(parsing: value.serialized()).arrayValue)
        #expect(back[0].extendedDoubleValue?.isNaN == true)
        #expect(back[1].extendedDoubleValue == .infinity)
        #expect(back[2].extendedDoubleValue == -.infinity)
        #expect(back[0].doubleValue == nil)
    }

    @Test("every double reads back with the same bits")
    func doubles() throws {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            let text = JSONValue.double(value).serialized()
            #expect(try JSONValue(parsing: text).doubleValue?.bitPattern == value.bitPattern, "\(text)")
        }
        #expect(JSONValue.double(-0.0).serialized() == "-0.0")
    }

    @Test("equal objects have equal canonical bytes, whatever the order of their keys")
    func canonical() throws {
        let first = try json(#"{"b": {"y": 1, "x": [2, 1]}, "a": 1.0, "é": 0}"#)
        let second = try json(#"{ "é":0,"a":1.0,"b":{"x":[2,1],"y":1}}"#)
        #expect(first.canonicalBytes() == second.canonicalBytes())
        #expect(
            String(decoding: first.canonicalBytes(), as: UTF8.self)
                == #"{"a":1.0,"b":{"x":[2,1],"y":1},"é":0}"#)
    }
}
