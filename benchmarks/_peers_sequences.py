"""The networks for sequences as each framework writes them: an LSTM and a small GPT."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

CLASSES, STEPS, FEATURES, HIDDEN = 10, 28, 28, 128
VOCABULARY, CONTEXT, WIDTH, HEADS, LAYERS = 65, 64, 128, 4, 4


class Lstm(nn.Module):
    """An LSTM over the rows of a digit; its last state decides."""

    def __init__(self) -> None:
        super().__init__()
        self.core = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.core(x)[0][:, -1])


class Block(nn.Module):
    """Causal attention, then a dense layer four times as wide; both normalised before and added."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_attention, self.norm_dense = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mix_in, self.mix_out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.widen, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.mix_in(self.norm_attention(x)).unflatten(2, (3, HEADS, -1)).unbind(2)
        queries, keys, values = (part.transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = x + self.mix_out(mixed.transpose(1, 2).flatten(2))
        return x + self.narrow(functional.gelu(self.widen(self.norm_dense(x))))


class Gpt(nn.Module):
    """Tokens and positions as vectors, four blocks, scores by the tokens' own vectors; weights begin small,
    as in GPT-2.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = self.tokens(x) + self.positions.weight
        return functional.linear(self.norm(self.blocks(x)), self.tokens.weight)


def lstm() -> nn.Module:
    """The LSTM."""
    return Lstm()


def gpt() -> nn.Module:
    """The GPT."""
    return Gpt()


def keras_lstm():
    """The same in Keras, which has no fused kernel for it on a processor."""
    import keras
    from keras import layers

    return keras.Sequential([keras.Input((STEPS, FEATURES)), layers.LSTM(HIDDEN), layers.Dense(CLASSES)])


def keras_gpt():
    """The same in Keras, from its own layers."""
    import keras
    from keras import layers

    class Positions(layers.Layer):
        def build(self, input_shape):
            self.vectors = self.add_weight(shape=input_shape[1:], initializer=small())

        def call(self, x):
            return x + self.vectors

    def small() -> Any:
        return keras.initializers.RandomNormal(stddev=0.02)

    def block(x):
        normal = layers.LayerNormalization(epsilon=1e-5)(x)
        mixed = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, kernel_initializer=small())(
            normal, normal, use_causal_mask=True
        )
        x = layers.Add()([x, mixed])
        wide = layers.Dense(4 * WIDTH, activation="gelu", kernel_initializer=small())(
            layers.LayerNormalization(epsilon=1e-5)(x)
        )
        return layers.Add()([x, layers.Dense(WIDTH, kernel_initializer=small())(wide)])

    inputs = keras.Input((CONTEXT,), dtype="int64")
    tokens = layers.ReversibleEmbedding(VOCABULARY, WIDTH, embeddings_initializer=small())
    x = Positions()(tokens(inputs))
    for _ in range(LAYERS):
        x = block(x)
    return keras.Model(inputs, tokens(layers.LayerNormalization(epsilon=1e-5)(x), reverse=True))
