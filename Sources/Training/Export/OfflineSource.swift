// A trained model from files, without a server: a spec, a checkpoint, and the data that the spec names.
import Datasets
import JobSpec
import OrderedCollections

extension TrainedModel.Source {
    /// - Parameter files: by the names of datasets in the spec.
    /// - Throws: `SpecErrors` with every problem of the spec, and one for each dataset without a file.
    package init(spec json: JSONValue, files: [String: String], statePath: String) throws(SpecErrors) {
        let spec = try JobSpec.decode(json)
        var datasets: OrderedDictionary<String, DatasetLocation> = [:]
        var problems: [SpecProblem] = []
        for (source, pointer) in [
            (spec.data.train, "#/data/train/dataset"), (spec.data.validation, "#/data/validation/dataset"),
        ] {
            guard case .dataset(let named, _)? = source else { continue }
            for reference in [named.inputs, named.target].compactMap(\.self) {
                do throws(DatasetError) {
                    datasets[reference.description] = try Inspection.location(of: reference, files)
                } catch {
                    problems.append(
                        SpecProblem(code: "data_error", pointer: pointer, detail: error.description))
                }
            }
        }
        guard problems.isEmpty else { throw SpecErrors(problems: problems) }
        self.init(spec: json, datasets: datasets, statePath: statePath, resumePath: nil)
    }
}
