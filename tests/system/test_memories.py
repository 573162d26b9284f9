"""Memories from the data to the test: what is stored, what is judged, and what is told."""

import contextlib

import numpy as np
import polars as pl
import pytest

import handrail
from handrail import cli, fit
from handrail.errors import DataError, RecipeError
from handrail.run import Run

CHANGES = {"model": "hopfield", "evaluation.resamples": 100}


def bits(rows: int = 40, units: int = 150, *, seed: int = 0) -> pl.DataFrame:
    values = np.random.default_rng(seed).integers(0, 2, (rows, units))
    return pl.DataFrame({f"unit_{place}": values[:, place] for place in range(units)})


def reals(rows: int = 60, units: int = 20) -> pl.DataFrame:
    values = np.random.default_rng(0).normal(size=(rows, units))
    return pl.DataFrame({f"x{place}": values[:, place] for place in range(units)})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    changes = {**CHANGES, "data.split.validation": 0.3, "data.split.test": 0.4}
    return fit(bits(), changes=changes, out=tmp_path_factory.mktemp("memory") / "run")


def test_few_patterns_are_recalled_and_new_rows_are_not_taken_for_them(run):
    figures = {name: figure["value"] for name, figure in run.summary["metrics"].items()}
    assert run.summary["task"]["name"] == "memory"
    assert figures["recalled"] > 0.9
    assert figures["unit_accuracy"] > 0.99
    assert figures["false_recall"] == 0
    assert set(run.summary["baselines"]) == {"cue itself", "nearest pattern"}
    assert run.summary["baselines"]["cue itself"]["recalled"]["value"] == 0
    assert run.summary["baselines"]["nearest pattern"]["recalled"]["value"] == 1


def test_what_is_judged_is_said_once_in_fit_as_in_check(run):
    told = [finding for finding in run.summary["findings"] if finding["name"] == "memory-cues"]
    assert len(told) == 1
    assert told[0]["decided"]
    assert "model.hopfield.damage=0.1" in told[0]["action"]
    found = handrail.check(bits(), changes=CHANGES)
    assert [finding.name for finding in found.findings].count("memory-cues") == 1


def test_grey_levels_between_0_and_1_are_black_and_white_to_units_of_two_states(tmp_path):
    rows = bits(20, 40)
    grey = rows.select(pl.all() * 155 + 50)
    with pytest.raises(RecipeError, match="scaling=minmax"):
        fit(grey, changes=CHANGES, out=tmp_path / "refused")
    changes = {**CHANGES, "data.encoding.scaling": "minmax"}
    both = [fit(each, changes=changes, out=tmp_path / name) for each, name in ((rows, "a"), (grey, "b"))]
    assert both[0].summary["metrics"] == both[1].summary["metrics"]
    assert "1 above one half" in str(handrail.check(grey, changes=changes))


def test_the_seal_opens_once_and_its_rows_are_new_as_well(run):
    tested = run.test()
    assert tested["opening"] == 1
    assert tested["metrics"]["recalled"]["value"] > 0.9


def test_a_saved_memory_answers_alike(run):
    again = Run(run.path)
    table = bits()
    first, second = (each.use("recall", table).frame for each in (run, again))
    assert first.equals(second)
    assert first.columns == table.columns
    assert set(np.unique(first.to_numpy())) <= {0, 1}
    predicted = again.predict(table).frame
    assert predicted.columns == ["energy", "taken_for_stored"]
    assert 10 <= predicted["taken_for_stored"].sum() <= 14  # the training rows
    assert handrail.resume(run.path).summary == run.summary


