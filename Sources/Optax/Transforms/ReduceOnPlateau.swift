// A learning rate that falls when the loss no longer does.
import TensorEngine

/// Multiplies updates by a scale that starts at 1 and is multiplied by `factor` when the loss (`context.value`) has not improved for
/// `patience` updates; for `cooldown` updates after that nothing is counted. Put it after the optimizer in a chain.
///
/// - Parameters:
///   - relativeTolerance, absoluteTolerance: the loss has improved when it is below `(1 - relative) * best - absolute`.
///   - accumulationSize: how many losses are averaged for one decision.
///   - minimumScale: where the scale stops.
public func reduceOnPlateau(
    factor: Double = 0.1, patience: Int = 10, relativeTolerance: Double = 1e-4, absoluteTolerance: Double = 0,
    cooldown: Int = 0, accumulationSize: Int = 1, minimumScale: Double = 0
) throws -> GradientTransformation {
    guard (0..<1).contains(factor), factor > 0, patience > 0, cooldown >= 0, accumulationSize > 0,
        relativeTolerance >= 0, relativeTolerance <= 1, absoluteTolerance >= 0
    else {
        throw TensorError(
            .argument, "reduceOnPlateau",
            expected:
                "a factor between 0 and 1, tolerances of 0 or more, patience and accumulation of 1 or more",
            got:
                "factor \(factor), tolerances \(relativeTolerance) and \(absoluteTolerance), patience \(patience), "
                + "cooldown \(cooldown), accumulation \(accumulationSize)")
    }
    let name = "reduceOnPlateau"
    return GradientTransformation { _ in
        .state(
            "ReduceLROnPlateauState",
            [
                "scale": .tensor(try full([], 1)), "best_value": .tensor(try full([], .infinity)),
                "plateau_count": try .counter(), "cooldown_count": try .counter(), "count": try .counter(),
                "avg_value": .tensor(try full([], 0)),
            ])
    } update: { updates, state, _, context in
        func field(_ key: String) throws -> Tensor { try state.scalar(key, of: name) }
        let (scale, best) = (try field("scale"), try field("best_value"))
        let (plateau, cooling, count) = (
            try field("plateau_count"), try field("cooldown_count"), try field("count")
        )
        let value = try context.value(for: name).astype(.float32)
        let newCount = try safeIncrement(count)
        let average = try (count.astype(.float32) * field("avg_value") + value) / newCount.astype(.float32)
        let decides = try equal(newCount, accumulationSize)

        let improved = try less(average, (1 - relativeTolerance) * best - absoluteTolerance)
        let isCooling = try greater(cooling, 0)
        let waited = try select(improved, zerosLike(plateau), plateau + 1)
        let reduces = try and(equal(waited, patience), logicalNot(isCooling))
        let newScale = try select(reduces, maximum(scale * factor, minimumScale), scale)
        let newPlateau = try select(or(reduces, isCooling), zerosLike(plateau), waited)
        let newCooling = try select(
            isCooling, cooling - 1,
            select(reduces, full([], Double(cooldown), dtype: .int32), zerosLike(cooling)))
        func decided(_ new: Tensor, _ old: Tensor) throws -> Tree { .tensor(try select(decides, new, old)) }
        let current = try select(decides, newScale, scale)
        return (
            try updates.map { try current.astype($0.dtype) * $0 },
            .state(
                "ReduceLROnPlateauState",
                [
                    "scale": .tensor(current),
                    "best_value": try decided(select(improved, average, best), best),
                    "plateau_count": try decided(newPlateau, plateau),
                    "cooldown_count": try decided(newCooling, cooling),
                    "count": try decided(zerosLike(count), newCount),
                    "avg_value": try decided(zerosLike(average), average),
                ])
        )
    }
}
