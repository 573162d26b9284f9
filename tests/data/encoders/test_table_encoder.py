"""Typed columns to numbers, against NumPy and scikit-learn."""

import json
import warnings

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from handrail.data.columns.schema import Column, Schema
from handrail.data.encoders.table import TableEncoder
from handrail.data.prepare import prepare
from handrail.recipe.sections import DataRecipe, Encoding

RNG = np.random.default_rng(0)


def schema_of(**kinds: str) -> Schema:
    return Schema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))  # pyright: ignore


def frame_of(**columns) -> pl.DataFrame:
    kinds = {True: pl.Float64, False: pl.String}
    return pl.DataFrame(
        {
            name: pl.Series(list(values), dtype=kinds[name[0] not in "cw"], strict=False)
            for name, values in columns.items()
        }
    )


def encode(encoder: TableEncoder, frame: pl.DataFrame) -> np.ndarray:
    with torch.no_grad():
        return encoder(*encoder.prepare(frame)).numpy()


def fitted(frame: pl.DataFrame, schema: Schema, **settings_) -> TableEncoder:
    return TableEncoder.fit(frame, schema, Encoding(**settings_))


def column_of(encoder: TableEncoder, frame: pl.DataFrame, name: str) -> np.ndarray:
    return encode(encoder, frame)[:, encoder.feature_names.index(name)]


@pytest.mark.parametrize(
    ("scaling", "reference"),
    [
        ("standard", StandardScaler()),
        ("minmax", MinMaxScaler()),
        ("robust", RobustScaler()),
        ("quantile", QuantileTransformer(n_quantiles=65)),
    ],
)
def test_scaling_agrees_with_scikit_learn(scaling: str, reference) -> None:
    train = np.stack([RNG.normal(50, 9, 300), RNG.exponential(3, 300), RNG.integers(0, 9, 300)], axis=1)
    later = np.stack([RNG.normal(50, 20, 50), RNG.exponential(5, 50), RNG.integers(-2, 12, 50)], axis=1)
    columns = ["na", "nb", "nd"]
    encoder = fitted(
        pl.DataFrame(train, columns), schema_of(na="numeric", nb="numeric", nd="numeric"), scaling=scaling
    )
    expected = [reference.fit(train).transform(train), reference.transform(later)]
    if scaling == "quantile":
        expected = [2 * values - 1 for values in expected]
    for rows, values in zip((train, later), expected, strict=True):
        encoded = encode(encoder, pl.DataFrame(rows, columns))
        # Scikit-learn puts ties at either end there; here they are in the middle of their share.
        if scaling == "quantile":
            ends = (rows == train.min(axis=0)) | (rows == train.max(axis=0))
            encoded, values = np.where(ends, 0, encoded), np.where(ends, 0, values)  # noqa: PLW2901
        np.testing.assert_allclose(encoded, values, rtol=1e-5, atol=1e-6)


def test_ties_have_the_middle_of_their_share_of_the_quantiles() -> None:
    frame = frame_of(na=[0.0] * 512 + list(range(1, 513)))
    encoded = encode(
        fitted(frame, schema_of(na="numeric"), scaling="quantile"), frame_of(na=[0, -1, 256.5, 512, 600])
    )[:, 0]
    np.testing.assert_allclose(encoded, [-0.5, -1, 0.5, 1, 1], atol=0.02)


def test_no_scaling_and_yes_or_no_are_left_alone() -> None:
    frame = frame_of(na=[5, 7, 9], nb=[0, 1, 1])
    schema = schema_of(na="numeric", nb="boolean")
    assert encode(fitted(frame, schema, scaling="none"), frame).tolist() == [[5, 0], [7, 1], [9, 1]]
    for scaling in ("standard", "minmax", "robust", "quantile"):
        assert encode(fitted(frame, schema, scaling=scaling), frame)[:, 1].tolist() == [0, 1, 1]


