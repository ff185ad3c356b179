// Names that the job spec reserves and that this version refuses as such: a clear "not in this version" instead of
// a misleading suggestion.

extension Catalog {
    package static let planned: [CatalogKind: [String]] = [
        .module: ["ConvLSTMCell"],
        .cell: ["ConvLSTMCell"],
        .activation: ["glu"],
        .initializer: [],
        .optimizer: ["named_chain", "sophia", "sam", "galore", "dpsgd"],
        .transformation: [],
        .schedule: [],
        .loss: ["ctc_loss", "triplet_margin_loss", "ntxent", "ranking_softmax_loss", "fenchel_young_loss"],
        .metric: [],
        .transform: ["pad"],
        .generator: [],
        .callback: ["early_stopping", "reduce_on_plateau", "stop_when"],
    ]
}
