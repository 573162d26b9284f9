"""Baselines choose what the network chooses, in the same way; trees and TF-IDF are among them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

import handrail
from handrail.data.encoders.row_encoder import fit_encoder
from handrail.data.prepare import prepare
from handrail.data.task import TaskSpec
from handrail.recipe import compose
from handrail.tasks.baselines import best_constant, fit_table_baselines, nominal_seconds
from handrail.tasks.baselines.trees import plan_trees

QUICK: dict[str, Any] = {"training.epochs": 30, "model": "linear", "evaluation.resamples": 100}


def write_rare(path: Path) -> Path:
    """A rare class that a line separates a little; the same line is a network and a baseline."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 2))
    y = x[:, 0] + 0.5 * rng.normal(size=600) > 1.3
    pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y.astype(int)}).write_csv(path)
    return path


@pytest.mark.trees
def test_the_threshold_of_a_baseline_is_chosen_as_the_network_s(tmp_path: Path) -> None:
    """The network is a line, too: by the threshold alone it must not win."""
    run = handrail.fit(write_rare(tmp_path / "t.csv"), "y", changes=QUICK, out=tmp_path / "run")
    for results in (run.summary, run.test(), run.test(again=True, refit=True)):
        f1 = {name: figures["f1"]["value"] for name, figures in results["baselines"].items()}
        assert f1["linear"] > results["metrics"]["f1"]["value"] - 0.12
        assert set(f1) == {"majority", "linear", "boosted trees", "always 1"}
        assert f1["always 1"] > 0
    assert run.summary["decisions"]["threshold"] != 0.5


def test_yes_to_every_row_is_the_best_constant_by_f1_and_recall() -> None:
    spec = TaskSpec(name="binary", targets=("y",), classes=("no", "yes"))
    train, truth = np.array([0] * 8 + [1] * 2), np.array([0, 1, 0])
    for metric in ("f1", "recall"):
        (name, outcome), *_ = best_constant(spec, train, truth, metric).items()
        assert name == "always yes"
        assert outcome.measure()["recall"] == 1
    assert list(best_constant(spec, train, truth, "accuracy")) == ["always no"]
    assert best_constant(spec, train, truth, "roc_auc") == {}


def baselines_of(source: Any, target: str, **changes: Any) -> Any:
    data = prepare(compose(source, target, recipe=None, changes=changes).data)
    settings = compose(source, target, recipe=None, changes=changes).data
    encoder = fit_encoder(data.train.features, data.schema, data.train.stores, settings)
    return fit_table_baselines(data.task, data.train, encoder, seconds=60.0), data


@pytest.mark.trees
def test_trees_see_what_no_line_can(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(400, 2))
    table = {"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] * x[:, 1] > 0, "same", "other")}
    fitted, data = baselines_of(pl.DataFrame(table), "y")
    right = {
        name: float(((scores[:, 0] > 0) == data.validation.target.numpy()).mean())
        for name, scores in fitted.scores(data.validation).items()
    }
    assert right["boosted trees"] > 0.85
    assert right["linear"] < 0.7
    again, _ = baselines_of(pl.DataFrame(table), "y")
    np.testing.assert_array_equal(
        fitted.scores(data.validation)["boosted trees"], again.scores(data.validation)["boosted trees"]
    )


def test_text_goes_to_the_linear_model_as_words_and_pairs_of_words() -> None:
    """That "not good" and "good" are different is known by pairs alone."""
    rng = np.random.default_rng(1)
    things = ["the soup we had", "our small room", "this long film", "that old book"]
    sure, words = rng.random(300) < 0.5, rng.choice(["good", "bad"], 300)
    texts = [
        f"{rng.choice(things)} on day {day} was {'' if yes else 'not '}{word} for us"
        for day, (yes, word) in enumerate(zip(sure, words, strict=True))
    ]
    kinds = np.where(sure == (words == "good"), "praise", "blame")
    fitted, data = baselines_of(pl.DataFrame({"text": texts, "kind": kinds}), "kind")
    assert "boosted trees" not in fitted.scores(data.validation)
    terms = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
    columns = [part.features["text"].to_list() for part in (data.train, data.validation)]
    model = LogisticRegression().fit(terms.fit_transform(columns[0]), data.train.target.numpy())
    expected = model.decision_function(terms.transform(columns[1]))
    np.testing.assert_allclose(fitted.scores(data.validation)["linear"][:, 0], expected, atol=1e-3)
    assert ((expected > 0) == data.validation.target.numpy()).mean() > 0.9


def test_many_embedded_levels_take_the_room_of_one_number_a_row() -> None:
    """The linear model sees one column a level, of which nearly all numbers are zero."""
    levels = [f"level {number}" for number in range(30_000)] * 2
    x = np.random.default_rng(0).normal(size=60_000)
    frame = pl.DataFrame({"c": levels, "x": x, "y": np.where(x > 0, "yes", "no")})
    changes = {"data.columns": {"c": "category"}, "data.encoding.categories": "embedding"}
    fitted, data = baselines_of(frame, "y", **changes, **{"data.encoding.rare": 1})
    some = data.validation.pick(np.arange(50))
    rows = some.encode_with(fitted.maker.encoder)
    features = fitted.maker.make(some, rows, np.arange(50))
    assert features.nnz == 100
    assert np.array_equal(features.toarray(), fitted.maker.encoder.simple(rows).numpy())
    scores = fitted.scores(data.validation)["linear"].ravel()
    assert ((scores > 0) == data.validation.target.numpy().astype(bool)).mean() > 0.97


def test_the_work_of_trees_is_counted_and_too_much_of_it_is_a_sample() -> None:
    assert nominal_seconds(rows=500, epochs=10, parameters=100) == 2.0
    assert nominal_seconds(rows=10**7, epochs=100, parameters=10**5) == 60.0
    everything = plan_trees(50_000, width=20, outputs=1, seconds=2.0)
    sample = plan_trees(5_000_000, width=50, outputs=1, seconds=2.0)
    assert everything is not None
    assert sample is not None
    assert (everything.rows, everything.rounds) == (50_000, 100)
    assert sample.rows < 100_000
    assert sample.seconds <= 2.0
    assert plan_trees(10_000, width=50_000, outputs=10, seconds=2.0) is None


@pytest.mark.trees
def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("handrail.tasks.baselines.affine._MOST_SCORES", 10)
    monkeypatch.setattr("handrail.tasks.baselines.table.plan_trees", lambda *_, **__: None)
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=120), "y": [f"c{code % 40}" for code in range(120)]})
    run = handrail.fit(frame, "y", changes=QUICK | {"training.epochs": 1}, out=tmp_path / "run")
    assert set(run.summary["baselines"]) == {"majority"}
    assert "The linear baseline was left out: with 40 outputs it would need too much memory." in str(run)
    said = " ".join(str(run).split())
    assert "The boosted trees baseline was left out: they would take longer than the network." in said
