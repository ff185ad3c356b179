// A trained model as the exporters of graphs take it.
import Serialization
import TensorEngine

extension TrainedModel {
    /// The model traced for any batch size, with its parameters by name.
    package func inferenceModel() throws -> InferenceModel {
        try InferenceModel(
            name: name, variables: variables, inputs: [.init(input.name, input.dtype, Shape(input.shape))],
            outputs: outputNames
        ) { variables, inputs in try self(variables, inputs[0]) }
    }
}
