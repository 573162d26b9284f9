"""Settings in advice come through a shell and YAML as they were meant."""

import shlex

import pytest

from handrail.data.finding import as_pasted, set_list
from handrail.recipe.dotted import parse_setting


@pytest.mark.parametrize(
    "words",
    [
        ["a"],
        ["a", "b c"],
        ["Unit price, net"],
        ["2", "1.5", "1e3", "007", "2020-01-01", "12:30"],
        ["a[1]", "{b}", "c: d", "e #f", "#g", " h "],
        ["it's", 'say "x"', "$HOME", "`ls`", "a\\b", "!"],
        ["yes", "no", "true", "null", "nan", "~", "?", "-", ".", "NA", "*", "&a"],
        ["Größe (m²)", "Preis in €"],
    ],
)
def test_a_list_comes_through_a_shell_and_yaml(words: list[str]) -> None:
    (argument,) = shlex.split(set_list("data.drop", words))
    assert parse_setting(argument) == ("data.drop", words)


def test_what_a_shell_leaves_as_it_is_has_no_quotes() -> None:
    assert set_list("data.drop", ["a", "b"]) == "'data.drop=[a, b]'"
    assert as_pasted("data.columns.a_1=numeric") == "data.columns.a_1=numeric"
    assert as_pasted("data.missing.a=['1']") == "\"data.missing.a=['1']\""
