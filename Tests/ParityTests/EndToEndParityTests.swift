// Suite end_to_end: the Flax Basics guide and whole training runs.
import JobSpec
import Linen
import Optax
import TensorEngine
import Testing

@Suite("Training runs are those of JAX, Flax and Optax")
struct EndToEndParityTests {
    @Test(
        "every run that is built follows the losses of the real libraries",
        arguments: [("flax_basics", 0), ("training", 0)])
    func runs(group: String, notBuilt: Int) throws {
        try checkParity("end_to_end", group, notBuilt: notBuilt) { parityCase in
            switch parityCase.config["kind"]?.stringValue {
            case "linen": try LinenCase(parityCase).check()
            case "linear_regression": try linearRegression(parityCase)
            case "train": try TrainingCase(parityCase).check()
            case let kind: throw NotBuilt("end_to_end \(kind ?? "without a kind")")
            }
        }
    }

    /// The guide's linear regression: data, gradient descent by hand with vmap and valueAndGrad, then an Optax optimizer.
    private func linearRegression(_ parityCase: ParityCase) throws {
        let (config, expected) = (parityCase.config, parityCase.expected)
        func number(_ name: String) throws -> Double { try config.member(name).doubleValue ?? 0 }
        func integer(_ name: String) throws -> Int { try config.member(name).intValue ?? 0 }
        func compare(_ got: Tensor, _ name: String) throws {
            try expectClose(got, try expected.member(name), parityCase.tolerance, name)
        }
        let (n, inputs, outputs) = (try integer("n"), try integer("x_dim"), try integer("y_dim"))
        let keys = try PRNGKey(seed: integer("seed")).split()
        let (kernel, bias) = (try keys[0].normal([inputs, outputs]), try keys[1].normal([outputs]))
        let dataKeys = try keys[0].split()
        let x = try dataKeys[0].normal([n, inputs])
        let y = try matmul(x, kernel) + bias + number("noise") * dataKeys[1].normal([n, outputs])
        try compare(kernel, "W")
        try compare(bias, "b")
        try compare(x, "x")
        try compare(y, "y")

        let model = Dense(features: outputs)
        let initKeys = try PRNGKey(seed: integer("init_seed")).split()
        let variables = try model.initialize(initKeys[1], initKeys[0].normal([inputs]))
        guard var params = variables["params"]?.dictionary else { throw ParityMismatch("no params") }
        try expectClose(params, try expected.member("init_params"), parityCase.tolerance, "init_params")

        func meanSquaredError(_ params: FrozenDict) throws -> Tensor {
            let squaredError = vmap { (x: Tensor, y: Tensor) in
                let error = try y - model.apply(["params": .dictionary(params)], x)
                return try inner(error, error) / 2
            }
            return try mean(squaredError(x, y))
        }
        let truth: FrozenDict = ["kernel": .tensor(kernel), "bias": .tensor(bias)]
        try compare(try meanSquaredError(truth), "loss_true")

        let lossAndGrad = valueAndGrad(meanSquaredError)
        let rate = try number("lr")
        let descend = jit { (params: FrozenDict) in
            let (loss, gradients) = try lossAndGrad(params)
            return (try params.mapLeaves(gradients) { try $0 - rate * $1 }, loss)
        }
        var losses: [Tensor] = []
        for _ in 0..<(try integer("steps")) {
            let (next, loss) = try descend(params)
            params = next
            losses.append(loss)
        }
        try compare(try stack(losses), "losses_gd")
        try expectClose(params, try expected.member("params_gd"), parityCase.tolerance, "params_gd")

        let optimizer = try makeTransformation(try config.member("tx"))
        var state = try optimizer.initialize(params: .dictionary(params))
        let step = jit { (params: FrozenDict, state: Tree) in
            let (loss, gradients) = try lossAndGrad(params)
            let (updates, next) = try optimizer.update(
                updates: .dictionary(gradients), state: state, params: .dictionary(params))
            return (try applyUpdates(.dictionary(params), updates), next, loss)
        }
        losses = []
        for _ in 0..<(try integer("tx_steps")) {
            let (tree, next, loss) = try step(params, state)
            params = tree.dictionary ?? params
            state = next
            losses.append(loss)
        }
        try compare(try stack(losses), "losses_tx")
        try expectClose(params, try expected.member("params_tx"), parityCase.tolerance, "params_tx")
    }
}
