// JSON pointers, RFC 6901.

import JobSpec
import TestSupport
import Testing

struct JSONPointerTests {
    @Test("the examples of RFC 6901 §5 and §6 find what they should")
    func rfcExamples() throws {
        let document = try json(
            #"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#)
        let cases: [(String, String, JSONValue)] = [
            ("/foo/0", "#/foo/0", "bar"), ("/", "#/", 0), ("/a~1b", "#/a~1b", 1), ("/c%d", "#/c%25d", 2),
            ("/e^f", "#/e%5Ef", 3), ("/g|h", "#/g%7Ch", 4), ("/i\\j", "#/i%5Cj", 5), ("/k\"l", "#/k%22l", 6),
            ("/ ", "#/%20", 7), ("/m~0n", "#/m~0n", 8),
        ]
        for (text, fragment, value) in cases {
            let pointer = try #require(JSONPointer(text))
            #expect(document.value(at: pointer) == value, "\(text)")
            #expect(pointer.description == fragment)
            #expect(JSONPointer(fragment) == pointer)
        }
        #expect(try document.value(at: #require(JSONPointer(""))) == document)
    }

    @Test("what is no pointer, or points nowhere, gives nil")
    func wrong() throws {
        for text in ["a", "#a", "/~2", "/~", "#/%zz", "#/%f"] { #expect(JSONPointer(text) == nil, "\(text)") }
        let document = try json(#"{"a":[1]}"#)
        for text in ["/b", "/a/1", "/a/-1", "/a/00", "/a/-", "/a/0/x"] {
            #expect(try document.value(at: #require(JSONPointer(text))) == nil, "\(text)")
        }
    }
}
