"""Rows that are made, from the table to the report: figures, the limit, the test for copies, and files."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail import fit, load
from handrail.data.sources.toys.laws import ring_places
from handrail.errors import DataError, RecipeError
from handrail.evaluation.points.sample_quality import copying
from handrail.run import Run
from handrail.tasks.alone.generation import told

NAMES = ["energy_score", "sample_precision", "sample_recall", "frechet_distance", "copying"]
SMALL = {"model": {"gan": {"latent": 2, "hidden": [16]}}, "training.epochs": 4, "evaluation.resamples": 100}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit("toy:ring,rows=400", changes=SMALL, out=tmp_path_factory.mktemp("ring") / "run")


def test_a_generator_is_judged_by_what_it_makes(run: Run) -> None:
    assert run.summary["task"]["name"] == "generation"
    assert list(run.validation) == NAMES
    score = run.validation["energy_score"]
    low, value, high = (score[end] or 0.0 for end in ("low", "value", "high"))
    assert 0 < low < value < high
    assert run.validation["sample_recall"]["low"] is not None
    assert {name for name in NAMES if run.validation[name].get("reason")} == {*NAMES[1:2], *NAMES[3:]}


def test_training_rows_are_the_limit_and_no_rival(run: Run) -> None:
    """No network beats them by a proper score; copies tell them from one that has learned."""
    others = run.summary["baselines"]
    assert list(others) == ["independent columns", "Gaussian", "training rows"]
    scores = {name: figures["energy_score"]["value"] for name, figures in others.items()}
    assert min(scores, key=scores.__getitem__) == "training rows"
    assert run.summary["comparison"]["baseline"] != "training rows"
    assert others["training rows"]["copying"]["value"] == 1
    assert abs(others["independent columns"]["copying"]["value"]) < 0.5
    assert "shown as the limit" in run.summary["baseline_remarks"]["training rows"]


def test_the_figure_of_a_row_is_its_energy_score(run: Run) -> None:
    rows = pl.DataFrame({"x": [0.0, 2.0], "y": [0.0, 0.0]})
    answers = run.predict(rows).frame
    assert answers.columns == ["energy_score"]
    one = run.predict(rows[1:]).frame["energy_score"][0]
    assert answers["energy_score"][1] == pytest.approx(one, rel=1e-5)
    assert load(run.path).predict(rows).frame.equals(answers)


def test_rows_are_generated_as_the_data_were_written(run: Run) -> None:
    made = run.use("generate", rows=30, seed=1).frame
    assert made.columns == ["x", "y"]
    assert made.shape == (30, 2)
    assert made.equals(run.use("generate", rows=30, seed=1).frame)
    assert not made.equals(run.use("generate", rows=30, seed=2).frame)
    with pytest.raises(DataError, match="makes rows of its own"):
        run.use("generate", made)


def test_the_seal_is_opened_once_and_the_copies_are_told(run: Run) -> None:
    opened = run.test()
    assert list(opened["metrics"]) == NAMES
    assert "copied: " in opened["remark"] or "few are copies: " in opened["remark"]  # after four epochs
    assert "by permutation" in opened["remark"]


@pytest.mark.parametrize(
    ("copied", "words"),
    [(0, "No sign that"), (100, "few are copies"), (900, "copies training rows")],
)
def test_the_verdict_on_copies_has_degrees(copied: int, words: str) -> None:
    rows = np.random.default_rng(0).normal(size=(1700, 5))
    train, held_out, fresh = np.split(rows, [200, 700])
    noise = np.random.default_rng(1).normal(scale=0.01, size=(copied, 5))
    draws = np.concatenate([train[np.arange(copied) % 200] + noise, fresh[copied:]])
    assert words in told(copying(draws, train, held_out))


@pytest.mark.pictures
def test_both_players_and_what_is_made_are_drawn(tmp_path: Path) -> None:
    run = fit("toy:ring,rows=200", changes=SMALL, out=tmp_path / "run")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    titles = ("Both players", "Generated rows among those", "How near rows lie to training rows")
    for title in (*titles, *(f"New rows after epoch {epoch}" for epoch in (1, 2, 4))):
        assert title in page
    assert "by permutation" in page


def test_pictures_are_judged_in_features_of_a_classifier_or_in_components(tmp_path: Path) -> None:
    changes = {"model": {"gan": {"latent": 3, "maps": 4}}, "training.epochs": 1, "evaluation.resamples": 100}
    run = fit("toy:bars,side=6,rows=200", changes=changes, out=tmp_path / "bars")
    assert "principal components of the training rows" in run.summary["remark"]
    made = run.use("generate", rows=3)
    assert [picture.shape for picture in made.maps] == [(6, 6, 1)] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.target": "x"}, r"data\.target: has no effect on generation"),
        ({"learning": "gradient"}, r"learning\.gradient: cannot teach gan; expected adversarial"),
        ({"model": "autoencoder"}, "learns reconstruction|found 'generation'"),
        (
            {"objective.penalties": ["l2"]},
            r"penalties: have no effect under learning\.adversarial",
        ),
    ],
)
def test_settings_without_effect_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    given = {"model": "gan", "data.task": "generation", **changes}
    with pytest.raises(RecipeError, match=message):
        fit("toy:ring,rows=100", changes=given, out=tmp_path / "run")


def covered(rows: np.ndarray, *, noise: float = 0.05) -> int:
    """Modes with a row within three standard deviations. Source: Srivastava et al. 2017"""
    apart = np.linalg.norm(rows[:, None] - ring_places(8, 2.0), axis=2)
    return int((apart.min(axis=0) <= 3 * noise).sum())


@pytest.mark.slow
def test_eight_of_eight_modes_in_ten_of_ten_seeds(tmp_path: Path) -> None:
    """systems.md, GAN: covers 8 of 8 modes of a ring. Source: Goodfellow 2014; Metz 2017 (ring)"""
    found = []
    for seed in range(10):
        changes = {"model": "gan", "training.epochs": 150, "seed": seed, "evaluation.resamples": 100}
        run = fit("toy:ring", changes=changes, out=tmp_path / str(seed))
        found.append(covered(run.use("generate", rows=2500).frame.to_numpy()))
    assert found == [8] * 10
