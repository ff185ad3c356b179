// Whole runs of the example specs, to what deploy/examples/README.md claims. They take minutes, so they run when SPINDLE_LONG_TESTS is set.
import Foundation
import JobSpec
import TestSupport
import Testing

@testable import Training

@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SPINDLE_LONG_TESTS"] != nil))
struct ExampleTests {
    /// A metric after the last step, and what it must reach.
    static let claims: [(name: String, metric: String, atLeast: Double?, atMost: Double?)] = [
        ("digits", "validation/accuracy", 0.905, nil),
        ("cnn", "validation/accuracy", 0.97, nil),
        ("resnet", "validation/accuracy", 0.96, nil),
        ("transformer", "validation/perplexity", nil, 5.1),
        ("recurrent", "validation/perplexity", nil, 4.7),
        ("autoencoder", "validation/loss", nil, 0.0221),
        ("vae", "validation/loss", nil, 0.147),
    ]

    @Test("an example reaches what it claims", arguments: claims.map(\.name))
    func reaches(name: String) throws {
        let claim = try #require(Self.claims.first { $0.name == name })
        let spec = try JSONValue(parsing: Repository.bytes(Repository.example(name + ".json")))
        let start = Date()
        let result = try RunFixture(spec).train()
        let metrics = try #require(result.checkpoints.last).metrics
        let value = try #require(metrics[claim.metric])
        print(
            "\(name): \(metrics.map { "\($0.key) \($0.value)" }.joined(separator: ", ")), \(Int(Date().timeIntervalSince(start))) s"
        )
        if let least = claim.atLeast { #expect(value >= least) }
        if let most = claim.atMost { #expect(value <= most) }
    }
}
