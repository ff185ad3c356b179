"""Spindle's presets, written again in Flax from their documentation."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class MLP(nn.Module):
    features: tuple

    @nn.compact
    def __call__(self, x, train):
        for width in self.features[:-1]:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.features[-1])(x)


class CNN(nn.Module):
    classes: int
    features: tuple
    dense: tuple

    @nn.compact
    def __call__(self, x, train):
        for width in self.features:
            x = nn.avg_pool(nn.relu(nn.Conv(width, (3, 3))(x)), (2, 2), strides=(2, 2))
        x = x.reshape((x.shape[0], -1))
        for width in self.dense:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.classes)(x)


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
    classes: int
    stages: tuple
    filters: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.Conv(self.filters, (3, 3), use_bias=False, name="conv_init")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9, name="bn_init")(x))
        for stage, size in enumerate(self.stages):
            for block in range(size):
                x = ResNetBlock(self.filters << stage, 2 if stage > 0 and block == 0 else 1)(x, train)
        return nn.Dense(self.classes)(x.mean(axis=(1, 2)))


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
    vocabulary: int
    layers: int
    heads: int
    features: int
    mlp: int
    longest: int
    rate: float

    @nn.compact
    def __call__(self, tokens, train):
        x = nn.Embed(self.vocabulary, self.features, embedding_init=nn.initializers.normal(0.02))(tokens)
        positions = self.param("pos_embedding", nn.initializers.normal(0.02), (self.longest, self.features))
        x = nn.Dropout(self.rate, deterministic=not train)(x + positions[: tokens.shape[1]])
        for _ in range(self.layers):
            x = TransformerBlock(self.heads, self.mlp, self.rate)(x, train)
        return nn.Dense(self.vocabulary)(nn.LayerNorm()(x))


class RecurrentLM(nn.Module):
    vocabulary: int
    hidden: int
    layers: int

    @nn.compact
    def __call__(self, tokens, train):
        x = nn.Embed(self.vocabulary, self.hidden)(tokens)
        for _ in range(self.layers):
            x = nn.RNN(nn.LSTMCell(self.hidden))(x)
        return nn.Dense(self.vocabulary)(x)


class Autoencoder(nn.Module):
    features: tuple

    @nn.compact
    def __call__(self, x, train):
        y = x
        for index, width in enumerate(self.features):
            y = nn.Dense(width)(y)
            if index < len(self.features) - 1:
                y = nn.relu(y)
        for width in reversed(self.features[:-1]):
            y = nn.relu(nn.Dense(width)(y))
        return nn.Dense(x.shape[-1])(y)


class VAE(nn.Module):
    features: tuple
    latents: int

    @nn.compact
    def __call__(self, x, train):
        y = x
        for width in self.features:
            y = nn.relu(nn.Dense(width)(y))
        mean, logvar = nn.Dense(self.latents, name="mean")(y), nn.Dense(self.latents, name="logvar")(y)
        divergence = -0.5 * jnp.sum(1 + logvar - mean**2 - jnp.exp(logvar), axis=-1)
        self.sow("losses", "kl", jnp.mean(divergence) / x.shape[-1])
        code = mean
        if train:
            code = mean + jnp.exp(logvar / 2) * jax.random.normal(self.make_rng("noise"), mean.shape)
        for width in reversed(self.features):
            code = nn.relu(nn.Dense(width)(code))
        return nn.Dense(x.shape[-1])(code)
