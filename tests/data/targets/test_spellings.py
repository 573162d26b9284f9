"""Labels in several spellings: when they are one class, in training rows and in later ones."""

import random

import polars as pl
import pytest

from handrail.data.prepare import prepare, prepare_with_test
from handrail.data.targets.infer import infer_task
from handrail.data.targets.spellings import merge_spellings, read_spellings
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe


@pytest.mark.parametrize(
    ("counts", "classes"),
    [
        ({"Ja": 9, "ja": 8, "JA": 7, "Nein": 6, "nein": 5}, {"Ja", "Nein"}),
        ({"New York": 4, "new  york": 3, "LA": 2}, {"New York", "LA"}),
        ({">50K": 9, ">50K.": 3, "<=50K": 4}, {">50K", "<=50K"}),
        ({"TRUE": 3, "True": 2, "false": 4, "F": 1}, {"TRUE", "false"}),
        ({"y": 4, "Y": 5, "n": 3, "No": 6}, {"Y", "No"}),
        ({"m": 1, "M": 40, "F": 50, "f": 1}, {"M", "F"}),  # slips
        ({"a": 10, "A": 9, "b": 4, "B": 4}, {"a", "A", "b", "B"}),  # letters
        ({"AA": 9, "Aa": 8, "aa": 4}, {"AA", "Aa", "aa"}),  # genotypes
        ({"etc": 3, "other": 2}, {"etc", "other"}),
        ({"TRUE": 30, "FALSE": 20, "1": 9, "0": 10}, {"TRUE", "FALSE"}),
        ({"TRUE": 9, "FALSE": 50, "1": 30, "0": 10}, {"TRUE", "FALSE"}),  # one way for both
        ({"yes": 3, "No": 2, "no": 4, "1": 30, "0": 20}, {"1", "0"}),
        ({"T": 3, "F": 2, "1.0": 30, "0.0": 20, "1": 2}, {"1.0", "0.0"}),
        ({"true": 9, "0": 20, "1": 9}, {"0", "1"}),
        ({"true": 9, "false": 8, "yes": 4, "n": 3}, {"true", "false"}),
        ({"F": 9, "0": 20, "1": 9}, {"F", "0", "1"}),  # a mark
        ({"N": 9, "Y": 9, "T": 9, "F": 9}, {"N", "Y", "T", "F"}),
        ({"yes": 9, "no": 9, "maybe": 9, "1": 3}, {"yes", "no", "maybe", "1"}),
    ],
)
def test_which_labels_are_one_class(counts: dict[str, int], classes: set[str]) -> None:
    assert {*merge_spellings(counts).classes.values()} == classes
    assert merge_spellings(counts, "as_written").classes == {label: label for label in counts}
    assert len({*merge_spellings(counts, "fold").classes.values()}) <= len(classes)


def test_later_labels_are_read_as_the_class_that_they_spell() -> None:
    classes = ("Sunny", "Very Cold", "rain")
    read = read_spellings(["SUNNY", "very  cold", "Rain.", "snow"], classes)
    assert read == {"SUNNY": "Sunny", "very  cold": "Very Cold", "Rain.": "rain"}
    assert read_spellings(["C"], ("c", "d")) == {"C": "c"}
    assert read_spellings(["Ab"], ("ab", "AB")) == {}  # which one?
    assert read_spellings(["true", "No", "2"], ("0", "1")) == {"true": "1", "No": "0"}
    assert read_spellings(["true"], ("0", "1", "2")) == {}


def weather(tmp_path, labels: dict[str, int]) -> str:
    rows = [label for label, count in labels.items() for _ in range(count)]
    random.Random(3).shuffle(rows)
    path = tmp_path / "weather.csv"
    path.write_text("x,sky\n" + "".join(f"{i % 17},{label}\n" for i, label in enumerate(rows)))
    return str(path)


def test_spellings_are_folded_in_all_parts_and_named(tmp_path) -> None:
    source = weather(tmp_path, {"Clear": 60, "clear": 20, "CLEAR": 20, "Dull": 50, "dull": 40})
    data, test = prepare_with_test(DataRecipe(source=source, target="sky"))
    assert data.task.name == "binary"
    assert {*data.task.classes} == {*data.task.values} == {"Clear", "Dull"}
    assert len(test.target) == data.sealed.rows
    assert not test.remarks
    (found,) = [finding for finding in data.findings if finding.name == "spellings"]
    assert found.decided
    assert "'Clear' (" in found.seen
    assert "= 'CLEAR' (" in found.seen
    assert "'dull' (" in found.seen
    assert "data.labels=as_written" in found.action
    apart = prepare(DataRecipe(source=source, target="sky", labels="as_written"))
    assert len(apart.task.classes) == 5
    assert "spellings" not in {finding.name for finding in apart.findings}


def test_truth_values_in_any_case_are_two_classes(tmp_path) -> None:
    source = weather(tmp_path, {"TRUE": 30, "True": 20, "true": 10, "FALSE": 25, "False": 15})
    task = prepare(DataRecipe(source=source, target="sky")).task
    assert (task.name, task.values) == ("binary", (False, True))


def test_truth_values_beside_digits_are_two_classes_and_that_is_said(tmp_path) -> None:
    source = weather(tmp_path, {"TRUE": 20, "FALSE": 45, "1": 35, "0": 10})
    data, test = prepare_with_test(DataRecipe(source=source, target="sky"))
    task = data.task
    assert (task.name, task.classes, task.values) == ("binary", ("FALSE", "TRUE"), (False, True))
    assert len(test.target) == data.sealed.rows
    (found,) = [finding for finding in data.findings if finding.name == "spellings"]
    assert "'TRUE' (" in found.seen
    assert "= '1' (" in found.seen
    assert "data.labels=as_written" in found.action
    assert len(prepare(DataRecipe(source=source, target="sky", labels="as_written")).task.classes) == 4


def test_letters_stay_apart_and_that_is_said(tmp_path) -> None:
    source = weather(tmp_path, {"q": 30, "Q": 30, "r": 20, "R": 20})
    data = prepare(DataRecipe(source=source, target="sky"))
    assert len(data.task.classes) == 4
    assert data.task.as_written
    (found,) = [finding for finding in data.findings if finding.name == "case"]
    assert found.decided
    assert "data.labels=fold" in found.action
    assert len(prepare(DataRecipe(source=source, target="sky", labels="fold")).task.classes) == 2


def test_labels_have_no_effect_on_numbers() -> None:
    with pytest.raises(DataError, match=r"data.labels: 'fold' has no effect on regression"):
        infer_task(pl.DataFrame({"y": [0.5, 1.5, 2.5]}), ["y"], labels="fold")


def test_a_target_of_texts_is_refused_with_the_setting_that_may_be_meant() -> None:
    texts = [f"the answer number {i} is long enough" for i in range(40)]
    with pytest.raises(DataError, match=r"40 different texts .* data.task=sequence"):
        infer_task(pl.DataFrame({"y": texts}), ["y"])
    odd = [str(i) for i in range(40)] + ["low", "high", "mid", "none", "much"]
    with pytest.raises(DataError, match=r"40 of them are numbers, and 5 are not: 'low' in 1 row"):
        infer_task(pl.DataFrame({"y": odd}), ["y"])
