// Whole models under one name.
import JobSpec
import Linen

extension ModelBuilder {
    static let presets: [ModuleBuilder] = [
        .init("MLP") { a in
            MLP(
                features: try a.integers("features"), activation: try a.activation("activation"),
                dropoutRate: try a.number("dropout_rate"), name: a.name)
        },
        .init("CNN") { a in
            CNN(
                classes: try a.integer("num_classes"), features: try a.integers("features"),
                kernelSize: try a.integers("kernel_size"), denseFeatures: try a.integers("dense_features"),
                activation: try a.activation("activation"),
                pooling: try a.choice("pooling", CNN.Pooling.self),
                dropoutRate: try a.number("dropout_rate"), name: a.name)
        },
        .init("ResNet") { a in
            ResNet(
                classes: try a.integer("num_classes"), stageSizes: try a.integers("stage_sizes"),
                filters: try a.integer("num_filters"), bottleneck: try a.flag("bottleneck"),
                stem: try a.choice("stem", ResNet.Stem.self), name: a.name)
        },
        .init("TransformerLM") { a in
            TransformerLM(
                vocabulary: try a.tokens("vocab_size"), layers: try a.integer("num_layers"),
                heads: try a.integer("num_heads"), features: try a.integer("emb_dim"),
                mlpFeatures: try a.integer("mlp_dim"), longest: try a.integer("max_len"),
                dropoutRate: try a.number("dropout_rate"), name: a.name)
        },
        .init("RecurrentLM") { a in
            RecurrentLM(
                vocabulary: try a.tokens("vocab_size"), cell: try a.choice("cell", RecurrentLM.Cell.self),
                hidden: try a.integer("hidden"), layers: try a.integer("num_layers"),
                dropoutRate: try a.number("dropout_rate"), name: a.name)
        },
        .init("Autoencoder") { a in
            Autoencoder(
                features: try a.integers("features"), activation: try a.activation("activation"), name: a.name
            )
        },
        .init("VAE") { a in
            VAE(
                features: try a.integers("features"), latents: try a.integer("latents"),
                activation: try a.activation("activation"), beta: try a.number("beta"), name: a.name)
        },
    ]
}
