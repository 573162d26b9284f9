"""Words among numbers: said with rows and a setting, in a target and in a column."""

from typing import Literal

import pytest

from handrail.data.finding import set_list
from handrail.data.prepare import prepare
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions
from handrail.recipe.sections import DataRecipe


def table(tmp_path, words: dict[int, str], column: str) -> str:
    """A table with words in some lines of a column."""
    lines = [{"x": str(i * 37 % 101 / 10), "y": str(i * 53 % 97 / 10)} for i in range(2, 202)]
    for line, word in words.items():
        lines[line - 2][column] = word
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{line['x']},{line['y']}\n" for line in lines))
    return str(path)


@pytest.mark.parametrize("word", ["tbd", "45*", ">100", "<0.5", "n/e"])
@pytest.mark.parametrize("times", [3, 40])
@pytest.mark.parametrize("task", ["auto", "regression"])
def test_a_word_in_a_target_is_refused_with_the_setting_that_leaves_it_out(
    tmp_path, word: str, times: int, task: Literal["auto", "regression"]
) -> None:
    lines = [2 + 197 * i // times for i in range(times)]
    source = table(tmp_path, dict.fromkeys(lines, word), "y")
    with pytest.raises(DataError, match="mend these rows") as refused:
        prepare(DataRecipe(source=source, target="y", task=task))
    message = str(refused.value)
    named = int(message.partition(f"'{word}' in ")[2].partition("line ")[2].partition(")")[0])
    assert named in lines  # not always the first: that may be sealed
    assert f"{set_list('data.read.missing', [word])} leaves them out" in message
    data = prepare(DataRecipe(source=source, target="y", task=task, read=ReadOptions(missing=[word])))
    assert data.task.name == "regression"


def test_many_words_in_a_target_are_to_be_mended(tmp_path) -> None:
    source = table(tmp_path, {2 + 3 * i: f"{i}*" for i in range(20)}, "y")
    with pytest.raises(DataError, match="mend these rows") as refused:
        prepare(DataRecipe(source=source, target="y"))
    assert "data.read.missing" not in str(refused.value)


def test_words_among_the_numbers_of_a_column_are_named_by_line(tmp_path) -> None:
    source = table(tmp_path, {3: "tbd", 90: "tbd", 150: "tbd", 60: "45*"}, "x")
    data = prepare(DataRecipe(source=source, target="y"))
    (found,) = [finding for finding in data.findings if finding.name == "odd-words"]
    rows = {data.train.table.row_name(int(row)) for row in data.train.rows}
    assert "line 60" not in rows or "'45*' in 1 training row (line 60)" in found.seen
    count = len(rows & {"line 3", "line 90", "line 150"})
    assert f"'tbd' in {count} training row" in found.seen
    assert "data.columns.x=category" in found.action
