// The example specs of the presets: they plan, resume exactly, and learn what they claim.
import Foundation
import JobSpec
import TestSupport
import Testing

@testable import Training

@Suite(.serialized) struct PresetTests {
    private static let names = ["cnn", "resnet", "transformer", "recurrent", "autoencoder", "vae"]

    private static func example(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: Repository.bytes(Repository.example(name + ".json")))
    }

    @Test("an example plans, and its parameter table adds up", arguments: names)
    func plans(name: String) throws {
        let plan = try RunFixture(Self.example(name)).plan()
        #expect(plan.parameterCount > 0)
        #expect(plan.modules.first?.parameters == plan.parameterCount)
        let expected = [
            // Conv 1x3x3x16 and 16x3x3x32, Dense 7·7·32 to 64, to 10.
            "cnn": 160 + 4640 + 1568 * 64 + 64 + 650,
            // 83 characters and one for all others.
            "recurrent": 0, "autoencoder": 784 * 128 + 128 + 128 * 16 + 16 + 16 * 128 + 128 + 128 * 784 + 784,
        ]
        if let count = expected[name], count > 0 { #expect(plan.parameterCount == count) }
    }

    @Test("a paused run of an example goes on with the bits of an uninterrupted one", arguments: names)
    func resumes(name: String) throws {
        let spec = try Self.example(name).setting("/budget", to: ["steps": 5]).setting(
            "/data/validation", to: nil
        )
        .setting("/checkpoint", to: nil).setting("/metrics", to: nil)
        let whole = try RunFixture(spec).train()
        let fixture = try RunFixture(spec)
        let first = try fixture.train(stopAfter: 3)
        let second = try fixture.train(resume: first.checkpoints.last)
        #expect(first.points + second.points == whole.points)
        #expect(second.checkpoints.last?.stateSHA256 == whole.checkpoints.last?.stateSHA256)
        #expect(Set(whole.losses).count == 5, "\(whole.losses)")
    }

    /// The last value of a metric after training.
    private func last(_ metric: String, _ spec: JSONValue) throws -> Double {
        let result = try RunFixture(spec).train()
        return try #require(result.checkpoints.last?.metrics[metric], "\(result.points.suffix(3))")
    }

    @Test("a residual network learns the digits")
    func resnet() throws {
        let accuracy = try last(
            "validation/accuracy", Self.example("resnet"))
        #expect(accuracy > 0.94)
    }

    @Test("a convolutional network learns handwritten images in one epoch")
    func cnn() throws {
        let accuracy = try last(
            "validation/accuracy", Self.example("cnn").setting("/budget", to: ["epochs": 1]))
        #expect(accuracy > 0.8)
    }

    @Test(
        "language models learn more than the frequencies of characters",
        arguments: ["transformer", "recurrent"])
    func languages(name: String) throws {
        // The entropy of single characters of this text is 4.2 bits: a perplexity of 18.
        let spec = try Self.example(name).setting("/budget", to: ["steps": 60])
            .setting("/evaluation", to: ["every_steps": 60, "max_batches": 4])
        let perplexity = try last("validation/perplexity", spec)
        #expect(perplexity < 15)
    }

    @Test("an autoencoder restores images from 16 numbers")
    func autoencoder() throws {
        let error = try last(
            "validation/loss", Self.example("autoencoder").setting("/budget", to: ["epochs": 1]))
        // The mean image alone has 0.067.
        #expect(error < 0.058)
    }
}
