// Ranges and preconditions: a plainly written reference model against the server, over all combinations.
import Testing

@testable import HTTPServer

/// What RFC 9110 asks of a GET or HEAD of one file, written as the clauses are ordered, without the server's
/// code.
struct RangeModel {
    let content: [UInt8]
    let tag = "\"v1\""

    struct Answer: Equatable {
        var status: Int
        var body: [UInt8]
        var contentRange: String?
    }

    private func names(_ list: String?) -> Bool? {
        guard let list else { return nil }
        return list == "*" || list.split(separator: ",").contains { $0.drop { $0 == " " } == tag }
    }

    private func namesWeakly(_ list: String?) -> Bool? {
        list.flatMap { names($0.replacingOccurrencesOfWeakPrefix) }
    }

    func answer(method: String, ifMatch: String?, ifNoneMatch: String?, ifRange: String?, range: String?)
        -> Answer
    {
        if names(ifMatch) == false { return Answer(status: 412, body: []) }
        if namesWeakly(ifNoneMatch) == true { return Answer(status: 304, body: []) }
        let whole = Answer(status: 200, body: method == "HEAD" ? [] : content)
        guard method == "GET", let range, ifRange == nil || ifRange == tag else { return whole }
        guard range.hasPrefix("bytes="), range != "bytes=" else { return whole }
        var slices: [(Int, Int)] = []
        for spec in range.dropFirst(6).split(separator: ",") {
            let ends = spec.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count == 2 else { return whole }
            switch (Int(ends[0]), Int(ends[1])) {
            case (let first?, let last?):
                if last < first { return whole }
                if first < content.count { slices.append((first, min(last, content.count - 1))) }
            case (let first?, nil):
                guard ends[1].isEmpty else { return whole }
                if first < content.count { slices.append((first, content.count - 1)) }
            case (nil, let suffix?):
                guard ends[0].isEmpty else { return whole }
                if suffix > 0, !content.isEmpty {
                    slices.append((max(0, content.count - suffix), content.count - 1))
                }
            case (nil, nil):
                return whole
            }
        }
        if slices.isEmpty { return Answer(status: 416, body: [], contentRange: "bytes */\(content.count)") }
        guard slices.count == 1 else { return Answer(status: 206, body: []) }
        let (first, last) = slices[0]
        return Answer(
            status: 206, body: Array(content[first...last]),
            contentRange: "bytes \(first)-\(last)/\(content.count)")
    }
}

extension String {
    fileprivate var replacingOccurrencesOfWeakPrefix: String { hasPrefix("W/") ? String(dropFirst(2)) : self }
}

struct RangeTests {
    static let content = Array("0123456789abcdefghij".utf8)

    static func route(_ path: String) -> Route { fileRoute("/f", path) }

    static func fileRoute(_ template: String, _ path: String) -> Route {
        Route(
            .get, template,
            handler: .inline { _ in
                .file(FileContent(path: path, contentType: "text/plain", entityTag: "\"v1\""))
            })
    }

