// Optimizers that look at the loss itself, and others that the golden cases do not reach, against values of Optax 0.2.8.
import Optax
import TensorEngine
import Testing

/// `Σ (x - 0.5)² + 0.1 x⁴` over all numbers.
private let loss: @Sendable (Tree) throws -> Tensor = { params in
    var total = try zeros([])
    for leaf in params.leaves {
        total = try total + sum(square(leaf - 0.5)) + 0.1 * sum(square(square(leaf)))
    }
    return total
}

private func start() throws -> Tree {
    .dictionary([
        "bias": .tensor(try Tensor([1, -1] as [Float])),
        "kernel": .tensor(try Tensor([2, 0, -1, 1, 0.25, -2] as [Float], shape: [3, 2])),
    ])
}

/// The parameters after some compiled steps with everything that an optimizer may ask for.
private func run(_ optimizer: GradientTransformation, _ steps: Int) throws -> (params: [Double], state: Tree)
{
    let step = jit { (params: Tree, state: Tree) in
        let (value, gradients) = try valueAndGrad(loss)(params)
        let (updates, next) = try optimizer.update(
            updates: gradients, state: state, params: params,
            context: UpdateContext(value: value, gradients: gradients, valueFunction: loss))
        return (try applyUpdates(params, updates), next)
    }
    var params = try start()
    var state = try optimizer.initialize(params: params)
    for _ in 0..<steps { (params, state) = try step(params, state) }
    return (try params.leaves.flatMap { try $0.doubles() }, state)
}

private struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let steps: Int
    /// Wider where an iteration's length depends on rounding.
    let tolerance: Double
    let expected: [Double]
    let make: @Sendable () throws -> GradientTransformation
    var testDescription: String { name }

    init(
        _ name: String, _ steps: Int, _ expected: [Double], tolerance: Double = 2e-5,
        _ make: @escaping @Sendable () throws -> GradientTransformation
    ) {
        (self.name, self.steps, self.expected, self.tolerance, self.make) = (
            name, steps, expected, tolerance, make
        )
    }
}

private let climb = chain(normalize(), sgd(learningRate: 0.1))

