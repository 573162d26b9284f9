"""Several labels in one cell."""

import random
from itertools import combinations

import polars as pl
import pytest

from handrail.data.prepare import prepare, prepare_with_test
from handrail.data.targets.lists import find_lists
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe

LABELS = ("jazz", "live", "rock", "vocal")


def test_lists_are_known_by_pieces_that_recur() -> None:
    cells = [chosen for size in (1, 2, 3) for chosen in combinations(LABELS, size)]
    for separator in (";", "|", ", "):
        lists = find_lists(pl.Series([separator.join(cell) for cell in cells]))
        assert lists is not None
        assert (lists.separator, lists.labels) == (separator.strip(), LABELS)
    written = find_lists(pl.Series([str(list(cell)) for cell in cells]))  # as pandas writes lists to a file
    assert written is not None
    assert written.labels == LABELS


@pytest.mark.parametrize(
    "cells",
    [
        ["Austin, TX", "Dallas, TX", "Boston, MA", "Lynn, MA", "Salem"],
        [
            "low|male",
            "mid|male",
            "high|male",
            "low|female",
            "mid|female",
            "high|female",
        ],  # two columns in one
        ["1,5", "2,5", "3,1", "1", "2", "3", "5", "5,1", "2,1"],
        ["[0, 10)", "[10, 20)", "[20, 30)"],
        ["Adm-clerical", "Sales", "Tech/support", "Craft/repair", "Other"],
        ["red", "blue"],
        ["Smith, John", "Smith, Anna", "James, Henry", "Henry, James", "Doe, John"],
        ["Seattle, Washington", "Washington, DC", "Portland, Oregon", "Salem, Oregon"],
        ["New York, NY", "Albany, NY", "New York", "Boston, MA"],
        ["01/02/2020", "02/01/2020", "03/02/2020", "01/03/2020"],
        ["1/2", "2/3", "1/3", "3/4"],
        ["en/de", "de/en", "en/fr", "fr/en"],  # a direction
        ["A/A", "A/G", "G/G"],
        ["food|fruit", "food|fruit|apple", "food|herb", "toys|lego", "toys"],  # a tree
        ["low;male", "high;male", "low;female", "high;female"],
        ["R&D", "sales", "M&A", "IT"],
        ["A+", "A", "B+", "B"],
    ],
)
def test_other_labels_with_such_signs_are_no_lists(cells: list[str]) -> None:
    assert find_lists(pl.Series(cells)) is None


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["red;blue", "red;green", "blue;green"], 3),
        (["red", "green", "blue", "red;green"], 3),
        (["red", "blue", "red;blue"], 2),
        (["a|b", "b|c", "c|d"], 4),
        (["blue, red", "green, red", "blue, green", "blue, green, red"], 3),
        (["a/b/c", "a/b/d", "a/c/d", "b/c/d"], 4),
        (["2;1", "1;3", "2;3"], 3),
        (["['x', 'y']", "['y', 'z']", "['x', 'z']"], 3),
    ],
)
def test_few_combinations_are_known_by_labels_that_change_places(cells: list[str], labels: int) -> None:
    lists = find_lists(pl.Series(cells))
    assert lists is not None
    assert len(lists.labels) == labels


@pytest.fixture
def songs(tmp_path) -> tuple[str, str]:
    """The same labels as lists in a column, and as columns."""
    rng = random.Random(5)
    rows = [(rng.random(), [label for label in LABELS if rng.random() < 0.4]) for _ in range(200)]
    lists, columns = tmp_path / "lists.csv", tmp_path / "columns.csv"
    lists.write_text("x,tags\n" + "".join(f"{x},{'|'.join(tags)}\n" for x, tags in rows))
    lines = [f"{x}," + ",".join(str(int(label in tags)) for label in LABELS) for x, tags in rows]
    columns.write_text(f"x,{','.join(LABELS)}\n" + "\n".join(lines))
    return str(lists), str(columns)


def test_lists_are_what_columns_of_their_labels_are(songs) -> None:
    lists, lists_test = prepare_with_test(DataRecipe(source=songs[0], target="tags", task="multi-label"))
    columns, columns_test = prepare_with_test(DataRecipe(source=songs[1], target=list(LABELS)))
    assert lists.task.classes == columns.task.classes == LABELS
    for one, other in ((lists.train, columns.train), (lists.validation, columns.validation)):
        assert one.target.tolist() == other.target.tolist()
        assert one.features.equals(other.features)
    assert lists_test.target.tolist() == columns_test.target.tolist()
    (found,) = [finding for finding in lists.findings if finding.name == "label-lists"]
    assert found.decided
    assert "rows without a label have none of them" in found.action


def test_lists_taken_as_classes_are_a_finding_that_says_how(songs) -> None:
    data = prepare(DataRecipe(source=songs[0], target="tags"))
    (found,) = [finding for finding in data.findings if finding.name == "label-lists"]
    assert found.level == "warning"
    assert "separated by '|', of 4 different labels" in found.seen
    assert "data.task=multi-label" in found.seen


def test_labels_of_test_rows_do_not_decide(songs, tmp_path) -> None:
    data = prepare(DataRecipe(source=songs[0], target="tags", task="multi-label"))
    frame = pl.read_csv(songs[0])
    tags = [f"{tag or ''}|new{row}" if data.parts[row] == 2 else tag for row, tag in enumerate(frame["tags"])]
    path = tmp_path / "changed.csv"
    frame.with_columns(pl.Series("tags", tags)).write_csv(path)
    changed = prepare(DataRecipe(source=str(path), target="tags", task="multi-label"))
    assert changed.task == data.task
    assert changed.train.target.tolist() == data.train.target.tolist()


def test_what_is_no_list_is_refused(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{'abc'[i % 3]}\n" for i in range(30)))
    with pytest.raises(DataError, match=r"'y' has other values than 0 and 1 .* no lists of labels"):
        prepare(DataRecipe(source=str(path), target="y", task="multi-label"))


def test_gaps_name_the_targets_that_have_them(tmp_path) -> None:
    rng = random.Random(1)
    path = tmp_path / "t.csv"
    lines = [f"{rng.random()},{i % 2},{'' if i % 10 == 3 else i % 3 % 2},{i // 2 % 2}" for i in range(100)]
    path.write_text("x,a,b,c\n" + "\n".join(lines))
    data = prepare(DataRecipe(source=str(path), target=["a", "b", "c"]))
    (found,) = [finding for finding in data.findings if finding.name == "no-target"]
    assert found.column == "b"
    assert "'b' is missing there" in found.seen
    assert "'a'" not in found.seen
