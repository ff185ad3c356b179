// Datasets over HTTP: stored once by content, refused with row and column, shown, deleted.
import Foundation
import Hashing
import JobSpec
import Testing

@testable import API

@Suite struct DatasetRoutesTests {
    static let table = Array("width,height,kind\n1,2.5,0\n3,4,1\n5,6e-1,0\n".utf8)

    @Test("New bytes are 201, the same bytes 200, other bytes a new version; each is durable and listed")
    func put() async throws {
        try await TestServer.run { server in
            let first = try await server.client.send("PUT", "/v1/datasets/boxes", [:], Self.table)
            #expect(first.status == 201 && first.headers["location"] == "/v1/datasets/boxes")
            let record = try first.json()
            let digest = SHA256.hash(Self.table).hex
            #expect(record["digest"]?.stringValue == "sha256:\(digest)")
            #expect(record["reference"]?.stringValue == "boxes@sha256:\(digest)")
            #expect(record["rows"]?.intValue == 3 && record["size_bytes"]?.intValue == Self.table.count)
            #expect(
                record["columns"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == [
                    "width", "height", "kind",
                ])
            #expect(
                record["columns"]?.arrayValue?.compactMap { $0["type"]?.stringValue } == [
                    "int", "float", "int",
                ])
            #expect(
                FileManager.default.contents(atPath: server.folder + "/data/datasets/" + digest)
                    == Data(Self.table))