private let rows: [Row] = [
    Row(
        "sam", 5,
        [
            0.8822029829025269, -0.7141267657279968, 1.4942755699157715, 0.08463483303785324,
            -0.7141267657279968,
            0.8822029829025269, 0.2917807102203369, -1.3306857347488403,
        ]
    ) { try sam(sgd(learningRate: 0.05), adversary: climb) },
    Row(
        "sam with adam, whose climb keeps its state", 7,
        [
            0.9990105628967285, -1.0000945329666138, 2.000014305114746, 0.0007364824414253235,
            -1.0000945329666138,
            0.9990105628967285, 0.2542683780193329, -2.0001423358917236,
        ]
    ) {
        try sam(
            adam(learningRate: 0.05), adversary: chain(normalize(), adam(learningRate: 0.1)), syncPeriod: 3,
            resetsState: false)
    },
    Row(
        "opaque sam", 3,
        [
            0.8151705861091614, -0.5478900671005249, 1.2810343503952026, 0.13837336003780365,
            -0.5478900671005249,
            0.8151705861091614, 0.3180760145187378, -1.0347272157669067,
        ]
    ) { try opaqueSAM(sgd(learningRate: 0.05), adversary: climb) },
    Row(
        "sophia", 5,
        [
            0.7499774694442749, -0.7499774694442749, 1.7499525547027588, 0.24999751150608063,
            -0.7499774694442749,
            0.7499774694442749, 0.499991238117218, -1.7499525547027588,
        ]
    ) {
        try sophia(
            learningRate: 0.05, updateInterval: 2,
            hessianDiagonal: hutchinsonEstimatorDiagonalHessian(key: try PRNGKey(seed: 3)))
    },
    Row(
        "galore", 4,
        [
            0.6141729354858398, -0.603161633014679, 1.861376404762268, 0.13839015364646912,
            -0.884916365146637,
            0.8851075172424316, -0.10487677901983261, -1.6456634998321533,
        ], tolerance: 1e-3
    ) { try galore(learningRate: 0.1, rank: 1, projectionPeriod: 2) },
    Row(
        "muon, aol and dion", 3,
        [
            0.6597093343734741, -0.6388067603111267, 1.7428314685821533, 0.018071308732032776,
            -0.8561650514602661,
            0.9593298435211182, 0.2932998836040497, -1.7066500186920166,
        ], tolerance: 2e-4
    ) { try muon(learningRate: 0.1, coefficients: .dion, preconditioning: .aol) },
    Row(
        "muon, schatten and consistent", 3,
        [
            0.6597093343734741, -0.6388067603111267, 1.908561110496521, -0.00338144158013165,
            -0.9509780406951904,
            0.9940516948699951, 0.2744140923023224, -1.9236379861831665,
        ], tolerance: 2e-4
    ) { try muon(learningRate: 0.1, preconditioning: .schatten, consistentRMS: 0.2) },
    Row(
        "muon, spectral", 3,
        [
            0.6597093343734741, -0.6388067603111267, 1.725035548210144, -0.013029866851866245,
            -0.8490211367607117,
            0.9848106503486633, 0.32796671986579895, -1.7788761854171753,
        ], tolerance: 2e-4
    ) { try muon(learningRate: 0.1, preconditioning: .spectral) },
    Row(
        "momo that adapts its bound", 4,
        [
            0.571311354637146, -0.4117368757724762, 0.871346116065979, 0.07978721708059311,
            -0.4117368757724762,
            0.571311354637146, 0.21014830470085144, -0.7117717266082764,
        ]
    ) { momo(learningRate: 1, lowerBound: 1, weightDecay: 0.1, adaptsLowerBound: true) },
    Row(
        "momo-adam that adapts its bound", 4,
        [
            0.5834820866584778, -0.5704221129417419, 1.532933235168457, 0.3811171054840088,
            -0.5704221129417419,
            0.5834820866584778, 0.5702685713768005, -1.5311615467071533,
        ]
    ) { momoAdam(learningRate: 0.1, lowerBound: 1, weightDecay: 0.1, adaptsLowerBound: true) },
    Row(
        "dog from a learning rate", 3,
        [
            0.6844930648803711, -0.2101358324289322, 0.9068766832351685, 0.25072726607322693,
            -0.2101358324289322,
            0.6844930648803711, 0.37257713079452515, -0.47451573610305786,
        ]
    ) { dog(start: .learningRate(0.1)) },
    Row(
        "backtracking", 3,
        [
            0.47338905930519104, 0.4956219494342804, 0.33154335618019104, 0.4796077609062195,
            0.4956219494342804,
            0.47338905930519104, 0.4791870713233948, 1.7659766674041748,
        ]
    ) {
        chain(
            sgd(learningRate: 1), try scaleByBacktrackingLineSearch(maximumSteps: 10, storesGradient: true))
    },
    Row(
        "zoom from the last step", 4,
        [
            0.5257565379142761, 0.277779757976532, 0.5438159704208374, 0.4141240119934082, 0.277779757976532,
            0.5257565379142761, 0.44949793815612793, 0.24917584657669067,
        ], tolerance: 1e-3
    ) { chain(sgd(learningRate: 1), try scaleByZoomLineSearch(maximumSteps: 10)) },
    Row(
        "zoom with a largest step", 3,
        [
            0.820609986782074, -0.5605635643005371, 1.3129065036773682, 0.135480597615242,
            -0.5605635643005371,
            0.820609986782074, 0.31660085916519165, -1.0765442848205566,
        ]
    ) { chain(sgd(learningRate: 1), try scaleByZoomLineSearch(maximumSteps: 10, maximumLearningRate: 0.05)) },
    Row(
        "zoom with too few steps", 2,
        [24287.5, -375692.5, 2261994.5, -10327.5, -375692.5, 24287.5, -1446.073486328125, -5316370]
    ) { chain(sgd(learningRate: 30), try scaleByZoomLineSearch(maximumSteps: 2)) },
    Row(
        "polyak with a bound", 4,
        [
            0.7153098583221436, -0.2921977937221527, 0.9737005829811096, 0.2218204289674759,
            -0.2921977937221527,
            0.7153098583221436, 0.3586620092391968, -0.5831928253173828,
        ]
    ) { polyakSGD(maximumLearningRate: 0.3, lowerBound: 3, variant: .spsPlus) },
    Row(
        "L-BFGS from the identity", 4,
        [
            0.729611337184906, -0.29425346851348877, 1.274539828300476, 0.2395140379667282,
            -0.29425346851348877,
            0.729611337184906, 0.3644075393676758, -0.8536208868026733,
        ], tolerance: 1e-3
    ) { try lbfgs(learningRate: 0.1, memorySize: 2, scalesInitialEstimate: false, lineSearch: nil) },
    Row(
        "adopt with a look ahead", 4,
        [
            0.9226120710372925, -0.9207956194877625, 1.9210081100463867, 0.07773512601852417,
            -0.9207956194877625,
            0.9226120710372925, 0.3247363269329071, -1.9206441640853882,
        ]
    ) { adopt(learningRate: 0.1, nesterov: true, clips: false) },
    Row(
        "ademamix on schedules", 4,
        [
            0.3775557279586792, -0.3679279088973999, 1.3283294439315796, 0.5859881639480591,
            -0.3679279088973999,
            0.3775557279586792, 0.7212433815002441, -1.3286945819854736,
        ]
    ) {
        ademamix(
            learningRate: 0.1, b3: .schedule(linearSchedule(initial: 0.9, end: 0.99, steps: 3)),
            alpha: .schedule(linearSchedule(initial: 0, end: 5, steps: 3)), weightDecay: 0.1)
    },
]

