// The operations of StableHLO that rules are written with, for known and for open sizes.

extension StableHLOWriter {
    // MARK: Elements

    mutating func convert(_ x: StableHLOValue, to dtype: DType) -> StableHLOValue {
        x.type.dtype == dtype ? x : write("stablehlo.convert", [x], as: x.type.with(dtype))
    }

    mutating func compare(_ direction: String, _ a: StableHLOValue, _ b: StableHLOValue) -> StableHLOValue {
        let name = "stablehlo.compare \(direction),"
        return write(name, [a, b], ", \(a.type.dtype.stableHLOComparison)", as: a.type.with(.bool))
    }

    mutating func select(
        _ condition: StableHLOValue, _ onTrue: StableHLOValue, _ onFalse: StableHLOValue
    ) -> StableHLOValue {
        // Two types, of the condition and of the choices, also where they are the same.
        let name = newName()
        line(
            "\(name) = stablehlo.select \(condition.name), \(onTrue.name), \(onFalse.name) : "
                + "\(condition.type.text), \(onTrue.type.text)")
        return StableHLOValue(name: name, type: onTrue.type)
    }

    /// One number in every element.
    mutating func splat(_ value: Double, _ type: StableHLOType) throws -> StableHLOValue {
        broadcast(try constant(value, type.dtype), dimensions: [], to: type)
    }

    // MARK: Shapes

    mutating func broadcast(
        _ x: StableHLOValue, dimensions: [Int], to type: StableHLOType
    ) -> StableHLOValue {
        if type.rank == 0 { return x }
        let dims = ", dims = \(dimensions)"
        guard type.staticShape == nil else {
            return write("stablehlo.broadcast_in_dim", [x], dims, as: type)
        }
        return write("stablehlo.dynamic_broadcast_in_dim", [x, sizes(type.dimensions)], dims, as: type)
    }

    mutating func reshape(_ x: StableHLOValue, to type: StableHLOType) -> StableHLOValue {
        if x.type == type { return x }
        guard type.staticShape == nil else { return write("stablehlo.reshape", [x], as: type) }
        return write("stablehlo.dynamic_reshape", [x, sizes(type.dimensions)], as: type)
    }

    mutating func iota(_ type: StableHLOType, dimension: Int) -> StableHLOValue {
        guard type.staticShape == nil else {
            return write("stablehlo.iota", [], " dim = \(dimension)", as: type)
        }
        return write("stablehlo.dynamic_iota", [sizes(type.dimensions)], ", dim = \(dimension)", as: type)
    }

    // MARK: Windows at a place

    /// The window of a type at int32 starts, which are inside.
    mutating func dynamicSlice(
        _ x: StableHLOValue, at starts: [StableHLOValue], as type: StableHLOType
    ) -> StableHLOValue {
        if type.rank == 0 { return x }
        if let shape = type.staticShape {
            return write("stablehlo.dynamic_slice", [x] + starts, ", sizes = \(shape.dimensions)", as: type)
        }
        let start = row(starts)
        let limit = write("stablehlo.add", [start, sizes(type.dimensions)], as: .vector(type.rank))
        let strides = vector(type.dimensions.map { _ in 1 })
        return write("stablehlo.real_dynamic_slice", [x, start, limit, strides], as: type)
    }

    /// `x` with a window replaced at int32 starts.
    mutating func dynamicUpdateSlice(
        _ x: StableHLOValue, _ window: StableHLOValue, at starts: [StableHLOValue]
    ) -> StableHLOValue {
        x.type.rank == 0 ? window : write("stablehlo.dynamic_update_slice", [x, window] + starts, as: x.type)
    }

    /// Which dimension of a gather is what; of a scatter, with the operand in the result's place.
    struct Indexing {
        /// Dimensions of the result that run over a slice of the operand.
        var window: [Int]
        /// Dimensions of the operand of which a slice has one, and the result none.
        var collapsed: [Int]
        /// The dimensions of the operand that the components of an index are for.
        var indexed: [Int]
    }