def test_a_robust_scale_survives_mostly_equal_values() -> None:
    values = [0.0] * 90 + list(np.linspace(1e4, 1e5, 10))
    encoded = encode(
        fitted(frame_of(na=values), schema_of(na="numeric"), scaling="robust"), frame_of(na=values)
    )[:, 0]
    np.testing.assert_allclose(encoded, (np.array(values) - 0) / np.std(values), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=20),
    st.sampled_from(["mean", "median", "constant"]),
)
def test_gaps_are_filled_and_marked(values: list, how: str) -> None:
    frame = frame_of(na=values)
    encoder = fitted(
        frame, schema_of(na="numeric"), missing=how, fill=-3.5 if how == "constant" else None, scaling="none"
    )
    known = np.array([v for v in values if v is not None])
    reference = {
        "mean": lambda: np.mean(known) if len(known) else 0.0,
        "median": lambda: np.quantile(known, 0.5, method="lower") if len(known) else 0.0,
        "constant": lambda: -3.5,
    }[how]()
    encoded = encode(encoder, frame)
    np.testing.assert_allclose(
        encoded[:, 0], [reference if v is None else v for v in values], rtol=1e-5, atol=1e-6
    )
    flags = [v is None for v in values]
    if any(flags):
        assert encoder.feature_names == ["na", "na is missing"]
        assert encoded[:, 1].tolist() == flags
        assert fitted(frame, schema_of(na="numeric"), indicator=False).feature_names == ["na"]
    else:
        assert encoder.feature_names == ["na"]
        assert encode(encoder, frame_of(na=[None]))[0].tolist() == pytest.approx([reference])


def test_filled_gaps_count_in_the_scale() -> None:
    values = np.array([1.0, 2.0, np.nan, 6.0, np.nan])
    filled = np.where(np.isnan(values), 3.0, values)
    encoder = fitted(
        frame_of(na=[None if np.isnan(v) else v for v in values]), schema_of(na="numeric"), missing="mean"
    )
    expected = StandardScaler().fit_transform(filled[:, None])[:, 0]
    np.testing.assert_allclose(
        column_of(encoder, frame_of(na=[1, 2, None, 6, None]), "na"), expected, rtol=1e-6
    )


@pytest.mark.parametrize("scaling", ["standard", "minmax", "robust", "quantile"])
@pytest.mark.parametrize("value", [0.1, 1e10 / 3, -1e-9, 0.0])
def test_a_column_without_variance_stays_small(scaling: str, value: float) -> None:
    frame = frame_of(na=[value] * 50 + [None] * 7)
    encoder = fitted(frame, schema_of(na="numeric"), scaling=scaling)
    encoded = encode(encoder, frame)[:, 0]
    assert np.all(np.abs(encoded) < 1e-3)
    assert np.all(np.abs(encode(encoder, frame_of(na=[value + 1]))) <= 1.001)


def test_one_hot_agrees_with_scikit_learn() -> None:
    words = RNG.choice(["red", "green", "blue", ""], 200)
    frame = frame_of(cx=[word or None for word in words])
    encoder = fitted(frame, schema_of(cx="category"), rare=1)
    reference = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(words[:, None])
    np.testing.assert_array_equal(encode(encoder, frame), reference.transform(words[:, None]))
    assert encoder.feature_names == ["cx = missing", "cx = blue", "cx = green", "cx = red"]
    later = frame_of(cx=["violet", None, "red"])
    np.testing.assert_array_equal(
        encode(encoder, later), reference.transform(np.array([["violet"], [""], ["red"]]))
    )


def test_rare_and_unseen_levels() -> None:
    frame = frame_of(cx=["a"] * 6 + ["b"] * 5 + ["c"] * 4 + ["d"])
    encoder = fitted(frame, schema_of(cx="category"))
    assert encoder.feature_names == ["cx = a", "cx = b", "cx is rare"]
    later = frame_of(cx=["a", "c", "d", "new", None])
    assert encode(encoder, later).tolist() == [[1, 0, 0]] + [[0, 0, 1]] * 4
    # C and d are rare, but known.
    assert {name: rows.tolist() for name, rows in encoder.unseen(later).items()} == {"cx": [3, 4]}
    every = fitted(frame, schema_of(cx="category"), rare=1)
    assert encode(every, later).tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0] * 4, [0] * 4]
    assert {name: rows.tolist() for name, rows in every.unseen(later).items()} == {"cx": [3, 4]}


def test_all_levels_of_a_small_table_count() -> None:
    frame = frame_of(cx=["a", "b", "a"])
    assert fitted(frame, schema_of(cx="category"), rare=5).feature_names == ["cx = a", "cx = b"]


