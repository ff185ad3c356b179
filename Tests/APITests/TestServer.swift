// A whole server on a free port of the loopback, with a data folder of its own that goes with it.
import Foundation
import HTTPServer
import JobSpec
import Logging
import Scheduler
import Store
import Testing

@testable import API

final class TestServer: Sendable {
    let folder: String
    let server: APIServer
    let store: Store
    let scheduler: Scheduler
    let client: TestClient

    private init(
        folder: String, server: APIServer, store: Store, scheduler: Scheduler, port: UInt16, token: String?
    ) {
        self.folder = folder
        self.server = server
        self.store = store
        self.scheduler = scheduler
        client = TestClient(port: port, token: token)
    }

    /// Runs `body` against a fresh server. `withWorkers` starts the scheduler with `FakeWorker`.
    static func run(
        withWorkers: Bool = false, token: String? = nil, publicFolder: String? = nil,
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/spindle-api-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let store = try Store(folder: DataFolder(path: folder + "/data"))
        let scheduler = Scheduler(
            store: store, configuration: SchedulerConfiguration(worker: try FakeWorker.launch(in: folder)),
            logger: logger)
        var configuration = APIConfiguration(version: "0.0.0-test")
        configuration.token = token
        configuration.publicFolder = publicFolder
        configuration.server.port = 0
        configuration.server.limits.loopbackIsExempt = true
        let readiness = Readiness()
        let server = try APIServer(
            configuration: configuration, store: store, scheduler: scheduler, readiness: readiness,
            logger: logger)
        let port = try server.start()
        if withWorkers { _ = try await scheduler.start() }
        readiness.become(.ready)
        let test = TestServer(
            folder: folder, server: server, store: store, scheduler: scheduler, port: port, token: token)
        let result = await Result { try await body(test) }
        if withWorkers { await scheduler.shutdown(graceSeconds: 2) }
        await server.shutdown(graceSeconds: 2)
        await store.close()
        try result.get()
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// A spec that needs no dataset. The name decides what the fake worker does with it.
func spec(_ name: String) -> JSONValue {
    [
        "name": .string(name), "seed": 0, "model": ["type": "Dense", "features": 5],
        "data": [
            "train": [
                "generator": [
                    "type": "linear_regression", "seed": 0, "samples": 20, "inputs": 10, "outputs": 5,
                    "noise": 0.1,
                ]
            ], "batch_size": 20, "shuffle": "none",
        ], "loss": "half_squared_error_sum", "optimizer": ["type": "sgd", "learning_rate": 0.3],
        "budget": ["steps": 3],
    ]
}

/// That a reply is problem details with everything that they always have.
@discardableResult
func expectProblem(
    _ reply: Reply, _ status: Int, _ code: ProblemCode, _ location: SourceLocation = #_sourceLocation
) throws -> JSONValue {
    #expect(reply.status == status, "\(reply.text.prefix(500))", sourceLocation: location)
    #expect(reply.headers["content-type"] == Problem.mediaType, sourceLocation: location)
    let body = try reply.json(location)
    #expect(body["code"]?.stringValue == code.rawValue, "\(reply.text.prefix(500))", sourceLocation: location)
    #expect(body["status"]?.intValue == status, sourceLocation: location)
    for member in ["type", "title", "detail", "request_id"] {
        #expect(body[member]?.stringValue?.isEmpty == false, "\(member)", sourceLocation: location)
    }
    #expect(body["request_id"]?.stringValue == reply.headers["x-request-id"], sourceLocation: location)
    return body
}
