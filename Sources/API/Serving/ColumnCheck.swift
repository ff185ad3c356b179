// Whether the columns that a spec names are in its datasets, with the types that training needs.
import JobSpec
import Store

enum ColumnCheck {
    /// `datasets` are those of `data.train`, `data.validation`, … in this order, for the splits that name one.
    static func problems(of spec: JobSpec, datasets: [DatasetRecord]) -> [SpecProblem] {
        var problems = [SpecProblem]()
        for dataset in datasets {
            guard let columns = dataset.schema["columns"]?.arrayValue, !columns.isEmpty else { continue }
            let types = columns.compactMap { column -> (name: String, type: String)? in
                guard let name = column["name"]?.stringValue, let type = column["type"]?.stringValue else {
                    return nil
                }
                return (name, type)
            }
            let names = types.map(\.name)
            let numeric = Set(types.filter { isNumeric($0.type) }.map(\.name))
            func check(_ column: String, _ pointer: String) {
                if !names.contains(column) {
                    problems.append(
                        SpecProblem(
                            code: "unknown_name", pointer: pointer,
                            detail: "\(dataset.name) has no column \"\(column.prefix(60))\""
                                + suggestion(for: column, among: names)
                                + (names.count <= 12 ? "; it has \(names.joined(separator: ", "))" : "")))
                } else if !numeric.contains(column) {
                    problems.append(
                        SpecProblem(
                            code: "wrong_type", pointer: pointer,
                            detail:
                                "column \"\(column.prefix(60))\" of \(dataset.name) holds text; only numbers can be trained on"
                        ))
                }
            }
            if let target = spec.data.target { check(target, "#/data/target") }
            if let inputs = spec.data.inputs {
                for (index, input) in inputs.enumerated() { check(input, "#/data/inputs/\(index)") }
            } else {
                for name in names where name != spec.data.target && !numeric.contains(name) {
                    problems.append(
                        SpecProblem(
                            code: "wrong_type", pointer: "#/data/inputs",
                            detail:
                                "without inputs every column but the target is one, and \"\(name.prefix(60))\" of "
                                + "\(dataset.name) holds text; list the columns to use"))
                }
            }
        }
        // Train and validation are usually splits of one dataset.
        var seen = Set<SpecProblem>()
        return problems.filter { seen.insert($0).inserted }
    }

    static func isNumeric(_ type: String) -> Bool {
        !["string", "text"].contains(type)
    }
}
