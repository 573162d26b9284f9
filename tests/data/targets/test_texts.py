"""What a text is written from."""

import polars as pl
import pytest

from handrail.data.prepare import prepare
from handrail.recipe.sections import DataRecipe


def phrases(**more: list) -> pl.DataFrame:
    rows = range(60)
    columns = {"source": [f"go {i}" for i in rows], "credit": [f"by person {i} and by {i * 7}" for i in rows]}
    return pl.DataFrame({**columns, "target": [f"{i} los" for i in rows], **more})


def kinds(frame: pl.DataFrame, **settings) -> tuple[dict[str, str], list]:
    data = prepare(DataRecipe(source=frame, target="target", task="sequence", **settings))
    found = [finding for finding in data.findings if finding.name in ("source-text", "identifier")]
    return {column.name: column.kind for column in data.schema.columns}, found


def test_the_first_text_is_the_input_however_short_and_others_are_set_aside_once() -> None:
    read, found = kinds(phrases())
    assert read == {"source": "text", "credit": "identifier"}
    assert [(finding.name, finding.decided) for finding in found] == [("source-text", True)]
    assert "data.columns.credit=text" in found[0].action
    assert kinds(phrases(), columns={"credit": "text"})[0] == {"source": "identifier", "credit": "text"}
    both = {"source": "text", "credit": "text"}
    assert kinds(phrases(), columns=both) == (both, [])


@pytest.mark.parametrize("texts", [[f"k{i}" for i in range(60)], ["go on", "go up", "stay"] * 20])
def test_a_text_alone_is_read_as_text(texts: list[str]) -> None:
    assert kinds(phrases(source=texts).drop("credit"))[0] == {"source": "text"}


def test_numbers_and_levels_stay_what_they_are() -> None:
    frame = pl.DataFrame(
        {"a": [str(i % 7) for i in range(60)], "style": ["old", "new"] * 30, "target": ["x y"] * 60}
    )
    assert kinds(frame)[0] == {"a": "numeric", "style": "category"}
