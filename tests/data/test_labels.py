"""Which of two classes is the positive one, and how classes are written in answers."""

import numpy as np
import polars as pl
import pytest

from handrail.data.targets.infer import infer_task
from handrail.data.task import TaskSpec
from handrail.errors import DataError


@pytest.mark.parametrize(
    "pair",
    [
        *((0, 1), (-1, 1), (0.0, 1.0), (False, True), ("no", "yes"), ("No", "Yes"), ("N", "Y")),
        *(("FALSE", "TRUE"), ("f", "t"), ("neg", "pos"), ("Negative", "Positive"), ("absent", "present")),
    ],
)
def test_what_is_true_or_there_is_positive_however_frequent(pair: tuple) -> None:
    for counts in ((9, 2), (2, 9), (3, 3)):
        values = [value for value, count in zip(pair, counts, strict=True) for _ in range(count)]
        task = infer_task(pl.DataFrame({"y": values}, strict=False), ["y"])
        assert task.positive is not None
        assert task.values[1] == pair[1]
        assert task.encode(pl.DataFrame({"y": [pair[1], pair[0]]})).tolist() == [1, 0]


@pytest.mark.parametrize("pair", [("fraud", "ok"), ("ok", "fraud"), (1, 2), (2, 1), ("a", "b")])
def test_else_the_rarer_class_of_the_training_rows_is_positive(pair: tuple) -> None:
    rare, common = pair
    frame = pl.DataFrame({"y": [rare] * 3 + [common] * 7})
    task = infer_task(frame, ["y"])
    assert task.positive == str(rare)
    assert f"the positive class is '{rare}', the rarer one of the training rows" in task.why
    # Rows beside the training rows do not count.
    more = pl.concat([frame, pl.DataFrame({"y": [rare] * 20})])
    assert infer_task(more, ["y"], train=frame).positive == str(rare)


def test_the_user_chooses_the_positive_class() -> None:
    frame = pl.DataFrame({"y": ["Fraud"] * 3 + ["ok"] * 7})
    assert infer_task(frame, ["y"], positive="ok").positive == "ok"
    assert infer_task(frame, ["y"], positive="fraud").positive == "Fraud"
    with pytest.raises(DataError, match=r"data.positive: found 'frauds', expected one of .*ok.*Did you mean"):
        infer_task(frame, ["y"], positive="frauds")


@pytest.mark.parametrize(
    ("values", "is_text", "dtype"),
    [
        (["1", "0"], True, pl.Int64),
        (["1", "0"], False, pl.String),
        (["1.5", "0.5"], True, pl.Float64),
        (["007", "012"], True, pl.String),
        (["True", "False"], True, pl.Boolean),
        (["True", "False"], False, pl.String),
        (["no", "yes"], True, pl.String),
        ([3, 4], False, pl.Int64),
        ([3.0, 4.0], False, pl.Float64),
        ([True, False], False, pl.Boolean),
    ],
)
def test_answers_are_written_as_the_data_is(values: list, is_text: bool, dtype: pl.DataType) -> None:
    frame = pl.DataFrame({"y": values * 3})
    task = infer_task(frame, ["y"], task="binary", is_text=is_text)
    written = task.decode(task.encode(frame).numpy())
    assert written.dtype == dtype
    assert written.cast(pl.String).str.to_lowercase().to_list() == (
        frame["y"].cast(pl.String).str.to_lowercase().to_list()
    )
    assert task.codes(written).tolist() == task.encode(frame).tolist()
    again = TaskSpec.model_validate_json(task.model_dump_json())
    assert [type(value) for value in again.values] == [type(value) for value in task.values]


def test_labels_are_written_as_their_columns_are() -> None:
    frame = pl.DataFrame({"a": ["Yes", "No", "No"], "b": [1, 0, 1], "c": [True, False, True]})
    task = infer_task(frame, ["a", "b", "c"])
    codes = task.encode(frame).numpy()
    written = [task.decode(codes[:, label], label) for label in range(3)]
    assert [column.to_list() for column in written] == [frame[name].to_list() for name in "abc"]
    assert np.array_equal(task.codes(written[0], 0), [1, 0, 0])


def test_runs_of_earlier_versions_keep_codes_and_order() -> None:
    task = TaskSpec(name="binary", targets=("y",), classes=("fraud", "ok"))
    assert task.positive == "ok"
    assert task.codes(pl.Series([1, 0])).tolist() == [1, 0]
    assert task.decode(np.array([1, 0])).to_list() == ["ok", "fraud"]


def test_answers_of_earlier_versions_are_read_as_codes_and_those_of_today_as_classes() -> None:
    spec = TaskSpec(name="binary", targets=("y",), classes=("no", "yes"))  # written before `values` were kept
    codes = np.array([1, 0, 1])
    assert spec.codes(pl.Series(codes)).tolist() == [1, 0, 1]
    assert spec.codes(spec.decode(codes)).tolist() == [1, 0, 1]
