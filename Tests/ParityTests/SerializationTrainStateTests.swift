// The group `train_state` of the suite `serialization`: states of training, trained here, as Flax writes them.
import Foundation
import JobSpec
import Linen
import Optax
import Serialization
import TensorEngine
import Testing

@Suite struct SerializationTrainStateTests {
    @Test(
        "training states have Flax's names, order, types and values, and Flax's bytes come back as they were")
    func trainStates() throws {
        try checkParity("serialization", "train_state", notBuilt: 0) { parityCase in
            let value = try parityCase.config.member("value")
            let x = try value.member("x").tensor()
            let model = try SpecModule.build(try value.member("module"))
            let key = try PRNGKey(seed: try value.member("seed").intValue ?? 0)
            let variables = try model.module.initializeWithOutput(rngs: ["params": key]) { _ in
                try model.call(nil, [.tensor(x)], [:])
            }.variables
            guard let params = variables["params"]?.dictionary else { throw ParityMismatch("no parameters") }
            var state = try TrainState.create(
                params: params, transformation: try makeTransformation(try value.member("tx")))
            for _ in 0..<(try value.member("steps").intValue ?? 0) {
                let gradients = try grad { (params: FrozenDict) in
                    let output = try model.module.apply(["params": .dictionary(params)]) { _ in
                        try model.call(nil, [.tensor(x)], [:])
                    }
                    guard let output = output.tensor else { throw ParityMismatch("no output") }
                    return try mean(square(output))
                }(state.params)
                state = try state.applyGradients(gradients)
            }
            let expected = try parityCase.expected.member("restored").stateValue()
            try expectSame(try msgpackRestore(try toBytes(state.tree)), expected, parityCase.tolerance)

            let file = try parityCase.expected.member("file").stringValue ?? ""
            let golden = [UInt8](
                try Data(contentsOf: ParitySuite.folder.appendingPathComponent("serialization/\(file)")))
            let restored = try state.replacing(tree: try fromBytes(state.tree, golden))
            guard try toBytes(restored.tree) == golden else {
                throw ParityMismatch("\(file) comes back changed")
            }
            guard try serializedByteCount(state.tree) == golden.count else {
                throw ParityMismatch("\(file): predicted size differs from \(golden.count)")
            }
        }
    }
}
