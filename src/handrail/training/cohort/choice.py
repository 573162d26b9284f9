"""Whether a cohort is quicker than its networks one after another: by the kind of its layers, else measured."""

from collections.abc import Sequence

from torch import nn

from handrail.layers.activations import is_activation
from handrail.layers.noise import GaussianNoise
from handrail.training.cohort.engine import CohortEngine
from handrail.training.job import Job
from handrail.training.speed.compilation import best_of
from handrail.training.speed.timing import lone_step

_DENSE = (
    nn.Linear,
    nn.Dropout,
    nn.LayerNorm,
    nn.BatchNorm1d,
    nn.Embedding,
    nn.Identity,
    nn.Flatten,
    GaussianNoise,
)
_SMALL = 100_000  # parameters: below, the calls cost more than the arithmetic
_TURNS = 3


def judge(cohort: CohortEngine, pupils: Sequence[Job]) -> tuple[bool, str]:
    """Whether to train these together, and why, in a few words.

    Raises: whatever the layers raise where they cannot be stacked.
    """
    cohort.prepare()
    network = pupils[0].network
    size = sum(parameter.numel() for parameter in network.parameters())
    if size <= _SMALL and all(_is_dense(layer) for layer in network.modules() if not list(layer.children())):
        return True, f"small dense networks ({size:,} parameters each)"
    together, alone = (
        best_of(cohort.prepare, _TURNS),
        best_of(lone_step(pupils[0].lesson, network)[1], _TURNS) * len(pupils),
    )
    quicker, slower = (
        ("together", "one after another") if together < alone else ("one after another", "together")
    )
    return (
        together < alone,
        f"a step of all takes {min(together, alone) * 1e3:.2g} ms {quicker}, "
        f"{max(together, alone) * 1e3:.2g} ms {slower}",
    )


def _is_dense(layer: nn.Module) -> bool:
    return isinstance(layer, _DENSE) or is_activation(layer)
