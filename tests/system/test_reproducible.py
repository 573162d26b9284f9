"""The same recipe, seed and machine give the same bits."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from handrail import fit
from handrail.run import Run

RULES = {
    "gradient": {
        "model": {
            "mlp": {
                "hidden": [16],
                "dropout": 0.3,
                "input_noise": 0.1,
                "weight_noise": 0.01,
                "normalisation": "batch",
            }
        }
    },
    "replicas": {
        "model": {"mlp": {"hidden": [16], "dropout": 0.3, "normalisation": "batch"}},
        "training.replicas": 3,
    },
    "lbfgs": {"learning.gradient.optimizer": "lbfgs", "data.balance": "undersample"},
    "rosenblatt": {"learning": "rosenblatt", "model": "linear"},
    "delta": {"learning": "delta", "model": "linear"},
    "least_squares": {"learning": "least_squares", "model": "mlp"},
    "placed units": {"learning": "least_squares", "model": {"rbf": {"units": 20}}},
}


def a_table() -> pl.DataFrame:
    chance = np.random.default_rng(2)
    x = chance.normal(size=(300, 2))
    return pl.DataFrame(
        {"a": x[:, 0], "b": x[:, 1], "label": np.where(x[:, 0] + chance.normal(size=300) > 0, "up", "down")}
    )


def learned(run: Run) -> tuple[bytes, list[dict], dict]:
    lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    records = [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
    return (run.folder.model / "weights.safetensors").read_bytes(), records, run.validation


@pytest.mark.parametrize("rule", RULES)
def test_twice_the_same(rule: str, tmp_path: Path) -> None:
    changes = {"training.epochs": 4, "evaluation.resamples": 100, **RULES[rule]}
    runs = [fit(a_table(), "label", changes=changes, out=tmp_path / name) for name in ("one", "two")]
    assert learned(runs[0]) == learned(runs[1])


def test_another_seed_gives_another_network_but_the_same_split(tmp_path: Path) -> None:
    changes = {"training.epochs": 4, "evaluation.resamples": 100}
    runs = [
        fit(a_table(), "label", changes={**changes, "seed": seed}, out=tmp_path / str(seed))
        for seed in (0, 1)
    ]
    assert learned(runs[0])[0] != learned(runs[1])[0]
    assert runs[0].folder.split.read_bytes() == runs[1].folder.split.read_bytes()


def test_the_resolved_recipe_gives_the_same_fit(tmp_path: Path) -> None:
    a_table().write_csv(tmp_path / "table.csv")
    changes = {"training.epochs": 4, "evaluation.resamples": 100}
    first = fit(tmp_path / "table.csv", "label", changes=changes, out=tmp_path / "one")
    second = fit(recipe=first.folder.resolved_recipe, out=tmp_path / "two")
    assert learned(first) == learned(second)


def test_neither_chance_nor_gradients_outside_matter(tmp_path: Path) -> None:
    import torch

    changes = {"training.epochs": 2, "evaluation.resamples": 100}
    torch.manual_seed(1)
    first = fit(a_table(), "label", changes=changes, out=tmp_path / "one")
    torch.manual_seed(2)
    before = torch.get_rng_state()
    with torch.no_grad():
        second = fit(a_table(), "label", changes=changes, out=tmp_path / "two")
    assert torch.equal(before, torch.get_rng_state())
    assert learned(first) == learned(second)
