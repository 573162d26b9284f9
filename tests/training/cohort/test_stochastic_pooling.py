"""Networks with stochastic pooling draw the same numbers in a cohort as alone."""

from typing import Any

import torch

from handrail.components import build
from handrail.recipe import Recipe
from handrail.shapes import ImageShape
from handrail.training.job import Job, TrainingData
from handrail.training.seeds import fix_seed
from handrail.training.train_many import train_many

ROWS = torch.rand(96, 1, 6, 6, generator=torch.Generator().manual_seed(0))
RECIPE = Recipe.parse(
    {
        "model": {"cnn": {"widths": [3, 4], "convolutions": 1, "pooling": "stochastic"}},
        "training": {"epochs": 3, "patience": None, "batch_size": 32, "precision": "float32"},
        "learning": {"gradient": {"optimizer": "sgd"}},
    }
)


class Task:
    name, classes = "multi-class", ("a", "b")


def make_jobs() -> list[Job]:
    jobs = []
    targets, spec = (ROWS.flatten(1).mean(dim=1) > 0.5).long(), Task()
    for seed in range(3):
        recipe: Any = RECIPE.with_values({"seed": seed})
        with fix_seed(seed, "initialise"):
            network = build("model", recipe.model, ImageShape(1, 6, 6), 2)
        task: Any = spec
        data = TrainingData(recipe, task, ROWS, targets, (), None, lambda _s, _t: {}, torch.device("cpu"))
        jobs.append(Job(f"p{seed}", data, network, None))
    return jobs


def test_networks_draw_as_they_would_alone() -> None:
    """Zeiler & Fergus 2013; weights within 1e-5, as products of stacked matrices are rounded otherwise."""
    begun, alone, together = make_jobs(), make_jobs(), make_jobs()
    train_many(alone, together=False)
    train_many(together, together=True)
    for first, one, other in zip(begun, alone, together, strict=True):
        for name, value in one.network.named_parameters():
            torch.testing.assert_close(other.network.get_parameter(name), value, rtol=0, atol=1e-5)
        weight = one.network.get_parameter("head.weight")
        assert (weight - first.network.get_parameter("head.weight")).abs().max() > 1e-3
