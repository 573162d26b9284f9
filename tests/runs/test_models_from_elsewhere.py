"""A model that does not suit the data is a mistake in the recipe, told before anything is trained."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

import handrail
from handrail.errors import RecipeError


class Picky(torch.nn.Module):
    """A model that fails on what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, _inputs: Any) -> Any:
        raise KeyError("nothing suits")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"torch.nn:Linear": {"in_features": 5, "out_features": 1}}, r"cannot take \[2, 2\].*cannot be mult"),
        (Picky(), "nothing suits"),
        ({"mlp": {"hidden": [2**31]}}, "expected less than"),
    ],
)
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_model_that_cannot_take_the_rows_is_refused(
    model: Any, message: str, replicas: int, tmp_path: Path
) -> None:
    rows = range(60)
    values = {"x": [row * 7 % 31 for row in rows], "z": [row % 7 for row in rows]}
    table = pl.DataFrame({**values, "y": [row * row % 13 / 3 for row in rows]})
    with pytest.raises(RecipeError, match=message):
        handrail.fit(
            table, "y", changes={"model": model, "training.replicas": replicas}, out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()
