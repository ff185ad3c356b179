// Running a module with variables computed from its own.
import TensorEngine

extension LiftedTransformations {
    /// Runs `body`, in which this module sees `read` of its variables in place of the variables themselves
    /// (Flax's map_variables, on all collections).
    ///
    /// - Parameters:
    ///   - initializing: run `body` once before, so that the variables exist; and then, as in Flax, keep those that `body` saw,
    ///     passed through `write`.
    ///   - changing: let `body` change the variables; what it left is kept, passed through `write`.
    ///   - read: from the module's variables, by collection, to those that `body` sees.
    ///   - write: back.
    public func mapVariables<Result>(
        initializing: Bool = false, changing: Bool = false, read: (FrozenDict) throws -> FrozenDict,
        write: (FrozenDict) throws -> FrozenDict = { $0 }, _ body: () throws -> Result
    ) throws -> Result {
        let lifting = try Lifting(module, for: "mapVariables")
        let keys = lifting.randomKeys
        var variables = lifting.variables
        if initializing {
            let made = try lifting.run(variables, randomKeys: keys, mutable: [.all], body)
            variables = try variables.merging(write(made.changed))
        }
        let (result, changed) = try lifting.run(
            read(variables), randomKeys: keys, mutable: initializing || changing ? [.all] : [], body)
        try lifting.publish(write(changed))
        return result
    }
}
