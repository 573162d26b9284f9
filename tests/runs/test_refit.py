"""A refit repeats the course of its fit, and a network that comes to nothing does not answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import handrail
import handrail.training.callbacks
from handrail.errors import RecipeError, RunError, TrainingError
from handrail.runs import refit as refitting
from handrail.training.engine import Engine
from handrail.training.job import Job
from handrail.training.stopping import Progress


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDRAIL_HOME", str(tmp_path / "home"))


def _fit(tmp_path: Path, **more: Any) -> handrail.Run:
    x, y, noise = np.random.default_rng(0).normal(size=(3, 160))
    table = pl.DataFrame({"x": x, "y": y, "z": x + 0.3 * noise})
    schedule = {"on_plateau": {"factor": 0.5, "patience": 0, "threshold": 0.3}}
    changes = {
        "training.epochs": 12,
        "training.patience": None,
        "evaluation.resamples": 100,
        "model": {"mlp": {"hidden": [4]}},
        "learning": {"gradient": {"optimizer": "sgd", "schedule": schedule}},
        **{f"training.{name}": value for name, value in more.items()},
    }
    return handrail.fit(table, "z", changes=changes, out=tmp_path / "run")


@pytest.mark.parametrize("settings", [{}, {"replicas": 2}, {"replicas": 2, "together": False}])
def test_the_rates_of_a_plateau_schedule_are_those_of_the_fit(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _fit(tmp_path, **settings)
    lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    heard: dict[str, list[float]] = {}

    class Listener(handrail.training.callbacks.Callback):
        def on_epoch_end(self, training: Any, epoch: int, figures: Any) -> None:
            name = getattr(training, "name", str(training.plan.seed) if isinstance(training, Engine) else "")
            heard.setdefault(name, []).append(figures["learning_rate"])

    monkeypatch.setattr(refitting, "make_progress", lambda *_args, **_more: [Listener()])
    run.refit()
    rates = list(heard.values())
    assert len(rates) == settings.get("replicas", 1)
    for number, own in enumerate(rates, start=1):
        fitted = [line["learning_rate"] for line in lines if line.get("replica", 1) == number]
        assert own == fitted[: len(own)]
        assert len(set(own)) > 2, "the rate has fallen"


@pytest.mark.parametrize("keep", ["ensemble", "best"])
def test_a_replica_that_comes_to_nothing_in_the_refit_does_not_answer(
    keep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _fit(tmp_path, replicas=3, keep=keep)
    best = run.summary["replicas"]["best"]
    true_fault = refitting._fault

    def spoil(job: Job, progress: Progress) -> str:
        if job.name == f"replica-{best}":
            with torch.no_grad():
                next(job.network.parameters()).fill_(torch.nan)
        return true_fault(job, progress)

    monkeypatch.setattr(refitting, "_fault", spoil)
    tested = run.test(refit=True)
    replicas = tested["replicas"]
    assert best not in replicas["answering"]
    assert len(replicas["answering"]) == (2 if keep == "ensemble" else 1)
    assert np.isfinite(tested["metrics"]["r2"]["value"])
    assert any(
        f"Replica {best} does not answer: it failed in the refit" in text for text in tested["remarks"]
    )
    values = handrail.load(run.path).predict(pl.DataFrame({"x": [0.5], "y": [0.1]})).frame
    assert np.isfinite(values.to_numpy()).all()


def test_a_refit_that_comes_to_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _fit(tmp_path)
    true_fault = refitting._fault

    def spoil(job: Job, progress: Progress) -> str:
        with torch.no_grad():
            list(job.network.parameters())[-1].fill_(1e9)
        return true_fault(job, progress)

    monkeypatch.setattr(refitting, "_fault", spoil)
    with pytest.raises(TrainingError, match="the refit failed: after the last epoch the loss"):
        run.refit()
    assert not (run.folder.refit / "pipeline.json").exists()


def test_figures_of_another_number_of_networks_are_refused(tmp_path: Path) -> None:
    """As where validation.json is that of another run."""
    run = _fit(tmp_path, epochs=1)
    summary = json.loads(run.folder.validation.read_text())
    member = {
        "replica": 1,
        "seed": 0,
        "epochs": 1,
        "best_epoch": 1,
        "best_loss": 0.5,
        "stopped": "",
        "seconds": 1,
    }
    summary["replicas"] = {"members": [{**member, "failure": ""}] * 2}
    run.folder.validation.write_text(json.dumps(summary))
    with pytest.raises(RunError, match=r"validation\.json' is damaged: found the figures of 2 networks"):
        run.refit()
    with pytest.raises(RunError, match=r"validation\.json' is damaged"):
        run.test()
    assert not run.openings(), "the seal is not spent on it"


@pytest.mark.parametrize("settings", [{}, {"replicas": 2}, {"replicas": 2, "together": True}])
def test_networks_with_nothing_to_train_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    table = pl.DataFrame({"x": [row / 7 for row in range(60)], "y": [row % 5 / 3 for row in range(60)]})
    changes = {f"training.{name}": value for name, value in settings.items()}
    with pytest.raises(RecipeError, match="no parameters to train"):
        handrail.fit(table, "y", changes={"model": "torch.nn:Identity", **changes}, out=tmp_path / "run")
