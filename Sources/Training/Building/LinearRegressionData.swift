// The generator `linear_regression`: the data of the Flax Basics guide.
import Datasets
import JobSpec
import TensorEngine

/// Data of a linear model with noise, number by number as the guide draws it: W and b from the two halves of the key, inputs and
/// noise from the halves of the first.
func generateLinearRegression(_ spec: GeneratorSpec) throws -> ArrayDataset {
    let arguments = spec.arguments
    let (samples, inputs, outputs) = (
        try arguments.integer("samples"), try arguments.integer("inputs"), try arguments.integer("outputs")
    )
    let keys = try PRNGKey(seed: try arguments.integer("seed")).split()
    let (w, b) = (try keys[0].normal([inputs, outputs]), try keys[1].normal([outputs]))
    let sampleKeys = try keys[0].split()
    let x = try sampleKeys[0].normal([samples, inputs])
    let noise = try sampleKeys[1].normal([samples, outputs]) * arguments.number("noise")
    let y = try matmul(x, w) + b + noise
    return ArrayDataset(
        rows: samples, features: inputs, inputs: try x.elements(),
        target: .values(try y.elements(), outputs: outputs))
}

/// The data of any generator of the catalog.
func generateData(_ spec: GeneratorSpec) throws -> ArrayDataset {
    switch spec.name {
    case "linear_regression": try generateLinearRegression(spec)
    default:
        throw SpecErrors(problems: [
            spec.problem("unsupported", "the generator \(spec.name) has no implementation")
        ])
    }
}
