// Whole runs of the example specs, to what deploy/examples/README.md claims. They take minutes, so they run when SPINDLE_LONG_TESTS is set.
import Foundation
import JobSpec
import TestSupport
import Testing

@testable import Training

@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["SPINDLE_LONG_TESTS"] != nil))
struct ExampleTests {
    /// A metric after the last step, and what it must reach: by Spindle here, by real Flax in deploy/interop.
    static let claims: JSONValue? = try? JSONValue(
        parsing: Repository.bytes(Repository.example("claims.json")))
    static let names = claims?.objectValue?.keys.elements ?? []

    @Test("an example reaches what it claims", arguments: names)
    func reaches(name: String) throws {
        let claim = try #require(Self.claims?[name])
        let spec = try JSONValue(parsing: Repository.bytes(Repository.example(name + ".json")))
        let start = Date()
        let result = try RunFixture(spec).train()
        let metrics = try #require(result.checkpoints.last).metrics
        let metric = try #require(claim["metric"]?.stringValue)
        let value = try #require(metrics[metric])
        print(
            "\(name): \(metrics.map { "\($0.key) \($0.value)" }.joined(separator: ", ")), \(Int(Date().timeIntervalSince(start))) s"
        )
        if let least = claim["at_least"]?.doubleValue { #expect(value >= least) }
        if let most = claim["at_most"]?.doubleValue { #expect(value <= most) }
        #expect(claim["at_least"] != nil || claim["at_most"] != nil)
    }
}
