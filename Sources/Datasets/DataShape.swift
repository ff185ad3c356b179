// What planning a job must know of its data: shapes and numbers of rows, and whether spec and files fit.

import JobSpec
import OrderedCollections

package struct DataShape: Sendable, Hashable {
    /// Of the inputs of one row, and of its target; empty for class labels.
    package var inputShape: [Int]
    package var targetShape: [Int]
    package var inputIsInteger: Bool
    package var targetIsInteger: Bool
    /// The largest class label or token and one more; nil if the target is neither.
    package var classes: Int?
    /// Number of tokens that the inputs can be; nil if they are none.
    package var vocabulary: Int?
    package var trainRows: Int
    package var validationRows: Int?
    package var batchesPerEpoch: Int
    /// Memory of the data as it is trained on.
    package var byteCount: Int

    /// Elements of the inputs of one row.
    package var features: Int { inputShape.reduce(1, *) }
    /// Elements of the target of one row: 1 for class labels.
    package var outputs: Int { targetShape.reduce(1, *) }

    /// Reads what the spec's files hold. `schema` may give what is known already.
    package init(
        _ spec: JobSpec, schema: (DatasetReference) throws(DatasetError) -> FileSchema
    ) throws(SpecErrors) {
        var problems: [SpecProblem] = []
        var schemas: [DatasetReference: FileSchema] = [:]
        func known(_ reference: DatasetReference) throws(DatasetError) -> FileSchema {
            if let schema = schemas[reference] { return schema }
            let found = try schema(reference)
            schemas[reference] = found
            return found
        }
        func sketch(_ source: SourceSpec, at pointer: String, vocabulary: [UInt32]?) -> DataSketch? {
            switch source {
            case .generator(let generator):
                return DataSketch(generator)
            case .dataset(let files, let split):
                do throws(DatasetError) {
                    let inputs = try known(files.inputs)
                    let target: FileSchema?
                    if let reference = files.target { target = try known(reference) } else { target = nil }
                    var sketch = DataSketch(spec, inputs, target, files, split, at: pointer, &problems)
                    if problems.isEmpty {
                        sketch.transform(spec.data.transforms, vocabulary, at: pointer, &problems)
                    }
                    return sketch
                } catch {
                    problems.append(
                        SpecProblem(
                            code: "data_error", pointer: "\(pointer)/dataset",
                            detail: "the dataset \(files.inputs.name) cannot be read: \(error)"))
                    return nil
                }
            }
        }
        let train = sketch(spec.data.train, at: "#/data/train", vocabulary: nil)
        var heldOut: [(pointer: String, sketch: DataSketch)] = []
        for (source, pointer) in [
            (spec.data.validation, "#/data/validation"), (spec.data.test, "#/data/test"),
        ] {
            if let source, let found = sketch(source, at: pointer, vocabulary: train?.vocabulary) {
                heldOut.append((pointer, found))
            }
        }
        guard problems.isEmpty, let train else { throw SpecErrors(problems: problems) }

        inputShape = train.inputShape
        targetShape = train.targetShape
        inputIsInteger = train.content != .numbers
        targetIsInteger = train.targetIsInteger
        vocabulary = train.vocabulary.map { $0.count + (train.hasUnknown ? 1 : 0) }
        classes =
            train.shift == nil || !train.targetIsInteger
            ? ([train] + heldOut.map(\.sketch)).compactMap(\.classes).max() : vocabulary
        trainRows = train.rows
        validationRows = heldOut.first { $0.pointer == "#/data/validation" }?.sketch.rows
        byteCount = heldOut.reduce(train.byteCount) { $0 + $1.sketch.byteCount }
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
        for (pointer, other) in heldOut
        where other.inputShape != inputShape || other.targetShape != targetShape {
            problems.append(
                SpecProblem(
                    code: "shape_mismatch", pointer: pointer,
                    detail: "has \(other.described), data.train has \(train.described)"))
        }
        guard problems.isEmpty else { throw SpecErrors(problems: problems) }
    }
}
