// Modules with one main computation: most of them.
import TensorEngine

/// A module with a main computation from `Input` to `Output`. Write `forward`; call the module as a function.
///
/// A module whose calls take several arguments has methods of its own instead of this protocol, each with its body in `compact`:
/// `func callAsFunction(_ x: Tensor, mask: Tensor?) throws -> Tensor { try compact { … } }`.
public protocol Layer<Input, Output>: Module {
    associatedtype Input
    associatedtype Output

    /// Computes the output. Not to be called directly: `module(input)` sets the scene for it.
    func forward(_ input: Input) throws -> Output
}

extension Layer {
    /// Runs the module. Only inside of `initialize` and `apply`.
    public func callAsFunction(_ input: Input) throws -> Output {
        let context = try ModuleContext.required(by: self, for: className)
        return try context.call(self) {
            let output = try forward(input)
            if context.capturesIntermediates, let result = output as? any TensorTree {
                let scope = try context.runningScope(of: self, for: "capture")
                try context.append(result.asTree, to: "intermediates", "__call__", in: scope)
            }
            return output
        }
    }
}

extension TensorTree {
    /// As a `Tree`; a type of the user's own becomes the tuple of its tensors.
    var asTree: Tree {
        switch self {
        case let tensor as Tensor: .tensor(tensor)
        case let tree as Tree: tree
        case let dictionary as FrozenDict: .dictionary(dictionary)
        default: .tuple(leaves.map { .tensor($0) })
        }
    }
}
