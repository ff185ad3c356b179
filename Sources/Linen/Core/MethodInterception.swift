// Interceptors: what is run around the methods of modules, from outside of them. Flax's intercept_methods.
import TensorEngine

/// A call of a module's method that an interceptor stands in front of. Not copyable, since it means nothing once the interceptor has
/// returned.
public struct MethodCall: ~Copyable {
    public let module: Module
    /// The names from the outermost module to this one, as errors show them: "/", "/Dense_0".
    public let path: String
    /// Whether it is the module's main call (Flax's `__call__`), or another method.
    public let isMainCall: Bool
    /// The input of a `Layer`'s main call as a tree; nil for methods whose arguments only they know.
    public let input: Tree?

    fileprivate let following: (Tree?) throws -> Tree
    fileprivate let method: (Tree?) throws -> Tree

    /// The result of the next interceptor, or of the method after the last.
    ///
    /// - Parameter input: in place of the call's own, of the same structure.
    public func proceed(input: Tree? = nil) throws -> Tree { try following(input ?? self.input) }

    /// The result of the method itself, past all other interceptors (Flax's `context.orig_method`).
    public func proceedDirectly(input: Tree? = nil) throws -> Tree { try method(input ?? self.input) }
}

/// Gets a call and returns its result, for which it may call the method, with another input too, or not.
public typealias MethodInterceptor = (borrowing MethodCall) throws -> Tree

/// Runs `body`, in which `interceptor` stands in front of every method call of modules whose result is a tree of tensors: to look at inputs
/// and results, to change them, or to compute something else (Flax's intercept_methods).
///
///     try interceptMethods({ call in
///         guard call.module is Dense else { return try call.proceed() }
///         return try call.proceed(input: call.input?.map { try $0.astype(.bfloat16) })
///     }) { try model.apply(variables, x) }
///
/// An interceptor runs inside of the module's method: `call.module.sow(…)` is the module's own. Of several, the outermost is called
/// first. A module in another one's place (`Module.init(name:passed:sharing:)`) is called as itself, too.
public func interceptMethods<Result>(
    _ interceptor: @escaping MethodInterceptor, _ body: () throws -> Result
) rethrows -> Result {
    let all = Interceptors(list: (Interceptors.current?.list ?? []) + [interceptor])
    return try Interceptors.$current.withValue(all, operation: body)
}

/// Unchecked, since interceptors may hold modules: `interceptMethods` is synchronous, and modules are called by the thread that runs it.
private struct Interceptors: @unchecked Sendable {
    @TaskLocal static var current: Interceptors?
    let list: [MethodInterceptor]
}

extension Module {
    /// Runs a method, with the interceptors in front of it if there are any.
    ///
    /// - Parameter input: the method's input, if it is known.
    final func intercepted<Input, Result>(
        _ scope: Scope, isMainCall: Bool, input: Input, _ method: (Input) throws -> Result
    ) throws -> Result {
        guard let interceptors = Interceptors.current?.list, !interceptors.isEmpty,
            Result.self is any TensorTree.Type
        else { return try method(input) }
        let known = input as? any TensorTree
        var structure: (any TensorTree)?
        return try withoutActuallyEscaping(method) { method in
            func call(_ tree: Tree?) throws -> Tree {
                let result = try method(try rebuilt(known, tree) as? Input ?? input)
                guard let tree = result as? any TensorTree else { return .none }
                structure = tree
                return tree.asTree
            }
            func intercept(_ place: Int, _ tree: Tree?) throws -> Tree {
                guard place < interceptors.count else { return try call(tree) }
                return try interceptors[place](
                    MethodCall(
                        module: self, path: scope.displayPath, isMainCall: isMainCall, input: tree,
                        following: { try intercept(place + 1, $0) }, method: call))
            }
            let result = try intercept(0, known?.asTree)
            guard let value = (try rebuilt(structure, result) ?? plain(result)) as? Result else {
                throw ModuleError(
                    .argument, className, expected: "a result of type \(Result.self) from an interceptor",
                    got: "another tree",
                    fix: "Return what proceed() returned, with other tensors.", path: scope.displayPath)
            }
            return value
        }
    }

    /// A tree of tensors as the type of a template.
    private func rebuilt(_ template: (any TensorTree)?, _ tree: Tree?) throws -> (any TensorTree)? {
        func replacing(_ template: some TensorTree, _ tree: Tree) throws -> any TensorTree {
            try template.replacingLeaves(tree.leaves)
        }
        guard let template, let tree else { return nil }
        return try replacing(template, tree)
    }

    /// A tree as what it stands for by itself, where no method has said the type.
    private func plain(_ tree: Tree) -> (any TensorTree)? {
        switch tree {
        case .tensor(let tensor): tensor
        case .dictionary(let dictionary): dictionary
        default: tree
        }
    }
}
