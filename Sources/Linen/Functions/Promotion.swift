// The type that a layer computes in.
import TensorEngine

/// Inputs and parameters in one float type: `dtype` if that is given, otherwise what they promote to (a bfloat16 input with
/// float32 parameters is computed in float32).
public func promoted(_ tensors: [Tensor], to dtype: DType?) throws -> [Tensor] {
    let common = tensors.dropFirst().reduce(tensors.first?.dtype ?? .float32) { DType.promote($0, $1.dtype) }
    let target = dtype ?? common.floating
    guard target.isFloating else {
        throw ModuleError(.argument, "dtype", expected: "a float type", got: "\(target)")
    }
    var results: [Tensor] = []
    for tensor in tensors { results.append(try tensor.astype(target)) }
    return results
}
