"""The linear support vector machine, hinge and L2 on one linear layer, beside scikit-learn's LinearSVC.

LinearSVC minimises ½‖w‖² + C·Σᵢ hingeᵢ and we the mean hinge + strength·‖w‖²: divided by C·n they are the
same where strength = 1/(2·C·n). LinearSVC counts the bias among the weights, unless it is scaled away.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import handrail
from handrail.data.part import Part
from handrail.sklearn import NetworkClassifier

Rows = np.ndarray
Objective = Callable[[np.ndarray, np.ndarray], float]


def _settings(rows: int, c: float, **hinge: Any) -> tuple[dict[str, Any], list[Any]]:
    return {"hinge": hinge}, [{"l2": {"strength": 1 / (2 * c * rows)}}]


def _own(network: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    weights: Any = network.get_submodule("head")
    return weights.weight.detach().double().numpy(), weights.bias.detach().double().numpy()


def _objective(rows: Rows, codes: np.ndarray, strength: float, *, crammer: bool = False) -> Objective:
    """The mean squared hinge against the rest, or Crammer & Singer's hinge, and strength·‖w‖²."""

    def value(weights: np.ndarray, bias: np.ndarray) -> float:
        scores = rows @ weights.T + bias
        signs = (2 * codes - 1)[:, None] if len(weights) == 1 else 2 * np.eye(len(weights))[codes] - 1
        losses = (np.maximum(0, 1 - signs * scores) ** 2).sum(axis=1)
        if crammer:
            right = scores[np.arange(len(codes)), codes]
            wrong = np.where(signs > 0, -np.inf, scores).max(axis=1)
            losses = np.maximum(0, 1 + wrong - right)
        return float(losses.mean() + strength * (weights**2).sum())

    return value


_CASES: dict[str, tuple[Callable[..., Any], float, dict[str, Any], dict[str, Any]]] = {
    "two classes": (load_breast_cancer, 1.0, {"squared": True}, {}),
    "little freedom": (load_breast_cancer, 0.01, {"squared": True}, {}),
    "one against the rest": (load_wine, 1.0, {"squared": True, "multi_class": "one_vs_rest"}, {}),
    "Crammer & Singer": (load_iris, 1.0, {}, {"multi_class": "crammer_singer"}),
}


@pytest.mark.parametrize("case", _CASES)
def test_it_ends_at_the_same_objective_with_the_same_answers(case: str) -> None:
    """Measured: objectives equal to 5e-8, Crammer & Singer's, which has corners, to 4e-4; the same answers in
    all rows, there in 149 of 150.
    """
    load, c, hinge, theirs = _CASES[case]
    rows, codes = load(return_X_y=True)
    rows = StandardScaler().fit_transform(rows)
    loss, penalties = _settings(len(rows), c, **hinge)
    learning = {"gradient": {"optimizer": "lbfgs"}}
    settings: dict[str, Any] = {"model": "linear", "learning": learning, "epochs": 30, "patience": None}
    settings |= {"loss": loss, "penalties": penalties, "validation_fraction": None, "random_state": 0}
    ours = NetworkClassifier(**settings).fit(rows, codes)
    smooth = not theirs
    far = 100 if smooth else 10  # beyond which LinearSVC does not converge on corners
    svm: Any = LinearSVC(C=c, tol=1e-8, max_iter=100_000, random_state=0, intercept_scaling=far, **theirs)
    svm.fit(rows, codes)
    objective = _objective(rows, codes, penalties[0]["l2"]["strength"], crammer=not smooth)
    best, found = objective(svm.coef_, svm.intercept_), objective(*_own(ours.pipeline_.network))
    assert found == pytest.approx(best, rel=1e-5 if smooth else 1e-3)
    assert (ours.predict(rows) == svm.predict(rows)).mean() > 0.99


def _adult(folder: Path) -> pl.DataFrame:
    names = [*(f"column{number}" for number in range(14)), "income"]
    table = pl.read_csv(folder / "adult-census" / "adult-train.csv", has_header=False, new_columns=names)
    return table.drop_nulls("income").with_columns(pl.col("income").str.strip_chars())


def _credit(folder: Path) -> pl.DataFrame:
    table = pl.read_csv(folder / "credit-scoring" / "CreditScoring.csv")
    return table.filter(pl.col("Status") > 0).rename({"Status": "income"})


def _wine(folder: Path) -> pl.DataFrame:
    names = [*(f"column{number}" for number in range(11)), "income"]
    path = folder / "wine-quality" / "winequality-white.csv"
    return pl.read_csv(path, has_header=False, new_columns=names).with_columns(
        pl.col("income").cast(pl.String)
    )


@pytest.mark.slow
@pytest.mark.parametrize("read", [_adult, _credit, _wine])
def test_on_three_tables_it_is_within_a_point_of_linear_svc(
    read: Callable[[Path], pl.DataFrame], shared_data: Path, tmp_path: Path
) -> None:
    """By `handrail.fit` with its own split and encoding, which LinearSVC is given too.

    Measured on the test rows, ours and LinearSVC's: adult-census 0.8573 and 0.8573 (4,883 rows), credit
    scoring 0.7620 and 0.7620 (668), quality of white wine in 7 classes 0.5469 and 0.5469 (735).
    """
    table = read(shared_data)
    classes = table["income"].n_unique()
    rest: dict[str, Any] = {"multi_class": "one_vs_rest"} if classes > 2 else {}
    loss, penalties = _settings(round(0.7 * len(table)), 1.0, squared=True, **rest)
    changes = {
        "model": "linear",
        "objective": {"loss": loss, "penalties": penalties},
        "learning": {"gradient": {"optimizer": "lbfgs"}},
        "training": {"epochs": 30, "validate_every": 30, "patience": None},
        "evaluation.resamples": 100,
    }
    run = handrail.fit(table, "income", changes=changes, out=tmp_path / "svm")
    train, _, test = run.parts()

    def encoded(part: Part) -> tuple[np.ndarray, np.ndarray]:
        rows, pipeline = run.pipeline.rows(part), run.pipeline
        inputs, targets = pipeline.decoder.training_data(rows, part, pipeline.encoder)
        return np.asarray(inputs), np.asarray(targets)

    rows, codes = encoded(train)
    fresh, truth = encoded(test)
    svm: Any = LinearSVC(random_state=0, max_iter=100_000).fit(rows, codes)
    weights, bias = _own(run.pipeline.network)
    scores = fresh @ weights.T + bias
    answers = scores.argmax(axis=1) if classes > 2 else (scores[:, 0] > 0).astype(int)
    assert (answers == truth).mean() == pytest.approx(svm.score(fresh, truth), abs=0.01)
    objective = _objective(rows, codes, 1 / (2 * len(rows)))
    assert objective(weights, bias) < 1.001 * objective(svm.coef_, svm.intercept_)
