"""A layered network of symmetric connections, whose answer is where it comes to rest."""

from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import component
from handrail.components.arguments import Count, Initialisation
from handrail.layers.initialisations import initialise
from handrail.shapes import ImageShape, SeriesShape, VolumeShape, numbers_in

States = list[Float[Tensor, "rows _"]]
"Of each layer of units above the inputs; the last are the outputs."
Nudge = Callable[[Float[Tensor, "rows outputs"]], Float[Tensor, "rows outputs"]]
"What the outputs are pushed by, given what they are."


@component("model")
class EquilibriumNet(nn.Module):
    """s⁽ˡ⁾ = ρ(W⁽ˡ⁾·s⁽ˡ⁻¹⁾ + W⁽ˡ⁺¹⁾ᵀ·s⁽ˡ⁺¹⁾ + b⁽ˡ⁾), a perceptron whose connections work both ways.

    The units settle where the energy E = Σ G(s⁽ˡ⁾) − Σ s⁽ˡ⁾ᵀ·W⁽ˡ⁾·s⁽ˡ⁻¹⁾ − Σ b⁽ˡ⁾ᵀ·s⁽ˡ⁾ is lowest for the
    inputs s⁽⁰⁾ = x, with G′ = ρ⁻¹; the outputs are linear, G = ½s². One sweep sets the layers one after the
    other, from the inputs up, each to the lowest energy given the others, so that the energy never rises. The
    first sweep, with nothing above yet, is the forward pass of the perceptron.

    Arguments:
        inputs: images, series and volumes are flattened.
        outputs: number of output units, whose states are the scores.
        hidden: units of each hidden layer.
        activation: ρ; `hard_sigmoid` is x cut to [0, 1].
        sweeps: until an answer is read.
        initialisation: how the weights begin; small, as by large ones units hold each other where they are.

    Source: Hopfield 1984; Scellier & Bengio 2017
    """

    rules: ClassVar[tuple[str, ...]] = ("equilibrium_propagation", "gradient")

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: int,
        *,
        hidden: list[Count] = [128],  # noqa: B006 - never changed; shown as the default
        activation: Literal["hard_sigmoid", "sigmoid", "tanh"] = "tanh",
        sweeps: Count = 15,
        initialisation: Initialisation = {"xavier": {"gain": 0.5}},  # noqa: B006 - never changed
    ) -> None:
        super().__init__()
        widths = [numbers_in(inputs), *hidden, outputs]
        self.layers = nn.ModuleList(nn.Linear(before, units) for before, units in pairwise(widths))
        self.rho = _ACTIVATIONS[activation]
        self.sweeps = sweeps
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        return self.settle(x, sweeps=self.sweeps)[-1]

    @property
    def dense(self) -> list[nn.Linear]:
        """The layers, from the inputs on."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def settle(
        self,
        x: Float[Tensor, "rows ..."],
        states: States | None = None,
        *,
        sweeps: int,
        nudge: Nudge | None = None,
    ) -> States:
        """The states after some sweeps.

        Arguments:
            states: to go on from; without any, the forward pass is the first sweep.
            nudge: added to the sums of the outputs.
        """
        first, *others = self.dense
        drive = first(x.flatten(1))  # the inputs are clamped
        states = list(states) if states else _forward_pass(drive, others, self.rho)
        for _ in range(sweeps):
            below = drive
            for place, layer in enumerate(others):
                states[place] = self.rho(below + states[place + 1] @ layer.weight)
                below = layer(states[place])
            states[-1] = below if nudge is None else below + nudge(states[-1])
        return states


def _forward_pass(drive: Tensor, layers: list[nn.Linear], rho: Callable[[Tensor], Tensor]) -> States:
    states = []
    for layer in layers:
        states.append(rho(drive))
        drive = layer(states[-1])
    return [*states, drive]


def hard_sigmoid(sums: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Cut to [0, 1]."""
    return sums.clamp(0, 1)


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "hard_sigmoid": hard_sigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
