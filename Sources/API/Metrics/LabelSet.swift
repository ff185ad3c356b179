// The closed set of label values of a metric family. A value outside the set is counted under its last value (`other`), so that
// no request can make a new time series.

package struct LabelSet: Sendable {
    package let names: [String]
    /// Every combination that may occur, each with one value per name.
    package let combinations: [[String]]
    private let index: [[String]: Int]

    package init(names: [String], combinations: [[String]]) {
        self.names = names
        self.combinations = combinations
        var index = [[String]: Int]()
        for (position, values) in combinations.enumerated() where index[values] == nil {
            index[values] = position
        }
        self.index = index
    }

    /// No labels: one series.
    package static let none = LabelSet(names: [], combinations: [[]])

    package static func one(_ name: String, _ values: [String]) -> LabelSet {
        LabelSet(names: [name], combinations: values.map { [$0] })
    }

    package func position(of values: [String]) -> Int {
        index[values] ?? combinations.count - 1
    }

    /// `{route="/v1/jobs",code="2xx"}`, or nothing without labels. `extra` is appended, for `le`.
    package func text(at position: Int, extra: (name: String, value: String)? = nil) -> String {
        guard position >= 0, position < combinations.count else { return "" }
        var pairs = zip(names, combinations[position]).map { "\($0)=\"\(Self.escaped($1))\"" }
        if let extra {
            pairs.append("\(extra.name)=\"\(Self.escaped(extra.value))\"")
        }
        return pairs.isEmpty ? "" : "{" + pairs.joined(separator: ",") + "}"
    }

    /// Text format 0.0.4: backslash, double quote and line feed are escaped in label values.
    static func escaped(_ value: String) -> String {
        var result = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
