"""What the target asks for, and its way to numbers and back."""

import datetime as dt
import math

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.prepare import prepare
from handrail.data.targets.find import find_targets
from handrail.data.targets.infer import infer_task
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe


def task_of(values, **settings_):
    return infer_task(pl.DataFrame({"y": values}), ["y"], **settings_)


@pytest.mark.parametrize(
    ("values", "name", "classes"),
    [
        (["b", "a", "b"], "binary", ("b", "a")),
        (["c", "a", "b"], "multi-class", ("a", "b", "c")),
        ([1, 0, 1], "binary", ("0", "1")),
        ([1.0, 0.0, None], "binary", ("0", "1")),
        (["1.0", "0", "0.0"], "binary", ("0", "1")),
        ([True, False], "binary", ("false", "true")),
        (["yes", "no"], "binary", ("no", "yes")),
        ([10, 9, 2], "multi-class", ("2", "9", "10")),
        (["10", "9", "2.0"], "multi-class", ("2", "9", "10")),
        ([2, 1, 2], "binary", ("2", "1")),
        ([-1, 1], "binary", ("-1", "1")),
        (["007", "12", "100"], "multi-class", ("007", "12", "100")),
        (["01", "1", "2"], "multi-class", ("01", "1", "2")),
        (list(range(20)), "multi-class", tuple(str(i) for i in range(20))),
        (list(range(21)), "regression", ()),
        ([0.5, 1.0, 0.5], "regression", ()),
        (["0.5", "1", "2"], "regression", ()),
        ([">50K", "<=50K", ">50K.", "<=50K."], "binary", ("<=50K", ">50K")),
        (["2024-01-01", "2023-01-01"], "binary", ("2023-01-01", "2024-01-01")),
    ],
)
def test_what_a_target_asks_for(values: list, name: str, classes: tuple) -> None:
    task = task_of(values)
    assert (task.name, task.classes) == (name, classes)


def test_numbers_each_once_are_quantities_and_not_identifiers() -> None:
    assert task_of(list(range(1, 41))).name == task_of([str(i) for i in range(1, 41)]).name == "regression"
    assert (
        infer_task(pl.DataFrame({"price_id": [i * 37 % 1009 for i in range(30)]}), ["price_id"]).name
        == "regression"
    )


def test_outputs() -> None:
    frame = pl.DataFrame(
        {"a": [0, 1, 1], "b": ["yes", "no", "no"], "c": [0.5, 1.5, 2.5], "k": ["x", "y", "z"]}
    )
    labels = infer_task(frame, ["a", "b"])
    assert (labels.name, labels.classes, labels.outputs) == ("multi-label", ("a", "b"), 2)
    assert labels.encode(frame).tolist() == [[0, 1], [1, 0], [1, 0]]
    values = infer_task(frame, ["a", "c"])
    assert (values.name, values.classes, values.outputs) == ("regression", (), 2)
    assert values.encode(frame).tolist() == [[0, 0.5], [1, 1.5], [1, 2.5]]
    assert infer_task(frame, ["a", "a"][:1], task="multi-label").outputs == 1
    assert infer_task(frame, ["k"]).outputs == 3
    assert infer_task(frame, ["a"]).outputs == 1
    with pytest.raises(DataError, match=r"found 'x' \(3 of 3 rows have no number\)"):
        infer_task(frame, ["a", "k"])
    with pytest.raises(DataError, match=r"'multi-label', but the target 'c' has other values than 0 and 1"):
        infer_task(frame, ["a", "c"], task="multi-label")
    with pytest.raises(DataError, match=r"found 'multi-class' with 2 target columns"):
        infer_task(frame, ["a", "c"], task="multi-class")


def test_the_positive_class_is_the_last() -> None:
    assert task_of(["no", "yes"]).classes == ("no", "yes")
    assert task_of(["no", "yes"], positive="no").classes == ("yes", "no")
    assert task_of([0.0, 1.0], positive="0.0").classes == ("1", "0")
    assert task_of(["1", "0"], positive="0").encode(pl.DataFrame({"y": [0.0, 1.0]})).tolist() == [1, 0]
    with pytest.raises(DataError, match=r"data.positive: found 'maybe', expected one of the classes no, yes"):
        task_of(["no", "yes"], positive="maybe")
    for values in ([0.5, 1.5, 2.5], ["a", "b", "c"]):
        with pytest.raises(DataError, match=r"data.positive: 'a' has no effect on (regression|multi-class)"):
            task_of(values, positive="a")


def test_the_task_that_the_user_gives() -> None:
    assert task_of([3, 4, 5], task="regression").name == "regression"
    many = task_of([float(i) for i in range(30)], task="multi-class")
    assert (many.name, many.outputs) == ("multi-class", 30)
    with pytest.raises(DataError, match=r"found 'multi-class', but the target 'y' has 2 classes; .* binary"):
        task_of(["a", "b"], task="multi-class")
    with pytest.raises(
        DataError, match=r"found 'low' \(2 of 3 rows have no number\), expected numbers for regression"
    ):
        task_of(["low", "1", "high"], task="regression")


