// What may be written where in a job spec: parameters with types, ranges, defaults and documentation.

package struct Parameter: Sendable {
    package let name: String
    package let type: ParameterType
    /// As JSON in the spec's own notation; decoded like a written value.
    package let defaultValue: JSONValue?
    package let isRequired: Bool
    package let doc: String

    static func required(_ name: String, _ type: ParameterType, _ doc: String) -> Parameter {
        Parameter(name: name, type: type, defaultValue: nil, isRequired: true, doc: doc)
    }

    /// Absent unless written.
    static func optional(_ name: String, _ type: ParameterType, _ doc: String) -> Parameter {
        Parameter(name: name, type: type, defaultValue: nil, isRequired: false, doc: doc)
    }

    static func defaulted(
        _ name: String, _ type: ParameterType, _ value: JSONValue, _ doc: String
    ) -> Parameter {
        Parameter(name: name, type: type, defaultValue: value, isRequired: false, doc: doc)
    }
}

/// A group of parameters: an object of the spec, or the arguments of a catalog entry.
package struct Block: Sendable {
    /// For messages: "Dense", "budget".
    package let name: String
    package let parameters: [Parameter]
    /// Fields that the job spec knows and this version does not.
    package let planned: [String]

    init(_ name: String, _ parameters: [Parameter], planned: [String] = []) {
        self.name = name
        self.parameters = parameters
        self.planned = planned
    }
}

/// Finite numbers between two bounds, the lower of which may be excluded. The widest is what float32 can hold.
package struct NumberRange: Sendable, Hashable {
    package let minimum: Double
    package let maximum: Double
    package let excludesMinimum: Bool

    static let any = NumberRange(minimum: -1e30, maximum: 1e30, excludesMinimum: false)
    static let positive = NumberRange(minimum: 0, maximum: 1e30, excludesMinimum: true)
    static let nonnegative = NumberRange(minimum: 0, maximum: 1e30, excludesMinimum: false)
    /// From 0 to just below 1: decay rates of moments.
    static let decay = NumberRange(minimum: 0, maximum: 0.999_999_999, excludesMinimum: false)

    static func range(_ minimum: Double, _ maximum: Double) -> NumberRange {
        NumberRange(minimum: minimum, maximum: maximum, excludesMinimum: false)
    }

    func contains(_ value: Double) -> Bool {
        value <= maximum && (excludesMinimum ? value > minimum : value >= minimum)
    }

    var description: String {
        if self == .any { return "a finite number" }
        let lower = excludesMinimum ? "greater than \(plain(minimum))" : "from \(plain(minimum))"
        return maximum >= 1e30 ? "a number \(lower)" : "a number \(lower) to \(plain(maximum))"
    }
}

package enum TextRule: String, Sendable {
    /// 1 to 128 characters without control characters.
    case title
    /// 1 to 100 of a-z A-Z 0-9 . _ -, the first a letter or a digit.
    case identifier
    /// A Python-like identifier of at most 64 characters, as linen's module names.
    case moduleName
}

package indirect enum ParameterType: Sendable {
    case boolean
    case integer(ClosedRange<Int>)
    case number(NumberRange)
    case text(TextRule)
    /// One of the first; the others are known, but not to this version.
    case choice([String], planned: [String] = [])
    case integers(count: ClosedRange<Int>, each: ClosedRange<Int>)
    /// Numbers, such as the means of channels.
    case numbers(count: ClosedRange<Int>)
    /// A count, or "auto": as many as the data needs.
    case integerOrAuto(ClosedRange<Int>)
    /// "SAME" and the like, one number for all sides, or two for each dimension.
    case padding
    /// The name of a column.
    case column
    /// The name of a column or an array, or `{"shift": 1}`: the inputs that far ahead.
    case target
    /// A name, or a list of names, of columns.
    case columns
    /// An object of strings.
    case labels
    case dataset
    case split
    /// `{"100": 0.5}`: factors by step.
    case stepScales
    /// An entry of the catalog, of one of these kinds: a name, or an object with `type`.
    case typed([CatalogKind])
    case typedList([CatalogKind], count: ClosedRange<Int>)
    /// An object of catalog entries.
    case typedMap([CatalogKind])
    case numberOrSchedule(NumberRange)
    case integerOrSchedule(ClosedRange<Int>)
    /// A number; in `inject_hyperparams` also a schedule.
    case hyperparameter(NumberRange)
    /// Paths of parameters, `*` for any part of a name, `**` for any number of names: one, or a list of which one must match.
    case patterns
    /// A label by path pattern; the first that matches counts.
    case patternLabels
    /// New paths by old ones; a trailing `**` stands for the rest.
    case renames
    /// A list of names.
    case names
    /// Objects of one block.
    case blocks(Block, count: ClosedRange<Int>)
    case block(Block)

    /// For "expected …".
    package var description: String {
        switch self {
        case .boolean: "true or false"
        case .integer(let range): "an integer from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): range.description
        case .text(.title): "a text of 1 to 128 characters"
        case .text(.identifier):
            "a name of 1 to 100 letters, digits, '.', '_' and '-' that begins with a letter or digit"
        case .text(.moduleName):
            "a name of at most 64 letters, digits and '_' that does not begin with a digit"
        case .choice(let choices, _): "one of \(choices.joined(separator: ", "))"
        case .integers(let count, let each):
            "a list of \(count.lowerBound) to \(count.upperBound) integers from \(each.lowerBound) to \(each.upperBound)"
        case .column: "the name of a column"
        case .columns: "a list of column names"
        case .labels: "an object of texts"
        case .dataset: "NAME or NAME@sha256:HEX of a dataset"
        case .split: "a split such as \"0%:80%\", \"80%:\" or \"100:200\""
        case .stepScales: "an object of factors by step, such as {\"100\": 0.1}"
        case .typed(let kinds): kinds.map(\.indefinite).joined(separator: " or ")
        case .typedList(let kinds, let count):
            "a list of \(count.lowerBound) to \(count.upperBound): each \(kinds.map(\.indefinite).joined(separator: " or "))"
        case .numbers(let count):
            "a list of \(count.lowerBound) to \(count.upperBound) numbers"
        case .integerOrAuto(let range):
            "an integer from \(range.lowerBound) to \(range.upperBound), or \"auto\""
        case .padding:
            "SAME, VALID, CIRCULAR, REFLECT, CAUSAL, a number, or a list of [low, high] for each dimension"
        case .target: "the name of a column or an array, or {\"shift\": 1}"
        case .typedMap(let kinds): "an object of \(kinds.map(\.indefinite).joined(separator: " or ")) by name"
        case .numberOrSchedule(let range): "\(range.description), or a schedule"
        case .integerOrSchedule(let range):
            "an integer from \(range.lowerBound) to \(range.upperBound), or a schedule"
        case .hyperparameter(let range): range.description
        case .patterns: "a path pattern such as \"**/kernel\", or a list of them"
        case .patternLabels:
            "an object of labels by path pattern, such as {\"**/bias\": \"plain\", \"**\": \"decayed\"}"
        case .renames: "an object of new paths by old ones, such as {\"old/**\": \"new/**\"}"
        case .names: "a list of names"
        case .blocks(_, let count): "a list of \(count.lowerBound) to \(count.upperBound) objects"
        case .block: "an object"
        }
    }
}

/// 0.5 as "0.5", 2.0 as "2".
func plain(_ value: Double) -> String {
    if value.magnitude < 1e15, let whole = Int(exactly: value) { return String(whole) }
    return value.description
}
