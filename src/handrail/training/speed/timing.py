"""A step of a training on copies, to see how long it takes."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from handrail.components import build
from handrail.training.job import TrainingData, make_setup
from handrail.training.seeds import fix_seed


def lone_step(lesson: TrainingData, network: nn.Module) -> tuple[nn.Module, Callable[[], object]]:
    """A copy of the network, and a step of it with the first whole batch; neither the network nor chance is
    touched.
    """
    copied, terms, rule = copy.deepcopy(network), make_setup(lesson), build("rule", lesson.recipe.learning)
    batch = terms.train.take(torch.arange(min(terms.limits.batch_size, len(terms.train))))
    with fix_seed(lesson.recipe.seed, "trial"):
        rule.start(copied, terms.plan)

    def step() -> object:
        copied.train()
        with fix_seed(lesson.recipe.seed, "trial"):
            return rule.step(copied, batch)

    return copied, step
