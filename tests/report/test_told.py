"""What a fit and the catalogue say on a terminal."""

from typing import Any

import pytest

from handrail.errors import RecipeError
from handrail.report.catalogue import catalogue, catalogue_text
from handrail.report.console import number
from handrail.report.folding import table
from handrail.report.told import findings_of_a_fit
from handrail.runs.unfinished import _is_falling


def finding(
    level: str, seen: str, action: str = "data.drop=[a] leaves it out.", **rest: Any
) -> dict[str, Any]:
    return {"level": level, "seen": seen, "why": "", "action": action, **rest}


def test_errors_come_first_nothing_twice_and_no_line_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    findings = [finding("note", f"Guess {number}.", decided=True) for number in range(20)]
    findings += [
        finding("note", "Not said."),
        finding("warning", "A long word " * 20),
        finding("error", "Bad."),
    ]
    lines = findings_of_a_fit({"findings": findings, "notes": ["t.csv: a header", "Bad."]})
    assert "note: Bad." not in lines
    assert lines[0].startswith("error: Bad.")
    assert lines[1].startswith("warning: A long word")
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 60
    assert "Not said" not in text
    assert text.count("note: Guess") == 8
    assert "and 13 more notes" in text
    assert lines[-1] == 'Settings are given as changes={"NAME": VALUE}.'


def test_figures_have_a_few_digits() -> None:
    values = (0.12345678, 12.345678, 12345.678, 6.679e182, -6.679e182)
    assert [number(value) for value in values] == ["0.1235", "12.35", "12,346", "6.679e+182", "-6.679e+182"]


def test_a_wide_table_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = table([["part", "network" * 2, "majority" * 2, "trees" * 3], ["f1", "1", "2", "3"]])
    assert max(map(len, lines)) <= 40
    assert sum(line.startswith("part") for line in lines) == 2


def test_one_component_is_shown_in_full() -> None:
    text = catalogue_text(catalogue("mlp"), full=True)
    for part in (
        "model mlp",
        "hidden",
        "= [128, 64]",
        "units of each hidden layer",
        "-s model=mlp",
        "Source:",
    ):
        assert part in text
    assert set(catalogue("dropout")) == {"layer"}
    for wrong, meant in (("mpl", "Did you mean 'mlp'"), ("optimzer", "Did you mean 'optimizer'")):
        with pytest.raises(RecipeError, match=meant):
            catalogue(wrong)


@pytest.mark.parametrize(
    ("losses", "falling"),
    [
        ([3.0, 2.0, 1.0], True),
        ([1.0, 0.5, 0.6], False),
        ([2.0 / n for n in range(1, 200)], False),
        ([1.0], False),
    ],
)
def test_a_loss_that_still_falls(losses: list[float], falling: bool) -> None:
    assert _is_falling(losses) is falling
