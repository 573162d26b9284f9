"""Recurrent networks: a state is carried from step to step."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Finite, Rate
from handrail.errors import RecipeError
from handrail.layers.noise import Dropout
from handrail.layers.steps import (
    Summary,
    last_of_each_direction,
    open_forget_gates,
    present,
    run_over,
    step_vectors,
    summarise,
)
from handrail.shapes import SeriesShape, StepShape, TokenShape

Inputs = SeriesShape | TokenShape | int
Outputs = int | StepShape
Rows = Int[Tensor, "rows length"] | Float[Tensor, "rows channels length"] | Float[Tensor, "rows inputs"]
Scores = Float[Tensor, "rows outputs"] | Float[Tensor, "rows length scores"]


@dataclass(frozen=True)
class Settings:
    """What the three networks are set by in the same way; described at `RNN`."""

    width: int
    layers: int
    bidirectional: bool
    dropout: float
    embedding: int | None
    summary: Summary | None


class Recurrent(nn.Module):
    """What the three networks share: what is read, how the states are used, and how scores come of them.

    many-to-one   series or tokens → a vector: the states of all steps are summed up in one, which is scored
    many-to-many  series or tokens → steps: the state of each step is scored
    one-to-many   a vector → steps: it starts the state, h₀ = tanh(W·x + b), and is the input of every step

    Padding of tokens changes no answer. Of series every step counts, also zeros that lengthen them.

    Arguments:
        kind: makes torch's layers.

    Raises: `RecipeError` for shapes that go together in none of these ways, and for settings without effect.
    """

    causal: ClassVar[bool] = True
    "Causal: no step's score depends on later steps."

    def __init__(
        self, kind: Callable[..., nn.RNNBase], inputs: Inputs, outputs: Outputs, settings: Settings
    ) -> None:
        super().__init__()
        problems = _misfits(inputs, outputs, settings)
        if problems:
            name = type(self).__name__.lower()
            raise RecipeError(f"model.{name}{text}" for text in problems)
        self.summary: Summary = settings.summary or "last"
        self.steps = outputs.length if isinstance(outputs, StepShape) else None
        width, layers = settings.width, settings.layers
        self.start: nn.Module | None = None
        if isinstance(inputs, int):
            self.start = nn.Sequential(nn.Linear(inputs, layers * width), nn.Tanh())
            self.vectors, entering = nn.Identity(), inputs
        else:
            self.vectors, entering = step_vectors(inputs, settings.embedding or 64)
        # Torch warns about dropout between layers where there is but one.
        between = settings.dropout if layers > 1 else 0.0
        both = settings.bidirectional
        self.core = kind(entering, width, layers, batch_first=True, dropout=between, bidirectional=both)
        self.dropout = Dropout(settings.dropout)
        leaving = 2 * width if both else width
        self.head = nn.Linear(leaving, outputs.scores if isinstance(outputs, StepShape) else outputs)

    def forward(self, x: Rows | tuple[Rows, Int[Tensor, "rows steps"]]) -> Scores:
        """Raw scores: of each row, or of each step.

        Arguments:
            x: rows; in the training of texts also (rows, true answers), of which only the rows are read.
        """
        if isinstance(x, tuple):
            x = x[0]
        if self.start is not None:
            return self.head(self.dropout(self._from_a_vector(x)))
        there = present(x)
        states = run_over(self.core, self.vectors(x), there=None if x.is_floating_point() else there)
        return self.head(self.dropout(states if self.steps else self._summarise(states, there)))

    def _from_a_vector(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows length width"]:
        assert self.start is not None
        assert self.steps is not None
        # [layers, rows, width].
        first = self.start(x).view(len(x), self.core.num_layers, -1).transpose(0, 1).contiguous()
        return run_over(self.core, x.unsqueeze(1).expand(-1, self.steps, -1), start=first)

    def _summarise(
        self, states: Float[Tensor, "rows length leaving"], there: Bool[Tensor, "rows length"]
    ) -> Float[Tensor, "rows leaving"]:
        if self.summary == "last" and self.core.bidirectional:
            return last_of_each_direction(states, there)
        return summarise(states, there, self.summary)


def _misfits(inputs: Inputs, outputs: Outputs, settings: Settings) -> list[str]:
    """What does not go together, each with the place where it is set."""
    problems: list[str] = []
    if isinstance(outputs, StepShape):
        if not isinstance(inputs, int) and inputs.length != outputs.length:
            problems.append(
                f": gives scores at each of the {inputs.length} steps that it reads; expected "
                f"{outputs.length}. The model encoder_decoder reads and writes different lengths."
            )
        if settings.bidirectional:
            problems.append(
                ".bidirectional: where every step is scored, the way back would see the steps to predict."
            )
        if settings.summary is not None:
            problems.append(".summary: has no effect where every step is scored; leave it out.")
    elif isinstance(inputs, int):
        problems.append(
            ": makes many steps of a row of numbers, or reads steps; expected series or text. For a table "
            "choose mlp."
        )
    if settings.embedding is not None and not isinstance(inputs, TokenShape):
        problems.append(".embedding: has no effect where the inputs are no tokens; leave it out.")
    return problems


@component("model", name="rnn")
class RNN(Recurrent):
    """Recurrent network: h_t = f(W·x_t + U·h_{t−1} + b), whose scores are V·h + c.

    It reads series or tokens and scores the row or every step, or makes steps of a row of numbers. It forgets
    within about ten steps; `lstm` and `gru` do not.

    Arguments:
        inputs, outputs: series or tokens, and scores of a row or every step; or numbers, and scores of steps.
        width, layers: units of each layer, and how many layers are stacked.
        bidirectional: whether a second network reads from the end; not where every step is scored.
        dropout: share of states set to zero in training, between the layers and before the scores.
        embedding: numbers for each token (without a value: 64).
        summary: what is scored of a row: the last state (without a value), or the mean or the largest of all.
        activation: f.

    Raises: `RecipeError` for shapes that do not go together, and for settings without effect.

    Source: Elman 1990; bidirectional: Schuster & Paliwal 1997
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: Outputs,
        *,
        width: Count = 128,
        layers: Count = 1,
        bidirectional: bool = False,
        dropout: Rate = 0.0,
        embedding: Count | None = None,
        summary: Summary | None = None,
        activation: Literal["tanh", "relu"] = "tanh",
    ) -> None:
        settings = Settings(width, layers, bidirectional, dropout, embedding, summary)
        super().__init__(functools.partial(nn.RNN, nonlinearity=activation), inputs, outputs, settings)


