// What is wrong with a job spec: a code, a place and a sentence; the errors[] of a problem+json answer.

package struct SpecProblem: Sendable, Hashable, CustomStringConvertible {
    /// From the stable list in `Code`, or another component's (`shape_mismatch`, `dataset_not_found`).
    package let code: String
    /// A JSON pointer as a URI fragment: "#/model/features/0"; "#" is the spec as a whole.
    package let pointer: String
    /// What is wrong, what was expected and how to fix it.
    package let detail: String

    package init(code: String, pointer: String, detail: String) {
        self.code = code
        self.pointer = pointer
        self.detail = detail
    }

    package init(_ code: Code, at pointer: JSONPointer, _ detail: String) {
        self.init(code: code.rawValue, pointer: pointer.description, detail: detail)
    }

    package var description: String { "\(pointer): \(detail) (\(code))" }

    /// The codes that decoding a spec gives.
    package enum Code: String, Sendable, CaseIterable {
        case unknownField = "unknown_field"
        case missingField = "missing_field"
        case wrongType = "wrong_type"
        case outOfRange = "out_of_range"
        case unknownName = "unknown_name"
        /// Known to the job spec, but this version cannot do it.
        case unsupported = "unsupported"
        /// Two fields that contradict each other.
        case conflict = "conflict"
        case invalidValue = "invalid_value"
    }
}

extension SpecProblem {
    package var json: JSONValue {
        ["code": .string(code), "pointer": .string(pointer), "detail": .string(detail)]
    }
}

package struct SpecErrors: Error, Sendable, Hashable, CustomStringConvertible {
    /// Never empty, in the order of the document where that is known.
    package let problems: [SpecProblem]

    package init(problems: [SpecProblem]) {
        self.problems = problems
    }

    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
