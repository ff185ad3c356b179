// The data of a job, loaded, split and transformed: what training and evaluation take their batches from.

import JobSpec
import OrderedCollections

package struct JobData: Sendable {
    package let train: BatchSource
    /// Keeps its remainder: every row counts in an evaluation.
    package let validation: BatchSource?
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
        // Training and validation are mostly two splits of one file: it is read once.
        var tables: [DatasetReference: ArrayDataset] = [:]
        var names: [String]?
        func load(_ source: SourceSpec) throws -> ArrayDataset {
            switch source {
            case .generator(let generator): return try generate(generator)
            case .dataset(let reference, let split):
                if tables[reference] == nil {
                    let loaded = try CSVTable(path: Self.path(of: reference, in: datasets), limits: limits)
                        .load(
                            inputs: names ?? spec.data.inputs, target: spec.data.target ?? "",
                            as: spec.targetKind)
                    tables[reference] = loaded.data
                    // A second file must have the same inputs, in the same order.
                    names = names ?? loaded.inputs
                }
                let table = tables[reference]?.slice(split.rows(of: tables[reference]?.rows ?? 0))
                guard let table, table.rows > 0 else {
                    throw DatasetError("the split \(split) of \(reference.name) has no rows")
                }
                return table
            }
        }
        var trainData = try load(spec.data.train)
        var validationData = try spec.data.validation.map(load)
        tables = [:]

        if let fitted {
            transforms = fitted
            for transform in fitted { try transform.apply(to: &trainData) }
        } else {
            transforms = try FittedTransform.fit(spec.data.transforms, on: &trainData)
        }
        if var data = validationData {
            validationData = nil
            for transform in transforms { try transform.apply(to: &data) }
            validation = BatchSource(data: data, batchSize: spec.data.batchSize, dropRemainder: false)
        } else {
            validation = nil
        }
        train = BatchSource(
            data: trainData, batchSize: spec.data.batchSize, dropRemainder: spec.data.dropRemainder)
        inputNames = names
    }

    /// Where a dataset of a spec is. Throws when it is not there or not of a format that is known.
    package static func path(
        of reference: DatasetReference, in datasets: OrderedDictionary<String, DatasetLocation>
    ) throws(DatasetError) -> String {
        guard let location = datasets[reference.description] else {
            throw DatasetError("the dataset \(reference) was not given to the worker")
        }
        guard location.format == "csv" else {
            throw DatasetError("the dataset \(reference) has the format \(location.format); there is csv")
        }
        return location.path
    }
}
