"""Subgroups: the figures of Fairlearn and of Gender Shades, and false alarms no more often than announced."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import handrail
from handrail.audits.groups import Grouping, groupings
from handrail.audits.subgroups import corrected, differences_between, lines_of, permuted, verdict_on
from handrail.cli import app
from handrail.errors import DataError, HandrailError, RecipeError, SealError
from handrail.run import Run

QUICK = {"model": {"mlp": {"hidden": [8]}}, "training.epochs": 15, "evaluation.resamples": 100}


def people(rows: int, seed: int = 0, *, harm: float = 0.35) -> pl.DataFrame:
    """Rows whose answer is harder to tell for one of two groups, and the same for all skins."""
    rng = np.random.default_rng(seed)
    sex, skin = rng.integers(2, size=(2, rows))
    told = rng.normal(size=rows)
    wrong = rng.random(rows) < np.where(sex == 1, harm, 0.02)
    answer = (told > 0) ^ wrong
    return pl.DataFrame(
        {
            "told": told,
            "other": rng.normal(size=rows),
            "sex": np.where(sex == 1, "F", "M"),
            "skin": np.where(skin == 1, "darker", "lighter"),
            "age": rng.integers(18, 90, size=rows),
            "answer": np.where(answer, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes = {**QUICK, "data.drop": ["skin"]}
    return handrail.fit(
        people(4000), target="answer", changes=changes, out=tmp_path_factory.mktemp("a") / "run"
    )


def test_figures_are_those_of_fairlearn(run: Run) -> None:
    """Bird et al. 2020: precision, recall and false positive rate by group."""
    metrics = pytest.importorskip("fairlearn.metrics")
    from sklearn.metrics import accuracy_score, precision_score, recall_score

    part = run.parts()[1]
    outcome: Any = run.pipeline.outcome(part)
    frame = metrics.MetricFrame(
        metrics={
            "PPV": precision_score,
            "TPR": recall_score,
            "FPR": metrics.false_positive_rate,
            "accuracy": accuracy_score,
        },
        y_true=outcome.truth,
        y_pred=outcome.label_codes,
        sensitive_features=part.raw.select("sex", "skin").to_pandas(),
    ).by_group
    found = handrail.audit(run, "subgroups", columns=["sex", "skin"]).table
    for (sex, skin), row in frame.iterrows():
        own = found.filter(pl.col("group") == f"{sex}, {skin}")
        line = own.filter(pl.col("class") == "yes").to_dicts()[0]
        whole = own.filter(pl.col("class") == "all").to_dicts()[0]
        for name in ("PPV", "TPR", "FPR"):
            assert line[name] == pytest.approx(row[name], abs=1e-12)
        assert whole["error"] == pytest.approx(1 - row["accuracy"], abs=1e-12)


def test_the_rates_hang_together_as_in_gender_shades() -> None:
    """In all pairs FPR of one class + TPR of the other = 1; of whole groups PPV = TPR, and FPR = error; the
    printed error rate is 1 − PPV. Source: Buolamwini & Gebru 2018
    """
    rng = np.random.default_rng(3)
    truth, decided, codes = rng.integers(2, size=(3, 500))
    grouping = Grouping("skin", ["darker", "lighter"], codes)
    lines = list(lines_of(grouping, truth, decided, ("F", "M"), 1.96))
    assert len(lines) == 6
    for whole, female, male in (lines[:3], lines[3:]):
        assert female["FPR"] + male["TPR"] == pytest.approx(1)
        assert male["FPR"] + female["TPR"] == pytest.approx(1)
        assert whole["PPV"] == whole["TPR"]
        assert whole["FPR"] == whole["error"]
        assert female["1 − PPV"] == pytest.approx(1 - female["PPV"])
        assert female["PPV low"] < female["PPV"] < female["PPV high"]


@pytest.mark.parametrize("tries", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_false_alarms_come_no_more_often_than_announced(tries: int) -> None:
    """Groups that differ in nothing: at the level of 5 %, in at most 6.5 % of 1,000 tries."""
    alarms = 0
    for seed in range(tries):
        rng = np.random.default_rng(seed)
        truth = rng.integers(2, size=400)
        decided = np.where(rng.random(400) < 0.2, 1 - truth, truth)
        frame = pl.DataFrame({"sex": rng.integers(2, size=400), "region": rng.integers(4, size=400)})
        both = [each.with_at_least(20)[0] for each in groupings(frame, ["sex", "region"])]
        found = corrected([one for each in both for one in differences_between(each, truth, decided)])
        alarms += "differ:" in verdict_on(found)
    assert alarms <= (0.065 * tries if tries > 100 else 12)


def test_chance_is_measured_exactly() -> None:
    """Two groups: the p-value of Fisher's exact test with two sides, ordered by χ²."""
    from scipy.stats import hypergeom

    hits, totals = np.array([3, 12]), np.array([20, 25])
    place = np.arange(0, 16)
    apart = np.abs(place / 20 - (15 - place) / 25)
    likely = hypergeom.pmf(place, totals.sum(), hits.sum(), totals[0])
    exact = likely[apart >= apart[3] - 1e-12].sum()
    assert permuted(hits, totals) == pytest.approx(exact, abs=0.01)


def test_what_is_worse_for_a_group_is_said_and_what_is_not_is_not(run: Run) -> None:
    found = handrail.audit(run, "subgroups", columns=["sex"])
    assert "Groups of 'sex' differ" in found.verdict
    assert "(F)" in found.verdict
    same = handrail.audit(run, "subgroups", columns=["skin"])
    assert "No difference" in same.verdict
    assert "<table" in found.to_html()
    assert found.verdict in str(found)


def test_numbers_are_divided_and_small_groups_named(run: Run) -> None:
    found = handrail.audit(run, "subgroups", columns=["age"])
    assert found.table["group"].n_unique() == 5
    assert " to " in found.table["group"][-1]
    both = handrail.audit(run, "subgroups", columns=["sex", "skin"], fewest=160)
    assert "left out for fewer than 160 rows" in both.note


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "columns: found none, expected columns"),
        ({"columns": ["sx"]}, "there is no column 'sx'.*Did you mean 'sex'"),
        ({"columns": ["sex"], "fewest": 5000}, "'sex' has 0 groups with 5000 rows or more"),
    ],
)
def test_what_cannot_be_asked_is_said(run: Run, settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        handrail.audit(run, "subgroups", **settings)


def test_the_seal_stays_shut(run: Run) -> None:
    with pytest.raises(SealError, match="an audit does not open it"):
        handrail.audit(run, "subgroups", test=True, columns=["sex"])
    with pytest.raises(RecipeError, match="there is no audit 'subgrups'"):
        handrail.audit(run, "subgrups")


def test_the_command(run: Run, tmp_path: Path) -> None:
    def invoke(*words: object) -> str:
        result = CliRunner().invoke(app, ["audit", str(run.path), *map(str, words)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert "subgroups" in invoke()
    for wrong in ("say=1", "name=x", "test=true"):
        with pytest.raises(HandrailError, match="there is no such setting"):
            invoke("subgroups", "-s", wrong)
    assert "Groups of 'sex' differ" in invoke("subgroups", "-s", "columns=[sex]")
    assert '"verdict"' in invoke("subgroups", "-s", "columns=[sex]", "--json")
    invoke("subgroups", "-s", "columns=[sex]", "-o", tmp_path / "page.html")
    assert "Groups of" in (tmp_path / "page.html").read_text()
