"""`--model` is the short way to `-s model=`; both together have to agree."""

import pytest

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
