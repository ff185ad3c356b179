// What clients should not send: an answer in the 4xx range with the place, and a server that is still there afterwards.
import Foundation
import JobSpec
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Hostile input")
    struct HostileInput {
        @Test(
            "specs with wrong types, names, shapes and sizes are refused with their place; the server goes on"
        )
        func specs() throws {
            let server = try ServerHarness()
            let good = try ServerHarness.example("flax-basics.json")
            let changes: [(String, JSONValue?)] = [
                ("/model", nil), ("/model/type", "Dens"), ("/model/features", "five"),
                ("/model/features", -1),
                ("/model/features", 1e300), ("/model/features", .int(.max)),
                ("/optimizer/learning_rate", "NaN"),
                ("/optimizer/lerning_rate", 0.1), ("/optimizer", []), ("/budget/steps", 0),
                ("/budget/steps", .int(.max)),
                ("/budget/steps", 1.5), ("/data/batch_size", 0),
                ("/data/train/generator/samples", .int(1 << 60)),
                ("/data/train/generator/outputs", 7), ("/loss", "no_such_loss"), ("/seed", -1), ("/name", 7),
                ("/priority", 101), ("/data/train", ["dataset": "nowhere"]),
                ("/data/train", ["dataset": "../../etc/passwd"]),
            ]
            for (pointer, value) in changes {
                let reply = try server.client.post("/v1/jobs", good.setting(pointer, to: value))
                let about =
                    "\(pointer) = \(value?.serialized() ?? "absent"): \(reply.status) \(reply.text.prefix(300))"
                #expect(reply.status == 422, "\(about)")
                #expect(
                    reply.headers["content-type"]?.hasPrefix("application/problem+json") == true, "\(about)")
                let places = try reply.json["errors"]?.arrayValue ?? []
                #expect(places.contains { $0["pointer"]?.stringValue?.hasPrefix("#/") == true }, "\(about)")
            }
            #expect(try server.finish(try server.submit(good))["state"] == "succeeded")
        }

        @Test("JSON that is malformed, too deep or too large is a 4xx, not the end of the server")
        func json() throws {
            let server = try ServerHarness()
            let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
            let texts = [
                "", "{", "nul", "{\"a\": 1, \"a\": 2}", "{\"seed\": 1e999}", "{\"seed\": 01}", "[1, 2", deep,
                "{\"a\":" + deep + "}", "\u{FEFF}{}", "{\"name\": \"\\ud800\"}",
                "{\"seed\": " + String(repeating: "9", count: 100_000) + "}",
            ]
            for text in texts {
                for path in ["/v1/jobs", "/v1/validate"] {
                    let reply = try server.client.send(
                        "POST", path, headers: ["Content-Type": "application/json"], body: Array(text.utf8))
                    #expect((400..<500).contains(reply.status), "\(path) \(text.prefix(40)): \(reply.status)")
                }
            }
            let invalidUTF8 = try server.client.send(
                "POST", "/v1/jobs", headers: ["Content-Type": "application/json"],
                body: [0x22, 0xFF, 0xFE, 0x22])
            #expect(invalidUTF8.status == 400)
            #expect(try server.client.get("/livez").status == 200)
        }

        @Test("CSV with bad rows is refused with row and column")
        func csv() throws {
            let server = try ServerHarness()
            for text in [
                "", "a,b\n", "a,b\n1\n", "a,b\n1,2,3\n", "a,a\n1,2\n", "a,b\n\"1,2\n", "a,b\n1,\u{0}\n",
            ] {
                let reply = try server.client.send(
                    "PUT", "/v1/datasets/bad", headers: ["Content-Type": "text/csv"], body: Array(text.utf8))
                #expect(
                    reply.status == 422, "\(text.debugDescription): \(reply.status) \(reply.text.prefix(200))"
                )
            }
            #expect(try server.client.get("/livez").status == 200)
        }
    }
}
