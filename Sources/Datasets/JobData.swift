// The data of a job, loaded, split and transformed: what training and evaluation take their batches from.

import JobSpec
import OrderedCollections

package struct JobData: Sendable {
    package let train: BatchSource
    /// Keeps its remainder: every row counts in an evaluation.
    package let validation: BatchSource?
    /// As validation data; for the final state.
    package let test: BatchSource?
    /// Fitted on the training split; empty if the spec has none.
    package let transforms: [FittedTransform]
    /// Names of the input columns; nil for generated data.
    package let inputNames: [String]?

    /// Loads and splits. `generate` makes the data of a generator. `fitted` are the transforms of a run that is
    /// resumed; without them they are fitted on the training split.
    package init(
        _ spec: JobSpec, datasets: OrderedDictionary<String, DatasetLocation>,
        fitted: [FittedTransform]? = nil, limits: CSVLimits = CSVLimits(),
        generate: (GeneratorSpec) throws -> ArrayDataset
    ) throws {
        // Training, validation and test data are mostly splits of one file: it is read once.
        var tables: [SourceSpec.Files: ArrayDataset] = [:]
        var names: [String]?
        func read(_ files: SourceSpec.Files) throws -> ArrayDataset {
            let file = try Self.file(of: files.inputs, in: datasets)
            switch file.format {
            case "csv":
                let loaded = try CSVTable(path: file.path, limits: limits)
                    .load(
                        inputs: names ?? spec.data.inputs, target: spec.data.target, as: spec.storedTargetKind
                    )
                // A second file must have the same inputs, in the same order.
                names = names ?? loaded.inputs
                return loaded.data
            case "flax":
                throw DatasetError("\(files.inputs.name) is a checkpoint, not data")
            case "text":
                let scalars = try file.text().map { Int32(bitPattern: $0) }
                return ArrayDataset(
                    rows: scalars.count, inputs: DataColumn(.integer(scalars), shape: []),
                    shift: spec.data.shift ?? 0, content: .characters)
            default:
                let array = try file.array()
                let inputs = DataColumn(.float(try array.floats()), shape: Array(array.shape.dropFirst()))
                guard let target = files.target else {
                    return ArrayDataset(
                        rows: array.rows, inputs: inputs, shift: spec.data.shift ?? 0, content: .numbers)
                }
                let other = try Self.file(of: target, in: datasets).array()
                guard other.rows == array.rows else {
                    throw DatasetError(
                        "\(files.inputs.name) has \(array.rows) rows, \(target.name) has \(other.rows)")
                }
                let shape = Array(other.shape.dropFirst())
                let column =
                    spec.storedTargetKind == .classes
                    ? DataColumn(.integer(try other.labels()), shape: shape)
                    : DataColumn(.float(try other.floats()), shape: shape.isEmpty ? [1] : shape)
                return ArrayDataset(rows: array.rows, inputs: inputs, target: column)
            }
        }
        func load(_ source: SourceSpec) throws -> ArrayDataset {
            switch source {
            case .generator(let generator): return try generate(generator)
            case .dataset(let files, let split):
                let whole: ArrayDataset
                if let known = tables[files] { whole = known } else { whole = try read(files) }
                tables[files] = whole
                let part = whole.slice(split.rows(of: whole.rows))
                guard part.rows > 0 else {
                    throw DatasetError("the split \(split) of \(files.inputs.name) has no rows")
                }
                return part
            }
        }
        var trainData = try load(spec.data.train)
        let heldOut = try [spec.data.validation, spec.data.test].map { try $0.map(load) }
        tables = [:]

        if let fitted {
            transforms = fitted
            for transform in fitted { try transform.apply(to: &trainData) }
        } else {
            transforms = try FittedTransform.fit(spec.data.transforms, on: &trainData)
        }
        let fittedTransforms = transforms
        let sources = try heldOut.map { data -> BatchSource? in
            guard var data else { return nil }
            for transform in fittedTransforms { try transform.apply(to: &data) }
            return BatchSource(
                data: try data.completed(), batchSize: spec.data.batchSize, dropRemainder: false)
        }
        (validation, test) = (sources[0], sources[1])
        train = BatchSource(
            data: try trainData.completed(), batchSize: spec.data.batchSize,
            dropRemainder: spec.data.dropRemainder)
        inputNames = names
    }

    /// Number of tokens that the inputs can be; nil if they are none.
    package var vocabulary: Int? { Self.vocabulary(after: transforms) }

    static func vocabulary(after transforms: [FittedTransform]) -> Int? {
        for case .tokenize(let vocabulary, let hasUnknown) in transforms {
            return vocabulary.count + (hasUnknown ? 1 : 0)
        }
        return nil
    }

    /// Where a dataset of a spec is. Throws when it is not there or not of a format that is known.
    package static func file(
        of reference: DatasetReference, in datasets: OrderedDictionary<String, DatasetLocation>
    ) throws(DatasetError) -> DatasetFile {
        guard let location = datasets[reference.description] else {
            throw DatasetError("the dataset \(reference) was not given to the worker")
        }
        guard DatasetFile.formats.contains(location.format) else {
            throw DatasetError(
                "the dataset \(reference) has the format \(location.format); there is \(DatasetFile.formats.joined(separator: ", "))"
            )
        }
        return DatasetFile(path: location.path, format: location.format)
    }
}
