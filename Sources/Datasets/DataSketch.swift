// The shape of one data source while its transforms are applied, without its values.

import JobSpec

struct DataSketch {
    var rows: Int
    var inputShape: [Int]
    var targetShape: [Int]
    var targetIsInteger: Bool
    var classes: Int?
    var content = ArrayDataset.Content.numbers
    var shift: Int?
    var byteCount = 0
    /// The characters that tokens stand for, of the training split.
    var vocabulary: [UInt32]?
    var hasUnknown = false
    private var characters: [UInt32] = []

    /// "64 inputs and 1 outputs", or shapes where there is more than one dimension.
    var described: String {
        func text(_ shape: [Int], _ noun: String) -> String {
            shape.count < 2 ? "\(shape.reduce(1, *)) \(noun)" : "\(noun) \(shape)"
        }
        return "\(text(inputShape, "inputs")) and \(text(targetShape, "outputs"))"
    }

    init(_ generator: GeneratorSpec) {
        rows = generator.arguments.optionalInteger("samples") ?? 0
        inputShape = [generator.arguments.optionalInteger("inputs") ?? 0]
        targetShape = [generator.arguments.optionalInteger("outputs") ?? 0]
        targetIsInteger = false
        byteCount = 4 * rows * (inputShape[0] + targetShape[0])
    }

    init(
        _ spec: JobSpec, _ inputs: FileSchema, _ target: FileSchema?, _ files: SourceSpec.Files,
        _ split: SplitRange,
        at pointer: String, _ problems: inout [SpecProblem]
    ) {
        let isLabel = spec.storedTargetKind == .classes
        let range = split.rows(of: inputs.rows)
        rows = range.count
        targetIsInteger = isLabel
        targetShape = isLabel ? [] : [1]
        shift = spec.data.shift
        func report(_ code: String, _ place: String, _ detail: String) {
            problems.append(SpecProblem(code: code, pointer: place, detail: detail))
        }
        switch inputs {
        case .table(let table):
            let names = spec.data.inputs ?? table.columns.map(\.name).filter { $0 != spec.data.target }
            inputShape = [names.count]
            var check = TableCheck(table, files.inputs.name)
            classes = check.run(spec, inputs: names)
            problems += check.problems
            if files.target != nil {
                report(
                    "conflict", pointer + "/target_dataset",
                    "\(files.inputs.name) is a table; name its target column in data.target instead")
            }
        case .array(_, let shape, _, _, _):
            inputShape = Array(shape.dropFirst())
            if case .array(_, let other, let type, let minimum, let maximum) = target {
                if other.first != shape.first {
                    report(
                        "shape_mismatch", pointer + "/target_dataset",
                        "has \(other.first ?? 0) rows, \(files.inputs.name) has \(shape.first ?? 0)")
                }
                targetShape = Array(other.dropFirst())
                if isLabel {
                    if type.hasPrefix("float") || minimum < 0 || maximum > Double(MatrixSink.maximumLabel) {
                        report(
                            "wrong_type", pointer + "/target_dataset",
                            "\(spec.loss.name) needs class labels, integers from 0 to \(MatrixSink.maximumLabel); these are \(type) from \(minimum) to \(maximum)"
                        )
                    } else {
                        classes = Int(maximum) + 1
                    }
                } else if targetShape.isEmpty {
                    targetShape = [1]
                }
            } else if shift == nil {
                report(
                    "missing_field", pointer + "/target_dataset",
                    "\(files.inputs.name) is an array; name the dataset with its targets, or use target {\"shift\": 0} for the inputs themselves"
                )
            }
        case .checkpoint:
            inputShape = []
            report("data_error", pointer + "/dataset", "\(files.inputs.name) is a checkpoint, not data")
        case .text(let scalars):
            inputShape = []
            content = .characters
            characters = range.isEmpty ? [] : Array(scalars[range])
            if shift == nil {
                report(
                    "missing_field", "#/data/target",
                    "\(files.inputs.name) is text; use {\"shift\": 1} to predict the next token")
            }
        }
        if rows == 0 {
            report("empty_split", "\(pointer)/split", "\(split) of \(inputs.rows) rows has none")
        }
        if shift == 0, case .numbers = content { (targetShape, targetIsInteger) = (inputShape, false) }
    }

    /// Applies transforms in their order, as `FittedTransform.fit` does to values.
    ///
    /// - Parameter known: the vocabulary of the training split; nil for the training split itself.
    mutating func transform(
        _ specs: [TransformSpec], _ known: [UInt32]?, at pointer: String, _ problems: inout [SpecProblem]
    ) {
        var tokens = 0
        for spec in specs {
            do {
                switch spec.name {
                case "tokenize_chars":
                    guard content == .characters else {
                        throw DatasetError("tokenize_chars is for text, and the dataset is none")
                    }
                    vocabulary = known ?? Set(characters).sorted()
                    hasUnknown = try spec.arguments.text("unknown") == "token"
                    if !hasUnknown, let other = Set(characters).subtracting(vocabulary ?? []).min() {
                        throw FittedTransform.unknown(other)
                    }
                    content = .tokens
                    targetIsInteger = true
                    tokens = rows
                case "standardize":
                    guard content == .numbers else {
                        throw DatasetError("numbers are standardized, not tokens")
                    }
                default:
                    if let transform = try FittedTransform(fixed: spec) { try apply(transform) }
                }
            } catch {
                problems.append(spec.problem("shape_mismatch", "\(error)"))
                return
            }
        }
        if let shift, problems.isEmpty {
            if content == .characters {
                problems.append(
                    SpecProblem(
                        code: "missing_field", pointer: "#/data/transforms",
                        detail: "the dataset is text; add tokenize_chars and window"))
            } else if shift > 0, content != .tokens || inputShape.count != 1 {
                problems.append(
                    SpecProblem(
                        code: "conflict", pointer: "#/data/target",
                        detail:
                            "a shift of \(shift) is for windows of tokens; this data has none, so only 0 is possible"
                    ))
            }
            targetShape = inputShape
            targetIsInteger = content != .numbers
        }
        if rows == 0, problems.isEmpty {
            problems.append(
                SpecProblem(
                    code: "empty_split", pointer: "\(pointer)/split",
                    detail: "\(tokens) tokens are fewer than a window and its target need"))
        }
        byteCount = 4 * (tokens > 0 ? tokens : rows * (inputShape.reduce(1, *) + targetShape.reduce(1, *)))
    }

