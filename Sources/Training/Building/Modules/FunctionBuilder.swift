// Activations and initializers of a spec as linen values.
import JobSpec
import Linen
import TensorEngine

enum FunctionBuilder {
    /// An activation function.
    static func activation(_ spec: TypedSpec) throws -> Activation {
        try activations.builder(spec).build(spec.arguments)
    }

    /// An initializer of parameters.
    static func initializer(_ spec: InitializerSpec) throws -> Initializer {
        try initializers.builder(spec).build(spec.arguments)
    }

    static let activations = BuildTable<Arguments, Activation>([
        [
            .init("leaky_relu") { .leakyReLU(negativeSlope: try $0.number("negative_slope")) },
            .init("elu") { .elu(alpha: try $0.number("alpha")) },
            .init("celu") { .celu(alpha: try $0.number("alpha")) },
            .init("gelu") { .gelu(approximate: try $0.boolean("approximate")) },
            .init("glu") { .glu(axis: try $0.integer("axis")) },
            .init("softmax") { .softmax(axis: try $0.integer("axis")) },
            .init("log_softmax") { .logSoftmax(axis: try $0.integer("axis")) },
        ],
        // Those without arguments, by the names they have in linen.
        Activation.byName.map { name, activation in Builder(name) { _ in activation } },
    ])

    static let initializers = BuildTable<Arguments, Initializer>([
        [
            .init("zeros") { _ in .zeros }, .init("ones") { _ in .ones },
            .init("constant") { .constant(try $0.number("value")) },
            .init("normal") { .normal(stddev: try $0.number("stddev")) },
            .init("truncated_normal") {
                .truncatedNormal(
                    stddev: try $0.number("stddev"), lower: try $0.number("lower"),
                    upper: try $0.number("upper"))
            },
            .init("uniform") { .uniform(scale: try $0.number("scale")) },
            .init("lecun_normal") { _ in .lecunNormal() }, .init("lecun_uniform") { _ in .lecunUniform() },
            .init("he_normal") { _ in .heNormal() }, .init("he_uniform") { _ in .heUniform() },
            .init("glorot_normal") { _ in .glorotNormal() },
            .init("glorot_uniform") { _ in .glorotUniform() },
            .init("orthogonal") {
                .orthogonal(scale: try $0.number("scale"), columnAxis: try $0.integer("column_axis"))
            },
            .init("delta_orthogonal") {
                .deltaOrthogonal(scale: try $0.number("scale"), columnAxis: try $0.integer("column_axis"))
            },
            .init("variance_scaling") { a in
                guard let fan = Initializer.Fan(rawValue: try a.text("mode")),
                    let distribution = Initializer.Distribution(rawValue: try a.text("distribution"))
                else {
                    throw CatalogMismatch(
                        "variance_scaling \(try a.text("mode")) \(try a.text("distribution"))")
                }
                return .varianceScaling(
                    try a.number("scale"), fan, distribution,
                    axes: Initializer.KernelAxes(
                        input: [try a.integer("in_axis")], output: [try a.integer("out_axis")]))
            },
        ]
    ])
}
