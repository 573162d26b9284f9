"""Temperatures and reliability diagrams."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

import handrail
from handrail.errors import DataError, RecipeError
from handrail.evaluation.calibration import fit_temperature, reliability
from handrail.evaluation.metrics import Predictions, measure, row_losses
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.tasks import ClassTask


def draw_scores(task: str, *, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truths drawn with exactly the chances that the scores give."""
    generator = np.random.default_rng(seed)
    if task == "multi-class":
        scores = generator.normal(size=(rows, 4)) * 2
        return scores, (softmax(scores, axis=1).cumsum(axis=1) < generator.uniform(size=(rows, 1))).sum(
            axis=1
        )
    scores = generator.normal(size=(rows, 1 if task == "binary" else 3)) * 2
    truth = (generator.uniform(size=scores.shape) < expit(scores)).astype(int)
    return scores, truth[:, 0] if task == "binary" else truth


@pytest.mark.parametrize("task", ["binary", "multi-class", "multi-label"])
@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_the_temperature_that_spoiled_true_scores_is_found(task, factor):
    scores, truth = draw_scores(task, rows=8000, seed=1)
    assert fit_temperature(scores * factor, truth, task) == pytest.approx(factor, rel=0.06)


def test_a_binary_column_may_be_flat():
    scores, truth = draw_scores("binary", rows=500, seed=2)
    assert fit_temperature(scores[:, 0] * 2, truth, "binary") == fit_temperature(scores * 2, truth, "binary")


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 12), seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_it_is_never_worse_than_one_on_the_rows_given(rows, seed, scale):
    generator = np.random.default_rng(seed)
    scores, truth = generator.normal(size=(rows, 3)) * scale, generator.integers(0, 3, rows)
    temperature = fit_temperature(scores, truth, "multi-class")
    assert 0.05 <= temperature <= 20
    losses = [
        log_loss(truth, np.clip(softmax(scores / t, axis=1), 1e-300, 1), labels=[0, 1, 2])
        for t in (temperature, 1.0)
    ]
    assert losses[0] <= losses[1] + 1e-6


@pytest.mark.parametrize(
    ("scores", "truth", "task"),
    [
        (np.ones((4, 1)), np.ones((4, 1)), "regression"),
        (np.arange(4.0), np.ones(4, dtype=int), "binary"),
        (np.array([1.0, np.nan, 2.0]), np.array([0, 1, 0]), "binary"),
        # All right: the rows do not determine it.
        (np.array([-1.0, 2.0, 3.0]), np.array([0, 1, 1]), "binary"),
        (np.empty((0, 3)), np.empty(0, dtype=int), "multi-class"),
    ],
)
def test_where_nothing_can_be_learnt_the_scores_stay_as_they_are(scores, truth, task):
    assert fit_temperature(scores, truth, task) == 1.0


def test_an_unknown_task_is_refused():
    with pytest.raises(RecipeError, match="'ranking' is no task"):
        fit_temperature(np.ones(3), np.ones(3), "ranking")


def test_the_diagram_counts_each_row_once_and_agrees_with_the_calibration_error():
    scores, truth = draw_scores("multi-class", rows=1000, seed=3)
    chances = softmax(scores * 2, axis=1)
    one = Predictions("multi-class", truth, chances, labels=chances.argmax(axis=1))
    diagram = reliability(one)
    assert diagram.count.sum() == 1000
    held = diagram.count > 0
    assert np.isnan(diagram.accuracy[~held]).all()
    assert not held[:3].any()  # the most probable of four classes has at least a quarter
    assert (
        (diagram.confidence[held] > diagram.edges[:-1][held])
        & (diagram.confidence[held] <= diagram.edges[1:][held])
    ).all()
    error = (np.abs(diagram.confidence - diagram.accuracy) * diagram.count)[held].sum() / 1000
    assert error == pytest.approx(measure(one)["calibration_error"])


def test_temperature_lowers_the_calibration_error_of_overconfident_scores():
    scores, truth = draw_scores("multi-class", rows=4000, seed=4)
    loud = scores * 4
    fitted = fit_temperature(loud[:2000], truth[:2000], "multi-class")
    errors = []
    for temperature in (1.0, fitted):
        chances = softmax(loud[2000:] / temperature, axis=1)
        errors.append(
            measure(Predictions("multi-class", truth[2000:], chances, labels=chances.argmax(axis=1)))[
                "calibration_error"
            ]
        )
    assert errors[1] < 0.3 * errors[0]


def test_no_probabilities_no_diagram():
    with pytest.raises(DataError, match="no probabilities"):
        reliability(Predictions("binary", np.array([0, 1]), labels=np.array([0, 1])))


def nearly_perfect(rows: int, *, wrong: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of three classes; all rows are clearly right but for some that are wrong by a little."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 3, rows)
    scores = 6 * np.eye(3)[truth] + generator.normal(size=(rows, 3))
    others = np.where(np.eye(3)[truth] == 1, -np.inf, scores).max(axis=1)
    scores[np.arange(wrong), truth[:wrong]] = others[:wrong] - 0.3
    return scores, truth


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_few_nearly_perfect_rows_do_not_make_probabilities_surer(wrong: int) -> None:
    temperatures = [
        fit_temperature(*nearly_perfect(150, wrong=wrong, seed=seed), "multi-class") for seed in range(20)
    ]
    assert min(temperatures) >= 1


def test_clear_evidence_makes_probabilities_surer_and_few_rows_less_so() -> None:
    scores, truth = draw_scores("multi-class", rows=2000, seed=5)
    many = fit_temperature(scores * 0.3, truth, "multi-class")
    few = fit_temperature(scores[:60] * 0.3, truth[:60], "multi-class")
    assert many == pytest.approx(0.3, rel=0.15)
    assert many < few <= 1


@pytest.mark.slow
def test_the_temperature_of_digits_does_not_spoil_the_test(tmp_path: Path) -> None:
    """The smallest validation loss made the test loss worse: a late mistake cost as much as all else."""
    run = handrail.fit("bundled:digits", "target", out=tmp_path / "run")
    pipeline, (_, _, part) = run.pipeline, run.parts()
    decoder, losses = pipeline.decoder, {}
    assert isinstance(decoder, ClassTask)
    for name, temperature in (("chosen", float(decoder.temperature)), ("one", 1.0)):
        decoder.temperature.fill_(temperature)
        outcome = pipeline.outcome(part)
        assert isinstance(outcome, TableOutcome)
        losses[name] = row_losses(outcome)
    change = losses["chosen"] - losses["one"]
    assert change.mean() <= 0.01  # nats; it was 0.03
