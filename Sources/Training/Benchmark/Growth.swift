// How the cost of a training step grows with its sizes.
import JobSpec
import TensorEngine

/// Training steps of MLPs of growing batch size, width and depth: the time for each floating-point operation should not
/// grow, nor the time to compile each layer.
package enum Growth {
    /// One MLP: `depth` layers of `width` units on inputs of that width, and ten classes.
    package struct Point: Sendable {
        /// What grows here.
        let dimension: String
        let batch: Int
        let width: Int
        let depth: Int

        /// Multiply-adds, times two, of the products of a step: forward, the gradients of the kernels, and of all inputs but the first
        /// layer's.
        var operationCount: Double {
            let kernels = Double((depth - 1) * width * width + 10 * width)
            return 2 * Double(batch) * (3 * kernels + 2 * Double(width * width))
        }
    }

    package static let points: [Point] =
        (0...9).map { Point(dimension: "batch", batch: 1 << $0, width: 512, depth: 4) }
        + (6...12).map { Point(dimension: "width", batch: 128, width: 1 << $0, depth: 2) }
        + (0...6).map { Point(dimension: "depth", batch: 128, width: 256, depth: 1 << $0) }

    /// Measures a point: a line of the table.
    package static func measure(_ point: Point, seconds: Double) throws -> JSONValue {
        let features = Array(repeating: point.width, count: point.depth) + [10]
        let step = try CompiledStep(.classifier(features, inputs: point.width, batch: point.batch))
        let rates = Benchmark.burstRates(of: step.execution, seconds: seconds, shortestBurst: 0.05)
        let best = rates[rates.count - 1]
        return [
            "growth": .string(point.dimension), "batch": JSONValue(point.batch),
            "width": JSONValue(point.width),
            "depth": JSONValue(point.depth), "params": JSONValue(step.parameterCount),
            "compile_s": .double(step.compileSeconds), "step_s": .double(1 / best),
            "gflop": .double(point.operationCount / 1e9),
            "gflop_per_s": .double(point.operationCount * best / 1e9),
            "threads": JSONValue(ComputePool.threads),
        ]
    }
}
