"""Words that usually stand for missing, where they may be a class or a level."""

import polars as pl
import pytest

from handrail.data.prepare import prepare
from handrail.data.sources import read
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import DataRecipe

ROWS = 120


def table(word: str) -> dict[str, list[str]]:
    """A class and numbers, both with the word; numbers are text."""
    return {
        "x": [word if i % 9 == 0 else str(i * 7 % 31) for i in range(ROWS)],
        "day": [word if i % 8 == 0 else f"2024-0{1 + i % 9}-11" for i in range(ROWS)],
        "land": [(word, "US", "EU")[i * i % 3 if i % 2 else i % 3] for i in range(ROWS)],
    }


def as_csv(columns: dict[str, list[str]], path) -> str:
    pl.DataFrame(columns).write_csv(path)
    return str(path)


@pytest.mark.parametrize("word", ["NA", "None", "null", "-", "?"])
def test_a_class_called_like_missing_is_named_or_kept(tmp_path, word: str) -> None:
    source = as_csv(table(word), tmp_path / "t.csv")
    data = prepare(DataRecipe(source=source, target="land"))
    assert data.task.name == "binary"
    (found,) = [finding for finding in data.findings if finding.name == "no-target"]
    known = read(source).frame["land"].is_null().to_numpy() & (data.parts != 2)
    left_out = int(
        (pl.read_csv(source, infer_schema=False)["land"] == word).to_numpy()[data.parts == 3].sum()
    )
    assert f"'{word}' in {known.sum() or left_out:,} rows" in found.seen
    assert "data.read.missing=[]" in found.action
    kept = prepare(DataRecipe(source=source, target="land", read=ReadOptions(missing=[])))
    assert {*kept.task.classes} == {word, "US", "EU"}
    assert "no-target" not in {finding.name for finding in kept.findings}
    # Among numbers and dates nothing else can be meant.
    assert [column.kind for column in kept.schema.columns] == ["numeric", "datetime"]


def test_words_beside_the_usual_ones_add_to_them() -> None:
    frame = read({"a": ["NA", "x", "gone"]}, options=ReadOptions(missing=["gone"])).frame
    assert frame["a"].to_list() == ["NA", "x", None]


def test_typed_sources_keep_the_word_and_say_so(tmp_path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame(table("NA")).write_parquet(path)
    for source in (str(path), pl.DataFrame(table("NA")), pl.DataFrame(table("NA")).to_pandas(), table("NA")):
        data = prepare(DataRecipe(source=source, target="land"))
        assert {*data.task.classes} == {"NA", "US", "EU"}
        assert [column.kind for column in data.schema.columns] == ["numeric", "datetime"]
        (found,) = [finding for finding in data.findings if finding.name == "kept-words"]
        assert found.decided
        assert "'NA' in " in found.seen
        assert "data.read.missing=[NA]" in found.action
        dropped = prepare(DataRecipe(source=source, target="land", read=ReadOptions(missing=["NA"])))
        assert {*dropped.task.classes} == {"US", "EU"}


def test_a_level_of_a_text_file_that_counts_as_missing_is_said(tmp_path) -> None:
    columns = {"alley": [("None", "Grvl", "Pave", "Pave")[i % 4] for i in range(ROWS)]}
    columns |= {"pool": [("?", "small", "large")[i % 3] for i in range(ROWS)]}
    columns |= {"y": [str(i % 2) for i in range(ROWS)]}
    data = prepare(DataRecipe(source=as_csv(columns, tmp_path / "t.csv"), target="y"))
    (found,) = [finding for finding in data.findings if finding.name == "missing-words"]
    assert found.column == "alley"
    assert found.decided
    assert "'None' in " in found.seen


def test_words_of_several_files_are_counted_in_each(tmp_path) -> None:
    first, second = table("NA"), {name: values[:60] for name, values in table("n/a").items()}
    sources = [as_csv(first, tmp_path / "1.csv"), as_csv(second, tmp_path / "2.csv")]
    words = read(sources).words["land"]
    expected = [value for value in first["land"] + second["land"] if value in ("NA", "n/a")]
    assert words.words.to_list() == expected
    assert (read(sources).frame["land"].is_null().arg_true().to_numpy() == words.rows).all()
