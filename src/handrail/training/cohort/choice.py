"""Whether a cohort is quicker than its networks one after another: by the kind of its layers, else measured."""

import copy
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from handrail.components import build
from handrail.layers.activations import is_activation
from handrail.layers.noise import GaussianNoise
from handrail.training.cohort.engine import CohortEngine
from handrail.training.pupil import Pupil
from handrail.training.seeds import seeded
from handrail.training.terms import terms_of

_DENSE = (nn.Linear, nn.Dropout, nn.LayerNorm, nn.BatchNorm1d, nn.Embedding, nn.Identity, nn.Flatten, GaussianNoise)
_SMALL = 100_000  # parameters: below, the calls cost more than the arithmetic
_TURNS = 3


def judge(cohort: CohortEngine, pupils: Sequence[Pupil]) -> tuple[bool, str]:
    """Whether to train these together, and why, in a few words.

    Raises: whatever the layers raise where they cannot be stacked.
    """
    cohort.prepare()
    network = pupils[0].network
    size = sum(parameter.numel() for parameter in network.parameters())
    if size <= _SMALL and all(_is_dense(layer) for layer in network.modules() if not list(layer.children())):
        return True, f"small dense networks ({size:,} parameters each)"
    together, alone = _best_of(cohort.prepare), _best_of(_lone_step(pupils[0])) * len(pupils)
    quicker, slower = ("together", "one after another") if together < alone else ("one after another", "together")
    return (
        together < alone,
        f"a step of all takes {min(together, alone) * 1e3:.2g} ms {quicker}, {max(together, alone) * 1e3:.2g} ms {slower}",
    )


def _is_dense(layer: nn.Module) -> bool:
    return isinstance(layer, _DENSE) or is_activation(layer)


def _lone_step(pupil: Pupil) -> Callable[[], object]:
    """A step of one network, on a copy of it."""
    network, terms, rule = copy.deepcopy(pupil.network), terms_of(pupil.lesson), build("rule", pupil.lesson.recipe.learning)
    rule.start(network, terms.plan)
    network.train()
    batch = terms.train.take(torch.arange(min(terms.limits.batch_size, len(terms.train))))

    def step() -> object:
        with seeded(pupil.lesson.recipe.seed, "measure"):
            return rule.step(network, batch)

    return step


def _best_of(step: Callable[[], object]) -> float:
    """Seconds of the quickest of a few turns, after one that counts for nothing."""
    step()
    seconds = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
