// The rules by which a result equals a golden one.
import JobSpec
import TensorEngine

/// Throws `ParityMismatch` unless `got` has the expected type and values: floats within the tolerance (NaN equals NaN, and
/// what is below the smallest normal number counts as zero), everything else exactly.
func expectClose(
    _ got: Tensor, _ expected: JSONValue, _ tolerance: ParityTolerance, _ what: String = "value"
) throws {
    try expectClose(got, try expected.tensor(), tolerance, what)
}

func expectClose(
    _ got: Tensor, _ expected: Tensor, _ tolerance: ParityTolerance, _ what: String = "value"
) throws {
    guard got.type == expected.type else {
        throw ParityMismatch("\(what): expected \(expected.type), got \(got.type)")
    }
    guard got.dtype.isFloating else {
        let same = try got.withUnsafeBytes { mine in
            try expected.withUnsafeBytes { mine.elementsEqual($0) }
        }
        if !same {
            throw ParityMismatch("\(what): expected \(try expected.doubles()), got \(try got.doubles())")
        }
        return
    }
    // Compared in the type's own smallest normal number: XLA flushes subnormals in some operations.
    let smallest = got.dtype == .float16 ? 0x1p-14 : Double(Float.leastNormalMagnitude)
    var worst = (excess: 0.0, index: -1)
    let (mine, theirs) = (try got.doubles(), try expected.doubles())
    for (index, (a, b)) in zip(mine, theirs).enumerated() {
        if a == b || (a.isNaN && b.isNaN) || (a.magnitude < smallest && b.magnitude < smallest) { continue }
        let difference = (a - b).magnitude
        let allowed = tolerance.absolute + tolerance.relative * b.magnitude
        if difference <= allowed, b.isFinite { continue }
        let excess = difference.isNaN || allowed == 0 ? Double.infinity : difference / allowed
        if excess >= worst.excess { worst = (excess, index) }
    }
    if worst.index >= 0 {
        throw ParityMismatch(
            "\(what): element \(worst.index) of \(got.type): expected \(theirs[worst.index]), got \(mine[worst.index]) "
                + "(allowed: \(tolerance.relative) relative, \(tolerance.absolute) absolute)")
    }
}

/// The same for trees: names and nesting must agree exactly, in any order of creation.
func expectClose(
    _ got: Tree, _ expected: JSONValue, _ tolerance: ParityTolerance, _ what: String = "tree"
) throws {
    if expected.isParityArray {
        guard let tensor = got.tensor else { throw ParityMismatch("\(what): expected a tensor, got \(got)") }
        return try expectClose(tensor, expected, tolerance, what)
    }
    switch expected {
    case .null:
        if case .none = got { return }
        throw ParityMismatch("\(what): expected no value")
    case .object(let members):
        let mine: [(String, Tree)]
        switch got {
        case .dictionary(let dictionary): mine = dictionary.entries.map { ($0.key, $0.value) }
        case .record(_, let fields): mine = fields.map { ($0.name, $0.value) }
        case .tuple(let children): mine = children.enumerated().map { ("\($0.offset)", $0.element) }
        case .tensor, .none: throw ParityMismatch("\(what): expected the names \(Array(members.keys))")
        }
        guard Set(mine.map(\.0)) == Set(members.keys) else {
            throw ParityMismatch(
                "\(what): expected the names \(members.keys.sorted()), got \(mine.map(\.0).sorted())")
        }
        for (name, value) in mine {
            try expectClose(value, members[name] ?? .null, tolerance, "\(what)/\(name)")
        }
    case .array(let elements):
        guard case .tuple(let children) = got, children.count == elements.count else {
            throw ParityMismatch("\(what): expected a list of \(elements.count)")
        }
        for (index, (child, element)) in zip(children, elements).enumerated() {
            try expectClose(child, element, tolerance, "\(what)/\(index)")
        }
    case .int, .double, .bool:
        guard let value = try got.tensor?.item(),
            let number = expected.boolValue.map({ $0 ? 1.0 : 0.0 }) ?? expected.doubleValue
        else { throw ParityMismatch("\(what): expected \(expected)") }
        if (value - number).magnitude > tolerance.absolute + tolerance.relative * number.magnitude {
            throw ParityMismatch("\(what): expected \(number), got \(value)")
        }
    case .string:
        throw ParityMismatch("\(what): a string where an array is expected")
    }
}

func expectClose(
    _ got: FrozenDict, _ expected: JSONValue, _ tolerance: ParityTolerance, _ what: String = "tree"
) throws {
    try expectClose(Tree.dictionary(got), expected, tolerance, what)
}
