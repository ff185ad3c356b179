// How a convolution becomes steps of a plan.
import CKernels

extension ConvGeneralDilated {
    func lower(_ builder: inout PlanBuilder, _ lhs: Operand, _ rhs: Operand, to target: Operand) {
        if lhs.type.dtype == .float32, isProduct(rhs.type.shape) {
            return lowerProduct(&builder, lhs, rhs, to: target)
        }
        let groups = featureGroups * batchGroups
        // The spatial dimensions in the order in which the kernel has them, and whether its input features come first.
        let order = strides.indices.sorted { numbers.rhs[$0 + 2] < numbers.rhs[$1 + 2] }
        let isChannelsFirst = order.first.map { numbers.rhs[1] < numbers.rhs[$0 + 2] } ?? false
        let unused = 3 - order.count

        var conv = spk_conv()
        conv.groups = Int64(groups)
        conv.batch = Int64(lhs.type.shape[numbers.lhs[0]] / batchGroups)
        conv.channels = Int64(rhs.type.shape[numbers.rhs[1]])
        conv.features = Int64(rhs.type.shape[numbers.rhs[0]] / groups)
        func spatial(_ fallback: Int, _ values: (Int) -> Int) -> [Int] {
            Array(repeating: fallback, count: unused) + order.map(values)
        }
        setDims(&conv.input, spatial(1) { lhs.type.shape[numbers.lhs[$0 + 2]] })
        setDims(&conv.kernel, spatial(1) { rhs.type.shape[numbers.rhs[$0 + 2]] })
        setDims(&conv.output, spatial(1) { target.type.shape[numbers.out[$0 + 2]] })
        setDims(&conv.stride, spatial(1) { strides[$0] })
        setDims(&conv.padding, spatial(0) { low[$0] })
        setDims(&conv.input_dilation, spatial(1) { lhsDilation[$0] })
        setDims(&conv.kernel_dilation, spatial(1) { rhsDilation[$0] })
        conv.channels_first = isChannelsFirst ? 1 : 0
        conv.packed = -1

        let x = lhs.layout.strides
        let xGroup =
            batchGroups > 1 ? x[numbers.lhs[0]] * Int(conv.batch) : x[numbers.lhs[1]] * Int(conv.channels)
        conv.x = lhs.kernelOperand(
            strides: [xGroup, x[numbers.lhs[0]], x[numbers.lhs[1]]] + spatial(0) { x[numbers.lhs[$0 + 2]] })
        let y = target.layout.strides
        conv.out = target.kernelOperand(
            strides: [y[numbers.out[1]] * Int(conv.features), y[numbers.out[0]], y[numbers.out[1]]]
                + spatial(0) { y[numbers.out[$0 + 2]] })

        let chain =
            isChannelsFirst
            ? [numbers.rhs[1]] + order.map { numbers.rhs[$0 + 2] }
            : order.map { numbers.rhs[$0 + 2] } + [numbers.rhs[1]]
        var weights = rhs
        if lhs.type.dtype == .float32, !isOneRun(rhs, chain) {
            // Dense, in the order of the chain, put back under the kernel's own numbers of dimensions.
            let permutation = chain + [numbers.rhs[0]]
            let copied = builder.temporary(
                TensorType(rhs.type.dtype, rhs.permuted(permutation).type.shape))
            builder.copy(rhs.permuted(permutation), to: copied)
            for (k, axis) in permutation.enumerated() {
                weights.layout.strides[axis] = copied.layout.strides[k]
            }
            weights.layout.base = copied.layout.base
            weights.layout.offset = copied.layout.offset
        }
        let w = weights.layout.strides
        conv.w = weights.kernelOperand(
            strides: [w[numbers.rhs[0]] * Int(conv.features), w[numbers.rhs[1]], w[numbers.rhs[0]]]
                + spatial(0) { w[numbers.rhs[$0 + 2]] })
        var reads = [lhs, weights]
        var writes = [target]
        if lhs.type.dtype == .float32, lhsDilation.contains(where: { $0 > 1 }) {
            let packed = builder.temporary(rhs.type)
            conv.packed = packed.slot
            conv.packed_offset = packed.offset
            writes.append(packed)
            reads.append(packed)
        }
        builder.step(conv, spk_run_conv, reads: reads, writes: writes)
    }

    /// True where the features of a kernel are contiguous and `chain`, its other dimensions, is one run.
    private func isOneRun(_ kernel: Operand, _ chain: [Int]) -> Bool {
        let (shape, strides) = (kernel.type.shape, kernel.layout.strides)
        if shape[numbers.rhs[0]] > 1, strides[numbers.rhs[0]] != 1 { return false }
        let significant = chain.filter { shape[$0] > 1 }
        return zip(significant, significant.dropFirst()).allSatisfy {
            strides[$0] == strides[$1] * shape[$1]
        }
    }

    /// True for kernels of one element that see every element once: a matrix product over the features.
    private func isProduct(_ kernel: Shape) -> Bool {
        let rank = kernel.rank
        return featureGroups == 1 && batchGroups == 1
            && numbers.rhs.dropFirst(2).allSatisfy { kernel[$0] == 1 }
            && (strides + lhsDilation).allSatisfy { $0 == 1 } && (low + high).allSatisfy { $0 == 0 }
            && numbers.out[1] == rank - 1 && kernel[numbers.rhs[1]] > 0
    }

    private func lowerProduct(
        _ builder: inout PlanBuilder, _ lhs: Operand, _ rhs: Operand, to target: Operand
    ) {
        // The input's other dimensions in the order of the result's.
        let all = Array(numbers.out.indices).filter { $0 != 1 }.sorted { numbers.out[$0] < numbers.out[$1] }
        builder.contract(
            lhs, [[], all.map { numbers.lhs[$0] }, [numbers.lhs[1]]], rhs,
            [[], [numbers.rhs[1]], numbers.rhs.dropFirst(2) + [numbers.rhs[0]]], to: target)
    }
}
