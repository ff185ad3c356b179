// Names of linen, Optax and the job spec that a job cannot use: refused with the reason instead of a misleading suggestion.

extension Catalog {
    /// The reasons by name.
    package static let planned: [CatalogKind: [String: String]] = [
        .loss: [
            "triplet_margin_loss":
                "it compares three embeddings a row, and a model has one output; ntxent compares embeddings by their labels",
            "fenchel_young_loss":
                "it needs a function, and a spec has none; softmax_cross_entropy is its best-known case",
            "ctc_loss_with_forward_probs": "its probabilities are not a loss; use ctc_loss",
        ],
        .transform: ["pad": "windows and reshape are how rows get their shape"],
    ]
}
