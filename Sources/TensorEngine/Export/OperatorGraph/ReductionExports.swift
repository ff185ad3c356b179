// Reductions in operator graphs: over axes, along an axis, and over windows.

extension ReduceSum: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [try graph.emit(.reduce(.sum, axes: axes), operands, equation.results[0])]
    }
}

extension ReduceProduct: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [try graph.emit(.reduce(.product, axes: axes), operands, equation.results[0])]
    }
}

extension ReduceExtremum: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let reduction: Operator.Reduction = isMaximum ? .maximum : .minimum
        return [try graph.emit(.reduce(reduction, axes: axes), operands, equation.results[0])]
    }
}

extension ReduceLogical: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        guard kind != .xor, operands[0].dtype == .bool else { throw graph.refusal() }
        let reduction: Operator.Reduction = kind == .and ? .and : .or
        return [try graph.emit(.reduce(reduction, axes: axes), operands, equation.results[0])]
    }
}

extension ArgExtremum: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        [
            try graph.emit(
                .argExtremum(isMaximum: isMaximum, axis: axes[0]), operands, equation.results[0])
        ]
    }
}

extension Cumulative: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        guard kind == .sum else { throw graph.refusal() }
        return [
            try graph.emit(
                .cumulativeSum(axis: axis, isReversed: isReversed), operands, equation.results[0])
        ]
    }
}

// MARK: - Windows

extension ReduceWindow: GraphExportable {
    func export(
        _ operands: [GraphOperand], _ equation: ExportedEquation, to graph: inout OperatorGraphBuilder
    ) throws -> [GraphOperand] {
        let x = operands[0]
        let result = equation.results[0]
        let slides = x.dimensions.indices.map { axis in
            slider.window[axis] != 1 || slider.strides[axis] != 1 || slider.low[axis] != 0
                || slider.high[axis] != 0 || slider.dilation[axis] != 1
        }
        let isImage = (3...5).contains(x.rank) && slides.first == false && slides.last == false
        let isDense = (slider.dilation + slider.windowDilation).allSatisfy { $0 == 1 }
        let overlapsInside = x.dimensions.indices.allSatisfy {
            (0..<slider.window[$0]).contains(slider.low[$0])
                && (0..<slider.window[$0]).contains(slider.high[$0])
        }
        guard isImage, isDense, overlapsInside, reduction == .max || reduction == .add,
            x.dtype == .float32
        else { return [try taps(x, result, &graph)] }

        let missing = Swift.max(0, 4 - x.rank)
        let unit = [SymbolicDimension](repeating: .one, count: missing)
        func spatial(_ values: [Int], filling value: Int) -> [Int] {
            Array(repeating: value, count: missing) + values.dropFirst().dropLast()
        }
        let window = spatial(slider.window, filling: 1)
        let image = try graph.reshape(x, [x.dimensions[0]] + unit + x.dimensions.dropFirst())
        let sizes = [result.dimensions[0]] + unit + result.dimensions.dropFirst()
        let pooled = try graph.emit(
            .pool(
                reduction == .max ? .maximum : .mean, window: window,
                strides: spatial(slider.strides, filling: 1), low: spatial(slider.low, filling: 0),
                high: spatial(slider.high, filling: 0)), [image],
            .init(dtype: x.dtype, dimensions: sizes))
        let reduced =
            reduction == .max
            ? pooled
            : try graph.elementwise(
                .mul, pooled, graph.constant(Double(window.reduce(1, *)), like: pooled))
        return [try graph.reshape(reduced, result.dimensions)]
    }

    /// One slice for each place of the window, combined: for windows that graph formats do not have.
    private func taps(
        _ x: GraphOperand, _ result: OperatorGraph.ValueType, _ graph: inout OperatorGraphBuilder
    ) throws -> GraphOperand {
        let largestCount = 256
        guard slider.window.reduce(1, *) <= largestCount else {
            throw graph.refusal("windows \(slider.window) of dilation \(slider.windowDilation)")
        }
        let outside = try identity(x.dtype)
        let spread = try graph.spread(x, by: slider.dilation.map { $0 - 1 }, value: outside)
        let cropped = try graph.cropped(spread, low: slider.low, high: slider.high)
        let padded = try graph.pad(
            cropped, low: slider.low.map { Swift.max($0, 0) }, high: slider.high.map { Swift.max($0, 0) },
            value: outside)
        let combination: ElementwiseOperator =
            switch reduction {
            case .add: .add
            case .multiply: .mul
            case .max: .max
            case .min: .min
            }
        var total: GraphOperand?
        var place = [Int](repeating: 0, count: x.rank)
        repeat {
            let starts = x.dimensions.indices.map { place[$0] * slider.windowDilation[$0] }
            let limits = result.dimensions.indices.map { axis in
                let size = result.dimensions[axis]
                return SymbolicDimension(
                    fixed: starts[axis] + (size.fixed - 1) * slider.strides[axis] + 1,
                    perBatch: size.perBatch * slider.strides[axis])
            }
            let tap = try graph.slice(
                padded, starts: starts, limits: limits, strides: slider.strides, result.dimensions)
            total = try total.map { try graph.elementwise(combination, $0, tap) } ?? tap
        } while advance(&place)
        return total ?? x
    }

    /// What a position outside of the operand counts as.
    private func identity(_ dtype: DType) throws -> GraphOperand {
        let lowest: Double =
            dtype.isFloating ? -.infinity : dtype.isUnsignedInteger ? 0 : -dtype.largestFinite - 1
        let value: Double =
            switch reduction {
            case .add: 0
            case .multiply: 1
            case .max: lowest
            case .min: dtype.isFloating ? .infinity : dtype.largestFinite
            }
        return GraphOperand(try Constant.scalar(value, dtype))
    }

    /// The next place in the window, the last axis fastest; false behind the last.
    private func advance(_ place: inout [Int]) -> Bool {
        for axis in place.indices.reversed() {
            place[axis] += 1
            if place[axis] < slider.window[axis] { return true }
            place[axis] = 0
        }
        return false
    }
}
