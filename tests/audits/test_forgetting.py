"""Forgetting: the matrix, its figure, and that a network that has one task forgets nothing."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import handrail
from handrail.audits.forgetting import reordered
from handrail.errors import DataError
from handrail.run import Run


def test_earlier_classes_are_forgotten_and_all_at_once_are_not(digits_run: Run) -> None:
    """Plain training on split digits. Source: Goodfellow et al. 2014; the figure: Chaudhry et al. 2018"""
    said: list[str] = []
    settings: dict[str, Any] = {"number": 5, "epochs": 25}
    found = handrail.audit(digits_run, "forgetting", **settings, say=said.append)
    matrix = found.table.drop("after").to_numpy()
    assert found.table.columns[1:] == ["0, 1", "2, 3", "4, 5", "6, 7", "8, 9"]
    assert (np.diag(matrix[:5]) > 0.8).all()
    assert (matrix[4, :3] < 0.2).all()
    assert matrix[5].mean() > 0.7
    lost = matrix[:4].max(axis=0)[:4] - matrix[4, :4]
    assert found.figures["forgetting"].value == pytest.approx(lost.mean())
    assert f"{lost.mean():.1%}" in found.verdict
    assert len(said) == 1
    again = handrail.audit(digits_run, "forgetting", **settings)
    assert again.table.equals(found.table)


def test_permuted_rows_are_tasks_too(digits_run: Run) -> None:
    found = handrail.audit(digits_run, "forgetting", tasks="permuted", number=2, epochs=3)
    assert found.table["after"].to_list() == ["as they are", "order 1", "all at once"]


def test_an_order_is_the_same_for_all_rows() -> None:
    change = reordered(np.random.default_rng(0))
    first, second = torch.arange(12.0).reshape(2, 6), torch.arange(6.0).reshape(1, 6)
    once, again = change(first), change(second)
    assert isinstance(once, torch.Tensor)
    assert isinstance(again, torch.Tensor)
    assert torch.equal(once[0], again[0])
    assert torch.equal(once[1] - once[0], torch.full((6,), 6.0))


def test_the_run_is_left_as_it_was(digits_run: Run) -> None:
    before = handrail.load(digits_run.path).pipeline.state_dict()
    handrail.audit(digits_run, "forgetting", number=2, epochs=1)
    after = digits_run.pipeline.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_more_tasks_than_classes_have_room_for_are_refused(digits_run: Run, tmp_path) -> None:
    with pytest.raises(DataError, match="found 6 tasks for 10 classes, expected 5 at most"):
        handrail.audit(digits_run, "forgetting", number=6)
    frame = pl.DataFrame(
        {"x": [0.1 * place for place in range(100)], "y": [place % 7 for place in range(100)]}
    )
    changes = {
        "model": "linear",
        "training.epochs": 1,
        "evaluation.resamples": 100,
        "data.task": "regression",
    }
    run = handrail.fit(frame, target="y", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match="forgetting: needs classes"):
        handrail.audit(run, "forgetting")
