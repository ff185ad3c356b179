// The whole way of a job: file and spec in over HTTP, metrics and checkpoints out.
import Foundation
import JobSpec
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Training over HTTP")
    struct TrainingOverHTTP {
        @Test("digits: uploaded, trained, evaluated, downloaded, verified; the second run has the same bits")
        func digits() throws {
            let server = try ServerHarness()
            try server.uploadDigits()
            let spec = try ServerHarness.example("digits.json")
            let job = try server.finish(try server.submit(spec))
            #expect(job["state"] == "succeeded", "\(job.serialized())")
            #expect(try #require(job["latest"]?["validation/accuracy"]?.doubleValue) > 0.85)

            let best = try #require(job["best"]?["checkpoint"]?.stringValue)
            let about = try server.client.get("/v1/checkpoints/\(best)").json
            let content = try server.client.get("/v1/checkpoints/\(best)/content")
            #expect(content.status == 200)
            #expect(content.body.count == about["size_bytes"]?.intValue)
            #expect(content.headers["repr-digest"]?.hasPrefix("sha-256=:") == true)
            // A msgpack map of step, params and opt_state: a Flax TrainState.
            #expect(content.body.first == 0x83)
            #expect(content.body.firstRange(of: Array("opt_state".utf8)) != nil)

            let again = try server.finish(try server.submit(spec))
            #expect(try server.result(of: job) == server.result(of: again))
            #expect(server.stop())
            #expect(server.leftovers().isEmpty)
        }

        @Test("flax-basics has JAX's loss at all 101 steps")
        func flaxBasics() throws {
            let server = try ServerHarness()
            let job = try server.finish(try server.submit(ServerHarness.example("flax-basics.json")))
            #expect(job["state"] == "succeeded", "\(job.serialized())")
            let id = try #require(job["id"]?.stringValue)
            let series = try server.client.get("/v1/jobs/\(id)/metrics/series?agg=none&name=train/loss").json[
                "data"]?[0]
            let found = (series?["values"]?.arrayValue ?? []).compactMap(\.doubleValue)
            let expected = try Self.losses()
            #expect(found.count == expected.count)
            for (step, (ours, theirs)) in zip(found, expected).enumerated() {
                #expect(abs(ours - theirs) <= 1e-5 * abs(theirs), "step \(step): \(ours), JAX has \(theirs)")
            }
        }

        /// Plain gradient descent of the Flax guide, from the parity fixtures.
        private static func losses() throws -> [Double] {
            let elsewhere = ProcessInfo.processInfo.environment["SPINDLE_PARITY"].map { URL(filePath: $0) }
            let folder = elsewhere ?? Repository.fixture("parity")
            let file = folder.appending(path: "end_to_end/flax_basics.json")
            let text = try Repository.bytes(file)
            let cases = try JSONValue(
                parsing: text, limits: JSONLimits(maximumBytes: 64 << 20, maximumDepth: 64))["cases"]?
                .arrayValue
            let losses = cases?.first { $0["name"] == "flax_basics_linear_regression" }?["expected"]?[
                "losses_gd"]
            let data = try #require(Data(base64Encoded: losses?["data"]?.stringValue ?? ""))
            return data.withUnsafeBytes { bytes in
                stride(from: 0, to: bytes.count, by: 4).map {
                    Double(
                        Float(
                            bitPattern: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self).littleEndian)
                    )
                }
            }
        }

        @Test("one and two threads give the same bits")
        func threads() throws {
            let server = try ServerHarness()
            try server.uploadDigits()
            let spec = try ServerHarness.example("digits.json").setting("/budget", to: ["epochs": 3])
            let results = try [1, 2].map { count in
                let pinned = spec.setting("/budget/threads", to: .int(Int64(count)))
                return try server.result(of: server.finish(try server.submit(pinned)))
            }
            #expect(results[0] == results[1])
        }

        @Test("a paused job goes on to the same bits, also through a restart of the server")
        func pauseAndRestart() throws {
            let server = try ServerHarness()
            try server.uploadDigits()
            let spec = try ServerHarness.example("digits.json").setting("/budget", to: ["epochs": 60])
            let reference = try server.result(of: server.finish(try server.submit(spec)))

            let id = try server.submit(spec)
            try waitForStep(of: id, on: server, atLeast: 200)
            let answer = try server.client.post("/v1/jobs/\(id)/pause", nil)
            guard answer.status == 202 else {
                // It was faster than the request.
                #expect(answer.status == 409)
                return
            }
            var state = try server.job(id)["state"]?.stringValue
            for _ in 0..<600 where state == "pausing" || state == "running" {
                usleep(50_000)
                state = try server.job(id)["state"]?.stringValue
            }
            guard state == "paused" else {
                #expect(state == "succeeded")
                return
            }
            #expect(server.stop())
            try server.start()
            #expect(try server.job(id)["state"] == "paused")
            #expect(try server.client.post("/v1/jobs/\(id)/resume", nil).status == 202)
            let job = try server.finish(id)
            #expect(job["state"] == "succeeded")
            #expect(try server.result(of: job) == reference)
        }
    }
}

/// Returns as soon as the job has done so many steps, or has ended.
func waitForStep(of id: String, on server: ServerHarness, atLeast step: Int, seconds: Double = 60) throws {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
        let job = try server.job(id)
        if job["finished_at"]?.isNull == false || job["progress"]?["step"]?.intValue ?? 0 >= step { return }
        usleep(2_000)
    }
    throw HarnessError(description: "\(id) did not reach step \(step)")
}
