// Contractions by name: einsum, tensordot, and products of vectors.

/// A subscript string such as "bij,jk->bik", taken apart: each dimension of each operand has a label.
private struct Subscripts {
    /// Letters by their code; dimensions of an ellipsis have negative labels, the last one -1.
    var operands: [[Int]]
    var output: [Int]

    init(_ text: String, _ ranks: [Int]) throws {
        func invalid(_ expected: String) -> TensorError {
            TensorError(.argument, "einsum", expected: expected, got: "\"\(text)\" for ranks \(ranks)")
        }
        let characters = Array(text.unicodeScalars.filter { $0 != " " })
        var inputs = characters[...]
        var result: ArraySlice<Unicode.Scalar>?
        if let arrow = characters.firstIndex(of: "-") {
            guard arrow + 1 < characters.count, characters[arrow + 1] == ">" else {
                throw invalid("one arrow, ->")
            }
            inputs = characters[..<arrow]
            result = characters[(arrow + 2)...]
        }
        let terms = inputs.split(separator: ",", omittingEmptySubsequences: false)
        guard terms.count == ranks.count else { throw invalid("a term for each operand") }

        /// Labels of a term; `rank` nil is the output, whose ellipsis is the widest one.
        func labels(_ term: ArraySlice<Unicode.Scalar>, rank: Int?, widest: Int) throws -> [Int] {
            var result: [Int] = []
            var ellipsis: Int?
            var position = term.startIndex
            while position < term.endIndex {
                if term[position] == "." {
                    guard ellipsis == nil, term[position...].prefix(3).elementsEqual("...".unicodeScalars)
                    else {
                        throw invalid("at most one ellipsis of three dots in a term")
                    }
                    ellipsis = result.count
                    position += 3
                } else {
                    guard term[position].properties.isAlphabetic, term[position].isASCII else {
                        throw invalid("letters as labels")
                    }
                    result.append(Int(term[position].value))
                    position += 1
                }
            }
            let width = rank.map { $0 - result.count } ?? (ellipsis == nil ? 0 : widest)
            guard width >= 0, ellipsis != nil || width == 0 else {
                throw invalid("as many labels as the operand has dimensions")
            }
            if let ellipsis { result.insert(contentsOf: -width..<0, at: ellipsis) }
            return result
        }
        operands = try zip(terms, ranks).map { try labels($0, rank: $1, widest: 0) }
        let all = operands.flatMap { $0 }
        let widest = -(all.min().map { min($0, 0) } ?? 0)
        if let result {
            output = try labels(result, rank: nil, widest: widest)
        } else {
            // Implicit: the ellipsis, then the letters that occur once, in their order.
            let letters = Set(all.filter { $0 >= 0 }).filter { letter in all.count { $0 == letter } == 1 }
            output = Array(-widest..<0) + letters.sorted()
        }
        guard Set(output).count == output.count, Set(output).isSubset(of: all) else {
            throw invalid("output labels that occur in an operand, each once")
        }
    }
}

/// An operand on the way, with a label for each dimension.
private struct Term {
    var tensor: Tensor
    var labels: [Int]

    /// Repeated labels become diagonals.
    mutating func takeDiagonals() throws {
        while let repeated = labels.first(where: { label in labels.count { $0 == label } > 1 }) {
            let positions = labels.indices.filter { labels[$0] == repeated }
            guard tensor.shape[positions[0]] == tensor.shape[positions[1]] else {
                throw TensorError(
                    .shape, "einsum", expected: "dimensions of one label to have one size",
                    got: "\(tensor.type)")
            }
            tensor = try diagonal(tensor, axis1: positions[0], axis2: positions[1])
            labels.remove(at: positions[1])
            labels.remove(at: positions[0])
            labels.append(repeated)
        }
    }

    /// Sums over the dimensions that nothing else needs.
    mutating func sum(except needed: Set<Int>) throws {
        let axes = labels.indices.filter { !needed.contains(labels[$0]) }
        guard !axes.isEmpty else { return }
        tensor = try TensorEngine.sum(tensor, axes: axes)
        labels = labels.filter(needed.contains)
    }

    /// Removes dimensions of size 1 that are larger elsewhere: they broadcast.
    mutating func squeeze(_ sizes: [Int: Int]) throws {
        let axes = labels.indices.filter { tensor.shape[$0] == 1 && sizes[labels[$0]] != 1 }
        guard !axes.isEmpty else { return }
        tensor = try TensorEngine.squeeze(tensor, axes: axes)
        labels = labels.indices.filter { !axes.contains($0) }.map { labels[$0] }
    }

    /// The tensor with its dimensions in the order of `order`, with size 1 for labels that it lacks.
    func arranged(_ order: [Int]) throws -> Tensor {
        let present = order.filter(labels.contains)
        let ordered = try transpose(tensor, axes: present.compactMap(labels.firstIndex(of:)))
        return try expandDims(ordered, axes: order.indices.filter { !labels.contains(order[$0]) })
    }

    /// The product of two terms, summed over the labels that are not `needed` any more.
    static func contract(_ a: Term, _ b: Term, needed: Set<Int>) throws -> Term {
        let shared = a.labels.filter(b.labels.contains)
        let batch = shared.filter(needed.contains)
        let contracted = shared.filter { !needed.contains($0) }
        let labels =
            batch + a.labels.filter { !shared.contains($0) } + b.labels.filter { !shared.contains($0) }
        // Without a sum it is a product of elements.
        if contracted.isEmpty {
            guard labels.count <= TensorLimits.largestRank else {
                throw TensorError(
                    .shape, "einsum",
                    expected: "intermediate results of rank at most \(TensorLimits.largestRank)",
                    got: "rank \(labels.count)")
            }
            return Term(tensor: try a.arranged(labels) * b.arranged(labels), labels: labels)
        }
        func positions(_ wanted: [Int], _ term: Term) -> [Int] {
            wanted.compactMap(term.labels.firstIndex(of:))
        }
        let product = try dotGeneral(
            a.tensor, b.tensor, contracting: (positions(contracted, a), positions(contracted, b)),
            batch: (positions(batch, a), positions(batch, b)))
        return Term(tensor: product, labels: labels)
    }
}

