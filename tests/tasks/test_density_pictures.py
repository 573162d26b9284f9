"""A machine that reconstructs shows rows beside what it makes of them, whichever machine it is."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from handrail.components.pictures import Tiles
from handrail.data.task import TaskSpec
from handrail.models.boltzmann import BoltzmannMachine
from handrail.models.conv_rbm import ConvRBM
from handrail.models.rbm import RBM
from handrail.models.vae import VAE
from handrail.shapes import ImageShape, NoTarget
from handrail.tasks.alone.density import DensityTask
from handrail.tasks.task import Answered

SHAPE = ImageShape(1, 5, 6)
ROWS = torch.rand(30, *SHAPE, generator=torch.Generator().manual_seed(0))


def pictures_of(model: nn.Module, rows: torch.Tensor = ROWS) -> list[Any]:
    task, absent = DensityTask(TaskSpec(name="density", targets=()), SHAPE), Any
    given: Any = {"outcome": absent, "part": absent, "encoder": absent, "train": absent}
    return task.pictures(Answered(network=model, rows=rows, **given))


@pytest.mark.parametrize("kind", [RBM, ConvRBM])
def test_rows_stand_beside_their_reconstructions_from_the_best_to_the_worst(kind: Any) -> None:
    torch.manual_seed(0)
    model = kind(SHAPE, NoTarget("density"))
    with torch.no_grad():
        model.weights.normal_(std=0.5)
    (shown,) = pictures_of(model)
    assert isinstance(shown, Tiles)
    assert shown.headings == ("row", "network") * 3
    pairs = shown.pictures.reshape(6, 2, 5, 6)
    given = model.visible_given(model.hidden_given(torch.from_numpy(pairs[:, 0]).flatten(1)))
    np.testing.assert_allclose(pairs[:, 1].reshape(6, 30), given.detach(), atol=1e-6)
    errors = np.square(pairs[:, 0] - pairs[:, 1]).mean(axis=(1, 2))
    assert (np.diff(errors) > 0).all()
    (single,) = pictures_of(model, ROWS[:1])
    assert (single.pictures.shape, single.headings) == ((2, 5, 6), ("row", "network"))


def test_a_machine_without_reconstructions_shows_none() -> None:
    assert pictures_of(BoltzmannMachine(30, NoTarget("density"))) == []


def test_a_network_that_draws_at_once_shows_new_rows() -> None:
    torch.manual_seed(0)
    *_, drawn = pictures_of(VAE(SHAPE, NoTarget("density")))
    assert (drawn.title, drawn.pictures.shape) == ("New rows", (48, 5, 6))
