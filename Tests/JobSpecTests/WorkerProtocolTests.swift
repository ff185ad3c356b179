// The worker protocol: every message survives the wire, wrong ones are errors, lines come out of any pieces.

import JobSpec
import TestSupport
import Testing

struct WorkerProtocolTests {
    static let commands: [WorkerCommand] = [
        .plan(
            id: 7, spec: ["a": 1.0], datasets: ["d@sha256:00": DatasetLocation(path: "/p q", format: "csv")]),
        .run(
            RunCommand(
                job: "job_1", attempt: 2, spec: [:], datasets: [:], folder: "/f",
                resume: ResumePoint(folder: "/f/step-000440", stateSHA256: "00", resumeSHA256: "ff"),
                threads: 2)),
        .run(
            RunCommand(job: "j", attempt: 1, spec: [:], datasets: [:], folder: "/f", resume: nil, threads: 1)),
        .export(
            ExportCommand(
                options: ExportOptions(format: .savedModel, operations: .native, bakesTransforms: true),
                spec: ["a": 1.0], datasets: ["d@sha256:00": DatasetLocation(path: "/p", format: "csv")],
                state: "/s", stateSHA256: "00", resume: "/r", output: "/o p")),
        .export(
            ExportCommand(
                options: ExportOptions(format: .npz), spec: nil, datasets: [:], state: "/s",
                stateSHA256: "00",
                resume: nil, output: "/o")),
        .importFile(ImportCommand(input: "/i", maximumBytes: 1 << 40, output: "/o")),
        .pause, .cancel(checkpoint: false), .cancel(checkpoint: true),
    ]

    static let reports: [WorkerReport] = [
        .ready(WorkerReady(pid: 1, engineVersion: "0.1", kernelLevel: "avx512", threads: 2)),
        .planned(
            id: 7,
            plan: JobPlan(
                parameterCount: 1, parameterBytes: 4, checkpointBytes: 100, memoryBytes: 1 << 40,
                stepsTotal: 880,
                stepsPerEpoch: 44,
                modules: [
                    .init(
                        path: "Dense_0", type: "Dense", outputShape: [32, 10], parameters: 650,
                        operations: 41_280)
                ])),
        .planFailed(
            id: 1, problems: [SpecProblem(code: "shape_mismatch", pointer: "#/model", detail: "é")]),
        .started(step: 440, stepsTotal: 880),
        .metrics(
            MetricsReport(
                step: 450, epoch: 10.2, examples: 14_400, stepsPerSecond: 5_000,
                points: [
                    ReportedMetric(name: "train/loss", step: 449, finished: 450, value: 0.30000001192092896),
                    ReportedMetric(name: "a\"b", step: 0, finished: 1, value: -.infinity),
                ])),
        .metrics(MetricsReport(step: 0, epoch: 0, examples: 0, stepsPerSecond: .infinity, points: [])),
        .checkpoint(
            CheckpointReport(
                step: 440, folder: "/f/step-000440", stateSHA256: "aa", stateBytes: 1, resumeSHA256: "bb",
                resumeBytes: 2, metrics: ["validation/accuracy": 0.97], cause: .periodic)),
        .stopped(step: 3), .cancelled(step: 4), .done(step: 880, metrics: ["train/loss": 0.1], reason: nil),
        .done(step: 440, metrics: [:], reason: "stop_when: train/loss is 0.1, below 0.2"),
        .failed(
            FailureReport(
                code: "nonfinite_loss", detail: "x", step: 3, retryable: false,
                problems: [SpecProblem(code: "a", pointer: "#", detail: "b")])),
        .written(WrittenFile(sha256: "aa", bytes: 1 << 40, contents: ["arrays": 2])),
        .refused(problems: [SpecProblem(code: "not_exportable", pointer: "#/params", detail: "é")]),
        .failed(FailureReport(code: "engine_error", detail: "x", step: nil, retryable: true)),
    ]

    @Test("every command survives the wire", arguments: commands)
    func command(_ command: WorkerCommand) throws {
        let line = try command.line()
        #expect(line.last == UInt8(ascii: "\n"))
        #expect(!line.dropLast().contains(UInt8(ascii: "\n")))
        #expect(try WorkerCommand(line: Array(line.dropLast())) == command)
    }

    @Test("every report survives the wire, and its fast writing is its JSON", arguments: reports)
    func report(_ report: WorkerReport) throws {
        let line = try report.line()
        #expect(Array(line.dropLast()) == report.json.serializedBytes())
        #expect(try WorkerReport(line: Array(line.dropLast())) == report)
    }

    @Test("a loss that is not a number survives the wire")
    func notANumber() throws {
        let report = WorkerReport.metrics(
            MetricsReport(
                step: 1, epoch: 0, examples: 1, stepsPerSecond: 1,
                points: [ReportedMetric(name: "train/loss", step: 0, finished: 1, value: .nan)]))
        guard case .metrics(let back) = try WorkerReport(line: Array(report.line().dropLast())) else {
            Issue.record("another report came back")
            return
        }
        #expect(back.points.first?.value.isNaN == true)
    }

    @Test(
        "wrong messages are errors that name the field",
        arguments: [
            ("{}", "type"), ("[]", "an array"), (#"{"type":"x"}"#, "x"),
            (#"{"type":"started","step":1}"#, "steps_total"),
            (#"{"type":"started","step":"1","steps_total":2}"#, "step"), ("{", "not a message"),
            (
                #"{"type":"checkpoint","step":1,"folder":"f","state_sha256":"","state_bytes":1,"resume_sha256":"","resume_bytes":1,"metrics":{},"cause":"why"}"#,
                "why"
            ),
        ])
    func wrong(text: String, mention: String) throws {
        let error = try #require(throws: WorkerProtocolError.self) {
            try WorkerReport(line: Array(text.utf8))
        }
        #expect(error.description.contains(mention), "\(error)")
    }

    @Test("lines come out whole, whatever the pieces")
    func splitting() throws {
        let lines = try Self.reports.map { try Array($0.line().dropLast()) }
        let stream = lines.flatMap { $0 + [UInt8(ascii: "\n")] } + Array("\n\nrest".utf8)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<100 {
            var splitter = LineSplitter()
            var found: [[UInt8]] = []
            var start = 0
            while start < stream.count {
                let end = min(stream.count, start + Int.random(in: 1...300, using: &generator))
                found += try splitter.append(Array(stream[start..<end]))
                start = end
            }
            #expect(found == lines)
            #expect(splitter.pendingBytes == 4)
        }
    }

    @Test("a line without end is refused at its limit")
    func endless() throws {
        var splitter = LineSplitter(maximumLineBytes: 10)
        _ = try splitter.append(Array("0123456789\n01234".utf8))
        #expect(throws: WorkerProtocolError.self) { try splitter.append(Array("567890".utf8)) }
    }
}