    @Test("every combination of If-Match, If-None-Match, If-Range and Range gives what the model says")
    func allCombinations() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("f", Self.content)
        let model = RangeModel(content: Self.content)
        let tags: [String?] = [nil, "\"v1\"", "\"v2\"", "W/\"v1\"", "*", "\"v2\", \"v1\""]
        let ranges: [String?] = [
            nil, "bytes=0-0", "bytes=5-", "bytes=-3", "bytes=-30", "bytes=0-99", "bytes=19-19", "bytes=20-",
            "bytes=-0",
            "bytes=7-3", "bytes=x-y", "bytes=3", "lines=1-2", "bytes=99-,2-3", "bytes=--3", "bytes=",
        ]
        try await withServer([Self.route(path)]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                for method in ["GET", "HEAD"] {
                    for ifMatch in tags {
                        for ifNoneMatch in tags {
                            for ifRange in tags.dropLast(2) {
                                for range in ranges {
                                    let label =
                                        "\(method) \(ifMatch ?? "-") \(ifNoneMatch ?? "-") \(ifRange ?? "-") \(range ?? "-")"
                                    var text = "\(method) /f HTTP/1.1\r\nHost: a\r\n"
                                    if let ifMatch { text += "If-Match: \(ifMatch)\r\n" }
                                    if let ifNoneMatch { text += "If-None-Match: \(ifNoneMatch)\r\n" }
                                    if let ifRange { text += "If-Range: \(ifRange)\r\n" }
                                    if let range { text += "Range: \(range)\r\n" }
                                    client.send(text + "\r\n")
                                    let response = try #require(
                                        client.readResponse(toHead: method == "HEAD"), "\(label)")
                                    let expected = model.answer(
                                        method: method, ifMatch: ifMatch, ifNoneMatch: ifNoneMatch,
                                        ifRange: ifRange,
                                        range: range)
                                    #expect(response.status == expected.status, "\(label)")
                                    #expect(
                                        response.header("content-range") == expected.contentRange, "\(label)")
                                    if response.status == 200 || response.status == 206 {
                                        #expect(response.body == expected.body, "\(label)")
                                        #expect(response.header("accept-ranges") == "bytes")
                                        #expect(response.header("etag") == "\"v1\"")
                                    }
                                    if method == "HEAD", response.status == 200 {
                                        #expect(response.header("content-length") == "20")
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    @Test("several ranges come as multipart/byteranges, more than eight or more than the whole as 200")
    func multipart() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("f", Self.content)
        try await withServer([Self.route(path)]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send("GET /f HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1, 30-40,-2, 5-6\r\n\r\n")
                let response = try #require(client.readResponse())
                #expect(response.status == 206)
                let type = try #require(response.header("content-type"))
                let prefix = "multipart/byteranges; boundary="
                #expect(type.hasPrefix(prefix))
                let boundary = String(type.dropFirst(prefix.count))
                var expected = ""
                for (range, text) in [("0-1", "01"), ("18-19", "ij"), ("5-6", "56")] {
                    expected +=
                        "\r\n--\(boundary)\r\nContent-Type: text/plain\r\n"
                        + "Content-Range: bytes \(range)/20\r\n\r\n\(text)"
                }
                #expect(response.text == expected + "\r\n--\(boundary)--\r\n")
                for range in ["0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", "0-,1-"] {
                    client.send("GET /f HTTP/1.1\r\nHost: a\r\nRange: bytes=\(range)\r\n\r\n")
                    let response = client.readResponse()
                    #expect(response?.status == 200)
                    #expect(response?.body == Self.content)
                }
            }
        }
    }

    @Test("any request of an empty file is 200, any range of it 416")
    func emptyFile() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("f", [])
        try await withServer([Self.route(path)]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                client.send(
                    "GET /f HTTP/1.1\r\nHost: a\r\n\r\nGET /f HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n")
                let response = client.readResponse()
                #expect(response?.status == 200 && response?.body.isEmpty == true)
                #expect(client.readResponse()?.header("content-range") == "bytes */0")
            }
        }
    }

    @Test("a download resumed by ranges after every cut is the whole file")
    func resumedDownload() async throws {
        let folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: 3)
        let content = (0..<3_000_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let path = try folder.write("f", content)
        let cuts = (0..<20).map { _ in Int.random(in: 1...300_000, using: &generator) }
        try await withServer([Self.route(path)]) { port, _ in
            let got = try await blocking {
                var got: [UInt8] = []
                for cut in cuts where got.count < content.count {
                    let client = try RawClient(port: port)
                    client.send(
                        "GET /f HTTP/1.1\r\nHost: a\r\nIf-Range: \"v1\"\r\nRange: bytes=\(got.count)-\r\n\r\n"
                    )
                    #expect(client.readResponse(toHead: true)?.status == 206)
                    got += client.read(count: min(cut, content.count - got.count)) ?? []
                }
                if got.count < content.count {
                    let client = try RawClient(port: port)
                    client.send("GET /f HTTP/1.1\r\nHost: a\r\nRange: bytes=\(got.count)-\r\n\r\n")
                    got += client.readResponse()?.body ?? []
                }
                return got
            }
            #expect(got == content)
        }
    }

    @Test("a bytes response with an ETag answers If-None-Match and If-Match")
    func bytesWithTag() async throws {
        let route = Route(
            .get, "/r", handler: .inline { _ in .text("body", headers: [HTTPField("ETag", "\"t\"")]) })
        try await withServer([route]) { port, _ in
            try await blocking {
                let client = try RawClient(port: port)
                for (field, status) in [
                    ("If-None-Match: \"t\"", 304), ("If-None-Match: W/\"t\"", 304),
                    ("If-None-Match: \"u\"", 200),
                    ("If-Match: \"t\"", 200), ("If-Match: W/\"t\"", 412), ("If-Match: \"u\"", 412),
                    ("If-Match: \"t\"\r\nIf-None-Match: \"t\"", 304),
                ] {
                    client.send("GET /r HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n")
                    let response = client.readResponse()
                    #expect(response?.status == status, "\(field)")
                    if status == 304 {
                        #expect(response?.header("etag") == "\"t\"")
                        #expect(response?.header("content-length") == nil)
                    }
                }
            }
        }
    }

    @Test("If-Modified-Since counts only without If-None-Match")
    func dates() throws {
        func outcome(_ fields: String) throws -> Preconditions.Outcome {
            let head = try RequestHead(parsing: Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8))
            return Preconditions.evaluate(head, entityTag: "\"t\"", lastModified: 784_111_777)
        }
        #expect(try outcome("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n") == .notModified)
        #expect(try outcome("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n") == .proceed)
        #expect(try outcome("If-Modified-Since: Mon, 06 Nov 1994 08:49:37 GMT\r\n") == .proceed)
        #expect(
            try outcome("If-None-Match: \"u\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
                == .proceed)
        #expect(try outcome("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n") == .failed)
        #expect(
            try outcome("If-Match: \"t\"\r\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n")
                == .proceed)
    }

    @Test("dates are written and read back, and impossible ones are refused")
    func dateRoundTrip() {
        #expect(HTTPDate.text(secondsSince1970: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(secondsSince1970: 951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let seconds = Int64.random(in: 0...253_402_300_799, using: &generator)
            #expect(HTTPDate.parse(HTTPDate.text(secondsSince1970: seconds)) == seconds)
        }
        for text in [
            "Thu, 31 Feb 2000 00:00:00 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT", "",
            "Sun, 06 Nov 1994 08:49:37 UTC",
        ] {
            #expect(HTTPDate.parse(text) == nil, "\(text)")
        }
    }
}
