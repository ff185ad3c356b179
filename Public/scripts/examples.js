// Specs to start from. The same as deploy/examples; here so that the page needs nothing but itself.

export const examples = [
  {
    id: "digits", label: "Digits: a classifier from a CSV",
    text: `{
  "name": "digits",
  "seed": 0,
  "model": {"type": "MLP", "features": [64, 64, 10], "activation": "relu"},
  "data": {
    "train": {"dataset": "digits", "split": "0%:80%"},
    "validation": {"dataset": "digits", "split": "80%:"},
    "target": "target",
    "transforms": [{"type": "scale", "by": 0.0625}],
    "batch_size": 32
  },
  "loss": "softmax_cross_entropy_with_integer_labels",
  "metrics": ["accuracy"],
  "optimizer": {"type": "adam", "learning_rate": 0.001},
  "budget": {"epochs": 20},
  "evaluation": {"every_epochs": 1},
  "checkpoint": {
    "every_epochs": 5,
    "keep": {"last": 2, "best": {"metric": "validation/accuracy", "mode": "max", "count": 1}}
  }
}
`,
  },
  {
    id: "flax-basics", label: "Linear regression of the Flax guide (no data needed)",
    text: `{
  "name": "flax-basics",
  "seed": 0,
  "model": {"type": "Dense", "features": 5},
  "data": {
    "train": {
      "generator": {"type": "linear_regression", "seed": 0, "samples": 20, "inputs": 10, "outputs": 5, "noise": 0.1}
    },
    "batch_size": 20,
    "shuffle": "none"
  },
  "loss": "half_squared_error_sum",
  "optimizer": {"type": "sgd", "learning_rate": 0.3},
  "budget": {"steps": 101}
}
`,
  },
];