    private mutating func apply(_ transform: FittedTransform) throws {
        switch transform {
        case .scale, .standardize:
            guard content == .numbers else { throw DatasetError("numbers are scaled, not tokens") }
        case .normalize(let mean, let deviation):
            let width = inputShape.last ?? 1
            guard content == .numbers, [1, width].contains(mean.count), [1, width].contains(deviation.count)
            else {
                throw DatasetError(
                    "normalize takes 1 or \(width) numbers, for the last dimension of \(inputShape)")
            }
        case .reshape(let shape):
            guard content == .numbers, shape.reduce(1, *) == inputShape.reduce(1, *) else {
                throw DatasetError("inputs of \(inputShape) cannot be reshaped to \(shape)")
            }
            inputShape = shape
        case .oneHot(let count):
            guard targetIsInteger, shift == nil else {
                throw DatasetError("one_hot needs class labels as target")
            }
            if let classes, classes > count {
                throw DatasetError("one_hot has \(count) classes, the target has \(classes)")
            }
            targetShape.append(count)
            targetIsInteger = false
            classes = nil
        case .tokenize: break
        case .window(let length, let stride):
            guard content == .tokens, inputShape.isEmpty else {
                throw DatasetError("window is for tokens in a row, such as tokenize_chars makes")
            }
            rows = FittedTransform.windows(of: rows, length: length, stride: stride, shift: shift ?? 0)
            inputShape = [length]
        }
    }
}

/// Whether the columns that a spec names are in a table and hold what training needs.
private struct TableCheck {
    private let name: String
    private let names: [String]
    private var byName: [String: ColumnSchema] = [:]
    private(set) var problems: [SpecProblem] = []

    init(_ table: TableSchema, _ name: String) {
        self.name = name
        names = table.columns.map(\.name)
        for column in table.columns { byName[column.name] = column }
    }

    private mutating func report(_ code: String, _ place: String, _ detail: String) {
        problems.append(SpecProblem(code: code, pointer: place, detail: detail))
    }

    /// The number of classes, if the target is a label.
    mutating func run(_ spec: JobSpec, inputs: [String]) -> Int? {
        if inputs.isEmpty {
            report(
                "conflict", "#/data/target", "\(name) has no column besides the target, so there is no input")
        }
        // One problem for each kind is enough: a wide table would repeat itself.
        for (index, input) in inputs.enumerated() {
            let place = spec.data.inputs == nil ? "#/data/inputs" : "#/data/inputs/\(index)"
            if !check(input, at: place) { break }
        }
        if let shift = spec.data.shift {
            if shift > 0 {
                report(
                    "conflict", "#/data/target", "\(name) is a table; a target can only be shifted by 0 there"
                )
            }
            return nil
        }
        guard let target = spec.data.target else {
            report(
                "missing_field", "#/data/target",
                "\(name) is a table; name the column that the model should predict")
            return nil
        }
        guard check(target, at: "#/data/target"), spec.storedTargetKind == .classes,
            let column = byName[target]
        else {
            return nil
        }
        let largest = Double(MatrixSink.maximumLabel)
        guard column.type == .int, let minimum = column.minimum, let maximum = column.maximum, minimum >= 0,
            maximum <= largest
        else {
            let range =
                column.minimum.flatMap { low in column.maximum.map { " from \(low) to \($0)" } } ?? ""
            report(
                "wrong_type", "#/data/target",
                "\(spec.loss.name) needs class labels, integers from 0 to \(MatrixSink.maximumLabel); \"\(excerpt(target))\" has \(column.type.rawValue) values\(range)"
            )
            return nil
        }
        return Int(maximum) + 1
    }

    private mutating func check(_ column: String, at place: String) -> Bool {
        guard let schema = byName[column] else {
            let hint = suggestion(for: column, among: names)
            let some = names.prefix(10).joined(separator: ", ") + (names.count > 10 ? ", …" : "")
            report(
                "unknown_name", place,
                "\(name) has no column \"\(excerpt(column))\"\(hint.isEmpty ? "; it has \(excerpt(some))" : hint)"
            )
            return false
        }
        if schema.type == .string {
            report(
                "wrong_type", place,
                "the column \"\(excerpt(column))\" of \(name) has texts; list the columns with numbers in data.inputs"
            )
            return false
        }
        if schema.missing > 0 {
            report(
                "missing_values", place,
                "the column \"\(excerpt(column))\" of \(name) has \(schema.missing) empty cells; fill them in or leave the column out"
            )
            return false
        }
        return true
    }
}
