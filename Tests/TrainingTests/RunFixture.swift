// Runs training in this process, as a worker would, and keeps what it reports.
import Foundation
import Hashing
import JobSpec
import OrderedCollections
import TestSupport

@testable import Training

/// The reports of one attempt.
struct AttemptResult {
    var reports: [WorkerReport] = []

    /// Every metric point, in order, as `name step value`.
    var points: [String] {
        reports.flatMap { report -> [String] in
            guard case .metrics(let metrics) = report else { return [] }
            return metrics.points.map { "\($0.name) \($0.step) \($0.value)" }
        }
    }

    var checkpoints: [CheckpointReport] {
        reports.compactMap { if case .checkpoint(let checkpoint) = $0 { checkpoint } else { nil } }
    }

    /// Losses of the training steps, in order.
    var losses: [Double] {
        reports.flatMap { report -> [Double] in
            guard case .metrics(let metrics) = report else { return [] }
            return metrics.points.filter { $0.name == "train/loss" }.map(\.value)
        }
    }
}

/// A job on the test data, with a folder for its checkpoints.
final class RunFixture {
    let folder: TemporaryFolder
    let spec: JSONValue
    let datasets: OrderedDictionary<String, DatasetLocation>

    private static let files: OrderedDictionary<String, (file: String, format: String)> = [
        "digits": ("digits.csv", "csv"), "scripture": ("scripture.txt", "text"),
        "mnist-images": ("mnist5k/train-images-idx3-ubyte.gz", "idx"),
        "mnist-labels": ("mnist5k/train-labels-idx1-ubyte.gz", "idx"),
        "mnist-test-images": ("mnist5k/t10k-images-idx3-ubyte.gz", "idx"),
        "mnist-test-labels": ("mnist5k/t10k-labels-idx1-ubyte.gz", "idx"),
    ]

    /// - Parameter more: further files, such as checkpoints, by their names in the spec.
    init(_ spec: JSONValue, more: OrderedDictionary<String, DatasetLocation> = [:]) throws {
        folder = try TemporaryFolder()
        var digests: [String: String] = [:]
        var datasets = more
        for reference in try JobSpec.decode(spec).datasetReferences {
            guard let known = RunFixture.files[reference.name] else { continue }
            let path = Repository.fixture("data/" + known.file).path(percentEncoded: false)
            let digest = try SHA256.hash(file: path).hex
            digests[reference.name] = digest
            datasets["\(reference.name)@sha256:\(digest)"] = DatasetLocation(path: path, format: known.format)
        }
        self.spec = try JobSpec.decode(spec).pinned { digests[$0] }.effectiveJSON
        self.datasets = datasets
    }

    static func digits(epochs: Int = 2) throws -> RunFixture {
        let example = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
        return try RunFixture(example.setting("/budget", to: ["epochs": JSONValue(epochs)]))
    }

    /// Trains; `stopAfter` steps asks for a pause, and `resume` continues from a checkpoint.
    func train(stopAfter: Int? = nil, resume: CheckpointReport? = nil) throws -> AttemptResult {
        var result = AttemptResult()
        let point = resume.map {
            ResumePoint(folder: $0.folder, stateSHA256: $0.stateSHA256, resumeSHA256: $0.resumeSHA256)
        }
        let command = RunCommand(
            job: "job_test", attempt: 1, spec: spec, datasets: datasets, folder: folder.path, resume: point,
            threads: 1)
        let run = try TrainingRun(command) { result.reports.append($0) }
        var steps = 0
        try run.train {
            defer { steps += 1 }
            return steps == stopAfter ? .pause : nil
        }
        return result
    }

    func plan() throws -> JobPlan { try Planner.plan(spec, datasets: datasets) }
}
