"""Recipes that would fill the memory, never end or make other types are refused, each in one sentence."""

import os
from pathlib import Path

import pytest

from handrail.errors import HandrailError, RecipeError
from handrail.recipe.dotted import parse_setting
from handrail.tools.yaml import read_yaml

_BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, 9))
_MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{f'*a{i - 1}, ' * 9}]}}\n" for i in range(1, 9))
_CHAIN = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 400))
_COLLIDE = "a: {" + ", ".join(f"{k * (2**61 - 1)}: 1" for k in range(1, 2000)) + "}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_BOMB, r"line 6, column 5: aliases \(\*\) make at least [\d,]+ values; expected at most 100,000"),
        (_MERGES, "aliases .* make at least"),
        (_CHAIN, "aliases nest it deeper than 50 levels"),
        ("data: {source: &s [*s]}", r"line 1, column 16: an alias \(\*\) stands within what it stands for"),
        ("a: &a {<<: *a, x: 1}", "an alias .* stands within"),
        ("? &a [*a]\n: 1", "an alias .* stands within"),
        ("a: " + "[" * 10_000, "line 1, column 53: is nested deeper than 50 levels"),
        ("a: " + "x" * 2_000_000, "has 2,000,003 bytes; expected at most 1,048,576"),
        (_COLLIDE, "the key 2305843009213693951 has 19 digits; expected a name"),
        ("seed: " + "9" * 5000, "line 1, column 7: a whole number has 5,000 digits; expected at most 400"),
        ("model: !!int abc", "line 1, column 8: found 'abc' tagged !!int; leave the tag out"),
        ("model: !!float x", "tagged !!float"),
        ("model: !!bool x", "tagged !!bool"),
        ("model: !!timestamp x", "could not determine a constructor for the tag"),
        ("model: !!map [1]", "could not determine a constructor"),
        ("model: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ('name: "\\ud800"', "half of a surrogate pair"),
        ("a: \0b", "is not YAML"),
        ("? [a]\n: 1", "unhashable key"),
    ],
)
def test_what_is_beyond_the_limits_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        read_yaml(tmp_path / "r.yaml")


def test_aliases_merges_and_plain_tags_work(tmp_path: Path) -> None:
    text = "\ufeffa: &a {x: 1, y: 3}\nb: {<<: *a, y: 2}\nc: [*a, *a]\nd: !!str 5\ne: !!float 5\nf: yes\n"
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    a = {"x": 1, "y": 3}
    expected = {"a": a, "b": {"x": 1, "y": 2}, "c": [a, a], "d": "5", "e": 5.0, "f": "yes"}
    assert read_yaml(tmp_path / "r.yaml") == expected


def test_values_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handrail.tools.yaml.MOST_VALUES", 100)
    (tmp_path / "r.yaml").write_text("a: [" + "x," * 200 + "]")
    with pytest.raises(RecipeError, match="more than 100 values; expected at most 100"):
        read_yaml(tmp_path / "r.yaml")


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.yaml")
    with pytest.raises(RecipeError, match=r"is a named pipe \(FIFO\); expected a file of YAML"):
        read_yaml(tmp_path / "r.yaml")


def test_settings_of_the_command_line_have_the_same_limits() -> None:
    with pytest.raises(RecipeError, match="--set name: the value an alias"):
        parse_setting("name=&a [*a]")


def test_very_many_mistakes_and_very_long_values_are_cut() -> None:
    text = str(HandrailError([f"mistake {i}" for i in range(20_000)]))
    assert text.splitlines()[-2:] == ["  50. mistake 49", "  and 19,950 more"]
    assert len(str(HandrailError("x" * 1_000_000))) < 5000
