// Modules made of modules, for models that are described in data.
import TensorEngine

/// `body(x) + shortcut(x)`, or `body(x) + x` without a shortcut. Submodules `body` and `shortcut`.
public final class Residual: Module, Layer {
    public let body: any Layer<Tensor, Tensor>
    public let shortcut: (any Layer<Tensor, Tensor>)?

    public init(
        _ body: any Layer<Tensor, Tensor>, shortcut: (any Layer<Tensor, Tensor>)? = nil, name: String? = nil
    ) {
        self.body = body
        self.shortcut = shortcut
        super.init(name: name, passed: [body] + (shortcut.map { [$0] } ?? []))
    }

    public override func submodules() -> [(name: String, module: Module)] {
        [("body", body)] + (shortcut.map { [("shortcut", $0)] } ?? [])
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let (change, direct) = (try body(x), try shortcut?(x) ?? x)
        guard change.shape == direct.shape else {
            throw ModuleError(
                .argument, className, expected: "one shape from the body and beside it",
                got: "\(change.shape) and \(direct.shape)",
                fix: "Give it a shortcut, such as a Dense or a 1x1 Conv with the body's features and strides."
            )
        }
        return try change + direct
    }
}

/// Several modules on one input. Submodules `branches_0`, `branches_1`, ….
public final class Parallel: Module, Layer {
    public enum Combination: String, Sendable, CaseIterable {
        case add
        case concatenate
    }

    public let branches: [any Layer<Tensor, Tensor>]
    public let combination: Combination
    /// Of the concatenation.
    public let axis: Int

    public init(
        _ branches: [any Layer<Tensor, Tensor>], combine combination: Combination = .add, axis: Int = -1,
        name: String? = nil
    ) {
        self.branches = branches
        self.combination = combination
        self.axis = axis
        super.init(name: name, passed: branches)
    }

    public override func submodules() -> [(name: String, module: Module)] {
        branches.enumerated().map { ("branches_\($0)", $1) }
    }

    public func forward(_ x: Tensor) throws -> Tensor {
        let results = try branches.map { try $0(x) }
        guard let first = results.first else { return x }
        switch combination {
        case .concatenate: return try concatenate(results, axis: axis)
        case .add: return try results.dropFirst().reduce(first) { try $0 + $1 }
        }
    }
}

/// A function without parameters, where a module is asked for.
public final class Function: Module, Layer {
    private let function: (Tensor) throws -> Tensor

    public init(name: String? = nil, _ function: @escaping (Tensor) throws -> Tensor) {
        self.function = function
        super.init(name: name)
    }

    public func forward(_ x: Tensor) throws -> Tensor { try function(x) }
}
