// What loops are written with in StableHLO.

extension StableHLOWriter {
    /// A loop over values: runs `body` on its own results while `condition` holds for them. Both may use any value around them.
    mutating func loop(
        _ values: [StableHLOValue],
        while condition: @escaping (inout StableHLOWriter, [StableHLOValue]) throws -> StableHLOValue,
        do body: @escaping (inout StableHLOWriter, [StableHLOValue]) throws -> [StableHLOValue]
    ) throws -> [StableHLOValue] {
        let types = values.map(\.type)
        let regions = [
            Region(arguments: types) { [try condition(&$0, $1)] }, Region(arguments: types, body: body),
        ]
        return try writeGeneric("stablehlo.while", values, "", regions, as: types)
    }

    /// Slice `position` of `x` along its first axis.
    mutating func slice(_ x: StableHLOValue, at position: StableHLOValue) -> StableHLOValue {
        let rest = Array(x.type.dimensions.dropFirst())
        let row = StableHLOType(x.type.dtype, [SymbolicDimension(fixed: 1)] + rest)
        let starts = [position] + rest.map { _ in index(0) }
        return reshape(dynamicSlice(x, at: starts, as: row), to: StableHLOType(x.type.dtype, rest))
    }

    /// `x` with slice `position` along its first axis replaced.
    mutating func replacing(
        _ x: StableHLOValue, at position: StableHLOValue, by slice: StableHLOValue
    ) -> StableHLOValue {
        let row = StableHLOType(x.type.dtype, [SymbolicDimension(fixed: 1)] + slice.type.dimensions)
        let starts = [position] + slice.type.dimensions.map { _ in index(0) }
        return dynamicUpdateSlice(x, reshape(slice, to: row), at: starts)
    }
}

extension StableHLOOperation {
    /// How often a loop runs.
    func iterationCount(of scan: Scan) throws -> SymbolicDimension {
        try parameter(\.lengths, of: scan)[0]
    }
}

extension Scan {
    fileprivate var lengths: [Int] { [length] }
}
