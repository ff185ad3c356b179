// Suite linen: variables, outputs, updates and gradients of Flax's modules.
import Testing

@Suite("Modules are Flax's")
struct LinenParityTests {
    @Test(
        "every case of the suite linen that is built has Flax's variables, results and gradients",
        arguments: [
            ("dense", 0), ("models", 0), ("errors", 0), ("attention", 0), ("conv", 0), ("dropout", 0),
            ("lifted", 0), ("norm", 0), ("recurrent", 0),
        ])
    func linen(group: String, notBuilt: Int) throws {
        try checkParity("linen", group, notBuilt: notBuilt) { try LinenCase($0).check() }
    }

    @Test("every error case says what is wrong and where")
    func messages() throws {
        // By case: what its message must name.
        let wanted: [String: [String]] = [
            "duplicate_name": ["Dense", "'same'", "another submodule"],
            "duplicate_param": ["'w'", "another variable in 'params'", "ParamTwice"],
            "param_module_clash": ["'w'", "a variable", "ParamAndModule"],
            "param_shape_mismatch": ["'kernel'", "[4, 3]", "[5, 3]", "at /"],
            "missing_param": ["'bias'", "[\"kernel\"]", "at /"],
            "no_params_collection": ["'params'", "initialize"],
            "immutable_batch_stats": ["'batch_stats'", "mutable", "at /BatchNorm_0"],
            "dropout_without_rng": ["'dropout'", "Dropout"],
            "make_rng_missing": ["'noise'"],
            "dropout_deterministic_unset": ["deterministic", "nothing"],
            "dropout_deterministic_twice": ["deterministic", "two"],
            "bn_running_average_unset": ["useRunningAverage", "nothing"],
            "embed_float_ids": ["integers", "float32"],
            "mha_indivisible_heads": ["multiple of the number of heads", "3 heads"],
            "groupnorm_indivisible": ["divides the 4 channels", "3"],
            "groupnorm_both": ["either groups or groupSize"],
            "conv_groups_indivisible": ["3"],
            "mha_mask_shape": ["[2, 2, 3, 3]", "[2,1,5,5]"],
            "init_missing_params_rng": ["'params'", "'dropout'"],
            "setup_undefined_attr": ["SetupBad", "'nothing'"],
            "inner_dims_differ": ["[2, 3]"],
        ]
        for parityCase in try ParitySuite.load("linen", "errors") {
            let words = wanted.first { parityCase.name.hasPrefix("err_" + $0.key) }?.value
            do {
                try LinenCase(parityCase).check()
                Issue.record("\(parityCase.name): no error")
            } catch {
                let message = String(describing: error)
                for word in try #require(words, "\(parityCase.name) has no words")
                where !message.contains(word) {
                    Issue.record("\(parityCase.name): '\(word)' is not in: \(message)")
                }
            }
        }
    }
}