def test_embedding_passes_codes_on_in_the_last_columns() -> None:
    frame = frame_of(cx=["b"] * 6 + ["a"] * 5 + ["z"], na=range(12), cy=["u", "v"] * 6)
    schema = schema_of(cx="category", na="numeric", cy="category")
    encoder = fitted(frame, schema, categories="embedding")
    assert encoder.feature_names == ["na", "cx", "cy"]
    assert encoder.embedding_sizes == [3, 3]
    encoded = encode(encoder, frame)
    assert encoded[:, 1].tolist() == [2] * 6 + [1] * 5 + [0]
    assert encoded[:, 2].tolist() == [1, 2] * 6
    assert encode(encoder, frame_of(cx=[None], na=[0], cy=["new"]))[0, 1:].tolist() == [0, 0]
    assert fitted(frame, schema).embedding_sizes == []


def test_moments_become_elapsed_time_and_phases() -> None:
    seconds = np.array([0.0, 43200.0, 86400.0 * 200 + 3600, 1.7e9])
    frame = frame_of(t=seconds)
    encoder = fitted(frame, schema_of(t="datetime"))
    names = [
        "elapsed",
        "sine of year",
        "cosine of year",
        "sine of week",
        "cosine of week",
        "sine of day",
        "cosine of day",
    ]
    assert encoder.feature_names == [f"t: {name}" for name in names]
    expected = [(seconds - seconds.mean()) / seconds.std()]
    for period in (365.2425 * 86400, 7 * 86400, 86400):
        expected += [np.sin(2 * np.pi * seconds / period), np.cos(2 * np.pi * seconds / period)]
    np.testing.assert_allclose(encode(encoder, frame), np.stack(expected, axis=1), atol=1e-6)
    assert encode(encoder, frame_of(t=[None])).tolist() == [[0.0] * 7]


def test_dates_without_a_time_of_day_have_no_phase_of_the_day() -> None:
    encoder = fitted(frame_of(t=[0, 86400, None]), schema_of(t="datetime"))
    assert encoder.width == 5
    assert encode(encoder, frame_of(t=[43200.0])).shape == (1, 5)


def test_seconds_are_told_apart_decades_later() -> None:
    start = 1.7e9
    encoder = fitted(frame_of(t=[start, start + 60]), schema_of(t="datetime"))
    encoded = encode(encoder, frame_of(t=[start, start + 1, start + 30]))[:, 0]
    np.testing.assert_allclose(encoded, [-1, -1 + 2 / 60, 0], atol=1e-6)


def test_one_moment_alone_and_moments_all_missing() -> None:
    for values in ([1.7e9 + 1 / 3] * 9, [None] * 4):
        encoder = fitted(frame_of(t=values), schema_of(t="datetime"))
        assert np.all(np.abs(encode(encoder, frame_of(t=values))) <= 1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-(10**10), 4 * 10**9),
    st.integers(2, 8),
    st.sampled_from([3600, 86400 * 3, 86400 * 400, 86400 * 365 * 60]),
    st.booleans(),
)
def test_dates_come_back_from_their_elapsed_time_and_phases(start, count, span, daytime) -> None:
    seconds = start + np.random.default_rng(count).integers(0, span + 1, count) * 1.0
    seconds = seconds if daytime else np.floor(seconds / 86400) * 86400
    encoder = fitted(frame_of(t=seconds), schema_of(t="datetime"))
    again, pictures = encoder.decode(torch.from_numpy(encode(encoder, frame_of(t=seconds))))
    assert again["t"].dtype == (pl.Datetime("us") if any(encoder.daytime) else pl.Date)
    assert again["t"].cast(pl.Datetime("ms")).dt.epoch("s").to_list() == seconds.tolist()
    assert pictures == []


def test_a_date_that_its_parts_disagree_about_lies_between_them() -> None:
    days = np.arange(0.0, 4000) * 86400
    encoder = fitted(frame_of(t=days), schema_of(t="datetime"))
    (row,) = torch.from_numpy(encode(encoder, frame_of(t=[86400.0 * 1000])))
    later = row.clone()
    later[0] += 5 * 86400 / float(encoder.time.spread[0])  # five days later by the elapsed time alone
    plain = later.clone()
    plain[1:] = 0  # phases that say nothing
    again = encoder.decode(torch.stack([row, later, plain]))[0]["t"].cast(pl.Int32).to_list()
    assert again == [1000, 1000, 1005]


def test_dates_beyond_the_calendar_end_with_it() -> None:
    encoder = fitted(frame_of(t=[0, 86400 * 1e4]), schema_of(t="datetime"))
    points = torch.zeros(2, encoder.width)
    points[:, 0] = torch.tensor([-1e6, 1e6])
    assert encoder.decode(points)[0]["t"].cast(pl.String).to_list() == ["0001-01-01", "9999-12-31"]