/// Sums of products by named dimensions (jnp.einsum): "ij,jk->ik" is the matrix product. Without an arrow the result has the
/// labels that occur once, in alphabetical order; "..." stands for any further dimensions, which broadcast; a label that is
/// repeated in a term takes the diagonal. More than two operands are contracted pair by pair, the cheapest pair first.
///
/// - Parameter preferredElementType: the type of sums and result, where it should be wider than the operands'.
public func einsum(
    _ subscripts: String, _ operands: [Tensor], preferredElementType: DType? = nil
) throws -> Tensor {
    let parsed = try Subscripts(subscripts, operands.map(\.rank))
    let dtype =
        preferredElementType ?? operands.map(\.dtype).reduce(operands.first?.dtype ?? .float32, DType.promote)
    var terms = try zip(operands, parsed.operands).map { Term(tensor: try $0.astype(dtype), labels: $1) }
    for k in terms.indices { try terms[k].takeDiagonals() }
    var sizes: [Int: Int] = [:]
    for term in terms {
        for (label, size) in zip(term.labels, term.tensor.shape) {
            let known = sizes[label] ?? 1
            guard known == 1 || size == 1 || known == size else {
                throw TensorError(
                    .shape, "einsum", expected: "dimensions of one label to have one size",
                    got: operands.map(\.type.description).joined(separator: ", ") + " for \"\(subscripts)\"")
            }
            if known == 1 { sizes[label] = size }
        }
    }
    for k in terms.indices { try terms[k].squeeze(sizes) }

    let output = Set(parsed.output)
    /// What is needed after the terms `used` are contracted.
    func needed(without used: [Int]) -> Set<Int> {
        terms.indices.filter { !used.contains($0) }.reduce(into: output) { $0.formUnion(terms[$1].labels) }
    }
    for k in terms.indices { try terms[k].sum(except: needed(without: [k])) }
    while terms.count > 1 {
        var best = (cost: Double.infinity, pair: (0, 1))
        for i in terms.indices {
            for j in terms.indices where j > i {
                let labels = Set(terms[i].labels).union(terms[j].labels)
                let cost = labels.reduce(1.0) { $0 * Double(sizes[$1] ?? 1) }
                if cost < best.cost { best = (cost, (i, j)) }
            }
        }
        let (i, j) = best.pair
        let product = try Term.contract(terms[i], terms[j], needed: needed(without: [i, j]))
        terms.remove(at: j)
        terms[i] = product
    }
    guard let result = terms.first else {
        throw TensorError(.argument, "einsum", expected: "at least one operand", got: "none")
    }
    return try transpose(result.tensor, axes: parsed.output.compactMap(result.labels.firstIndex(of:)))
}

/// Sums of products by named dimensions: `try einsum("ij,jk->ik", a, b)`.
public func einsum(_ subscripts: String, _ operands: Tensor..., preferredElementType: DType? = nil) throws
    -> Tensor
{
    try einsum(subscripts, operands, preferredElementType: preferredElementType)
}

/// The sum of products over `axes.0` of `a` and `axes.1` of `b`, pair by pair (NumPy's tensordot).
public func tensordot(_ a: Tensor, _ b: Tensor, axes: ([Int], [Int])) throws -> Tensor {
    let left = try axes.0.map { try a.shape.normalized(axis: $0, for: "tensordot") }
    let right = try axes.1.map { try b.shape.normalized(axis: $0, for: "tensordot") }
    return try dotGeneral(a, b, contracting: (left, right))
}

/// The sum of products over the last `axes` dimensions of `a` and the first ones of `b`.
public func tensordot(_ a: Tensor, _ b: Tensor, axes: Int = 2) throws -> Tensor {
    guard axes >= 0, axes <= min(a.rank, b.rank) else {
        throw TensorError(
            .argument, "tensordot", expected: "at most \(min(a.rank, b.rank)) axes", got: "\(axes)")
    }
    return try tensordot(a, b, axes: (Array((a.rank - axes)..<a.rank), Array(0..<axes)))
}

/// All products of an element of `a` and one of `b`, both flattened: [elements of a, elements of b].
public func outer(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    try expandDims(ravel(a), axis: 1) * expandDims(ravel(b), axis: 0)
}

/// The sum of products of all elements, both operands flattened.
public func vdot(_ a: Tensor, _ b: Tensor) throws -> Tensor { try inner(ravel(a), ravel(b)) }

/// The Kronecker product: each element of `a` times all of `b`, as blocks.
public func kron(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    let rank = Swift.max(a.rank, b.rank)
    let (left, right) = (try atLeast(a, rank: rank), try atLeast(b, rank: rank))
    guard 2 * rank <= TensorLimits.largestRank else {
        throw TensorError(
            .shape, "kron", expected: "rank at most \(TensorLimits.largestRank / 2)",
            got: "\(a.type) and \(b.type)")
    }
    let product =
        try expandDims(left, axes: (0..<rank).map { 2 * $0 + 1 })
        * expandDims(right, axes: (0..<rank).map { 2 * $0 })
    return try reshape(product, Shape(zip(left.shape, right.shape).map { $0 * $1 }))
}
