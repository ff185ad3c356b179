// Restoring what fits, with a report of what did not.
import TensorEngine

/// What `restore` makes of a state that is not exactly the template's.
public enum RestoreMode: Sendable, Hashable {
    /// Any difference is an error that lists all of them: missing and unused paths, other shapes and types.
    case strict
    /// What fits is taken, the template keeps the rest, and the report says which is which.
    case partial
}

/// What a restore took, and what it did not.
public struct RestoreReport: Sendable, Hashable, CustomStringConvertible {
    /// A place where both have a value, but not of one kind.
    public struct Mismatch: Sendable, Hashable {
        public let path: String
        /// What the template has there, such as `an array of float32 [3, 2]`.
        public let expected: String
        /// What the state has there.
        public let got: String
    }

    /// The paths of the template's values that were taken from the state.
    public internal(set) var restored: [String] = []
    /// The paths of the template's values for which the state has none.
    public internal(set) var missing: [String] = []
    /// The paths of the state's values for which the template has no place.
    public internal(set) var unused: [String] = []
    public internal(set) var mismatched: [Mismatch] = []

    /// Whether template and state had the same paths, with values of the same kinds.
    public var isComplete: Bool { missing.isEmpty && unused.isEmpty && mismatched.isEmpty }

    /// One line for each sort of difference.
    public var description: String {
        var lines = ["\(restored.count) restored"]
        if !missing.isEmpty { lines.append("missing: \(quoted(missing))") }
        if !unused.isEmpty { lines.append("unused: \(quoted(unused))") }
        if !mismatched.isEmpty {
            let texts = mismatched.prefix(20).map { "'\($0.path)' (expected \($0.expected), got \($0.got))" }
            let more = mismatched.count > 20 ? " and \(mismatched.count - 20) more" : ""
            lines.append("mismatched: " + texts.joined(separator: ", ") + more)
        }
        return lines.joined(separator: "; ")
    }
}

/// A value like `template` with the values of `stateDict` at the same paths, such as a model whose encoder was trained elsewhere.
///
///     let (params, report) = try restore(params, from: try msgpackRestore(bytes), mode: .partial)
///     print(report)  // 12 restored; missing: 'head/kernel', 'head/bias'; unused: 'old_head/kernel'
///
/// Unlike `fromStateDict`, which follows Flax, this compares shapes and types: a kernel of another width is not taken.
///
/// - Parameter castsTypes: whether arrays of another element type are converted to the template's, where both are real numbers.
/// - Throws: `SerializationError` (structure) in strict mode for any difference, with all of them.
public func restore<Value: StateSerializable>(
    _ template: Value, from stateDict: StateDict, mode: RestoreMode = .strict, castsTypes: Bool = false
) throws -> (value: Value, report: RestoreReport) {
    var restoring = Restoring(castsTypes: castsTypes)
    let merged = try restoring.merged(try template.serializedState(), stateDict, path: "", depth: 0)
    let report = restoring.report
    if mode == .strict, !report.isComplete {
        throw SerializationError(
            .structure, "restore", expected: "a state with exactly the template's values",
            got: report.description,
            fix: "The template must be made by the same model and optimizer; or restore with mode .partial.")
    }
    return (try template.replacingState(merged), report)
}

private struct Restoring {
    let castsTypes: Bool
    var report = RestoreReport()

    init(castsTypes: Bool) { self.castsTypes = castsTypes }

    mutating func merged(_ template: StateDict, _ state: StateDict?, path: String, depth: Int) throws
        -> StateDict
    {
        guard depth <= maximumStateDepth else { throw tooDeep("restore") }
        guard let state else {
            report.missing += try valuePaths(template, path)
            return template
        }
        guard let children = template.namedChildren else { return try leaf(template, state, path) }
        guard let given = state.namedChildren else {
            // An empty dictionary and nothing at all look alike in some formats.
            if children.isEmpty, case .none = state { return template }
            report.mismatched.append(
                RestoreReport.Mismatch(path: path, expected: template.kindName, got: state.kindName))
            return template
        }
        let values = Dictionary(given) { _, last in last }
        let wanted = Set(children.map(\.0))
        var unused: Set<String> = []
        for (name, value) in given where !wanted.contains(name) && unused.insert(name).inserted {
            report.unused += try valuePaths(value, joined(path, name))
        }
        return template.replacingChildren(
            try children.map { name, value in
                try merged(value, values[name], path: joined(path, name), depth: depth + 1)
            })
    }

