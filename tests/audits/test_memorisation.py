"""Random labels are learned by heart, and tell nothing of other rows. Source: Zhang et al. 2017"""

from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import handrail
from handrail.audits.audit import Audit
from handrail.audits.audited import Audited
from handrail.audits.memorisation import shuffle_inputs
from handrail.audits.retraining import decided_by, retrain
from handrail.errors import DataError
from handrail.run import Run


@pytest.fixture(scope="module")
def found(digits_run: Run) -> tuple[Audit, list[str]]:
    said: list[str] = []
    settings: dict[str, Any] = {"epochs": 120, "rows": 200}
    return handrail.audit(digits_run, "memorisation", **settings, say=said.append), said


def test_random_labels_are_learned_and_say_nothing_of_others(found: tuple[Audit, list[str]]) -> None:
    audit, said = found
    table = {line["trained on"]: line for line in audit.table.to_dicts()}
    assert table["random labels"]["training rows"] >= 0.99
    assert table["random labels"]["other rows"] < 0.25
    assert table["own labels"]["other rows"] > 0.8
    assert table["random labels"]["chance"] == pytest.approx(0.1, abs=0.01)
    assert "by heart" in audit.verdict
    assert len(said) == 1
    assert "s of training" in said[0]


def test_a_training_again_is_the_training(digits_run: Run) -> None:
    """On the same rows, for the same epochs, a network comes to the weights with which the fit ended."""
    audited = Audited(digits_run)
    again = retrain(audited, audited.train, epochs=digits_run.summary["training"]["epochs"])
    last = load_file(digits_run.path / "checkpoints/last/state.safetensors").values()
    for weights in again.network.parameters():
        assert any(weights.shape == kept.shape and torch.equal(weights, kept) for kept in last)
    truth = audited.part.target.reshape(-1).numpy()
    assert (decided_by(again, again.rows(audited.part)) == truth).mean() > 0.8


def test_the_numbers_of_each_row_stay_its_own() -> None:
    rows = torch.arange(24).reshape(2, 3, 4).float()
    shuffled = shuffle_inputs(rows)
    assert isinstance(shuffled, torch.Tensor)
    assert shuffled.shape == rows.shape
    assert not torch.equal(shuffled, rows)
    assert np.array_equal(shuffled.flatten(1).sort(dim=1).values, rows.flatten(1))


def test_rows_of_several_parts_cannot_be_shuffled() -> None:
    with pytest.raises(DataError, match="found 2 parts in each, expected one"):
        shuffle_inputs((torch.zeros(3, 2), torch.zeros(3, 4)))


def test_values_have_no_labels(tmp_path) -> None:
    changes = {"model": {"mlp": {"hidden": [2]}}, "training.epochs": 1, "evaluation.resamples": 100}
    run = handrail.fit("bundled:diabetes", target="target", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match="memorisation: needs classes"):
        handrail.audit(run, "memorisation")