    /// Slices of `x` at indices, moved inside where they would reach out.
    ///
    /// - Parameters:
    ///   - indices: int32; the components of an index along the last dimension, or an index each if there is but one.
    ///   - slice: the sizes of a slice of `x`.
    mutating func gather(
        _ x: StableHLOValue, _ indices: StableHLOValue, isVector: Bool, _ indexing: Indexing,
        slice: [SymbolicDimension], as type: StableHLOType
    ) throws -> StableHLOValue {
        let numbers =
            "#stablehlo.gather<offset_dims = \(indexing.window), collapsed_slice_dims = \(indexing.collapsed), "
            + "start_index_map = \(indexing.indexed), index_vector_dim = \(indices.type.rank - (isVector ? 1 : 0))>"
        let common = "dimension_numbers = \(numbers), indices_are_sorted = false"
        let known = slice.compactMap(\.staticSize)
        guard known.count == slice.count else {
            return try writeGeneric(
                "stablehlo.dynamic_gather", [x, indices, sizes(slice)], common, as: [type])[0]
        }
        return try writeGeneric(
            "stablehlo.gather", [x, indices], "\(common), slice_sizes = \(StableHLOWriter.array(known))",
            as: [type])[0]
    }

    /// `x` with slices updated at indices, in their order; slices that reach out are dropped.
    ///
    /// - Parameter update: what is written, from what is there and the update; nil for the update itself.
    mutating func scatter(
        _ x: StableHLOValue, _ indices: StableHLOValue, _ updates: StableHLOValue, isVector: Bool,
        _ indexing: Indexing, update: String?
    ) throws -> StableHLOValue {
        let numbers =
            "#stablehlo.scatter<update_window_dims = \(indexing.window), inserted_window_dims = \(indexing.collapsed), "
            + "scatter_dims_to_operand_dims = \(indexing.indexed), "
            + "index_vector_dim = \(indices.type.rank - (isVector ? 1 : 0))>"
        let scalar = x.type.scalar
        let region = Region(arguments: [scalar, scalar]) { writer, arguments in
            guard let update else { return [arguments[1]] }
            return [writer.write(update, arguments, as: scalar)]
        }
        return try writeGeneric(
            "stablehlo.scatter", [x, indices, updates],
            "indices_are_sorted = false, scatter_dimension_numbers = \(numbers), unique_indices = false",
            [region], as: [x.type])[0]
    }

    // MARK: Reductions

    /// What a reduction begins with.
    enum Identity {
        case zero, one, lowest, highest, allBits

        func value(_ dtype: DType) -> Double {
            switch self {
            case .zero: 0
            case .one: 1
            case .lowest: dtype == .bool ? 0 : -.infinity
            case .highest: .infinity
            case .allBits: dtype.isSignedInteger ? -1 : .infinity
            }
        }
    }

    /// The reduction of `x` over axes.
    mutating func reduce(
        _ x: StableHLOValue, axes: [Int], _ operation: String, _ identity: Identity
    ) throws -> StableHLOValue {
        let initial = try constant(identity.value(x.type.dtype), x.type.dtype)
        return write(
            call: "stablehlo.reduce", [x, initial], separator: " init: ",
            " applies \(operation) across dimensions = \(axes)", as: x.type.removing(axes: axes))
    }

    /// The list of whole numbers as an attribute.
    static func array(_ values: [Int]) -> String {
        values.isEmpty ? "array<i64>" : "array<i64: \(values.map(String.init).joined(separator: ", "))>"
    }

    /// Pairs of numbers as an attribute.
    static func pairs(_ low: [Int], _ high: [Int]) -> String {
        let rows = zip(low, high).map { "[\($0), \($1)]" }.joined(separator: ", ")
        return "dense<\(low.isEmpty ? "" : "[\(rows)]")> : tensor<\(low.count)x2xi64>"
    }
}
