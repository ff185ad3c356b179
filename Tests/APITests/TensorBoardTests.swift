// Event files: records as TensorBoard reads them, and the times of steps.
import Hashing
import JobSpec
import Testing

@testable import API
@testable import Store

/// The contents of TFRecord records; throws where a checksum is wrong.
private func records(_ bytes: [UInt8]) throws -> [[UInt8]] {
    func number(_ start: Int, _ width: Int) -> UInt64 {
        bytes[start..<start + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    var (records, position) = ([[UInt8]](), 0)
    while position < bytes.count {
        let count = Int(number(position, 8))
        #expect(number(position + 8, 4) == UInt64(CRC32C.hash(Array(bytes[position..<position + 8])).masked))
        let contents = Array(bytes[position + 12..<position + 12 + count])
        #expect(number(position + 12 + count, 4) == UInt64(CRC32C.hash(contents).masked))
        records.append(contents)
        position += count + 16
    }
    #expect(position == bytes.count)
    return records
}

@Suite struct TensorBoardTests {
    @Test("A scalar is a record with time, step, tag and value, byte for byte")
    func scalar() throws {
        let point = MetricPoint(name: "train/loss", finished: 6, step: 5, value: 0.5)
        let event = try #require(try records(TensorBoardEvents.scalar(point, seconds: 2)).first)
        // wall_time = 2.0, step = 5, summary { value { tag = "train/loss", simple_value = 0.5 } }
        let tag = Array("train/loss".utf8)
        let value: [UInt8] = [0x0A, 10] + tag + [0x15, 0, 0, 0, 0x3F]
        let summary: [UInt8] = [0x0A, UInt8(value.count)] + value
        let expected: [UInt8] =
            [0x09, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x10, 5, 0x2A, UInt8(summary.count)] + summary
        #expect(event == expected)
        let header = try #require(try records(TensorBoardEvents.header(seconds: 2)).first)
        #expect(String(decoding: header, as: UTF8.self).hasSuffix("brain.Event:2"))
    }

    private func attempt(_ number: Int, from: Int64, at start: Int64, to: Int64?, until end: Int64?)
        -> AttemptRecord
    {
        AttemptRecord(
            job: "job", number: number, slot: 0, startedAt: Timestamp(milliseconds: start * 1000),
            endedAt: end.map { Timestamp(milliseconds: $0 * 1000) },
            process: ProcessIdentity(pid: 1, startTicks: 0, bootID: ""), fromStep: from, toStep: to,
            counted: false)
    }

    @Test("Steps lie evenly between what is known, and what was trained twice has its second time")
    func clock() {
        let clock = StepClock(
            attempts: [
                attempt(1, from: 0, at: 100, to: 40, until: 140),
                attempt(2, from: 20, at: 200, to: nil, until: nil),
            ], checkpoints: [], finished: 60, now: Timestamp(milliseconds: 280_000))
        #expect(clock.seconds(finished: 0) == 100)
        // The first attempt came to step 40; from 20 on it was trained again, from 200 s to 280 s.
        #expect(clock.seconds(finished: 21) == 202)
        #expect(clock.seconds(finished: 40) == 240)
        #expect(clock.seconds(finished: 60) == 280)
        #expect(clock.seconds(finished: 99) == 280)
        let times = (0...70).map { clock.seconds(finished: Int64($0)) }
        #expect(times == times.sorted())
    }

    @Test("A clock that was set back does not turn the order around, and no attempt is no trouble")
    func oddClocks() {
        let back = StepClock(
            attempts: [
                attempt(1, from: 0, at: 100, to: 10, until: 90),
                attempt(2, from: 10, at: 50, to: 20, until: 60),
            ], checkpoints: [], finished: 20, now: .now)
        #expect((0...20).allSatisfy { back.seconds(finished: $0) == 100 })
        #expect(StepClock(attempts: [], checkpoints: [], finished: 0, now: .now).seconds(finished: 3) == 0)
    }

    @Test("A job's metrics come as one event file with every point")
    func overHTTP() async throws {
        try await TestServer.run(withWorkers: true) { server in
            let created = try await server.client.post("/v1/jobs", spec("quick")).json()
            let job = try #require(created["id"]?.stringValue)
            _ = try await server.client.get("/v1/jobs/\(job)?wait=20&until=terminal")
            let reply = try await server.client.get("/v1/jobs/\(job)/tensorboard")
            #expect(reply.status == 200)
            #expect(reply.headers["content-disposition"]?.contains("events.out.tfevents.") == true)
            let events = try records(reply.body)
            // The header, then three points of train/loss.
            #expect(events.count == 4)
            #expect(
                events.dropFirst().allSatisfy { String(decoding: $0, as: UTF8.self).contains("train/loss") })
            try expectProblem(
                try await server.client.get("/v1/jobs/job_00000000000000000000000000/tensorboard"), 404,
                .notFound)
        }
    }
}
