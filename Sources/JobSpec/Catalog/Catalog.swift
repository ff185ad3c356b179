// Everything that a job spec can name. Decoding is driven by it, `GET /v1/catalog` shows it; a new layer,
// optimizer or loss is one entry in the list of its kind, and its builder in Training.

package enum CatalogKind: String, Sendable, CaseIterable {
    case module
    /// What an RNN runs along a sequence.
    case cell
    case activation
    case initializer
    case optimizer
    /// A gradient transformation that is no optimizer by itself.
    case transformation
    case schedule
    case loss
    case metric
    /// A transform of the data.
    case transform
    case generator
    case callback

    var indefinite: String {
        switch self {
        case .module: "a module"
        case .cell: "a recurrent cell"
        case .activation: "an activation"
        case .initializer: "an initializer"
        case .optimizer: "an optimizer"
        case .transformation: "a gradient transformation"
        case .schedule: "a schedule"
        case .loss: "a loss"
        case .metric: "a metric"
        case .transform: "a data transform"
        case .generator: "a data generator"
        case .callback: "a callback"
        }
    }

    /// Key in `Catalog.json`.
    package var plural: String {
        switch self {
        case .loss: "losses"
        default: rawValue + "s"
        }
    }
}

/// What a loss or a metric compares predictions with, or a generator gives.
package enum TargetKind: String, Sendable {
    /// int32 class labels from 0, one a row; predictions are logits [batch, classes].
    case classes
    /// float32 values [batch, outputs], as the predictions.
    case values
    /// int32 labels [batch, length] of sequences, padded at the end; predictions are logits [batch, frames, classes].
    case labelSequences = "label_sequences"
    /// int32 class labels from 0, one a row, that say which rows belong together; predictions are embeddings [batch, features].
    case groups
    /// Both classes and values, for metrics.
    case either
}

package struct CatalogEntry: Sendable {
    package let name: String
    package let kind: CatalogKind
    package let summary: String
    package let arguments: Block
    /// Losses, metrics and generators only.
    package let target: TargetKind?
    /// Finds contradictions between arguments that are right one by one.
    let check: (@Sendable (Arguments, JSONPointer, SpecDecoder) -> Void)?

    init(
        _ kind: CatalogKind, _ name: String, _ summary: String, _ parameters: [Parameter] = [],
        target: TargetKind? = nil, planned: [String] = [],
        check: (@Sendable (Arguments, JSONPointer, SpecDecoder) -> Void)? = nil
    ) {
        self.name = name
        self.kind = kind
        self.summary = summary
        self.target = target
        self.check = check
        arguments = Block(name, parameters, planned: planned)
    }

    package var parameters: [Parameter] { arguments.parameters }
}

package enum Catalog {
    package static let entries: [CatalogEntry] =
        modules + cells + activations + initializers + optimizers + transformations + schedules + losses
        + metrics
        + transforms + generators + callbacks

    package static func entries(_ kind: CatalogKind) -> [CatalogEntry] {
        entries.filter { $0.kind == kind }
    }

    package static func entry(_ kind: CatalogKind, _ name: String) -> CatalogEntry? {
        entries.first { $0.kind == kind && $0.name == name }
    }
}
