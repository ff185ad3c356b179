// Which random keys a run uses for what.
import TensorEngine

/// The keys of a run, as the Flax guide makes them: `dataKey, initKey = split(PRNGKey(seed))`.
struct RunKeys {
    /// Parameters are drawn from it.
    let initialize: PRNGKey
    private let data: PRNGKey
    /// What training steps draw from, each from `foldIn(step)` of it: dropout, noise, augmentation. Epochs are far below the
    /// number folded in here, so no order of rows shares its key.
    let training: PRNGKey

    init(seed: Int) throws {
        let keys = try PRNGKey(seed: seed).split()
        (data, initialize) = (keys[0], keys[1])
        training = try data.foldIn(Int(UInt32.max))
    }

    /// The order of the rows in an epoch.
    func order(epoch: Int, rows: Int) throws -> [Int32] {
        try data.foldIn(epoch).permutation(rows).elements()
    }
}
