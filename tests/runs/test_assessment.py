"""Verdicts are right as often as is claimed, although the best baseline was chosen."""

from collections.abc import Iterator

import numpy as np
import pytest

from handrail.evaluation.bootstrap import Interval
from handrail.evaluation.metrics import rounding_of
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.recipe.sections import EvaluationRecipe
from handrail.report.sections.verdict import best_of
from handrail.runs.assessment import compare

ROWS, REPEATED, NAMES = 80, 250, "abcde"
SETTINGS = EvaluationRecipe(resamples=200)


def outcome(truth: np.ndarray, right: np.ndarray) -> TableOutcome:
    return TableOutcome("binary", truth, labels=np.where(right, truth, 1 - truth), classes=("no", "yes"))


def comparisons(chance: float, *, baselines: tuple[float, ...], seed: int) -> Iterator[str]:
    """Verdicts on made-up answers: a network and baselines that are right with these chances."""
    generator = np.random.default_rng(seed)
    for _ in range(REPEATED):
        truth = generator.integers(0, 2, ROWS)
        network = outcome(truth, generator.random(ROWS) < chance)
        others = {
            name: outcome(truth, generator.random(ROWS) < p)
            for name, p in zip(NAMES, baselines, strict=False)
        }
        yield compare(network, others, SETTINGS, metric="accuracy")["verdict"]


@pytest.mark.slow
@pytest.mark.parametrize("others", [(0.7,), (0.7,) * 5])
def test_of_equal_models_neither_is_said_to_be_better(others: tuple[float, ...]) -> None:
    verdicts = list(comparisons(0.7, baselines=others, seed=len(others)))
    most = 0.05 + 3 * np.sqrt(0.05 * 0.95 / REPEATED)
    assert verdicts.count("better") / REPEATED < most
    assert verdicts.count("worse") / REPEATED < most


@pytest.mark.slow
def test_a_real_difference_is_seen_on_either_side() -> None:
    better = list(comparisons(0.9, baselines=(0.5, 0.6, 0.6), seed=1))
    worse = list(comparisons(0.5, baselines=(0.5, 0.6, 0.9), seed=2))
    assert better.count("better") / REPEATED > 0.9
    assert worse.count("worse") / REPEATED > 0.9


def test_the_best_baseline_is_named_and_one_that_is_not_clearly_beaten_before_it() -> None:
    truth = np.arange(100) % 2
    network = outcome(truth, np.arange(100) < 88)
    best, other = outcome(truth, np.arange(100) < 80), outcome(truth, np.arange(100) >= 21)
    said = compare(network, {"other": other, "best": best}, SETTINGS, metric="accuracy")
    # `best` errs where the network errs, so that it is clearly beaten; `other` errs elsewhere.
    assert (said["baseline"], said["verdict"]) == ("other", "no clear difference")
    assert said["difference"]["low"] <= 0 < said["difference"]["high"]
    alone = compare(network, {"best": best}, SETTINGS, metric="accuracy")
    assert (alone["baseline"], alone["verdict"]) == ("best", "better")


def test_a_baseline_without_the_metric_takes_no_part() -> None:
    truth = np.arange(60) % 2
    network, x = (
        TableOutcome("binary", truth, np.stack([1 - p, p], 1), labels=truth, classes=("a", "b"))
        for p in np.random.default_rng(0).random((2, 60))
    )
    said = compare(network, {"always b": outcome(truth, truth == 1), "x": x}, SETTINGS, metric="roc_auc")
    assert (said["baseline"], said["verdict"]) == ("x", "no clear difference")


def test_without_an_interval_there_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.arange(10) % 2
    model = outcome(truth, truth == 1)
    monkeypatch.setattr("handrail.runs.assessment.difference", lambda *_, **__: Interval(0.1, np.nan, np.nan))
    said = compare(model, {"majority": model}, SETTINGS, metric="accuracy")
    assert said["verdict"] == "not comparable"
    assert said["difference"] == {"value": 0.1, "low": None, "high": None}
    assert said["reason"]


def chances(shift: float = 0.0, rows: int = 100) -> TableOutcome:
    """Probabilities of two classes; those of all rows are nearer to the truth by a shift."""
    truth = np.arange(rows) % 2
    right = np.random.default_rng(0).uniform(0.3, 0.9, rows) + shift
    p = np.where(truth == 1, right, 1 - right)
    return TableOutcome("binary", truth, np.stack([1 - p, p], 1), labels=truth, classes=("a", "b"))


@pytest.mark.parametrize("whole", [False, True], ids=["rows of many", "all rows that there can be"])
@pytest.mark.parametrize(
    ("shift", "verdict"),
    [
        (5e-7, "no clear difference"),
        (-5e-7, "no clear difference"),
        (1e-3, "better"),
        (-1e-3, "worse"),
    ],
)
def test_what_rounding_makes_is_no_win(shift: float, verdict: str, whole: bool) -> None:
    """The shift is the same in each row, so that its interval, too, is as narrow as rounding."""
    said = compare(chances(shift), {"x": chances()}, SETTINGS, metric="log_loss", whole=whole)
    assert said["verdict"] == verdict
    assert (said["difference"]["low"] is None) == whole


def test_figures_that_are_level_are_none_the_best() -> None:
    figures = {"network": {"r2": {"value": 0.5}}, "x": {"r2": {"value": 0.5 + 4e-6}}}
    assert best_of("r2", figures) == ""
    figures["x"]["r2"]["value"] = 0.50001
    assert best_of("r2", figures) == "x"
    assert best_of("rmse", {who: {"rmse": each["r2"]} for who, each in figures.items()}) == "network"


def test_rounding_is_a_share_of_the_larger_figure() -> None:
    assert rounding_of(2.0, -400.0) == pytest.approx(4e-3)
    assert rounding_of(0.0, 0.0) == 0
    np.testing.assert_allclose(rounding_of(np.array([1.0, -3.0]), np.array(2.0)), [2e-5, 3e-5])
