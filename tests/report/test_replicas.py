"""Replicas in reports: words and figures come from the files, and a single network looks as before."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_page import Page

import handrail
from handrail.cli.runs import run_as_json
from handrail.report.console import run_summary
from handrail.report.console import test_summary as summarise_test
from handrail.report.figures.curves import mean_curve
from handrail.report.figures.intervals import stack_dots
from handrail.report.replicas import best_epochs, replicas_in, stop_reasons
from handrail.run import Run

REASON = "the loss of epoch 2 is not a number <i>. The weights of epoch 1 are kept."


def table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    first, second, noise = random.normal(size=(3, 240))
    return pl.DataFrame({"first": first, "second": second, "kind": np.where(first + noise > 0, "a", "b")})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three replicas that answer together, the same of which the best answers, and one network."""
    folder = tmp_path_factory.mktemp("replicas")
    changes = {
        "training.epochs": 5,
        "evaluation.resamples": 100,
        "training.batch_size": 64,
        "model": {"mlp": {"hidden": [8]}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDRAIL_HOME", str(folder / "home"))
        for name, settings in {
            "ensemble": {"replicas": 3},
            "best": {"replicas": 3, "keep": "best"},
            "single": {},
        }.items():
            asked = {f"training.{key}": value for key, value in settings.items()}
            handrail.fit(table(), "kind", changes={**changes, **asked}, out=folder / name)
    return {name: folder / name for name in ("ensemble", "best", "single")}


def own(folder: Path, tmp_path: Path) -> Run:
    """A copy that a test may change."""
    return Run(shutil.copytree(folder, tmp_path / "run"))


@pytest.fixture
def ensemble(fitted: dict[str, Path], tmp_path: Path) -> Run:
    return own(fitted["ensemble"], tmp_path)


def changed(run: Run, summary: dict[str, Any]) -> Run:
    run.folder.validation.write_text(json.dumps(summary))
    return run


def with_failure(run: Run) -> Run:
    """The second replica failed."""
    summary = run.summary
    summary["replicas"]["members"][1].update(failure=REASON, metrics={}, stopped="")
    summary["replicas"]["answering"] = [1, 3]
    return changed(run, summary)


def spread_of(results: dict[str, Any], metric: str) -> str:
    """The figures that the line must show, worked out from those of the replicas."""
    values = np.array([member["metrics"][metric] for member in results["replicas"]["members"]])
    mean, low, high, deviation = (
        _digits(value) for value in (values.mean(), values.min(), values.max(), values.std(ddof=1))
    )
    return f"{metric} {mean} on average, {low} to {high}, standard deviation {deviation}"


def _digits(value: float) -> str:
    return "1" if value == 1 else f"{value:.4f}"


def test_the_command_line_shows_the_spread_of_both_parts(ensemble: Run):
    tested = ensemble.test()
    for printed, figures in (
        (run_summary(ensemble), ensemble.summary),
        (summarise_test(ensemble, tested), tested),
    ):
        text = " ".join(printed.split())
        both = [figures["replicas"]["figures"][key]["accuracy"] for key in ("ensemble", "best")]
        best = figures["replicas"]["best"]
        spread = spread_of(figures, "accuracy")
        assert f"3 replicas (seeds differ): {spread}; their ensemble {_digits(both[0])}, " in text
        assert f"replica {best} (lowest validation loss) {_digits(both[1])}; the ensemble answers." in text
        assert "The ensemble is" in text
        assert "The network" not in text


def test_the_best_replica_is_told_of_as_what_answers(fitted: dict[str, Path]):
    run = Run(fitted["best"])
    losses = [member["best_loss"] for member in run.summary["replicas"]["members"]]
    text = run_summary(run)
    assert f"; replica {np.argmin(losses) + 1} answers." in text
    assert "The network is" in text


def test_best_epochs_are_a_range_where_replicas_differ(ensemble: Run):
    summary = ensemble.summary
    assert best_epochs(summary).endswith("of 5")
    for member, (best, epochs, stopped) in zip(
        summary["replicas"]["members"], [(2, 4, "stale"), (3, 5, "all done"), (1, 4, "stale")], strict=True
    ):
        member.update(best_epoch=best, epochs=epochs, stopped=stopped)
    assert best_epochs(summary) == "best epochs 1 to 3 of 4 to 5"
    assert stop_reasons(summary) == "stale: 2; all done: 1"
    text = Page(changed(ensemble, summary).report().read_text()).text
    assert "4 to 5 epochs of at most 5" in text
    assert "best epochs 1 to 3; ended: stale: 2; all done: 1" in text
    assert "The mean ends at epoch 4, where the first replica stopped." in text


def test_a_failed_replica_is_named_and_counts_for_nothing(ensemble: Run):
    run = with_failure(ensemble)
    text = " ".join(run_summary(run).split())
    assert f"replica 2 failed: {REASON}" in text
    assert "3 replicas (seeds differ), 1 of them failed: accuracy" in text
    assert "the ensemble of the 2 others answers" in text
    page = Page(run.report().read_text())
    assert page.tags["i"] == 0
    assert f"failed: {REASON}" in page.text
    assert "1 of them failed, and is left out of all figures" in page.text
    assert "failed replicas" in page.text
    count = len(run.summary["replicas"]["members"])
    assert f"{count} replicas (seeds differ), 1 of them failed; their mean answers" in run.card()


def test_the_only_replica_left_is_not_called_the_best_of_several(ensemble: Run):
    summary = with_failure(ensemble).summary
    summary["replicas"]["members"][2].update(failure=REASON, metrics={})
    summary["replicas"].update(answering=[1], best=1)
    for spread in summary["replicas"]["spread"].values():
        spread["std"] = None
    run = changed(ensemble, summary)
    assert "replica 1 answers." in run_summary(run)
    text = Page(run.report().read_text()).text
    assert "Replica 1 answers, the only one that did not fail" in text
    assert "Over 1 seeds" not in text


def svg(page: str, label: str) -> str:
    """A picture of the page by the beginning of its alternative text."""
    return next(
        text for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if f'aria-label="{label}' in text
    )


def test_each_replica_has_a_thin_line_and_their_mean_a_thick_one(ensemble: Run):
    loss = svg(ensemble.report().read_text(), "Learning curves of 3 replicas over 5 epochs")
    for colour in ("--linear", "--network"):
        lines = re.findall(rf"stroke: var\({colour}\)[^\"]*stroke-width: ([\d.]+)", loss)
        assert lines.count("0.8") == 3
        assert lines.count("2.4") == 1


def test_the_section_tells_the_figures_of_every_replica(ensemble: Run):
    page = ensemble.report().read_text()
    section = page[page.index('id="replicas"') : page.index('id="answers"')]
    replicas = ensemble.summary["replicas"]
    for member in replicas["members"]:
        row = next(row for row in re.findall(r"<tr>.*?</tr>", section) if f">{member['seed']}<" in row)
        assert f">{member['metrics']['accuracy']:.3f}<" in row
        assert f">{member['best_epoch']} of {member['epochs']}<" in row
    assert section.count("</svg>") == 1
    label = svg(section, "Accuracy of 3 replicas on validation rows")
    values = sorted(member["metrics"]["accuracy"] for member in replicas["members"])
    assert ", ".join(f"{value:.3f}" for value in values) in label
    assert "the ensemble of 3 replicas" in section


def test_test_figures_of_replicas_come_with_the_opening_and_are_marked_when_it_is_not_the_first(
    ensemble: Run,
):
    before = ensemble.report().read_text()
    assert "replicas on test rows" not in before
    ensemble.test()
    once = ensemble.report().read_text()
    assert "Accuracy of 3 replicas on test rows" in once
    assert "opened 2 times" not in once
    ensemble.test(again=True)
    twice = ensemble.report().read_text()
    figures = re.findall(r"<figure.*?</figure>", twice, re.DOTALL)
    marked = ["opened 2 times" in figure for figure in figures if "of 3 replicas on " in figure]
    assert marked == [False, True]
    assert sorted(set(page_ids := Page(twice).identifiers)) == sorted(page_ids)


def test_the_page_begins_with_what_one_seed_would_have_shown(ensemble: Run):
    summary = ensemble.summary
    spread = summary["replicas"]["spread"]["accuracy"]
    text = Page(ensemble.report().read_text()).text
    assert "The ensemble of 3 networks tells the 2 classes" in text
    assert f"Over 3 seeds, single networks have {100 * spread['mean']:.1f} % on average" in text


def test_a_figure_that_is_not_defined_breaks_nothing(ensemble: Run):
    summary = ensemble.summary
    replicas = summary["replicas"]
    for figures in (summary["metrics"]["accuracy"], replicas["spread"]["accuracy"]):
        figures.update(dict.fromkeys(figures))
    for figures in (*(member["metrics"] for member in replicas["members"]), *replicas["figures"].values()):
        figures["accuracy"] = None
    run = changed(ensemble, summary)
    assert "accuracy is not defined on these rows" in run_summary(run)
    assert "Figures of the replicas" in Page(run.report().read_text()).text
    assert "| accuracy | not defined | not defined |" in run.card()


def test_runs_of_a_version_without_replicas_are_shown_and_tested(fitted: dict[str, Path], tmp_path: Path):
    run = own(fitted["single"], tmp_path)
    page, text, card = run.report().read_bytes(), run_summary(run), run.card()
    summary = run.summary
    assert summary.pop("replicas") is None
    changed(run, summary)
    assert (run.report().read_bytes(), run_summary(run), run.card()) == (page, text, card)
    assert "eplica" not in re.sub(r"<pre.*?</pre>|<style.*?</style>", "", page.decode(), flags=re.DOTALL)
    assert "eplica" not in text + card
    assert "replicas" not in run_as_json(run)
    assert run.test(refit=True)["replicas"] is None


def test_the_card_has_a_column_for_the_spread(ensemble: Run):
    spread = ensemble.summary["replicas"]["spread"]["f1"]
    card = ensemble.card()
    assert f" | {spread['mean']:.4g} ± {spread['std']:.2g} |" in card
    assert "3 replicas (seeds differ); their mean answers (the ensemble)" in card
    widths = {line.count("|") for line in card.splitlines() if line.startswith("|")}
    assert widths == {4}


def test_machines_are_told_of_replicas_too(ensemble: Run):
    assert run_as_json(ensemble)["replicas"] == {"validation": ensemble.summary["replicas"]}
    tested = ensemble.test()
    assert run_as_json(ensemble)["replicas"]["test"] == tested["replicas"]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_the_mean_is_of_epochs_that_all_have(lengths: list[int], seed: int):
    random = np.random.default_rng(seed)
    curves = [(np.arange(1.0, length + 1), random.normal(size=length)) for length in lengths]
    epochs, values = mean_curve(curves)
    assert epochs.tolist() == list(range(1, min(lengths) + 1))
    for epoch, value in zip(epochs, values, strict=True):
        assert value == pytest.approx(np.mean([curve[1][int(epoch) - 1] for curve in curves]))


@given(st.lists(st.floats(0, 10), max_size=40), st.floats(0.01, 3))
def test_dots_do_not_lie_on_each_other(values: list[float], width: float):
    placed = stack_dots(values, width)
    assert [value for value, _ in placed] == sorted(values)
    for place, (value, height) in enumerate(placed):
        near = {other for before, other in placed[:place] if value - before < width}
        assert height not in near
        assert set(range(height)) <= near


def test_replicas_read_back_are_those_of_the_file(ensemble: Run):
    replicas = replicas_in(ensemble.summary)
    assert replicas is not None
    assert replicas.answering == (1, 2, 3)
    assert replicas.values("accuracy") == [
        member["metrics"]["accuracy"] for member in ensemble.summary["replicas"]["members"]
    ]
