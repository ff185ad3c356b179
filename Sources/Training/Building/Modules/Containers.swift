// Modules made of modules, and functions in the place of modules.
import JobSpec
import Linen
import TensorEngine

extension ModelBuilder {
    static let containers: [ModuleBuilder] = [
        .init("Sequential") { a in
            Sequential(try a.list("layers").map { try a.builder.step($0) }, name: a.name)
        },
        .init("Residual") { a in
            Residual(
                try a.builder.layer(try a.inner("body")),
                shortcut: try a.optionalInner("shortcut").map { try a.builder.layer($0) }, name: a.name)
        },
        .init("Parallel") { a in
            Parallel(
                try a.list("branches").map { try a.builder.layer($0) },
                combine: try a.choice("combine", Parallel.Combination.self), axis: try a.integer("axis"),
                name: a.name)
        },
        .init("Repeat") { a in
            let body = try a.inner("body")
            return Sequential(
                try (0..<(try a.integer("times"))).map { _ in try a.builder.step(body) }, name: a.name)
        },
        .init("Function") { a in
            let function = try shapeFunction(a)
            return Function(name: a.name, function)
        },
    ]

    private static func shapeFunction(_ a: ModuleArguments) throws -> (Tensor) throws -> Tensor {
        switch try a.text("function") {
        case "flatten":
            return { x in
                let rows = x.shape.first ?? 1
                return try reshape(x, [rows, x.shape.dropFirst().reduce(1, *)])
            }
        case "reshape":
            let shape = try a.integers("shape")
            return { x in try reshape(x, Shape([x.shape.first ?? 1] + shape)) }
        case "mean":
            let axes = try a.integers("axes")
            return { x in try mean(x, axes: axes) }
        case "max":
            let axes = try a.integers("axes")
            return { x in try max(x, axes: axes) }
        case "transpose":
            let axes = try a.integers("axes")
            return { x in try transpose(x, axes: axes) }
        case "max_pool":
            let window = try a.integers("window_shape")
            let padding = try a.windowPadding(rank: window.count)
            let strides = a.optionalIntegers("strides")
            return { x in try maxPool(x, windowShape: window, strides: strides, padding: padding) }
        default:
            let window = try a.integers("window_shape")
            let padding = try a.windowPadding(rank: window.count)
            let strides = a.optionalIntegers("strides")
            return { x in try avgPool(x, windowShape: window, strides: strides, padding: padding) }
        }
    }
}