@component("model", name="lstm")
class LSTM(Recurrent):
    """Long short-term memory: c_t = f·c_{t−1} + i·g, h_t = o·tanh(c_t), with three gates i, f and o.

    i, f, o = σ(W·x_t + U·h_{t−1} + b) and g = tanh(W·x_t + U·h_{t−1} + b), each with weights of its own. What
    a cell holds stays until a gate lets it go, so that the network remembers over hundreds of steps. It is
    set as `rnn` is, with cells for units.

    Arguments:
        forget_bias: of the forget gates at the start; above zero the cells begin by remembering.

    Raises: `RecipeError` as for `rnn`.

    Source: Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: Outputs,
        *,
        width: Count = 128,
        layers: Count = 1,
        bidirectional: bool = False,
        dropout: Rate = 0.0,
        embedding: Count | None = None,
        summary: Summary | None = None,
        forget_bias: Finite = 1.0,
    ) -> None:
        settings = Settings(width, layers, bidirectional, dropout, embedding, summary)
        super().__init__(nn.LSTM, inputs, outputs, settings)
        assert isinstance(self.core, nn.LSTM)
        open_forget_gates(self.core, forget_bias)


@component("model", name="gru")
class GRU(Recurrent):
    """Gated recurrent unit: h_t = (1 − z)·n + z·h_{t−1}, with gates r, z = σ(W·x_t + U·h_{t−1} + b).

    n = tanh(W·x_t + r·(U·h_{t−1} + c) + b), each with weights of its own: an LSTM with fewer parts, which
    learns about as well. As in torch, r acts on U·h_{t−1}; in the paper on h_{t−1}. It is set as `rnn` is.

    Raises: `RecipeError` as for `rnn`.

    Source: Cho et al. 2014
    """

    def __init__(
        self,
        inputs: Inputs,
        outputs: Outputs,
        *,
        width: Count = 128,
        layers: Count = 1,
        bidirectional: bool = False,
        dropout: Rate = 0.0,
        embedding: Count | None = None,
        summary: Summary | None = None,
    ) -> None:
        settings = Settings(width, layers, bidirectional, dropout, embedding, summary)
        super().__init__(nn.GRU, inputs, outputs, settings)
