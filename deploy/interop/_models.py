"""Spindle's presets, written again in Flax from their documentation. Fields are named as in a job spec."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class MLP(nn.Module):
    features: tuple
    activation: str = "relu"

    @nn.compact
    def __call__(self, x, train=False):
        for width in self.features[:-1]:
            x = getattr(nn, self.activation)(nn.Dense(width)(x))
        return nn.Dense(self.features[-1])(x)


class CNN(nn.Module):
    num_classes: int
    features: tuple
    dense_features: tuple
    dropout_rate: float = 0.0

    @nn.compact
    def __call__(self, x, train):
        for width in self.features:
            x = nn.avg_pool(nn.relu(nn.Conv(width, (3, 3))(x)), (2, 2), strides=(2, 2))
        x = x.reshape((x.shape[0], -1))
        for width in self.dense_features:
            x = nn.relu(nn.Dense(width)(x))
            if self.dropout_rate > 0:
                x = nn.Dropout(self.dropout_rate, deterministic=not train)(x)
        return nn.Dense(self.num_classes)(x)


class ResNetBlock(nn.Module):
    filters: int
    stride: int

    @nn.compact
    def __call__(self, x, train):
        def norm(**options):
            return nn.BatchNorm(use_running_average=not train, momentum=0.9, **options)

        y = nn.Conv(self.filters, (3, 3), (self.stride, self.stride), use_bias=False)(x)
        y = nn.relu(norm()(y))
        y = nn.Conv(self.filters, (3, 3), use_bias=False)(y)
        y = norm(scale_init=nn.initializers.zeros)(y)
        if x.shape != y.shape:
            x = nn.Conv(self.filters, (1, 1), (self.stride, self.stride), use_bias=False, name="conv_proj")(x)
            x = norm(name="norm_proj")(x)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """With the stem for small images."""

    num_classes: int
    stage_sizes: tuple
    num_filters: int
    stem: str = "small"

    @nn.compact
    def __call__(self, x, train):
        assert self.stem == "small"
        x = nn.Conv(self.num_filters, (3, 3), use_bias=False, name="conv_init")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9, name="bn_init")(x))
        for stage, size in enumerate(self.stage_sizes):
            for block in range(size):
                x = ResNetBlock(self.num_filters << stage, 2 if stage > 0 and block == 0 else 1)(x, train)
        return nn.Dense(self.num_classes)(x.mean(axis=(1, 2)))


class TransformerBlock(nn.Module):
    heads: int
    mlp: int
    rate: float

    @nn.compact
    def __call__(self, x, train):
        def drop(y):
            return nn.Dropout(self.rate, deterministic=not train)(y)

        mask = nn.make_causal_mask(x[..., 0])
        attention = nn.MultiHeadDotProductAttention(self.heads, dropout_rate=self.rate, deterministic=not train)
        x = x + drop(attention(nn.LayerNorm()(x), mask=mask))
        y = drop(nn.gelu(nn.Dense(self.mlp)(nn.LayerNorm()(x))))
        return x + drop(nn.Dense(x.shape[-1])(y))


class TransformerLM(nn.Module):
    vocab_size: int
    num_layers: int
    num_heads: int
    emb_dim: int
    mlp_dim: int
    max_len: int
    dropout_rate: float

    @nn.compact
    def __call__(self, tokens, train):
        x = nn.Embed(self.vocab_size, self.emb_dim, embedding_init=nn.initializers.normal(0.02))(tokens)
        positions = self.param("pos_embedding", nn.initializers.normal(0.02), (self.max_len, self.emb_dim))
        x = nn.Dropout(self.dropout_rate, deterministic=not train)(x + positions[: tokens.shape[1]])
        for _ in range(self.num_layers):
            x = TransformerBlock(self.num_heads, self.mlp_dim, self.dropout_rate)(x, train)
        return nn.Dense(self.vocab_size)(nn.LayerNorm()(x))


class RecurrentLM(nn.Module):
    vocab_size: int
    hidden: int
    num_layers: int = 1
    cell: str = "LSTMCell"

    @nn.compact
    def __call__(self, tokens, train):
        x = nn.Embed(self.vocab_size, self.hidden)(tokens)
        for _ in range(self.num_layers):
            x = nn.RNN(getattr(nn, self.cell)(self.hidden))(x)
        return nn.Dense(self.vocab_size)(x)


class Autoencoder(nn.Module):
    features: tuple

    @nn.compact
    def __call__(self, x, train):
        flat = x.reshape((x.shape[0], -1))
        y = flat
        for index, width in enumerate(self.features):
            y = nn.Dense(width)(y)
            if index < len(self.features) - 1:
                y = nn.relu(y)
        for width in reversed(self.features[:-1]):
            y = nn.relu(nn.Dense(width)(y))
        return nn.Dense(flat.shape[-1])(y).reshape(x.shape)


class VAE(nn.Module):
    features: tuple
    latents: int

    @nn.compact
    def __call__(self, x, train):
        flat = x.reshape((x.shape[0], -1))
        y = flat
        for width in self.features:
            y = nn.relu(nn.Dense(width)(y))
        mean, logvar = nn.Dense(self.latents, name="mean")(y), nn.Dense(self.latents, name="logvar")(y)
        divergence = -0.5 * jnp.sum(1 + logvar - mean**2 - jnp.exp(logvar), axis=-1)
        self.sow("losses", "kl", jnp.mean(divergence) / flat.shape[-1])
        code = mean
        if train:
            code = mean + jnp.exp(logvar / 2) * jax.random.normal(self.make_rng("noise"), mean.shape)
        for width in reversed(self.features):
            code = nn.relu(nn.Dense(width)(code))
        return nn.Dense(flat.shape[-1])(code).reshape(x.shape)


PRESETS = {kind.__name__: kind for kind in (MLP, CNN, ResNet, TransformerLM, RecurrentLM, Autoencoder, VAE)}


def preset(spec, vocabulary=None):
    """The module of a spec's `model`; `vocabulary` is what "auto" stands for."""
    arguments = {
        name: tuple(value) if isinstance(value, list) else vocabulary if value == "auto" else value
        for name, value in spec.items()
        if name != "type"
    }
    return PRESETS[spec["type"]](**arguments)