def test_times_of_day_come_back_as_such() -> None:
    schema = Schema(columns=(Column(name="t", kind="datetime", date_format="%H:%M"),))
    frame = frame_of(t=[0, 3600 * 14 + 60 * 5, 86340])
    encoder = fitted(frame, schema)
    again = encoder.decode(torch.from_numpy(encode(encoder, frame)))[0]
    assert again["t"].to_list() == ["00:00:00", "14:05:00", "23:59:00"]


@pytest.mark.parametrize("scaling", ["standard", "minmax", "robust", "none"])
def test_a_mixed_table_comes_back_in_its_units_and_order(scaling: str) -> None:
    kinds = {"cx": "category", "nx": "numeric", "t": "datetime", "b": "boolean", "cy": "category"}
    frame = frame_of(
        cx=["a", "b", None, "a"],
        nx=[1e6, 2e6, 3.5e6, 9e6],
        t=[0, 86400, 864000, 0],
        b=[1, 0, 0, 1],
        cy=["u", "u", "v", "v"],
        ny=[0, None, 5, 7],
    )
    encoder = fitted(frame, schema_of(**kinds, ny="numeric"), scaling=scaling, missing="constant", fill=-1)
    again, _ = encoder.decode(torch.from_numpy(encode(encoder, frame)))
    assert again.columns == [*kinds, "ny"]
    assert again["cx"].to_list() == ["a", "b", None, "a"]
    assert again["b"].to_list() == [1, 0, 0, 1]
    assert again["t"].cast(pl.Int32).to_list() == [0, 1, 10, 0]
    np.testing.assert_allclose(again["nx"], frame["nx"], rtol=1e-6)
    np.testing.assert_allclose(again["ny"], [0, -1, 5, 7], atol=1e-6)


numbers = st.none() | st.floats(allow_nan=True, allow_infinity=False)
any_numbers = st.none() | st.floats()
texts = st.none() | st.sampled_from(["", "a", "b", "ä ö", "missing", "c" * 50])
seconds = st.none() | st.floats(-1e11, 1e11)
KINDS = {
    "numeric": ("n", numbers, any_numbers),
    "boolean": ("b", st.none() | st.sampled_from([0.0, 1.0]), any_numbers),
    "category": ("c", texts, texts),
    "datetime": ("t", seconds, any_numbers),
}


@st.composite
def typed_tables(draw):
    """A schema, training rows, and rows that hold anything at all."""
    rows, later = draw(st.integers(1, 25)), draw(st.integers(0, 6))
    kinds, train, new = {}, {}, {}
    for index, kind in enumerate(draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))):
        letter, known, odd = KINDS[kind]
        name = f"{letter}{index}"
        kinds[name] = kind
        train[name] = draw(st.lists(known, min_size=rows, max_size=rows))
        new[name] = draw(st.lists(odd, min_size=later, max_size=later))
    return schema_of(**kinds), frame_of(**train), frame_of(**new)


