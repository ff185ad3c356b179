// The query of one request, checked against what its route declares: an unknown parameter, a repeated one and a value of the
// wrong form are 400 with the place and the remedy.
import JobSpec

package struct Query: Sendable {
    private let items: [Item]

    package struct Item: Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// - Throws: `invalid_parameter` with every problem of the query at once.
    package init(_ items: [Item], declared parameters: [RouteParameter]) throws {
        let declared = parameters.filter { $0.location == .query }
        var problems = [SpecProblem]()
        var seen = Set<String>()
        for item in items {
            let plain = declared.first { !$0.deepObject && $0.name == item.name }
            let deep = declared.first { $0.deepObject && Self.member(of: $0.name, item.name) != nil }
            guard let parameter = plain ?? deep else {
                var detail = "unknown query parameter"
                let names = declared.map { $0.deepObject ? $0.name + "[KEY]" : $0.name }
                if let near = nearMiss(item.name, among: names) {
                    detail += "; did you mean \(near)?"
                } else if names.isEmpty {
                    detail += "; this route takes none"
                } else {
                    detail += "; this route takes \(names.joined(separator: ", "))"
                }
                problems.append(Self.problem(item.name, detail))
                continue
            }
            if !seen.insert(item.name).inserted, !parameter.repeated {
                problems.append(Self.problem(item.name, "given more than once"))
            }
        }
        for parameter in declared where parameter.required && !seen.contains(parameter.name) {
            problems.append(Self.problem(parameter.name, "is required: \(parameter.doc)"))
        }
        guard problems.isEmpty else { throw Self.error(problems) }
        self.items = items
    }

    package var isEmpty: Bool { items.isEmpty }

    package func values(_ name: String) -> [String] {
        items.compactMap { $0.name == name ? $0.value : nil }
    }

    package func value(_ name: String) -> String? {
        items.first { $0.name == name }?.value
    }

    /// The members of `name[key]=value`.
    package func members(_ name: String) -> [Item] {
        items.compactMap { item in
            Self.member(of: name, item.name).map { Item(name: $0, value: item.value) }
        }
    }

    package func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = value(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Self.error([
                Self.problem(
                    name,
                    "expected a whole number from \(range.lowerBound) to \(range.upperBound), got \(Self.quoted(text))"
                )
            ])
        }
        return number
    }

    /// Seconds, not negative; more than `most` counts as `most`.
    package func seconds(_ name: String, atMost most: Double) throws -> Double? {
        guard let text = value(name) else { return nil }
        guard let number = Double(text), number.isFinite, number >= 0 else {
            throw Self.error([Self.problem(name, "expected a number of seconds, got \(Self.quoted(text))")])
        }
        return min(number, most)
    }

    package func choice(_ name: String, among choices: [String]) throws -> String? {
        guard let text = value(name) else { return nil }
        return try Self.checked(text, name, choices)
    }

    package func choices(_ name: String, among choices: [String]) throws -> [String] {
        try values(name).map { try Self.checked($0, name, choices) }
    }

    private static func checked(_ text: String, _ name: String, _ choices: [String]) throws -> String {
        guard choices.contains(text) else {
            var detail = "expected one of \(choices.joined(separator: ", ")), got \(quoted(text))"
            if let near = nearMiss(text, among: choices) {
                detail += "; did you mean \(near)?"
            }
            throw error([problem(name, detail)])
        }
        return text
    }

    private static func member(of name: String, _ itemName: String) -> String? {
        guard itemName.hasPrefix(name + "["), itemName.hasSuffix("]") else { return nil }
        return String(itemName.dropFirst(name.count + 1).dropLast())
    }

    private static func problem(_ name: String, _ detail: String) -> SpecProblem {
        SpecProblem(code: "invalid_parameter", pointer: "?" + shortened(name), detail: detail)
    }

    private static func error(_ problems: [SpecProblem]) -> Problem {
        let first = problems.first.map { "\($0.pointer.dropFirst()): \($0.detail)" } ?? ""
        let detail =
            problems.count == 1 ? first : "\(problems.count) problems in the query; the first: \(first)"
        return Problem(.invalidParameter, detail, errors: problems)
    }

    private static func quoted(_ text: String) -> String {
        "\"" + shortened(text) + "\""
    }

    /// What came from outside is echoed, but never at length.
    private static func shortened(_ text: String) -> String {
        text.count <= 80 ? text : text.prefix(77) + "..."
    }
}
