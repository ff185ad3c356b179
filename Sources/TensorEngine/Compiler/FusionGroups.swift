// Decides which equations run together: elementwise work joins the step that first needs it.

/// The order of steps: each is one kernel equation, or a group of elementwise equations of one shape.
struct FusionGroups {
    enum Step {
        case kernel(Int)
        /// Positions of the equations, ascending.
        case elementwise([Int])
        /// A contraction, and the elementwise equations that run on its tiles; whether others read the product too.
        case product(Int, epilogue: [Int], isKept: Bool)
    }

    let steps: [Step]
    /// The number of the group that each equation belongs to, -1 for views and kernels.
    let groupOfEquation: [Int]

    /// The number of the group that each equation belongs to, ascending in time; -1 for views and kernels.
    static func groups(of program: Program) -> [Int] { Assignment(program).groupOfEquation }

    init(_ program: Program) {
        let assignment = Assignment(program)
        groupOfEquation = assignment.groupOfEquation
        steps = Epilogues(program, assignment.steps, groupOfEquation).steps
    }
}

/// Which equations run together, before products take the groups behind them.
private struct Assignment {
    let steps: [FusionGroups.Step]
    let groupOfEquation: [Int]

    /// The most equations in a group: what fits the interpreter's registers in most cases, and keeps blocks in L1.
    private static let largestGroup = 48

    /// Walks the equations backwards. An elementwise equation joins the group of its first consumer, if that has the same
    /// shape and reads the value directly: its operands are then needed no earlier than before, so the order stays valid.
    /// (Forwards the same rule would compute `b1 * m` of Adam before the gradient is known, and store it.)
    init(_ program: Program) {
        struct Group {
            var shape: Shape
            var equations: [Int]
            var isElementwise: Bool
        }
        // Groups in reverse order of time: group 0 runs last.
        var groups: [Group] = []
        var groupOfEquation = [Int](repeating: -1, count: program.equations.count)
        // For each variable the earliest group that reads it, as it lies and through a view. Earlier groups have larger
        // numbers, so "earliest" is the maximum; -1 where nobody does.
        var directUse = [Int](repeating: -1, count: program.types.count)
        var viewUse = [Int](repeating: -1, count: program.types.count)

        for position in program.equations.indices.reversed() {
            let equation = program.equations[position]
            switch equation.primitive.lowering {
            case .view:
                let source = equation.inputs[0].index
                let use = max(directUse[equation.outputs[0].index], viewUse[equation.outputs[0].index])
                viewUse[source] = max(viewUse[source], use)
            case .kernel, .contraction:
                groups.append(Group(shape: [], equations: [position], isElementwise: false))
                for input in equation.inputs { directUse[input.index] = groups.count - 1 }
            case .elementwise:
                let shape = program.type(of: equation.outputs[0]).shape
                let direct = equation.outputs.map { directUse[$0.index] }.max() ?? -1
                let throughView = equation.outputs.map { viewUse[$0.index] }.max() ?? -1
                let target: Int
                if direct >= 0, direct > throughView, groups[direct].isElementwise,
                    groups[direct].shape == shape,
                    groups[direct].equations.count < Assignment.largestGroup
                {
                    target = direct
                    groups[direct].equations.append(position)
                } else {
                    groups.append(Group(shape: shape, equations: [position], isElementwise: true))
                    target = groups.count - 1
                }
                groupOfEquation[position] = target
                for input in equation.inputs { directUse[input.index] = max(directUse[input.index], target) }
            }
        }
        let count = groups.count
        self.groupOfEquation = groupOfEquation.map { $0 < 0 ? -1 : count - 1 - $0 }
        steps = groups.reversed().map {
            $0.isElementwise ? .elementwise($0.equations.reversed()) : .kernel($0.equations[0])
        }
    }
}
