"""Which row goes to which part."""

import datetime as dt
import re
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from handrail.data.prepare import prepare
from handrail.data.split.draw import TEST, TRAIN, VALIDATION, draw, spread, spread_by_class
from handrail.errors import DataError
from handrail.recipe.reading import Split
from handrail.recipe.sections import DataRecipe


def counts(parts: np.ndarray) -> list[int]:
    return np.bincount(parts, minlength=3).tolist()


def classes_from(labels):
    """What `draw` asks for, and the rows that it asked about."""
    asked = []

    def classes_of(rows: np.ndarray) -> pl.Series:
        asked.append(set(rows.tolist()))
        return pl.Series([labels[row] for row in rows])

    return classes_of, asked


def with_labels(split: Split, labels) -> np.ndarray:
    return draw(split, len(labels), classes_of=classes_from(labels)[0])


shares = st.floats(0.05, 0.45)
Method = Literal["auto", "random", "stratified", "order", "group", "time", "column"]
METHODS = [Split(), Split(method="random"), Split(method="stratified")]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(10, 400),
    shares,
    shares,
    st.integers(0, 5),
    st.sampled_from(["auto", "random", "stratified", "time", "group"]),
)
def test_shares_are_kept_to_within_a_row(
    rows: int, validation: float, test: float, seed: int, method: Method
) -> None:
    column = "k" if method in ("time", "group") else None
    split = Split(method=method, column=column, validation=validation, test=test, seed=seed)
    keys = pl.Series("k", np.random.default_rng(seed).permutation(rows)) if column else None
    labels = np.random.default_rng(seed).integers(0, 3, rows)
    parts = draw(split, rows, keys=keys, classes_of=classes_from(labels)[0])
    assert len(parts) == rows
    train, held_out, sealed = counts(parts)
    # A small class keeps a row for training.
    spared = 3 if method in ("auto", "stratified") and rows < 40 else 0
    assert abs(sealed - test * rows) <= 1 + spared
    assert abs(held_out - validation * rows) <= 1 + spared
    assert min(train, held_out, sealed) >= 1
    assert np.array_equal(parts, draw(split, rows, keys=keys, classes_of=classes_from(labels)[0]))


def test_another_seed_is_another_split() -> None:
    assert not np.array_equal(draw(Split(), 200), draw(Split(seed=1), 200))


def test_the_usual_shares_of_small_tables() -> None:
    for rows, expected in (
        (10, [7, 1, 2]),
        (11, [7, 2, 2]),
        (20, [14, 3, 3]),
        (100, [70, 15, 15]),
        (1000, [700, 150, 150]),
    ):
        assert counts(draw(Split(), rows)) == expected
    with pytest.raises(DataError, match=r"the table has 9 rows; expected at least 10"):
        draw(Split(), 9)


@settings(max_examples=100, deadline=None)
@given(
    st.data(),
    st.integers(10, 120),
    st.integers(1, 12),
    st.sampled_from(["auto", "random"]),
    st.integers(0, 3),
)
def test_labels_of_test_rows_change_nothing(data, rows: int, classes: int, method: Method, seed: int) -> None:
    split = Split(method=method, seed=seed)
    labels = data.draw(st.lists(st.integers(0, classes), min_size=rows, max_size=rows))
    classes_of, asked = classes_from(labels)
    parts = draw(split, rows, classes_of=classes_of)
    sealed = np.flatnonzero(parts == TEST)
    assert not any(rows_asked & set(sealed.tolist()) for rows_asked in asked)
    other = np.array(labels, dtype=object)
    other[sealed] = data.draw(
        st.lists(st.integers(-5, 50) | st.none(), min_size=len(sealed), max_size=len(sealed))
    )
    assert np.array_equal(parts, with_labels(split, other))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=10, max_size=80),
    st.sampled_from(["auto", "stratified"]),
    st.floats(0.05, 0.4),
)
def test_training_holds_every_class_wherever_possible(
    labels: list[int], method: Method, share: float
) -> None:
    parts = with_labels(Split(method=method, validation=share), labels)
    assert (parts == VALIDATION).any()
    assert (parts == TEST).any()
    known = np.array(labels)
    rest = known[parts != TEST]
    if max(np.bincount(rest)) > 1:
        assert set(rest) == set(known[parts == TRAIN])


def test_as_many_classes_as_rows() -> None:
    for labels in (list(range(20)), [*range(19), 0], [*range(10), *range(10)]):
        for method in ("auto", "stratified"):
            parts = with_labels(Split(method=method), labels)
            assert min(counts(parts)) >= 1


