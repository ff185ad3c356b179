// Where a job's rows come from and how they become batches.

/// Either an uploaded dataset or a generator.
package enum SourceSpec: Sendable, Hashable {
    case dataset(Files, split: SplitRange)
    case generator(GeneratorSpec)

    package struct Files: Sendable, Hashable {
        package var inputs: DatasetReference
        /// Where inputs are an array, the array of its targets; nil if the inputs' file has them or they are the inputs.
        package var target: DatasetReference?

        package init(inputs: DatasetReference, target: DatasetReference? = nil) {
            self.inputs = inputs
            self.target = target
        }
    }
}

package struct DataSpec: Sendable, Hashable {
    package enum Shuffle: String, Sendable {
        /// A new order every epoch.
        case epoch
        /// The order of the rows.
        case none
    }

    package var train: SourceSpec
    package var validation: SourceSpec?
    package var test: SourceSpec?
    /// Nil: every column but the target, in the order of the file.
    package var inputs: [String]?
    /// The target column; nil if the target is in a dataset of its own, generated, or the inputs.
    package var target: String?
    /// The target is the inputs so many places ahead.
    package var shift: Int?
    /// Of the inputs, in this order.
    package var transforms: [TransformSpec]
    package var batchSize: Int
    package var shuffle: Shuffle
    package var dropRemainder: Bool
}

extension DataSpec {
    init(_ arguments: Arguments) throws {
        train = try SourceSpec(arguments.block("train"))
        validation = try arguments.optionalBlock("validation").map(SourceSpec.init)
        test = try arguments.optionalBlock("test").map(SourceSpec.init)
        inputs = arguments.optionalTexts("inputs")
        target = arguments.optionalText("target")
        if case .shift(let count) = arguments.values["target"] { shift = count }
        transforms = try arguments.specs("transforms")
        batchSize = try arguments.integer("batch_size")
        guard let shuffle = Shuffle(rawValue: try arguments.text("shuffle")) else {
            throw arguments.mismatch("shuffle")
        }
        self.shuffle = shuffle
        dropRemainder = try arguments.boolean("drop_remainder")
    }
}

extension SourceSpec {
    fileprivate init(_ arguments: Arguments) throws {
        if case .dataset(let reference) = arguments.values["dataset"] {
            var split = SplitRange.all
            if case .split(let written) = arguments.values["split"] { split = written }
            var target: DatasetReference?
            if case .dataset(let written) = arguments.values["target_dataset"] { target = written }
            self = .dataset(Files(inputs: reference, target: target), split: split)
        } else {
            self = .generator(try arguments.spec("generator"))
        }
    }
}
