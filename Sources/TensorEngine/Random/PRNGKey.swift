// Random keys: JAX's threefry2x32 in its partitionable form, bit for bit.

/// A key for random numbers: two 32-bit words. The same key always gives the same numbers; `split` and `foldIn` make
/// independent ones.
public struct PRNGKey: TensorTree {
    /// The words, `uint32[2]`.
    public let data: Tensor

    /// From the two words, `uint32[2]`.
    public init(data: Tensor) throws {
        guard data.type == TensorType(.uint32, [2]) else {
            throw TensorError(.shape, "PRNGKey", expected: "uint32[2]", got: "\(data.type)")
        }
        self.data = data
    }

    /// From a seed, of which the low 32 bits count (JAX with 64-bit types disabled).
    public init(seed: Int) throws {
        data = try Tensor([0, UInt32(truncatingIfNeeded: seed)] as [UInt32])
    }

    /// From the two words.
    public init(words: (UInt32, UInt32)) throws {
        data = try Tensor([words.0, words.1])
    }

    public func appendLeaves(to leaves: inout [Tensor]) { leaves.append(data) }

    public func replacingLeaves(from leaves: inout LeafCursor) throws -> PRNGKey {
        PRNGKey(unchecked: try leaves.next())
    }

    /// For trees, whose leaves may be batched for a moment.
    private init(unchecked data: Tensor) { self.data = data }

    /// Word `k` repeated to a shape.
    fileprivate func word(_ k: Int, _ shape: Shape) throws -> Tensor {
        try broadcastTo(reshape(slice(data, axis: 0, k..<(k + 1)), []), shape)
    }
}

extension PRNGKey {
    /// Threefry blocks of this key at the counters 0, 1, …, in row-major order over `shape`.
    func blocks(_ shape: Shape) throws -> (Tensor, Tensor) {
        let count = shape.elementCount
        guard count <= Int(UInt32.max) else {
            throw TensorError(
                .resource, "random", expected: "at most 2³² - 1 numbers at once", got: "shape \(shape)")
        }
        let counter = try iota(.uint32, shape: [count])
        let words = try apply(
            Threefry(), [word(0, [count]), word(1, [count]), zeros([count], dtype: .uint32), counter])
        return (try reshape(words[0], shape), try reshape(words[1], shape))
    }

    /// `count` independent keys.
    public func split(_ count: Int = 2) throws -> [PRNGKey] {
        guard count >= 0 else {
            throw TensorError(.argument, "split", expected: "a count of 0 or more", got: "\(count)")
        }
        let words = try splitData([count])
        return try (0..<count).map { k in
            PRNGKey(unchecked: try reshape(slice(words, axis: 0, k..<(k + 1)), [2]))
        }
    }

    /// The words of `shape` independent keys, `[shape…, 2]`, for use with `vmap`.
    public func splitData(_ shape: Shape) throws -> Tensor {
        let (a, b) = try blocks(shape)
        return try stack([a, b], axis: -1)
    }

    /// A key made of this one and a number, of which the low 32 bits count.
    public func foldIn(_ number: some TensorConvertible) throws -> PRNGKey {
        // An Int beyond int32 would saturate as a literal beside a tensor.
        let word = try (number as? Int).map { try Tensor(UInt32(truncatingIfNeeded: $0)) } ?? number.tensor(beside: .int32)
        let counter = word.dtype == .uint32 ? word : try word.astype(.uint32)
        let words = try apply(
            Threefry(), [self.word(0, []), self.word(1, []), zeros([], dtype: .uint32), counter])
        return PRNGKey(unchecked: try stack(words))
    }

    /// Uniformly random bits as unsigned integers of 8, 16, 32 or 64 bits.
    public func bits(_ shape: Shape, dtype: DType = .uint32) throws -> Tensor {
        let (a, b) = try blocks(shape)
        switch dtype {
        case .uint8, .uint16: return try xor(a, b).astype(dtype)
        case .uint32: return try xor(a, b)
        case .uint64:
            return try or(shiftLeft(a.astype(.uint64), 32), b.astype(.uint64))
        default:
            throw TensorError(.dtype, "bits", expected: "an unsigned integer type", got: "\(dtype)")
        }
    }
}
