// Runs: JAX's losses, exact resumption, the same bits whatever the threads and kernels.
import Foundation
import JobSpec
import TensorEngine
import TestSupport
import Testing

@testable import Training

@Suite(.serialized) struct TrainingRunTests {
    @Test("the flax-basics job has JAX's loss at each of its 101 steps")
    func flaxBasics() throws {
        let example = try JSONValue(parsing: Repository.bytes(Repository.example("flax-basics.json")))
        let losses = try RunFixture(example).train().losses
        let suite = try JSONValue(
            parsing: Repository.bytes(Repository.fixture("parity/end_to_end/flax_basics.json")),
            limits: JSONLimits(maximumBytes: 64 << 20))
        let text = try #require(
            suite["cases"]?.arrayValue?.first?["expected"]?["losses_gd"]?["data"]?.stringValue)
        let expected = try #require(Data(base64Encoded: text)).withUnsafeBytes {
            Array($0.bindMemory(to: Float.self))
        }
        #expect(losses.count == 101)
        for (step, (loss, reference)) in zip(losses, expected).enumerated() {
            #expect(abs(loss - Double(reference)) <= 1e-5 * Double(reference), "step \(step)")
        }
    }

    @Test("a paused run continues with the bits of an uninterrupted one", arguments: [1, 44, 61])
    func resume(stopAfter: Int) throws {
        let whole = try RunFixture.digits().train()
        let fixture = try RunFixture.digits()
        let first = try fixture.train(stopAfter: stopAfter)
        let pause = try #require(first.checkpoints.last)
        #expect(pause.cause == .pause)
        let second = try fixture.train(resume: pause)
        #expect(first.points + second.points == whole.points)
        let (a, b) = (try #require(whole.checkpoints.last), try #require(second.checkpoints.last))
        #expect(a.stateSHA256 == b.stateSHA256)
        #expect(a.resumeSHA256 == b.resumeSHA256)
        #expect(a.cause == .final)
    }

    @Test("1 and 2 threads, and every kernel level, give the same bits")
    func sameBits() throws {
        let (threads, level) = (ComputePool.threads, KernelLevel.current)
        defer {
            ComputePool.configure(threads: threads)
            KernelLevel.set(level)
        }
        var digests: Set<String> = []
        for count in [1, 2] {
            for candidate in KernelLevel.allCases where candidate.rawValue <= level.rawValue {
                ComputePool.configure(threads: count)
                KernelLevel.set(candidate)
                let result = try RunFixture.digits(epochs: 1).train()
                digests.insert(try #require(result.checkpoints.last).stateSHA256)
            }
        }
        #expect(digests.count == 1)
    }

    @Test("a loss that is not finite ends the run, saying where")
    func nonfinite() throws {
        let example = try JSONValue(parsing: Repository.bytes(Repository.example("flax-basics.json")))
        let fixture = try RunFixture(example.setting("/optimizer/learning_rate", to: .double(1e30)))
        let failure = #expect(throws: TrainingFailure.self) { try fixture.train() }
        #expect(failure?.code == .nonfiniteLoss)
        #expect(failure?.isRetryable == false)
    }

    @Test("a damaged checkpoint is refused")
    func damagedCheckpoint() throws {
        let fixture = try RunFixture.digits()
        let pause = try #require(try fixture.train(stopAfter: 3).checkpoints.last)
        let file = URL(filePath: pause.folder).appending(path: "state.msgpack")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)
        let failure = #expect(throws: TrainingFailure.self) { try fixture.train(resume: pause) }
        #expect(failure?.code == .checkpointCorrupt)
    }

    @Test("a checkpoint of another spec is refused")
    func foreignCheckpoint() throws {
        let pause = try #require(try RunFixture.digits().train(stopAfter: 3).checkpoints.last)
        let failure = #expect(throws: (any Error).self) {
            try RunFixture.digits(epochs: 3).train(resume: pause)
        }
        #expect(failure is TrainingFailure)
    }
}