@st.composite
def encodings(draw):
    how = draw(st.sampled_from(["mean", "median", "constant"]))
    return Encoding(
        missing=how,
        fill=draw(st.floats(-1e18, 1e18)) if how == "constant" else None,
        indicator=draw(st.booleans()),
        scaling=draw(st.sampled_from(["standard", "minmax", "robust", "quantile", "none"])),
        categories=draw(st.sampled_from(["onehot", "embedding"])),
        rare=draw(st.integers(1, 4)),
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(typed_tables(), encodings())
def test_every_table_and_setting_gives_finite_rows_of_the_right_width(tables, encoding: Encoding) -> None:
    schema, train, later = tables
    encoder = TableEncoder.fit(train, schema, encoding)
    for frame in (train, later):
        encoded = encoder(*encoder.prepare(frame))
        assert encoded.dtype == torch.float32
        assert encoded.shape == (len(frame), encoder.width) == (len(frame), len(encoder.feature_names))
        assert bool(torch.isfinite(encoded).all())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(typed_tables(), encodings())
def test_facts_and_tensors_make_the_same_encoder(tables, encoding: Encoding) -> None:
    schema, train, later = tables
    encoder = TableEncoder.fit(train, schema, encoding)
    again = TableEncoder.from_facts(json.loads(json.dumps(encoder.facts())))
    again.load_state_dict(encoder.state_dict())
    assert again.feature_names == encoder.feature_names
    assert again.embedding_sizes == encoder.embedding_sizes
    for frame in (train, later):
        np.testing.assert_array_equal(encode(again, frame), encode(encoder, frame))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(typed_tables(), encodings())
def test_a_row_is_encoded_alike_alone_and_among_others_in_any_order_of_columns(
    tables, encoding: Encoding
) -> None:
    schema, train, later = tables
    encoder = TableEncoder.fit(train, schema, encoding)
    rows = pl.concat([train, later])
    together = encode(encoder, rows)
    shuffled = rows.select(reversed(rows.columns)).with_columns(extra=pl.lit("x"))
    np.testing.assert_array_equal(encode(encoder, shuffled), together)
    np.testing.assert_array_equal(
        np.concatenate([encode(encoder, rows[[row]]) for row in range(len(rows))]), together
    )


def test_huge_values_are_held_at_a_bound_where_layers_stay_finite() -> None:
    frame = frame_of(na=[1.0, 2.0, 3.0])
    for scaling, largest in (("standard", 1e18), ("minmax", 5e17), ("robust", 1e18), ("none", 1e18)):
        encoder = fitted(frame, schema_of(na="numeric"), scaling=scaling)
        encoded = encode(encoder, frame_of(na=[1e300, -1e300, 1e17, 2.0]))[:, 0]
        assert encoded[0] == np.float32(largest)
        assert encoded[0] > encoded[2] > encoded[3]
        assert encoded[1] < -4e17
        assert np.isfinite(encoded**2).all()
    train = frame_of(na=[1e300, -1e300, 0.0])
    assert encode(fitted(train, schema_of(na="numeric")), train)[:, 0] == pytest.approx(
        [1.5**0.5, -(1.5**0.5), 0]
    )


def test_only_training_rows_are_learned_from() -> None:
    train = frame_of(na=[1, 2, None], cx=["a", "b", "a"], t=[0, 1, 2])
    schema = schema_of(na="numeric", cx="category", t="datetime")
    encoder = fitted(train, schema, rare=1)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    encode(encoder, frame_of(na=[99, None], cx=["z", None], t=[1e9, None]))
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())
    assert not list(encoder.parameters())


def test_encoding_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = frame_of(na=[None, None], cx=[None, None], t=[None, None])
        assert np.isfinite(
            encode(fitted(frame, schema_of(na="numeric", cx="category", t="datetime")), frame)
        ).all()


def test_settings_that_do_not_fit_together() -> None:
    assert Encoding().mistakes() == Encoding(missing="constant", fill=0).mistakes() == []
    assert "'constant' needs a number" in Encoding(missing="constant").mistakes()[0]
    assert "has no effect with missing: median" in Encoding(fill=1.0).mistakes()[0]
    for wrong in (
        {"fill": float("inf"), "missing": "constant"},
        {"rare": 0},
        {"scaling": "z"},
        {"scalings": "none"},
    ):
        with pytest.raises(ValidationError):
            Encoding.model_validate(wrong)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.sampled_from(["embedding", "onehot"]))
def test_nothing_but_training_rows_says_what_columns_are_and_how_they_are_encoded(
    seed: int, categories: str
) -> None:
    rng = np.random.default_rng(seed)
    columns = {
        "n": [f"{value:.2f}" for value in rng.normal(size=80)],
        "flag": rng.choice(["0", "1"], 80),
        "yes": rng.choice(["yes", "no"], 80),
        "word": rng.choice(["a", "b", "c"], 80),
        "day": [f"2024-01-{day:02d}" for day in rng.integers(1, 29, 80)],
        "y": rng.choice(["p", "q"], 80),
    }
    frame = pl.DataFrame(
        {name: pl.Series([str(value) for value in values]) for name, values in columns.items()}
    )
    encoding = Encoding(categories=categories)  # pyright: ignore
    first = prepare(DataRecipe(source=frame, target="y"))
    other = pl.Series(first.parts != 0)
    garbage = {
        name: pl.Series(rng.choice(["9e9", "x", "2019-01-01 10:00", "007", ""], 80))
        for name in frame.columns[:-1]
    }
    changed = frame.with_columns(
        pl.when(other).then(values).otherwise(pl.col(name)).alias(name) for name, values in garbage.items()
    )
    second = prepare(DataRecipe(source=changed, target="y"))
    assert second.schema == first.schema
    assert second.train.features.equals(first.train.features)
    before, after = (TableEncoder.fit(data.train.features, data.schema, encoding) for data in (first, second))
    assert before.facts() == after.facts()
    assert all(torch.equal(tensor, after.state_dict()[name]) for name, tensor in before.state_dict().items())
