// What requests may carry in headers and queries: content negotiation, entity tags, preferences, idempotency keys, parameters.
import JobSpec
import Testing

@testable import API

@Suite struct AcceptTests {
    static let offers = ["application/json", "text/csv", "text/event-stream"]

    @Test(
        "The client's preference decides, then the server's",
        arguments: [
            (nil, "application/json"), ("", "application/json"), ("*/*", "application/json"),
            ("text/event-stream", "text/event-stream"), ("text/*", "text/csv"), ("TEXT/CSV", "text/csv"),
            ("text/html, application/json;q=0.5, text/csv;q=0.8", "text/csv"),
            ("application/json;q=0, */*", "text/csv"),
            ("text/*;q=0.3, text/event-stream", "text/event-stream"),
            ("image/png", nil), ("application/json;q=0", nil), ("nonsense", "application/json"),
            ("text/csv;q=nan, application/json;q=0.1", "application/json"),
        ] as [(String?, String?)])
    func choose(header: String?, expected: String?) {
        #expect(Accept.choose(Self.offers, header: header) == expected)
    }
}

@Suite struct EntityTagTests {
    @Test("If-None-Match compares weakly, If-Match strongly")
    func conditions() {
        #expect(EntityTag.noneMatchHits("\"1\", \"17\"", "\"17\""))
        #expect(EntityTag.noneMatchHits("W/\"17\"", "\"17\""))
        #expect(EntityTag.noneMatchHits("*", "\"17\""))
        #expect(!EntityTag.noneMatchHits("\"171\"", "\"17\""))
        #expect(!EntityTag.noneMatchHits(nil, "\"17\""))
        #expect(EntityTag.matches("\"17\"", "\"17\""))
        #expect(!EntityTag.matches("W/\"17\"", "\"17\""))
    }

    @Test("Prefer: wait is read, and ignored when it cannot be read")
    func preferences() {
        #expect(Preferences.waitSeconds("respond-async, wait=10") == 10)
        #expect(Preferences.waitSeconds("Wait = 2.5") == 2.5)
        for header in [nil, "", "wait", "wait=", "wait=-1", "wait=inf", "wait=nan", "waiting=3"] as [String?]
        {
            #expect(Preferences.waitSeconds(header) == nil)
        }
    }
}

@Suite struct IdempotencyKeyFieldTests {
    @Test(
        "A structured string and a bare token name the same key",
        arguments: [
            ("\"a1\"", "a1"), ("a1", "a1"), ("\"with space\"", "with space"), ("\"q\\\"\\\\\"", "q\"\\"),
        ])
    func accepted(field: String, key: String) throws {
        #expect(try IdempotencyKeyField(headerField: field).value == key)
    }

    @Test(
        "Everything else is refused",
        arguments: [
            "", "\"\"", "\"open", "\"a\" b", "a b", "\"a\\n\"", "ä", "\"ä\"", "\"tab\t\"",
            String(repeating: "k", count: 256), "\"",
        ])
    func refused(field: String) {
        #expect(throws: Problem.self) { try IdempotencyKeyField(headerField: field) }
    }
}

@Suite struct QueryTests {
    static let parameters: [RouteParameter] = [
        .limit, .after, .query("state", .choice(["queued", "running"]), repeated: true, "states"),
        RouteParameter(
            name: "label", location: .query, schema: .map(.string()), required: false, doc: "labels",
            deepObject: true),
    ]

    private func query(_ items: [(String, String)]) throws -> Query {
        try Query(items.map { Query.Item(name: $0.0, value: $0.1) }, declared: Self.parameters)
    }

    @Test("Declared parameters are read with their types")
    func reads() throws {
        let query = try query([
            ("limit", "7"), ("state", "queued"), ("state", "running"), ("label[team]", "a"),
        ])
        #expect(try query.integer("limit", in: 1...200) == 7)
        #expect(try query.choices("state", among: ["queued", "running"]) == ["queued", "running"])
        #expect(query.members("label").map(\.name) == ["team"])
        #expect(try query.integer("after", in: 0...1) == nil)
    }

    @Test("An unknown parameter is refused with the nearest known one, and all problems come at once")
    func unknown() throws {
        let problem = #expect(throws: Problem.self) {
            try query([("limt", "7"), ("after", "a"), ("after", "b"), ("x", "")])
        }
        let places = try #require(problem).errors
        #expect(places.map(\.pointer) == ["?limt", "?after", "?x"])
        #expect(places[0].detail.contains("did you mean limit?"))
        #expect(problem?.code == .invalidParameter)
    }

    @Test(
        "Values of the wrong form are refused with what was expected",
        arguments: ["0", "201", "-1", "1.5", "", "NaN", "99999999999999999999", "٣"])
    func wrongValues(value: String) throws {
        let query = try query([("limit", value)])
        let problem = #expect(throws: Problem.self) { try query.integer("limit", in: 1...200) }
        #expect(problem?.detail.contains("from 1 to 200") == true)
    }

    @Test("A near miss of an enumeration value is named")
    func nearChoice() throws {
        let query = try query([("state", "runing")])
        let problem = #expect(throws: Problem.self) {
            try query.choices("state", among: ["queued", "running"])
        }
        #expect(problem?.detail.contains("did you mean running?") == true)
    }
}
