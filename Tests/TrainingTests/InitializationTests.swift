// Jobs that start from the checkpoints of others.
import Foundation
import JobSpec
import OrderedCollections
import Serialization
import TestSupport
import Testing

@testable import Training

@Suite(.serialized) struct InitializationTests {
    private static func spec(_ changes: [String: JSONValue]) throws -> JSONValue {
        var spec = try JSONValue(parsing: Repository.bytes(Repository.example("digits.json")))
            .setting("/budget", to: ["steps": 1])
        for (pointer, value) in changes { spec = spec.setting(pointer, to: value) }
        return spec
    }

    private static func trained() throws -> (fixture: RunFixture, path: String) {
        let fixture = try RunFixture(spec(["/budget": ["steps": 20]]))
        let checkpoint = try #require(try fixture.train().checkpoints.last)
        return (fixture, checkpoint.folder + "/state.msgpack")
    }

    private func start(_ path: String, _ initial: JSONValue, _ changes: [String: JSONValue] = [:]) throws
        -> RunFixture
    {
        try RunFixture(
            Self.spec(changes.merging(["/init": initial]) { $1 }),
            more: ["ckpt_1": DatasetLocation(path: path, format: "flax")])
    }

    @Test("with parameters, optimizer and step a job goes on where the other ended")
    func whole() throws {
        let (trained, path) = try Self.trained()
        // Its folder goes with it.
        defer { withExtendedLifetime(trained) {} }
        let parts: JSONValue = ["checkpoint": "ckpt_1", "load": ["params", "opt_state", "step"]]
        let fixture = try start(path, parts)
        let fresh = try RunFixture(Self.spec([:])).train().losses
        let started = try fixture.train().losses
        #expect(started[0] < fresh[0] - 0.2)
        _ = try fixture.plan()
    }

    @Test("renamed parameters are found, and others are an error with their paths")
    func renamed() throws {
        let (trained, path) = try Self.trained()
        // Its folder goes with it.
        defer { withExtendedLifetime(trained) {} }
        let model: JSONValue = [
            "type": "Sequential",
            "layers": [
                ["type": "Dense", "features": 64], "relu", ["type": "Dense", "features": 64], "relu",
                ["type": "Dense", "features": 10],
            ],
        ]
        let map: JSONValue = [
            "Dense_0/**": "layers_0/**", "Dense_1/**": "layers_2/**", "Dense_2/**": "layers_4/**",
        ]
        let initial: JSONValue = ["checkpoint": "ckpt_1", "map": map]
        let losses = try start(path, initial, ["/model": model]).train().losses
        #expect(try losses == start(path, ["checkpoint": "ckpt_1"]).train().losses)

        // The optimizer's moments have the parameters' names inside of it.
        let parts: JSONValue = ["params", "opt_state", "step"]
        let longer: [String: JSONValue] = ["/budget": ["steps": 3]]
        let whole = try start(
            path, initial.setting("/load", to: parts), longer.merging(["/model": model]) { $1 })
        let same = try start(path, ["checkpoint": "ckpt_1", "load": parts], longer)
        #expect(try whole.train().losses == same.train().losses)

        let errors = try #require(throws: SpecErrors.self) {
            try start(path, ["checkpoint": "ckpt_1"], ["/model": model]).plan()
        }
        #expect(errors.problems.first?.pointer == "#/init")
        #expect(errors.problems.first?.detail.contains("params/layers_0/bias") == true)
        #expect(errors.problems.first?.detail.contains("params/Dense_0/bias") == true)
        // What fits is taken, the rest is fresh.
        _ = try start(path, ["checkpoint": "ckpt_1", "strict": false], ["/model": model]).plan()
    }

    @Test("another shape, a missing part and a file that is no checkpoint are errors")
    func wrong() throws {
        let (fixture, path) = try Self.trained()
        func detail(_ path: String, _ initial: JSONValue, _ changes: [String: JSONValue] = [:]) throws
            -> String
        {
            let errors = try #require(throws: SpecErrors.self) { try start(path, initial, changes).plan() }
            return errors.problems.first?.detail ?? ""
        }
        #expect(
            try detail(path, ["checkpoint": "ckpt_1"], ["/model/features": [32, 64, 10]]).contains(
                "params/Dense_0/"))
        #expect(try detail(path, ["checkpoint": "ckpt_1", "load": ["batch_stats"]]).contains("batch_stats"))
        let other = try fixture.folder.write("other.msgpack", "not msgpack")
        #expect(try detail(other, ["checkpoint": "ckpt_1"]).contains("cannot be read"))
    }
}
