"""`data.read`: signs as they are written, and what its settings may be."""

import pytest

from handrail.cli.options import parse_changes, parse_reading
from handrail.errors import RecipeError
from handrail.recipe import read_options


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("decimal=,", ","),
        ("delimiter=;", ";"),
        ("delimiter=|", "|"),
        ("delimiter=,", ","),
        ("delimiter=tab", "\t"),
        ("delimiter=\\t", "\t"),
        ("delimiter=:", ":"),
        ("delimiter=';'", ";"),
        ("quote='", "'"),
        ('quote="', '"'),
        ("quote=", ""),
        ("quote=''", ""),
        ("quote=`", "`"),
        ("comment=#", "#"),
        ("comment=%", "%"),
        ("comment=!", "!"),
        ("comment=//", "//"),
        ("comment=*", "*"),
        ("missing=[-999,?]", ["-999", "?"]),
        ("missing=-999.00", ["-999.00"]),
        ("missing=[#N/A, *, 'a, b']", ["#N/A", "*", "a, b"]),
        ("missing=null,~", ["null", "~"]),
        ("missing=[]", []),
        ("header=3", 3),
        ("header=false", False),
        ("skip=2", 2),
        ("rows=all", "all"),
        ("names=[a, b]", ["a", "b"]),
        ("encoding=cp1252", "cp1252"),
    ],
)
def test_signs_mean_what_stands_there(text, value):
    name = text.partition("=")[0]
    by_read = read_options(parse_reading([text], False))
    changes = parse_changes([f"data.read.{text}"], {})
    by_set = read_options({key.removeprefix("data.read."): each for key, each in changes.items()})
    for options in (by_read, by_set):
        assert getattr(options, name) == value
        assert type(getattr(options, name)) is type(value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"header": 0}, r"data.read.header: expected true, false, or the number of the line"),
        ({"header": "yes"}, r"data.read.header: expected true, false, or the number of the line"),
        ({"skip": -1}, r"data.read.skip: found -1"),
        ({"comment": ""}, r"data.read.comment: expected a sign"),
        ({"comment": "# "}, r"data.read.comment: expected a sign"),
        ({"rows": "some"}, r"data.read.rows: .*'some'.*'auto' or 'all'"),
        ({"skip": 3, "header": 2}, r"line 2 is among those that skip=3 leaves out"),
        ({"comment": ";", "delimiter": ";"}, r"';' is the delimiter or the quote, too"),
    ],
)
def test_mistakes(settings, message):
    with pytest.raises(RecipeError, match=message):
        read_options(settings)


def test_numbers_among_the_markers_are_text():
    assert read_options({"missing": [-999, 0.5, "x"]}).missing == ["-999", "0.5", "x"]
