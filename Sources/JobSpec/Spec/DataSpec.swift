// Where a job's rows come from and how they become batches.

/// Either an uploaded dataset or a generator.
package enum SourceSpec: Sendable, Hashable {
    case dataset(DatasetReference, split: SplitRange)
    case generator(GeneratorSpec)
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
    /// Nil: every column but the target, in the order of the file.
    package var inputs: [String]?
    /// Nil exactly if the training data is generated.
    package var target: String?
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
        inputs = arguments.optionalTexts("inputs")
        target = arguments.optionalText("target")
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
            self = .dataset(reference, split: split)
        } else {
            self = .generator(try arguments.spec("generator"))
        }
    }
}
