"""Dynamics: a network that goes on from its own answers."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import handrail
from handrail.components import build
from handrail.data.prepare import prepare
from handrail.data.rows import TargetWindows
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.evaluation.metrics import measure
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.recipe import Recipe
from handrail.shapes import SeriesShape
from handrail.tasks import make_task
from handrail.tasks.dynamics import DynamicsTask, FreeRun
from handrail.tools.yaml import read_yaml

HORIZON = 20


def task_of(targets: int, horizon: int, length: int = 9) -> DynamicsTask:
    names = tuple(f"t{place} +{step}" for place in range(targets) for step in range(1, horizon + 1))
    spec = TaskSpec(name="regression", targets=names, horizon=horizon, season=1, free_run=True)
    task = make_task(spec, SeriesShape(targets, length))
    assert isinstance(task, DynamicsTask)
    task.mean += torch.tensor([1.0, -2.0])[:targets]
    task.spread *= torch.tensor([0.5, 3.0])[:targets]
    return task


@pytest.fixture(scope="module")
def oscillators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two damped pendulums, of which each swings by its own linear law."""
    time = np.arange(500)
    frame = pl.DataFrame(
        {
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 5, 14), eager=True),
            "left": 3 + np.cos(0.31 * time) * 0.9995**time,
            "right": 100 * np.sin(0.23 * time + 1),
            "place": ["here", "there"] * 250,
        }
    )
    path = tmp_path_factory.mktemp("oscillators") / "swings.csv"
    frame.write_csv(path)
    return path


@pytest.fixture(scope="module")
def swinging(oscillators: Path, tmp_path_factory: pytest.TempPathFactory) -> handrail.Run:
    changes = {
        "data.task": "dynamics",
        "data.forecast": {"history": 12, "horizon": HORIZON},
        "model": {"echo_state": {"units": 20, "input_scale": 0.01, "bias_scale": 0.01}},
        "training.replicas": 2,
    }
    return handrail.fit(oscillators, changes=changes, out=tmp_path_factory.mktemp("dynamics") / "run")


def test_a_network_that_slides_sees_its_own_answers():
    task, network = task_of(2, 4), build("model", "nlinear", SeriesShape(2, 9), 2)
    x = torch.randn(3, 2, 9)
    seen, expected = x.clone(), []
    for _ in range(4):
        expected.append(task.values(network(seen[:, :, -9:])))
        seen = torch.cat([seen, expected[-1].float().unsqueeze(2)], dim=2)
    answers = task(FreeRun(network, task)(x))
    torch.testing.assert_close(answers, torch.stack(expected, dim=2).flatten(1))


def test_a_state_that_is_carried_has_heard_all():
    """Reading on from a state is reading the whole."""
    model, x = build("model", {"echo_state": {"units": 15}}, SeriesShape(2, 9), 2), torch.randn(3, 2, 14)
    read = model.read(model.go_on(model.begin(x[:, :, :9]), x[:, :, 9:]))
    torch.testing.assert_close(read, model(x))


def test_a_reservoir_goes_on_from_its_state_once_it_has_forgotten_what_came_before():
    task, x = task_of(2, 4, length=150), torch.randn(3, 2, 150)
    network = build("model", {"echo_state": {"units": 30}}, SeriesShape(2, 150), 2)
    assert network.carries
    carried = task(FreeRun(network, task)(x))
    network.carries = False
    torch.testing.assert_close(carried, task(FreeRun(network, task)(x)), rtol=1e-3, atol=1e-3)
    assert not build("model", {"echo_state": {"units": 30}}, SeriesShape(2, 20), 2).carries
    settings = {"summary": "mean", "units": 30}
    assert not build("model", {"echo_state": settings}, SeriesShape(2, 150), 2).carries


def test_the_network_learns_the_next_step():
    task, values = task_of(2, 3), torch.randn(12, 2, dtype=torch.float64)
    windows = TargetWindows(values, torch.arange(8), 3)
    scaled = task.scale(windows)
    assert isinstance(scaled, TargetWindows)
    expected = ((values[:8] - task.mean) / task.spread).float()
    torch.testing.assert_close(scaled.take(torch.arange(8)), expected)
    tensor = task.scale(windows.take(torch.arange(8)))
    assert isinstance(tensor, torch.Tensor)
    torch.testing.assert_close(tensor, expected)
    torch.testing.assert_close(task.values(expected), values[:8], rtol=1e-6, atol=1e-6)