            #expect(try await server.client.send("PUT", "/v1/datasets/boxes", [:], Self.table).status == 200)
            let second = try await server.client.send(
                "PUT", "/v1/datasets/boxes", [:], Self.table + Array("7,8,1\n".utf8))
            #expect(second.status == 201)
            #expect(try second.json()["version"]?.intValue == 2)
            let old = try await server.client.get("/v1/datasets/boxes@sha256:\(digest)").json()
            #expect(old["rows"]?.intValue == 3)
            let list = try await server.client.get("/v1/datasets").json()
            #expect(list["data"]?.arrayValue?.compactMap { $0["rows"]?.intValue } == [4])
            #expect(try FileManager.default.contentsOfDirectory(atPath: server.folder + "/data/tmp").isEmpty)
        }
    }

    @Test("A chunked upload gives the same dataset as one with a length")
    func chunked() async throws {
        try await TestServer.run { server in
            let socket = try TestSocket(port: server.client.port)
            var request = Array(
                "PUT /v1/datasets/c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                    .utf8)
            for byte in Self.table { request += Array("1\r\n".utf8) + [byte] + [13, 10] }
            try socket.write(request + Array("0\r\n\r\n".utf8))
            let reply = try TestClient.parse(try socket.readToEnd(), isHead: false)
            #expect(reply.status == 201)
            #expect(try reply.json()["digest"]?.stringValue == "sha256:" + SHA256.hash(Self.table).hex)
        }
    }

    @Test(
        "A file that is no table is 422 with the place, and nothing of it stays",
        arguments: [
            ("too few fields", "a,b\n1,2\n3\n", 2, nil), ("too many fields", "a,b\n1,2,3\n", 1, nil),
            ("no header", "", nil, nil), ("an open quote", "a,b\n1,\"2\n", nil, nil),
            ("two equal names", "a,a\n1,2\n", 0, nil),
        ] as [(String, String, Int?, Int?)])
    func malformed(name: String, text: String, row: Int?, column: Int?) async throws {
        try await TestServer.run { server in
            let reply = try await server.client.send("PUT", "/v1/datasets/bad", [:], Array(text.utf8))
            let problem = try expectProblem(reply, 422, .invalidDataset)
            if let row { #expect(problem["row"]?.intValue == row, "\(reply.text)") }
            #expect(try await server.client.get("/v1/datasets/bad").status == 404)
            #expect(try FileManager.default.contentsOfDirectory(atPath: server.folder + "/data/tmp").isEmpty)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: server.folder + "/data/datasets").isEmpty)
        }
    }

    @Test(
        "A name that is none is refused",
        arguments: [".hidden", "a%20b", "-a", "a%2Fb", String(repeating: "n", count: 101)])
    func names(name: String) async throws {
        try await TestServer.run { server in
            let reply = try await server.client.send("PUT", "/v1/datasets/\(name)", [:], Self.table)
            try expectProblem(reply, 422, .invalidDataset)
        }
    }

    @Test("The preview has the first rows; a wrong name is 404 with the nearest one")
    func preview() async throws {
        try await TestServer.run { server in
            _ = try await server.client.send("PUT", "/v1/datasets/boxes", [:], Self.table)
            let preview = try await server.client.get("/v1/datasets/boxes/preview?rows=2").json()
            #expect(preview["rows"]?.arrayValue?.count == 2)
            let problem = try expectProblem(try await server.client.get("/v1/datasets/boxs"), 404, .notFound)
            #expect(problem["detail"]?.stringValue?.contains("did you mean boxes?") == true)
        }
    }

    @Test("Pages of datasets follow each other without a gap")
    func pages() async throws {
        try await TestServer.run { server in
            for index in 0..<5 {
                _ = try await server.client.send(
                    "PUT", "/v1/datasets/d\(index)", [:], Array("a\n\(index)\n".utf8))
            }
            var names = [String]()
            var cursor: String?
            repeat {
                let page = try await server.client.get(
                    "/v1/datasets?limit=2" + (cursor.map { "&after=\($0)" } ?? "")
                ).json()
                names += (page["data"]?.arrayValue ?? []).compactMap { $0["name"]?.stringValue }
                cursor = page["next"]?.stringValue
            } while cursor != nil
            #expect(names == ["d0", "d1", "d2", "d3", "d4"])
            try expectProblem(
                try await server.client.get("/v1/jobs?after=\(cursor ?? "AAAA")"), 400, .invalidCursor)
        }
    }

    @Test("A spec that names a missing dataset, or a missing or textual column, is 422 with the place")
    func columns() async throws {
        try await TestServer.run { server in
            let table = Array("width,label,kind\n1,x,0\n2,y,1\n".utf8)
            _ = try await server.client.send("PUT", "/v1/datasets/boxes", [:], table)
            func problems(_ dataset: String, _ data: [(String, JSONValue)]) async throws -> [String: String] {
                var members = spec("quick").objectValue ?? [:]
                members["data"] = JSONValue(
                    members: [("train", ["dataset": .string(dataset)]), ("batch_size", 1)] + data)
                let answer = try await server.client.post("/v1/validate", .object(members)).json()
                var result = [String: String]()
                for problem in answer["errors"]?.arrayValue ?? [] {
                    result[problem["pointer"]?.stringValue ?? ""] = problem["detail"]?.stringValue
                }
                return result
            }
            let missing = try await problems("boxs", [("target", "kind")])
            #expect(missing["#/data/train/dataset"]?.contains("did you mean boxes?") == true)
            let target = try await problems("boxes", [("target", "kin"), ("inputs", ["width"])])
            #expect(target["#/data/target"]?.contains("did you mean kind?") == true)
            let inputs = try await problems(
                "boxes", [("target", "kind"), ("inputs", ["width", "label", "wdth"])])
            #expect(inputs["#/data/inputs/1"]?.contains("text") == true)
            #expect(inputs["#/data/inputs/2"]?.contains("did you mean width?") == true)
            let all = try await problems("boxes", [("target", "kind")])
            #expect(all["#/data/inputs"]?.contains("\"label\"") == true)
        }
    }

    @Test("A dataset that no job uses is deleted with its bytes")
    func delete() async throws {
        try await TestServer.run { server in
            _ = try await server.client.send("PUT", "/v1/datasets/boxes", [:], Self.table)
            #expect(try await server.client.send("DELETE", "/v1/datasets/boxes").status == 204)
            try expectProblem(try await server.client.get("/v1/datasets/boxes"), 404, .notFound)
            try expectProblem(try await server.client.send("DELETE", "/v1/datasets/boxes"), 404, .notFound)
        }
    }
}
