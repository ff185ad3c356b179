// Optimizers made of others: chains, masks, partitions, accumulation.

extension Catalog {
    private static let inner = Parameter.required(
        "inner", .typed([.optimizer, .transformation]), "What it is applied to")
    private static let everyNth = Parameter.required(
        "every", .integer(1...1_000_000_000), "The n of every nth step")

    static let wrappers: [CatalogEntry] = [
        CatalogEntry(
            .optimizer, "chain", "Gradient transformations, each applied to the result of the one before",
            [
                .required(
                    "transforms", .typedList([.optimizer, .transformation], count: 1...100), "What is applied"
                )
            ]),
        CatalogEntry(
            .optimizer, "named_chain", "A chain whose states are found under names",
            [
                .required("names", .names, "The names, one for each of the transforms"),
                .required(
                    "transforms", .typedList([.optimizer, .transformation], count: 1...100),
                    "What is applied"),
            ],
            check: { arguments, pointer, decoder in
                guard let names = try? arguments.texts("names"),
                    let transforms = try? arguments.specs("transforms")
                else { return }
                if names.count != transforms.count || Set(names).count != names.count {
                    decoder.report(
                        .conflict, pointer.appending("names"),
                        "expected \(transforms.count) different names, one for each of the transforms, got \(names.count)"
                    )
                }
            }),
        CatalogEntry(
            .optimizer, "MultiSteps",
            "Gathers the gradients of several steps, for batches larger than memory",
            [
                inner,
                .required(
                    "every_k_schedule", .integerOrSchedule(1...1_000_000), "Steps that make one update"),
                .defaulted("use_grad_mean", .boolean, true, "The mean of the gradients; false for their sum"),
                .optional(
                    "should_skip_update_fn", .choice(["skip_not_finite", "skip_large_updates"]),
                    "Which gradients are left out; none if absent"),
                .optional(
                    "max_squared_norm", .number(.positive),
                    "Bound of skip_large_updates, a squared global norm"),
            ],
            check: { arguments, pointer, decoder in
                let skipsLarge = arguments.optionalText("should_skip_update_fn") == "skip_large_updates"
                let hasBound = arguments.values["max_squared_norm"] != nil
                if skipsLarge != hasBound {
                    decoder.report(
                        .conflict, pointer.appending("max_squared_norm"),
                        hasBound
                            ? "max_squared_norm is for should_skip_update_fn skip_large_updates; leave it out"
                            : "missing; skip_large_updates needs max_squared_norm")
                }
            }),
        CatalogEntry(
            .optimizer, "masked",
            "Applies inner to some parameters; the gradients of the others pass unchanged",
            [inner, .required("mask", .patterns, "Paths of the parameters, such as \"**/kernel\"")]),
        partition("partition"), partition("multi_transform"),
        CatalogEntry(
            .optimizer, "selective_transform", "Applies inner, but leaves some parameters as they are",
            [inner, .required("freeze_mask", .patterns, "Paths of the parameters that stay")]),
        CatalogEntry(
            .optimizer, "apply_if_finite", "Leaves out updates that are not finite",
            [
                inner,
                .required(
                    "max_consecutive_errors", .integer(0...1_000_000_000),
                    "So many bad updates in a row are left out; the next passes"),
            ]),
        CatalogEntry(.optimizer, "flatten", "Gives inner all parameters as one vector", [inner]),
        CatalogEntry(
            .optimizer, "conditionally_transform",
            "Applies inner in every nth step; updates of the others pass unchanged", [inner, everyNth]),
        CatalogEntry(
            .optimizer, "conditionally_mask", "Applies inner in every nth step; the others change nothing",
            [inner, everyNth]),
        CatalogEntry(
            .optimizer, "lookahead", "Parameters that every few steps go back part of the way",
            [
                .required("fast_optimizer", .typed([.optimizer, .transformation]), "What goes ahead"),
                .required("sync_period", .integer(1...1_000_000), "Steps ahead"),
                .required("slow_step_size", .number(.range(0, 1)), "Part of the way that is kept"),
                .defaulted(
                    "reset_state", .boolean, false, "Whether the fast optimizer starts anew each time"),
            ]),
        CatalogEntry(
            .optimizer, "inject_hyperparams",
            "Keeps the numbers of inner in the state, where a checkpoint shows them, and lets each follow a schedule",
            [
                .required(
                    "inner", .typed([.optimizer, .transformation]), "The optimizer that the numbers steer"),
                .defaulted("static_args", .names, [], "Numbers of inner that stay out of the state"),
            ],
            check: { arguments, pointer, decoder in
                guard let inner = arguments.optionalSpec("inner"),
                    let entry = Catalog.entry(inner.kind, inner.name)
                else { return }
                let names = entry.injectable
                for (index, name) in (arguments.optionalTexts("static_args") ?? []).enumerated()
                where !names.contains(name) {
                    decoder.report(
                        .unknownName, pointer.appending("static_args").appending(index),
                        "\(inner.name) has no number \"\(excerpt(name))\"\(suggestion(for: name, among: names))"
                    )
                }
            }),
        CatalogEntry(
            .optimizer, "schedule_free",
            "Averages the iterates of an optimizer without momentum: no schedule is needed",
            [
                .required("base_optimizer", .typed([.optimizer]), "What makes the raw iterates"),
                learningRate, averaging,
                .defaulted(
                    "weight_lr_power", .number(.nonnegative), 2.0, "Power of the learning rate in the weights"
                ),
            ]),
    ]

    private static func partition(_ name: String) -> CatalogEntry {
        CatalogEntry(
            .optimizer, name, "Applies to each parameter the transformation of its label",
            [
                .required(
                    "labels", .patternLabels,
                    "Label by path pattern, such as {\"**/bias\": \"plain\", \"**\": \"decayed\"}; the first that matches counts"
                ),
                .required(
                    "transforms", .typedMap([.optimizer, .transformation]), "Transformation by label"),
            ],
            check: { arguments, pointer, decoder in
                guard let transforms = try? arguments.specMap("transforms"),
                    let labels = try? arguments.labels("labels")
                else { return }
                for (pattern, label) in labels where transforms[label] == nil {
                    decoder.report(
                        .unknownName, pointer.appending("labels").appending(pattern),
                        "there is no transformation \"\(excerpt(label))\"\(suggestion(for: label, among: Array(transforms.keys)))"
                    )
                }
            })
    }
}

extension CatalogEntry {
    /// The numeric arguments that `inject_hyperparams` puts into the state, in the order of the signature.
    package var injectable: [String] {
        parameters.compactMap { parameter in
            switch parameter.type {
            case .hyperparameter, .numberOrSchedule: parameter.name
            default: nil
            }
        }
    }
}