def test_rare_classes_stay_in_training_and_others_make_up_for_it() -> None:
    labels = ["common"] * 160 + [f"rare {i}" for i in range(40)]
    drawn = spread_by_class(np.arange(200), 0.2, np.random.default_rng(0), pl.Series(labels))
    assert len(drawn) == 40
    assert all(labels[row] == "common" for row in drawn)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(30, 90), min_size=2, max_size=5), st.integers(0, 4))
def test_validation_is_stratified(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = with_labels(Split(seed=seed), labels)
    rest = np.bincount(labels[parts != TEST])
    exact = rest * 0.15 / 0.85
    assert np.all(np.abs(np.bincount(labels[parts == VALIDATION], minlength=len(sizes)) - exact) <= 1.5)
    whole = with_labels(Split(method="stratified", seed=seed), labels)
    assert np.all(
        np.abs(np.bincount(labels[whole == TEST], minlength=len(sizes)) - 0.15 * np.array(sizes)) <= 1
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(20, 80), min_size=2, max_size=4),
    st.sampled_from(["auto", "random"]),
    st.integers(0, 4),
)
def test_a_sorted_table_gives_proportional_parts(sizes: list[int], method: Method, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = with_labels(Split(method=method, seed=seed), labels)
    for code, size in enumerate(sizes):
        assert abs((parts[labels == code] == TEST).sum() - 0.15 * size) <= 2
        assert abs((parts[labels == code] == VALIDATION).sum() - 0.15 * size) <= 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abcdefg") | st.none(), min_size=12, max_size=60),
    shares,
    shares,
    st.integers(0, 3),
)
def test_groups_stay_whole(groups: list, validation: float, test: float, seed: int) -> None:
    split = Split(method="group", column="g", validation=validation, test=test, seed=seed)
    keys = pl.Series("g", groups, dtype=pl.String)
    if keys.n_unique() < 3:
        with pytest.raises(DataError, match=r"'g' has . groups; expected at least 3"):
            draw(split, len(keys), keys=keys)
        return
    parts = draw(split, len(keys), keys=keys)
    assert all(len(set(parts[np.array([g == name for g in groups])])) == 1 for name in set(groups))
    assert min(counts(parts)) >= 1
    assert set(draw(split, len(keys), keys=keys, with_test=False)) == {TRAIN, VALIDATION}
    assert set(draw(split, len(keys), keys=keys, with_validation=False)) == {TRAIN, TEST}


def test_many_groups_keep_the_shares() -> None:
    keys = pl.Series("g", np.random.default_rng(0).integers(0, 200, 2000))
    _, validation, test = counts(draw(Split(method="group", column="g"), 2000, keys=keys))
    assert abs(validation - 300) < 30
    assert abs(test - 300) < 30


@pytest.mark.parametrize(
    "spell",
    [
        lambda d: d,
        lambda d: d.isoformat(sep=" "),
        lambda d: d.strftime("%d.%m.%Y"),
        lambda d: d.strftime("%d/%m/%Y"),
        lambda d: d.timestamp(),
        lambda d: str(d.toordinal()),
    ],
)
def test_the_latest_rows_are_the_test(spell) -> None:
    days = [dt.datetime(2024, 1, 1) + dt.timedelta(int(i)) for i in np.random.default_rng(0).permutation(40)]
    parts = draw(Split(method="time", column="t"), 40, keys=pl.Series("t", [spell(day) for day in days]))
    assert counts(parts) == [28, 6, 6]
    last = {
        part: max(day for day, p in zip(days, parts, strict=True) if p == part)
        for part in (TRAIN, VALIDATION)
    }
    first = {
        part: min(day for day, p in zip(days, parts, strict=True) if p == part) for part in (VALIDATION, TEST)
    }
    assert last[TRAIN] < first[VALIDATION]
    assert last[VALIDATION] < first[TEST]


def test_time_that_cannot_be_read() -> None:
    for odd, said in (("soon", "'soon'"), (None, "no value")):
        keys = pl.Series("t", ["2024-01-01"] * 11 + [odd])
        with pytest.raises(
            DataError, match=f"split column 't': found {said} in data row 12, expected a date or a number"
        ):
            draw(Split(method="time", column="t"), 12, keys=keys)