def test_recall_works_from_the_command_line(run, tmp_path, monkeypatch):
    table = bits()
    known = run.predict(table).frame["taken_for_stored"].to_numpy()
    stored = table.filter(pl.Series(known)).head(1)
    cue = stored.with_columns((1 - pl.col(f"unit_{place}")).alias(f"unit_{place}") for place in range(10))
    cue.write_csv(tmp_path / "cues.csv")
    out = tmp_path / "recalled.csv"
    command = ["handrail", "use", str(run.path), "recall", str(tmp_path / "cues.csv"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    with contextlib.suppress(SystemExit):
        cli.main()
    assert pl.read_csv(out).equals(stored)


@pytest.mark.pictures
def test_the_report_shows_recall_energy_and_capacity(run):
    page = run.report().read_text()
    for title in ("Recall beside the cue", "Energy over the updates", "Recall over the load"):
        assert title in page
    assert "recalls stored patterns from damaged cues" in page


def test_more_patterns_than_the_memory_holds_are_told_with_the_expected_recall(tmp_path):
    """Hertz, Krogh & Palmer 1991: at a load of 1.4 a unit's field is wrong with probability 0.2."""
    found = fit(bits(80, 40), changes=CHANGES, out=tmp_path / "run")
    told = next(each for each in found.summary["findings"] if each["name"] == "memory-load")
    assert told["level"] == "warning"
    assert "56 patterns for N = 40 units, where hopfield holds about 0.138·N = 6." in told["seen"]
    assert "Expect to recall fewer than 0.1% of them" in told["seen"]
    assert found.summary["metrics"]["recalled"]["value"] < 0.2
    checked = handrail.check(bits(80, 40), changes={**CHANGES, "learning": "storkey"})
    assert any("N / √(2·ln N) = 15" in str(finding) for finding in checked.findings)
    few = handrail.check(bits(10, 100), changes=CHANGES)
    assert "memory-load" not in [finding.name for finding in few.findings]


def test_more_patterns_than_storkeys_rule_can_take_are_refused(tmp_path):
    """Its weights grow without end."""
    changes = {**CHANGES, "learning": "storkey"}
    message = r"280 patterns for N = 40 units; .* at most 4·N = 160.*learning=hebb takes any number"
    with pytest.raises(DataError, match=message):
        fit(bits(400, 40), changes=changes, out=tmp_path / "run")
    assert handrail.check(bits(400, 40), changes=changes).errors
    assert not handrail.check(bits(200, 40), changes=changes).errors


def test_real_values_are_refused_for_binary_units(tmp_path):
    message = r"visible units are 0 or 1.*x0, x1.*and 15 more.*model=modern_hopfield.*scaling=minmax"
    with pytest.raises(RecipeError, match=message):
        fit(reals(), changes=CHANGES, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(RecipeError, match=message):
        handrail.check(reals(), changes=CHANGES)


def test_real_values_come_back_from_the_modern_network(tmp_path):
    model = {"modern_hopfield": {"similarity": "distance", "beta": 4.0}}
    found = fit(reals(), changes={**CHANGES, "model": model}, out=tmp_path / "run")
    nearest = found.summary["baselines"]["nearest pattern"]["recalled"]["value"]
    assert found.summary["metrics"]["recalled"]["value"] == nearest > 0.8
    recalled = found.use("recall", reals()).frame.to_numpy()
    gaps = np.abs(recalled - reals().to_numpy()).max(axis=1)
    assert (gaps < 0.05).sum() >= 42  # the training rows


def test_replicas_agree_on_the_cues(tmp_path):
    changes = {**CHANGES, "learning": "storkey", "training.replicas": 2}
    found = fit(bits(), changes=changes, out=tmp_path / "run")
    assert len(found.summary["replicas"]["members"]) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning": "gradient"}, r"learning\.gradient: cannot teach hopfield; expected hebb or storkey"),
        ({"learning": "lloyd"}, r"learning\.lloyd: teaches kmeans and patch_kmeans, and not hopfield"),
        ({"model": "modern_hopfield", "learning": "hebb"}, r"learning\.hebb: teaches hopfield"),
        ({"data.target": "unit_1"}, r"data\.target: has no effect on memory"),
        ({"model": {"hopfield": {"damage": 0}}}, r"damage"),
        ({"objective.penalties": [{"l2": {"strength": 0.1}}]}, r"objective\.penalties: have no effect"),
    ],
)
def test_misuse_is_told(changes, message, tmp_path):
    with pytest.raises((RecipeError, DataError), match=message):
        fit(bits(), changes={**CHANGES, **changes}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
