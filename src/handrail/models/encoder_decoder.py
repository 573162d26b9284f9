"""From one sequence to another: an encoder reads, a decoder writes and looks back at what was read."""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.errors import DataError
from handrail.layers.attention import AdditiveAttention
from handrail.layers.noise import Dropout
from handrail.layers.steps import TokenVectors, present, run_over
from handrail.shapes import StepShape, TokenShape

Tokens = Int[Tensor, "rows length"]
Written = Int[Tensor, "rows steps"]
Scores = Float[Tensor, "rows steps scores"]
Looks = Float[Tensor, "rows steps length"]

START = 0
"The token before the first one, and the one that ends a row and fills it up."


class _Memory(NamedTuple):
    states: Float[Tensor, "rows length memory"]
    keys: Float[Tensor, "rows length width"]
    there: Bool[Tensor, "rows length"]


@component("model", name="encoder_decoder")
class EncoderDecoder(nn.Module):
    """Encoder–decoder with attention: one network reads both ways, one writes and looks back at each step.

    h = GRU both ways over the source; a_t = attention(s_{t−1}, h, a_{t−1}); c_t = Σ_i a_{t,i}·h_i; s_t =
    GRU([y_{t−1}; c_t], s_{t−1}); scores = V·tanh(W·[s_t; c_t; y_{t−1}] + b) + d; s₀ = tanh(W₀·h₁ + b₀).

    Code 0 stands before the first token and after the last: trained on the first 0 after each target too, the
    network learns where to end. Unlike Bahdanau's, the attention sees where it looked before, so that it
    works on longer rows than those trained on, and tanh stands in place of maxout before the scores.

    Arguments:
        outputs: scores at every step of the target, as many as it has tokens.
        width: units of the encoder in each direction, of the decoder and of the attention.
        embedding: numbers for each token.
        dropout: share of vectors and of hidden units before the scores set to zero in training.

    Source: Cho et al. 2014; Sutskever, Vinyals & Le 2014; Bahdanau, Cho & Bengio 2015; Chorowski et al. 2015
    """

    causal: ClassVar[bool] = False
    "The encoder reads the whole row, so that the model cannot predict its next tokens."

    def __init__(
        self,
        inputs: TokenShape,
        outputs: StepShape,
        *,
        width: Count = 128,
        embedding: Count = 64,
        dropout: Rate = 0.0,
    ) -> None:
        super().__init__()
        self.length, self.never = outputs.length, list(outputs.never)
        self.source = TokenVectors(inputs.vocabulary, embedding)
        self.encoder = nn.GRU(embedding, width, batch_first=True, bidirectional=True)
        self.begin = nn.Linear(width, width)
        self.target = nn.Embedding(outputs.scores, embedding)  # code 0 is the start here, and has a vector
        self.look = AdditiveAttention(2 * width, width, width)
        self.decoder = nn.GRUCell(embedding + 2 * width, width)
        self.dropout = Dropout(dropout)
        self.gather = nn.Linear(width + 2 * width + embedding, width)
        self.head = nn.Linear(width, outputs.scores)

    def forward(self, x: Tokens | tuple[Tokens, Written]) -> Scores:
        """Scores of each token of the target.

        Arguments:
            x: the source alone: each step is given the likeliest token of the step before, for the steps of
                `outputs`; or (source, target), as in training: each step is given the true token before.
        """
        source, target = x if isinstance(x, tuple) else (x, None)
        return self._write(source, target, self.length if target is None else target.shape[1])[0]

    @torch.no_grad()
    def attention(self, source: Tokens, target: Written) -> Looks:
        """How much each step of the target took from each step of the source."""
        return self._write(source, target, target.shape[1])[1]

    @torch.no_grad()
    def generate(self, source: Tokens, length: int | None = None) -> Written:
        """The likeliest token step by step, and zeros after the first zero.

        Arguments:
            length: steps to write; by default as many as in training.

        Raises: `DataError` when there is no step to write.
        """
        if length is not None and length < 1:
            raise DataError(f"found a length of {length} steps to write; expected one or more.")
        scores = self._write(source, None, length or self.length)[0]
        written = torch.stack([self._likeliest(step) for step in scores.unbind(dim=1)], dim=1)
        return written * (written != START).cumprod(dim=1)

    def _write(self, source: Tokens, target: Written | None, steps: int) -> tuple[Scores, Looks]:
        memory, state = self._read(source)
        looks = torch.zeros_like(memory.there, dtype=memory.states.dtype)
        token = torch.full((len(source),), START, dtype=torch.long, device=source.device)
        scores: list[Tensor] = []
        weights: list[Tensor] = []
        for step in range(steps):
            state, looks, scored = self._step(memory, state, looks, token)
            token = self._likeliest(scored) if target is None else target[:, step]
            scores.append(scored)
            weights.append(looks)
        return torch.stack(scores, dim=1), torch.stack(weights, dim=1)

    def _likeliest(self, scores: Float[Tensor, "rows scores"]) -> Int[Tensor, " rows"]:
        """The token that an answer goes on with: what it may not hold, it is not continued from either."""
        if not self.never:
            return scores.argmax(dim=1)
        allowed = scores.clone()
        allowed[:, self.never] = float("-inf")
        return allowed.argmax(dim=1)

    def _read(self, source: Tokens) -> tuple[_Memory, Float[Tensor, "rows width"]]:
        there = present(source)
        states = run_over(self.encoder, self.dropout(self.source(source)), there=there)
        back_at_the_start = states[:, 0, self.encoder.hidden_size :]
        return _Memory(states, self.look.memory(states), there), torch.tanh(self.begin(back_at_the_start))

    def _step(
        self,
        memory: _Memory,
        state: Float[Tensor, "rows width"],
        looks: Float[Tensor, "rows length"],
        token: Int[Tensor, " rows"],
    ) -> tuple[Float[Tensor, "rows width"], Float[Tensor, "rows length"], Float[Tensor, "rows scores"]]:
        looks = self.look(state, memory.keys, memory.there, looks)
        context = torch.bmm(looks.unsqueeze(1), memory.states).squeeze(1)  # [rows, 2 · width]
        before = self.dropout(self.target(token))
        state = self.decoder(torch.cat([before, context], dim=1), state)
        gathered = torch.tanh(self.gather(torch.cat([state, context, before], dim=1)))
        return state, looks, self.head(self.dropout(gathered))
