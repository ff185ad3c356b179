// A language model of recurrent layers, ready made.
import TensorEngine

/// An embedding, recurrent layers, and a dense layer to the logits.
///
/// Input: tokens `[batch, time]`; output: logits `[batch, time, vocabulary]`. Submodules as in the compact Flax module of these
/// lines, in which the cells are numbered beside the layers (`Embed_0`, `LSTMCell_0`, …, `Dense_0`):
///
///     x = Embed(vocabulary, hidden)(tokens)
///     for _ in range(layers): x = Dropout(rate)(RNN(LSTMCell(hidden))(x))
///     return Dense(vocabulary)(x)
public final class RecurrentLM: Module, Layer {
    /// The kind of the recurrent layers, by the name of its class.
    public enum Cell: String, Sendable, CaseIterable {
        case lstm = "LSTMCell"
        case optimizedLSTM = "OptimizedLSTMCell"
        case gru = "GRUCell"
        case mgu = "MGUCell"
        case simple = "SimpleCell"
    }

    public let vocabulary: Int
    public let cell: Cell
    public let hidden: Int
    public let layers: Int
    public let dropoutRate: Double

    public init(
        vocabulary: Int, cell: Cell = .lstm, hidden: Int, layers: Int = 1, dropoutRate: Double = 0,
        name: String? = nil
    ) {
        self.vocabulary = vocabulary
        self.cell = cell
        self.hidden = hidden
        self.layers = layers
        self.dropoutRate = dropoutRate
        super.init(name: name)
    }

    public func forward(_ tokens: Tensor) throws -> Tensor {
        var x = try Embed(count: vocabulary, features: hidden)(tokens)
        for _ in 0..<layers {
            x = try recurrent(x)
            if dropoutRate > 0 { x = try Dropout(rate: dropoutRate)(x) }
        }
        return try Dense(features: vocabulary)(x)
    }

    private func recurrent(_ x: Tensor) throws -> Tensor {
        switch cell {
        case .lstm: try RNN(LSTMCell(features: hidden))(x)
        case .optimizedLSTM: try RNN(OptimizedLSTMCell(features: hidden))(x)
        case .gru: try RNN(GRUCell(features: hidden))(x)
        case .mgu: try RNN(MGUCell(features: hidden))(x)
        case .simple: try RNN(SimpleCell(features: hidden))(x)
        }
    }
}
