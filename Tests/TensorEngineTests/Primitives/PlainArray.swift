// Arrays of Doubles with plain loops: what the values of primitives are compared with.
import TensorEngine

/// An array that references are written over: nothing but a shape, its numbers, and an index.
struct PlainArray: Sendable {
    let shape: [Int]
    private(set) var values: [Double]

    /// The elements by their indices.
    init(_ shape: [Int], _ element: ([Int]) -> Double) {
        self.shape = shape
        values = PlainArray.indices(shape).map(element)
    }

    init(_ shape: [Int], values: [Double]) {
        self.shape = shape
        self.values = values
    }

    init(_ tensor: Tensor) throws {
        shape = tensor.shape.dimensions
        values = try tensor.doubles()
    }

    subscript(_ index: [Int]) -> Double {
        get { values[position(index)] }
        set { values[position(index)] = newValue }
    }

    func map(_ body: (Double) -> Double) -> PlainArray { PlainArray(shape, values: values.map(body)) }

    private func position(_ index: [Int]) -> Int { zip(shape, index).reduce(0) { $0 * $1.0 + $1.1 } }

    /// All indices of a shape in row-major order.
    static func indices(_ shape: [Int]) -> [[Int]] {
        shape.reduce([[]]) { prefixes, size in prefixes.flatMap { prefix in (0..<size).map { prefix + [$0] } }
        }
    }

    /// A result element for each index of the kept axes, from the elements along the others in row-major order.
    func reduced(_ axes: [Int], _ body: ([Double]) -> Double) -> PlainArray {
        let kept = shape.indices.filter { !axes.contains($0) }
        let lines = PlainArray.indices(axes.map { shape[$0] })
        return PlainArray(kept.map { shape[$0] }) { outer in
            body(
                lines.map { line in
                    var index = shape
                    for (axis, value) in zip(kept, outer) { index[axis] = value }
                    for (axis, value) in zip(axes, line) { index[axis] = value }
                    return self[index]
                })
        }
    }
}