@Suite struct ObjectiveOptimizerTests {
    @Test("compiled steps end where Optax's do", arguments: rows)
    fileprivate func values(row: Row) throws {
        let (params, _) = try run(try row.make(), row.steps)
        for (got, expected) in zip(params, row.expected) {
            #expect(
                abs(got - expected) <= row.tolerance * max(abs(expected), 0.1),
                "\(row.name): got \(params)")
        }
    }

    @Test("a loss that is not finite ahead is not stepped to, and the state says that the search failed")
    func notFinite() throws {
        // The logarithm has no value beyond 0, where a step of 10 leads.
        let loss: @Sendable (Tree) throws -> Tensor = { params in
            try sum(params.leaves[0] - log(params.leaves[0]))
        }
        let params = Tree.tensor(try Tensor([3] as [Float]))
        for search in [
            try scaleByBacktrackingLineSearch(maximumSteps: 0, maximumLearningRate: 10),
            try scaleByZoomLineSearch(maximumSteps: 1),
        ] {
            let optimizer = chain(scale(-10), search)
            let (value, gradients) = try valueAndGrad(loss)(params)
            let (updates, state) = try optimizer.update(
                updates: gradients, state: try optimizer.initialize(params: params), params: params,
                context: UpdateContext(value: value, gradients: gradients, valueFunction: loss))
            #expect(try updates.leaves[0].doubles() == [0])
            #expect(try Tree.get(state, "decrease_error")?.tensor?.item() == .infinity)
        }
    }

    @Test("value and gradient that a line search left are used again, and computed where there are none")
    func fromState() throws {
        let optimizer = chain(sgd(learningRate: 1), try scaleByZoomLineSearch(maximumSteps: 10))
        let params = try start()
        var state = try optimizer.initialize(params: params)
        let (value, gradients) = try valueAndGrad(loss)(params)
        let first = try valueAndGradFromState(loss, params, state: state)
        #expect(try first.value.item() == value.item())
        let (updates, next) = try optimizer.update(
            updates: gradients, state: state, params: params,
            context: UpdateContext(value: value, gradients: gradients, valueFunction: loss))
        state = next
        let moved = try applyUpdates(params, updates)
        // Not this function, but the state, answers.
        let kept = try valueAndGradFromState({ try sum($0.leaves[0]) }, moved, state: state)
        let expected = try valueAndGrad(loss)(moved)
        #expect(try abs(kept.value.item() - expected.value.item()) < 1e-5)
        for (a, b) in zip(kept.gradients.leaves, expected.gradient.leaves) {
            #expect(try zip(a.doubles(), b.doubles()).allSatisfy { abs($0 - $1) < 1e-5 })
        }
        #expect(throws: TensorError.self) {
            try valueAndGradFromState(
                loss, params, state: try sgd(learningRate: 1).initialize(params: params))
        }
    }

    @Test("without what it needs of the context, a line search says so")
    func withoutContext() throws {
        let search = try scaleByZoomLineSearch(maximumSteps: 3)
        let params = try start()
        let error = #expect(throws: TensorError.self) {
            try search.update(
                updates: params, state: try search.initialize(params: params), params: params,
                context: UpdateContext(value: try zeros([]), gradients: params))
        }
        #expect(error?.fix == "Pass UpdateContext(valueFunction: loss) to update.")
    }
}