def test_a_column_that_names_the_parts() -> None:
    split = Split(method="column", column="part")
    keys = pl.Series("part", ["Train", "training", "val", "dev", "VALIDATION", " test "])
    assert draw(split, 6, keys=keys).tolist() == [0, 0, 1, 1, 1, 2]
    with pytest.raises(
        DataError, match=r"'part': found 'tset' in data row 2, expected train, .* Did you mean 'test'"
    ):
        draw(split, 2, keys=pl.Series("part", ["train", "tset"]))
    with pytest.raises(DataError, match=r"found no value in data row 1"):
        draw(split, 1, keys=pl.Series("part", [None], dtype=pl.String))
    with pytest.raises(DataError, match=r"found test rows, but data.test gives that part too"):
        draw(split, 6, keys=keys, with_test=False)


@pytest.mark.parametrize("split", METHODS, ids=lambda split: split.method)
def test_parts_with_a_source_of_their_own_are_not_drawn(split: Split) -> None:
    labels = list(range(2)) * 50
    classes_of, _ = classes_from(labels)
    assert counts(draw(split, 100, classes_of=classes_of, with_test=False)) == [85, 15, 0]
    assert counts(draw(split, 100, classes_of=classes_of, with_validation=False)) == [85, 0, 15]
    assert counts(draw(split, 5, classes_of=classes_of, with_validation=False, with_test=False)) == [5, 0, 0]


def test_settings_that_make_no_sense() -> None:
    for wrong, message in (
        ({"method": "group"}, "split method 'group' needs split.column"),
        ({"column": "a"}, "split.column has no effect with method 'auto'"),
        ({"validation": 0.5, "test": 0.45}, "validation and test take 95% of the rows"),
        ({"test": 0.0}, "greater than 0"),
        ({"seed": -1}, "greater than or equal to 0"),
    ):
        with pytest.raises(ValidationError, match=re.escape(message)):
            Split.model_validate(wrong)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.data())
def test_spread_takes_one_row_of_each_stretch(rows: int, data) -> None:
    count = data.draw(st.integers(0, rows))
    drawn = spread(np.arange(rows) * 3, count, np.random.default_rng(0))
    assert len(drawn) == count
    assert np.all(drawn % 3 == 0)
    places = drawn // 3
    edges = np.arange(count + 1) * rows // max(count, 1)
    assert np.all((places >= edges[:-1]) & (places < edges[1:]))
    assert np.all(np.diff(places) > 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=10, max_size=120), shares, shares)
def test_no_moment_stands_in_two_parts(moments: list[int], validation: float, test: float) -> None:
    split = Split(method="time", column="t", validation=validation, test=test)
    distinct = len(set(moments))
    if distinct < 3:
        with pytest.raises(DataError, match=f"has {distinct} different moments in {len(moments)} rows"):
            draw(split, len(moments), keys=pl.Series("t", moments))
        return
    parts = draw(split, len(moments), keys=pl.Series("t", moments))
    spans = [
        {moment for moment, part in zip(moments, parts, strict=True) if part == code} for code in range(3)
    ]
    assert all(spans)
    assert max(spans[TRAIN]) < min(spans[VALIDATION])
    assert max(spans[VALIDATION]) < min(spans[TEST])
    # The test begins at the place nearest to its share that leaves a moment for each part before it.
    order = np.sort(moments)
    places = [place for place in range(1, len(moments)) if order[place] != order[place - 1]][1:]
    wanted = len(moments) - max(1, round(test * len(moments)))
    assert abs(len(moments) - counts(parts)[TEST] - wanted) == min(abs(place - wanted) for place in places)


def test_a_day_is_cut_where_it_ends() -> None:
    days = [f"2024-01-{1 + row // 7:02d}" for row in range(70)]  # ten days of seven rows
    split = Split(method="time", column="t", validation=0.15, test=0.15)
    parts = draw(split, 70, keys=pl.Series("t", days))
    assert counts(parts) == [49, 14, 7]  # 10 rows each were asked for


def test_parts_that_come_out_otherwise_are_said() -> None:
    days = [f"2024-01-{1 + row // 7:02d}" for row in range(70)]
    frame = pl.DataFrame({"t": days, "x": np.sin(np.arange(70) * 1.3), "y": np.cos(np.arange(70) * 0.7)})
    recipe = DataRecipe(source=frame, target="y", split=Split(method="time", column="t"))
    (note,) = [note for note in prepare(recipe).notes if "one moment" in note]
    assert note == (
        "rows of one moment ('t') stay in one part: validation has 20.0% of the rows (15.0% were asked), "
        "test has 10.0% of the rows (15.0% were asked)"
    )
    apart = frame.with_columns(t=pl.Series(np.arange(70)))
    exact = recipe.model_copy(
        update={"source": apart, "split": Split(method="time", column="t", test=0.2, validation=0.2)}
    )
    assert not [note for note in prepare(exact).notes if "one moment" in note]