def test_targets_that_cannot_be_learned() -> None:
    for values in (["a", "a"], [1.0, 1.0], ["1", "1.0"]):
        with pytest.raises(DataError, match=r"every row has the value '[a1]"):
            task_of(values)
    with pytest.raises(DataError, match=r"but for 2 rows where it is missing.*data\.read\.missing=\[\]"):
        task_of(["+", None, "+", None])  # as '-' is read
    with pytest.raises(DataError, match=r"all 2 values are missing"):
        task_of([None, None])
    with pytest.raises(DataError, match=r"30 different texts in 30 rows"):
        task_of([f"review number {i}" for i in range(30)])
    with pytest.raises(DataError, match=r"30 different texts in 30 rows"):
        task_of([f"k{i}" for i in range(30)])
    with pytest.raises(DataError, match=r"30 different dates in 30 rows"):
        task_of([dt.datetime(2024, 1, 1) + dt.timedelta(i) for i in range(30)])


def test_an_unseen_class_is_named_with_its_row() -> None:
    task = task_of(["a", "b", "c"])
    message = "'y': found the class 'd' in data row 2, which no training row has; expected one of a, b, c"
    with pytest.raises(DataError, match=f"the target {message}"):
        task.encode(pl.DataFrame({"y": ["a", "d"]}))
    with pytest.raises(DataError, match=r"found the class 'd' in line 18"):
        task.encode(pl.DataFrame({"y": ["a", "d"]}), row_name=lambda row: f"line {row + 17}")
    with pytest.raises(DataError, match=r"found no value in data row 1"):
        task.encode(pl.DataFrame({"y": [None, "a"]}))


def test_bad_numbers_are_named_with_their_row() -> None:
    task = task_of([0.5, 1.5, math.inf])
    assert task.name == "regression"
    for bad, cell in ((math.inf, "'inf'"), (None, "no value"), (1e39, "'1e\\+39'")):
        with pytest.raises(
            DataError, match=f"found {cell} in data row 3, expected a finite number, at most 3.4e38"
        ):
            task.encode(pl.DataFrame({"y": [0.5, 1.5, bad]}))
    with pytest.raises(DataError, match=r"found 'word' in data row 1"):
        task.encode(pl.DataFrame({"y": ["word"]}))
    labels = TaskSpec(name="multi-label", targets=("a", "b"), classes=("a", "b"))
    with pytest.raises(DataError, match=r"the target 'b': found '2' in data row 2, expected 0 or 1"):
        labels.encode(pl.DataFrame({"a": [0, 1], "b": [1, 2]}))


@pytest.mark.parametrize(
    ("classes", "values", "codes"),
    [
        ((">50K", "<=50K"), [">50K.", "<=50K.", ">50K"], [0, 1, 0]),
        (("0", "1"), [1.0, 0.0], [1, 0]),
        (("0", "1"), ["1.0", "0"], [1, 0]),
        (("0", "1"), [True, False], [1, 0]),
        (("False", "True"), [True, False], [1, 0]),
        (("false", "true"), ["True", "FALSE"], [1, 0]),
        (("1.0", "x"), ["1.0", "x"], [0, 1]),
        (("1.", "1"), ["1", "1."], [1, 0]),
        (("etc", "etc."), ["etc.", "etc"], [1, 0]),
    ],
)
def test_labels_are_known_in_other_spellings(classes: tuple, values: list, codes: list) -> None:
    task = TaskSpec(name="binary", targets=("y",), classes=classes)
    assert task.encode(pl.DataFrame({"y": values})).tolist() == codes


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-30, 30) | st.sampled_from([0.5, 1.5]), min_size=2, max_size=40))
def test_the_same_target_asks_the_same_in_every_form(values: list) -> None:
    forms = [
        pl.DataFrame({"y": pl.Series([float(v) for v in values])}),
        pl.DataFrame({"y": [str(v) for v in values]}),
        pl.DataFrame({"y": [repr(float(v)) for v in values]}),
    ]
    if len({float(v) for v in values}) == 1:
        return
    tasks = [infer_task(form, ["y"]) for form in forms]
    plain = [task.model_copy(update={"values": ()}) for task in tasks]  # each as its form writes them
    assert plain[0] == plain[1] == plain[2]
    encoded = [tasks[0].encode(form) for form in forms]
    assert torch.equal(encoded[0], encoded[1])
    assert torch.equal(encoded[0], encoded[2])
    if tasks[0].is_classification:
        assert [float(tasks[0].classes[code]) for code in encoded[0]] == [float(v) for v in values]
    else:
        assert encoded[0].shape == (len(values), 1)
        assert encoded[0].dtype == torch.float64


def test_targets_by_name_and_by_position() -> None:
    columns = ["a", "b", "c"]
    assert find_targets(columns, "b") == find_targets(columns, 2) == find_targets(columns, "-2") == ("b",)
    assert find_targets(columns, -1) == ("c",)
    assert find_targets(columns, ["c", 1]) == ("c", "a")
    assert find_targets(["2", "1", "x"], 2) == ("2",)  # a name comes first
    for wrong, message in (
        (None, "no target was named"),
        ("bb", "no column 'bb'. (Did you mean|Known: a, b, c)"),
        (0, "found position 0"),
        (4, "columns 1 to 3"),
        (["a", 1], "names a column twice"),
        (["a", "b", "c"], "every column is a target"),
    ):
        with pytest.raises(DataError, match=message):
            find_targets(columns, wrong)


def test_a_column_with_the_name_of_a_wildcard_is_a_column(tmp_path):
    path = tmp_path / "table.csv"
    lines = [f"{row * 7 % 40},{row},{row % 5},{row % 2}" for row in range(40)]
    path.write_text("\n".join(["*,y,z,label", *lines]))
    data = prepare(DataRecipe(source=str(path), target="label"))
    assert data.train.features["*"].to_list() == data.train.raw["*"].cast(pl.Float64).to_list()
    assert data.train.readable(0, ["*", "y"]).keys() == {"*", "y"}
