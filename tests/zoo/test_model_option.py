"""`--model` is the short way to `-s model=`; both together have to agree."""

import sys
from pathlib import Path

import pytest

from handrail.cli import main
from handrail.cli.options import parse_changes
from handrail.errors import HandrailError


@pytest.mark.parametrize(
    ("model", "settings", "expected"),
    [
        ("linear", [], {"model": "linear"}),
        ("{mlp: {hidden: [3]}}", [], {"model": {"mlp": {"hidden": [3]}}}),
        ("mlp", ["model=mlp"], {"model": "mlp"}),
        ("mlp", ["model={mlp: {hidden: [3]}}"], {"model": {"mlp": {"hidden": [3]}}}),
        ("mlp", ["model.mlp.hidden=[3]"], {"model": "mlp", "model.mlp.hidden": [3]}),
        ("nets:Tree", ["model.nets:Tree.depth=4"], {"model": "nets:Tree", "model.nets:Tree.depth": 4}),
        (None, ["model=linear"], {"model": "linear"}),
    ],
)
def test_what_agrees_is_taken(model: str | None, settings: list[str], expected: dict[str, object]) -> None:
    assert parse_changes([*settings, "seed=1"], {}, model) == {**expected, "seed": 1}


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ("mlp", "model=linear"),
        ("mlp", "model.highway.depth=4"),
        ("{mlp: {dropout: 0.1}}", "model={mlp: {hidden: [3]}}"),
        ("{mlp: {hidden: [3]}}", "model.mlp.hidden=[4]"),
    ],
)
def test_what_differs_is_refused(model: str, setting: str) -> None:
    with pytest.raises(HandrailError, match="name different models; leave one of them out") as told:
        parse_changes([setting], {}, model)
    assert f"--model {model} and --set {setting.partition('=')[0]}=" in str(told.value)


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that fails with exit code 2 says."""
    monkeypatch.setattr(sys, "argv", ["handrail", *arguments])
    with pytest.raises(SystemExit, match=r"^2$"):
        main()
    return capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "check", "tune"])
def test_each_command_hands_it_on(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys, command, "bundled:iris", "-t", "target", "-m", "mpl")
    assert said == "handrail: model: there is no model 'mpl'. Did you mean 'mlp'?\n"


def test_a_search_that_goes_on_keeps_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys, "tune", "--resume", str(tmp_path), "--model", "mlp")
    assert said.startswith("handrail: --model: no effect with --resume")
