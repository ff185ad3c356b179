// What planning a job must know of its data: numbers of rows and columns, and whether spec and files fit.

import JobSpec
import OrderedCollections

package struct DataShape: Sendable, Hashable {
    /// Input columns.
    package var features: Int
    /// Length of a row of the target: 1 for class labels.
    package var outputs: Int
    /// The largest class label and one more; nil if the target is no label.
    package var classes: Int?
    package var trainRows: Int
    package var validationRows: Int?
    package var batchesPerEpoch: Int

    /// Reads the schemas of the spec's datasets (the whole files, but keeps nothing of them). `schema` may give one
    /// that is known already.
    package init(
        _ spec: JobSpec, schema: (DatasetReference) throws(DatasetError) -> TableSchema
    ) throws(SpecErrors) {
        var problems: [SpecProblem] = []
        var schemas: [DatasetReference: TableSchema] = [:]
        func table(_ source: SourceSpec, at pointer: String) -> SourceShape? {
            switch source {
            case .generator(let generator):
                return SourceShape(generator)
            case .dataset(let reference, let split):
                do throws(DatasetError) {
                    let table: TableSchema
                    if let known = schemas[reference] { table = known } else { table = try schema(reference) }
                    schemas[reference] = table
                    return SourceShape(spec, table, reference, split, at: pointer, &problems)
                } catch {
                    problems.append(
                        SpecProblem(
                            code: "data_error", pointer: "\(pointer)/dataset",
                            detail: "the dataset \(reference.name) cannot be read: \(error)"))
                    return nil
                }
            }
        }
        let train = table(spec.data.train, at: "#/data/train")
        let validation = spec.data.validation.flatMap { table($0, at: "#/data/validation") }
        guard problems.isEmpty, let train else { throw SpecErrors(problems: problems) }

        features = train.features
        outputs = train.outputs
        classes = [train.classes, validation?.classes].compactMap { $0 }.max()
        trainRows = train.rows
        validationRows = validation?.rows
        batchesPerEpoch = BatchSource.batches(
            rows: train.rows, batchSize: spec.data.batchSize, dropRemainder: spec.data.dropRemainder)
        if batchesPerEpoch == 0 {
            problems.append(
                SpecProblem(
                    code: "conflict", pointer: "#/data/batch_size",
                    detail:
                        "a batch of \(spec.data.batchSize) is more than the \(train.rows) rows of data.train, and drop_remainder leaves it out; make it \(train.rows) or less"
                ))
        }
        if let validation, validation.features != features || validation.outputs != outputs {
            problems.append(
                SpecProblem(
                    code: "shape_mismatch", pointer: "#/data/validation",
                    detail:
                        "has \(validation.features) inputs and \(validation.outputs) outputs, data.train has \(features) and \(outputs)"
                ))
        }
        guard problems.isEmpty else { throw SpecErrors(problems: problems) }
    }
}

/// The shape of one source.
private struct SourceShape {
    var rows: Int
    var features: Int
    var outputs: Int
    var classes: Int?

    init(_ generator: GeneratorSpec) {
        rows = generator.arguments.optionalInteger("samples") ?? 0
        features = generator.arguments.optionalInteger("inputs") ?? 0
        outputs = generator.arguments.optionalInteger("outputs") ?? 0
    }

    init(
        _ spec: JobSpec, _ table: TableSchema, _ reference: DatasetReference, _ split: SplitRange,
        at pointer: String, _ problems: inout [SpecProblem]
    ) {
        let names = table.columns.map(\.name)
        var byName: [String: ColumnSchema] = [:]
        for column in table.columns { byName[column.name] = column }
        let target = spec.data.target ?? ""
        let inputs = spec.data.inputs ?? names.filter { $0 != target }
        rows = split.rows(of: table.rows).count
        features = inputs.count
        outputs = 1
        if rows == 0 {
            problems.append(
                SpecProblem(
                    code: "empty_split", pointer: "\(pointer)/split",
                    detail: "\(split) of \(table.rows) rows has none"))
        }
        if inputs.isEmpty {
            problems.append(
                SpecProblem(
                    code: "conflict", pointer: "#/data/target",
                    detail: "\(reference.name) has no column besides the target, so there is no input"))
        }
        /// One problem for each kind is enough: a wide table would repeat itself.
        func check(_ name: String, at place: String) -> Bool {
            guard let column = byName[name] else {
                let hint = suggestion(for: name, among: names)
                let some = names.prefix(10).joined(separator: ", ") + (names.count > 10 ? ", …" : "")
                problems.append(
                    SpecProblem(
                        code: "unknown_name", pointer: place,
                        detail:
                            "\(reference.name) has no column \"\(excerpt(name))\"\(hint.isEmpty ? "; it has \(excerpt(some))" : hint)"
                    ))
                return false
            }
            if column.type == .string {
                problems.append(
                    SpecProblem(
                        code: "wrong_type", pointer: place,
                        detail:
                            "the column \"\(excerpt(name))\" of \(reference.name) has texts; list the columns with numbers in data.inputs"
                    ))
                return false
            }
            if column.missing > 0 {
                problems.append(
                    SpecProblem(
                        code: "missing_values", pointer: place,
                        detail:
                            "the column \"\(excerpt(name))\" of \(reference.name) has \(column.missing) empty cells; fill them in or leave the column out"
                    ))
                return false
            }
            return true
        }
        for (index, name) in inputs.enumerated() {
            let place = spec.data.inputs == nil ? "#/data/inputs" : "#/data/inputs/\(index)"
            if !check(name, at: place) { break }
        }
        guard check(target, at: "#/data/target"), spec.targetKind == .classes, let column = byName[target]
        else { return }
        let largest = Double(MatrixSink.maximumLabel)
        guard column.type == .int, let minimum = column.minimum, let maximum = column.maximum, minimum >= 0,
            maximum <= largest
        else {
            let range =
                column.minimum.flatMap { low in column.maximum.map { " from \(low) to \($0)" } } ?? ""
            problems.append(
                SpecProblem(
                    code: "wrong_type", pointer: "#/data/target",
                    detail:
                        "\(spec.loss.name) needs class labels, integers from 0 to \(MatrixSink.maximumLabel); \"\(excerpt(target))\" has \(column.type.rawValue) values\(range)"
                ))
            return
        }
        classes = Int(maximum) + 1
    }
}
