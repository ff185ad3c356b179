// Brings elementwise work forward to the contraction whose result it reads, so that it runs on that one's tiles.

/// The steps of a program with contractions and the elementwise groups behind them joined.
///
/// The group that first reads a product joins it, if its other operands are there by then, or can be computed before at
/// next to no cost (an optimizer's scalars). So bias and activation are applied while a tile is in the cache, and the gradient
/// of a weight matrix is used up by the optimizer without ever getting to memory.
struct Epilogues {
    private(set) var steps: [FusionGroups.Step] = []

    /// Elements from which on a product's tiles are worth the preparation: below, all of it is in the first cache anyway.
    static let smallestProduct = 256

    private let program: Program
    private let order: [FusionGroups.Step]
    /// By variable: the step that computes it (for views, what they look at), -1 for inputs and constants.
    private var producer: [Int]
    /// By step: the steps whose results it reads.
    private var needs: [[Int]] = []
    /// By step: the program's inputs of more than one element that it reads.
    private var inputs: [[Int]] = []
    /// By program input: how many steps read it that are not emitted yet.
    private var pendingReaders: [Int]
    private var isEmitted: [Bool]
    /// By step: how many others read its results, and whether the program returns one.
    private var readerCount: [Int]
    private var isOutput: [Bool]

    init(_ program: Program, _ order: [FusionGroups.Step], _ groupOfEquation: [Int]) {
        self.program = program
        self.order = order
        producer = Array(repeating: -1, count: program.types.count)
        pendingReaders = Array(repeating: 0, count: program.inputs.count)
        isEmitted = Array(repeating: false, count: order.count)
        readerCount = Array(repeating: 0, count: order.count)
        isOutput = Array(repeating: false, count: order.count)
        findDependencies()
        guard order.contains(where: { contraction($0) != nil }) else {
            steps = order
            return
        }
        let epilogueOf = candidates()
        for step in order.indices where !isEmitted[step] {
            guard let group = epilogueOf[step], !isEmitted[group], case .kernel(let equation) = order[step],
                case .elementwise(let positions) = order[group], let cheap = missing(for: group, after: step)
            else {
                emit(step)
                continue
            }
            for earlier in cheap { emit(earlier) }
            steps.append(.product(equation, epilogue: positions, isKept: isKept(step)))
            markEmitted(step)
            markEmitted(group)
        }
    }

    private mutating func emit(_ step: Int) {
        steps.append(order[step])
        markEmitted(step)
    }

    private mutating func markEmitted(_ step: Int) {
        isEmitted[step] = true
        for input in inputs[step] { pendingReaders[input] -= 1 }
    }

    private func equations(_ step: FusionGroups.Step) -> [Int] {
        switch step {
        case .kernel(let position): [position]
        case .elementwise(let positions): positions
        case .product(let position, let epilogue, _): [position] + epilogue
        }
    }

    private func contraction(_ step: FusionGroups.Step) -> Variable? {
        guard case .kernel(let position) = step,
            case .contraction = program.equations[position].primitive.lowering
        else { return nil }
        let output = program.equations[position].outputs[0]
        return program.type(of: output).dtype == .float32 ? output : nil
    }

    private mutating func findDependencies() {
        var inputNumber = [Int](repeating: -1, count: program.types.count)
        for (k, variable) in program.inputs.enumerated() { inputNumber[variable.index] = k }
        var stepOfEquation = [Int](repeating: -1, count: program.equations.count)
        for (number, step) in order.enumerated() {
            for position in equations(step) { stepOfEquation[position] = number }
        }
        // Views pass on what they look at.
        for (position, equation) in program.equations.enumerated() {
            if case .view = equation.primitive.lowering {
                let source = equation.inputs[0].index
                producer[equation.outputs[0].index] = producer[source]
                inputNumber[equation.outputs[0].index] = inputNumber[source]
            } else {
                for variable in equation.outputs { producer[variable.index] = stepOfEquation[position] }
            }
        }
        for (number, step) in order.enumerated() {
            var needed: Set<Int> = []
            var read: Set<Int> = []
            for position in equations(step) {
                for variable in program.equations[position].inputs {
                    let source = producer[variable.index]
                    if source >= 0, source != number { needed.insert(source) }
                    let input = inputNumber[variable.index]
                    if input >= 0, program.type(of: program.inputs[input]).shape.elementCount > 1 {
                        read.insert(input)
                    }
                }
            }
            for source in needed { readerCount[source] += 1 }
            needs.append(needed.sorted())
            inputs.append(read.sorted())
            for input in read { pendingReaders[input] += 1 }
        }
        for variable in program.outputs where producer[variable.index] >= 0 {
            isOutput[producer[variable.index]] = true
        }
    }

    /// By contraction: the first step that reads its result, if that is an elementwise group of the same shape which reads it
    /// as it lies.
    private func candidates() -> [Int: Int] {
        var firstReader: [Int: Int] = [:]
        for number in order.indices {
            for source in needs[number] where firstReader[source] == nil { firstReader[source] = number }
        }
        var result: [Int: Int] = [:]
        for (product, reader) in firstReader {
            guard let output = contraction(order[product]), case .elementwise(let positions) = order[reader],
                program.type(of: output).shape.elementCount >= Epilogues.smallestProduct,
                program.type(of: program.equations[positions[0]].outputs[0]).shape
                    == program.type(of: output).shape
            else { continue }
            let readsDirectly = positions.contains { program.equations[$0].inputs.contains(output) }
            let readsThroughView = positions.contains { position in
                program.equations[position].inputs.contains { $0 != output && producer[$0.index] == product }
            }
            if readsDirectly, !readsThroughView { result[product] = reader }
        }
        return result
    }

    /// Whether a product is a result of the program, or read by more than one step.
    private func isKept(_ product: Int) -> Bool {
        isOutput[product] || readerCount[product] > 1
    }

    /// The steps that must come before `group` can run right behind `product`, in their order; nil where that costs something,
    /// or where the group would overwrite an input that a later step still reads.
    private func missing(for group: Int, after product: Int) -> [Int]? {
        let largestElementCount = 64
        let mostSteps = 32
        var found: Set<Int> = []
        var pending = needs[group].filter { $0 != product && !isEmitted[$0] }
        while let step = pending.popLast() {
            guard found.count < mostSteps, step != product else { return nil }
            guard found.insert(step).inserted else { continue }
            let isSmall = equations(order[step]).allSatisfy {
                program.equations[$0].outputs.allSatisfy {
                    program.type(of: $0).shape.elementCount <= largestElementCount
                }
            }
            guard isSmall, case .elementwise = order[step] else { return nil }
            for earlier in needs[step] where !isEmitted[earlier] {
                guard earlier != product else { return nil }
                pending.append(earlier)
            }
        }
        // What the product itself needs is emitted: steps are taken in their order.
        let isAhead = found.contains { $0 > product } || group > product + 1
        if isAhead {
            for input in inputs[group] {
                guard pendingReaders[input] == (inputs[product].contains(input) ? 2 : 1) else { return nil }
            }
        }
        return found.sorted()
    }
}