    private mutating func leaf(_ template: StateDict, _ state: StateDict, _ path: String) throws -> StateDict
    {
        if case .none = template {
            guard case .none = state else {
                report.unused += try valuePaths(state, path)
                return template
            }
            return template
        }
        if let value = try fitting(template, state) {
            report.restored.append(path)
            return value
        }
        report.mismatched.append(
            RestoreReport.Mismatch(path: path, expected: template.kindName, got: state.kindName))
        return template
    }

    /// The state's value where it can stand in the template's place.
    private func fitting(_ template: StateDict, _ state: StateDict) throws -> StateDict? {
        switch (template, state) {
        case (.array(let own), .array(let other)), (.array(let own), .scalar(let other)),
            (.scalar(let own), .array(let other)), (.scalar(let own), .scalar(let other)):
            guard own.shape == other.shape else { return nil }
            if own.dtypeName == other.dtypeName { return state }
            guard castsTypes, case .tensor(let own) = own, case .tensor(let other) = other else { return nil }
            return .array(.tensor(try other.astype(own.dtype)))
        case (.array(let own), .int), (.array(let own), .float), (.array(let own), .bool),
            (.scalar(let own), .int), (.scalar(let own), .float), (.scalar(let own), .bool):
            return own.shape.rank == 0 ? state : nil
        case (.int, .array(let other)), (.int, .scalar(let other)), (.float, .array(let other)),
            (.float, .scalar(let other)), (.bool, .array(let other)), (.bool, .scalar(let other)):
            return other.shape.rank == 0 ? state : nil
        case (.int, .int), (.int, .unsigned), (.unsigned, .int), (.unsigned, .unsigned), (.float, .float),
            (.float, .int), (.bool, .bool), (.string, .string), (.bytes, .bytes), (.complex, .complex):
            return state
        case (.extension(let own, _), .extension(let other, _)): return own == other ? state : nil
        default: return nil
        }
    }

    /// The paths of all values below a place.
    private func valuePaths(_ state: StateDict, _ path: String, depth: Int = 0) throws -> [String] {
        guard depth <= maximumStateDepth else { throw tooDeep("restore") }
        guard let children = state.namedChildren else {
            if case .none = state { return [] }
            return [path]
        }
        return try children.flatMap { try valuePaths($0.1, joined(path, $0.0), depth: depth + 1) }
    }

    private func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : path + "/" + name }
}

extension StateDict {
    /// The children of anything that has them, by the keys of its state dict; nil for values.
    fileprivate var namedChildren: [(String, StateDict)]? {
        switch self {
        case .dictionary(let entries), .frozenDictionary(let entries), .record(_, let entries):
            entries.map { ($0.key.description, $0.value) }
        case .list(let values), .tuple(let values):
            values.enumerated().map { (String($0.offset), $0.element) }
        default: nil
        }
    }

    /// The same with other children, in their order.
    fileprivate func replacingChildren(_ children: [StateDict]) -> StateDict {
        func replaced(_ entries: [Entry]) -> [Entry] { zip(entries, children).map { Entry($0.key, $1) } }
        return switch self {
        case .dictionary(let entries): .dictionary(replaced(entries))
        case .frozenDictionary(let entries): .frozenDictionary(replaced(entries))
        case .record(let name, let entries): .record(name: name, fields: replaced(entries))
        case .list: .list(children)
        case .tuple: .tuple(children)
        default: self
        }
    }
}