def test_the_error_at_the_end_is_that_of_the_last_steps():
    truth, noise = np.random.default_rng(0).normal(size=(2, 300, 6)) * [1, 1, 1, 9, 9, 9]
    outcome = TableOutcome(
        "regression", truth, values=truth + 0.1 * noise, scale=np.ones(6), block=3, free_run=3
    )
    shares = [(0.1 * noise[:, place]).var() / truth[:, place].var() for place in (2, 5)]
    assert outcome.names()[:2] == ["mase", "nrmse"]
    assert measure(outcome)["nrmse"] == pytest.approx(np.sqrt(np.mean(shares)), rel=0.02)
    (statistic,) = outcome.statistics(["nrmse"])
    assert statistic(np.ones((300, 1)))["nrmse"][0] == pytest.approx(measure(outcome)["nrmse"], rel=1e-12)


def test_all_numbers_are_the_state_where_no_target_is_named(swinging: handrail.Run):
    task = swinging.summary["task"]
    assert {name.rpartition(" +")[0] for name in task["targets"]} == {"left", "right"}
    assert swinging.summary["training"]["inputs"] == [2, 12]


def test_a_linear_law_is_followed_far_beyond_a_window(swinging: handrail.Run, oscillators: Path):
    metrics = swinging.summary["metrics"]
    assert metrics["nrmse"]["value"] < 0.02
    assert swinging.test()["metrics"]["nrmse"]["value"] < 0.02
    frame = pl.read_csv(oscillators).head(300)
    answers = swinging.predict(frame).frame
    assert answers.columns == ["step", "date", "prediction_left", "prediction_right"]
    time = np.arange(300, 300 + HORIZON)
    np.testing.assert_allclose(answers["prediction_right"], 100 * np.sin(0.23 * time + 1), atol=5)


def test_other_networks_of_series_learn_as_they_usually_do(oscillators: Path, tmp_path: Path):
    changes = {
        "data.task": "dynamics",
        "data.forecast": {"history": 12, "horizon": 5},
        "model": {"lstm": {"width": 4}},
        "training.epochs": 1,
    }
    run = handrail.fit(oscillators, changes=changes, out=tmp_path / "run")
    assert "adamw" in str(read_yaml(run.folder.resolved_recipe)["learning"])
    assert run.predict(oscillators).frame["prediction_left"].is_finite().all()


@pytest.mark.pictures
def test_the_report_says_that_it_runs_freely(swinging: handrail.Run):
    assert "free run of left and right, 20 rows ahead" in str(swinging)
    assert "each from its own answers before" in swinging.report().read_text()


def test_what_is_seen_and_not_predicted_is_refused(oscillators: Path, tmp_path: Path):
    changes = {"data.task": "dynamics", "data.target": "left", "data.forecast.horizon": 5}
    with pytest.raises(DataError, match=r"'right' would be seen and not predicted.*data\.drop"):
        handrail.fit(oscillators, changes=changes, out=tmp_path / "run")
    changes |= {"data.drop": ["right"], "data.forecast.history": 6, "training.epochs": 13}
    run = handrail.fit(oscillators, changes=changes, out=tmp_path / "run")
    assert run.summary["training"]["inputs"] == [1, 6]


def test_the_state_is_found_in_rows_that_are_trained_on(oscillators: Path, tmp_path: Path):
    """Words in rows that are tested make a column no less one of numbers, whichever row stands first."""
    frame = pl.read_csv(oscillators).with_columns(pl.col("left").cast(pl.String))
    late = frame.with_columns(
        pl.when(pl.col("day") > "2021-04-01").then(pl.lit("none")).otherwise("left").alias("left")
    )
    late[::-1].write_csv(tmp_path / "late.csv")
    settings = {"task": "dynamics", "forecast": {"history": 12, "horizon": 5}}
    data = prepare(Recipe.parse({"data": {"source": str(tmp_path / "late.csv"), **settings}}).data)
    assert {name.rpartition(" +")[0] for name in data.task.targets} == {"left", "right"}


def test_a_table_without_numbers_has_no_state(tmp_path: Path):
    pl.DataFrame({"word": ["a", "b"] * 50}).write_csv(tmp_path / "words.csv")
    with pytest.raises(DataError, match="no column of numbers"):
        handrail.fit(tmp_path / "words.csv", changes={"data.task": "dynamics"}, out=tmp_path / "run")
