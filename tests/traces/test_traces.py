"""What all traces have in common: data, text, a worksheet with and without answers, files, the command."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

import handrail
from handrail.cli import app
from handrail.components import available
from handrail.errors import DataError, HandrailError
from handrail.traces.steps import steps_of
from handrail.traces.terminal import as_text
from handrail.traces.text import cell_text
from handrail.traces.trace import Trace

TRACES = sorted(available("trace"))


@pytest.fixture(scope="module", params=TRACES)
def trace(request: pytest.FixtureRequest) -> Trace:
    return handrail.trace(request.param)


def test_a_trace_is_data_before_it_is_drawn(trace: Trace) -> None:
    assert trace.source
    assert json.loads(json.dumps(trace.to_dict()))["title"] == trace.title
    for steps in trace.steps:
        assert len(steps.frame) == len(steps) > 0
        assert trace[steps.title] is steps
        for column in steps.columns:
            numbers = [value for value in column.values if isinstance(value, float | np.ndarray)]
            assert all(np.isfinite(value).all() for value in numbers)


def test_a_trace_is_the_same_each_time(trace: Trace, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["trace"]
    assert handrail.trace(name).to_dict() == trace.to_dict()


def test_a_worksheet_without_answers_has_none(trace: Trace) -> None:
    """At least one column is to be worked out, and none of what is left out stands on the page."""
    assert any(column.answer for steps in trace.steps for column in steps.columns)
    page, blank = trace.to_html(), trace.to_html(blank=True)
    assert page.count('class="blank"') == 0
    asked = sum(
        len(steps) * column.answer + (len(steps) - 1) * (column.carried and not column.answer)
        for steps in trace.steps
        for column in steps.columns
    )
    assert blank.count('class="blank"') == asked
    assert "<svg" not in blank
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_terminal_shows_every_table(trace: Trace) -> None:
    text = str(trace)
    assert trace.source in text
    assert all(steps.title in text for steps in trace.steps)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_number_is_cut_short_in_a_narrow_terminal(trace: Trace, width: int) -> None:
    text = as_text(trace, width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    narrow = {
        cell_text(value)
        for steps in trace.steps
        for column in steps.columns
        for value in column.values
        if isinstance(value, float)
    }
    assert all(number in text for number in narrow)


def test_text_from_data_is_no_markup() -> None:
    steps = steps_of("[red]x[/]", [{"<b>": "<script>", "n": np.array([[1.0, 2.5]])}], answers=["n"])
    trace = Trace("t", "s", (steps,), "source")
    assert "[red]x[/]" in str(trace)
    assert "<script>" not in trace.to_html()
    assert "&lt;script&gt;" in trace.to_html()
    assert ">2.5<" in trace.to_html()
    assert ">2.5<" not in trace.to_html(blank=True)


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    def invoke(*words: object) -> str:
        result = CliRunner().invoke(app, ["trace", *map(str, words)], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert "Perceptron" in invoke("perceptron", "-s", "data=and")
    assert json.loads(invoke("perceptron", "--json"))["steps"]
    for form in ("html", "json", "csv", "txt"):
        invoke("perceptron", "-o", tmp_path / f"sheet.{form}")
    assert pl.read_csv(tmp_path / "sheet.csv")["w new"][1] == "(1, 1, 1)"
    invoke("perceptron", "--blank", "-o", tmp_path / "blank.html")
    assert 'class="blank"' in (tmp_path / "blank.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["perceptron", "-o", "sheet.docx"], "expected a name that ends in .html"),
        (["perceptron", "--blank"], "worksheets alone"),
        (["perceptron", "--blank", "-o", "sheet.csv"], "worksheets alone"),
        (["perceptron", "-o", "taken.html"], "already exists"),
        (["perceptron", "--rows", "bundled:iris"], "no run whose network"),
        (["perceptrons"], "perceptron"),
        (["perceptron", "-s", "passes=0"], "passes"),
        (["perceptron", "-s", "run=1"], "--set run: there is no such setting"),
    ],
)
def test_mistakes_are_told_in_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.html").write_text("mine")
    with pytest.raises(HandrailError, match=message):
        CliRunner().invoke(app, ["trace", *words], catch_exceptions=False)
    assert (tmp_path / "taken.html").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken.html"]


def test_a_trace_that_follows_no_network_refuses_a_run(tmp_path: Path) -> None:
    changes = {"model": {"mlp": {"hidden": [3]}}, "training.epochs": 1, "evaluation.resamples": 100}
    run = handrail.fit("bundled:iris", target="target", changes=changes, out=tmp_path / "run")
    with pytest.raises(DataError, match="follows its own example"):
        handrail.trace("perceptron", run=run)
    with pytest.raises(DataError, match="row: found 999"):
        handrail.trace("perceptron", run=run, row=999)
