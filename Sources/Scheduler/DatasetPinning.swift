// The datasets of a spec: which it names, and the spec with every name pinned to a digest.

import Hashing
import JobSpec
import OrderedCollections
import Store

package enum DatasetPinning {
    private static let splits = ["train", "validation", "test"]
    private static let fields = ["dataset", "target_dataset"]

    /// The effective spec with `data.*.dataset` pinned to the digests of now, and those datasets. Throws
    /// `SpecErrors` with a `dataset_not_found` for each that is unknown, with the nearest known name.
    package static func pin(_ spec: JSONValue, in store: Store) async throws -> (JSONValue, [DatasetRecord]) {
        guard case .object(var members) = spec, case .object(var data)? = members["data"] else {
            return (spec, [])
        }
        var problems: [SpecProblem] = []
        var records: [DatasetRecord] = []
        for (split, field) in splits.flatMap({ split in fields.map { (split, $0) } }) {
            guard case .object(var source)? = data[split], let text = source[field]?.stringValue else {
                continue
            }
            let pointer = "#/data/\(split)/\(field)"
            guard let reference = DatasetSelector(text) else {
                problems.append(
                    SpecProblem(
                        code: "dataset_not_found", pointer: pointer,
                        detail:
                            "\"\(text)\" does not name a dataset; expected NAME, NAME@VERSION or NAME@sha256:HEX"
                    ))
                continue
            }
            do {
                let record = try await store.dataset(reference)
                source[field] = .string(record.reference)
                data[split] = .object(source)
                records.append(record)
            } catch StoreError.notFound {
                let known = try await Set(store.datasets().map(\.name)).sorted()
                problems.append(
                    SpecProblem(
                        code: "dataset_not_found", pointer: pointer,
                        detail:
                            "no dataset \(text)\(suggestion(for: reference.name, among: known)); upload it with "
                            + "PUT /v1/datasets/\(reference.name)"))
            }
        }
        if case .object(var initial)? = members["init"], let text = initial["checkpoint"]?.stringValue,
            !Identifier.isWellFormed(text, prefix: "ckpt_")
        {
            do {
                guard let reference = DatasetSelector(text) else {
                    throw StoreError.notFound(kind: "dataset", id: text)
                }
                let record = try await store.dataset(reference)
                initial["checkpoint"] = .string(record.reference)
                members["init"] = .object(initial)
                records.append(record)
            } catch StoreError.notFound {
                problems.append(
                    SpecProblem(
                        code: "checkpoint_not_found", pointer: "#/init/checkpoint",
                        detail:
                            "\"\(text)\" is no checkpoint of a job and no uploaded file; upload it with PUT /v1/datasets/NAME"
                    ))
            }
        }
        guard problems.isEmpty else { throw SpecErrors(problems: problems) }
        members["data"] = .object(data)
        return (.object(members), records)
    }

    /// The digests of the files that a pinned spec names.
    static func digests(of spec: JSONValue) -> [Digest] {
        var texts = splits.flatMap { split in fields.map { spec["data"]?[split]?[$0]?.stringValue } }
        texts.append(spec["init"]?["checkpoint"]?.stringValue)
        return texts.compactMap { text in
            guard case .digest(_, let digest)? = text.flatMap(DatasetSelector.init) else { return nil }
            return digest
        }
    }

    /// Where a worker finds the datasets of a pinned spec.
    static func locations(
        of spec: JSONValue, in store: Store
    ) async throws -> OrderedDictionary<String, DatasetLocation> {
        let (pinned, records) = try await pin(spec, in: store)
        var locations: OrderedDictionary<String, DatasetLocation> = [:]
        for record in records {
            locations[record.reference] = DatasetLocation(
                path: store.folder.dataset(record.digest), format: record.format)
        }
        if let text = spec["init"]?["checkpoint"]?.stringValue, Identifier.isWellFormed(text, prefix: "ckpt_")
        {
            do {
                let checkpoint = try await store.storedCheckpoint(id: text)
                locations[text] = DatasetLocation(path: store.folder.state(of: checkpoint), format: "flax")
            } catch StoreError.notFound, StoreError.gone {
                throw SpecErrors(problems: [
                    SpecProblem(
                        code: "checkpoint_not_found", pointer: "#/init/checkpoint",
                        detail: "there is no checkpoint \(text), or its files were deleted")
                ])
            }
        }
        guard pinned == spec else {
            throw SpecErrors(problems: [
                SpecProblem(
                    code: "dataset_not_found", pointer: "#/data",
                    detail: "datasets of an effective spec are pinned, NAME@sha256:HEX")
            ])
        }
        return locations
    }
}
