"""Windows on a table whose rows stand in the order of time."""

import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.columns.schema import infer
from handrail.data.dataset import make_part
from handrail.data.encoders.row_encoder import fit_encoder
from handrail.data.encoders.series import SeriesEncoder
from handrail.data.forecast.plan import plan_windows
from handrail.data.forecast.season import find_season
from handrail.data.forecast.timeline import order_rows
from handrail.data.forecast.windows import divide, make_windows, stretches, window_table
from handrail.data.prepare import prepare, reopen
from handrail.data.rows import TargetWindows, Windows
from handrail.data.sources import read
from handrail.data.split.parts import draw_parts, task_of_parts
from handrail.data.stores.series import SeriesStore, WindowStore
from handrail.data.table import Table
from handrail.data.task import TaskSpec
from handrail.errors import DataError, RecipeError
from handrail.recipe.reading import Split
from handrail.recipe.sections import DataRecipe, Forecast, Series
from handrail.tasks.values import ValueTask


def table_of(**columns: object) -> Table:
    return Table(pl.DataFrame(columns, strict=False), "toy.csv")


def ramp(rows: int = 60) -> Table:
    """Target y = 0, 1, 2 … and another number; a date an hour."""
    dates = [datetime(2024, 1, 1) + timedelta(hours=row) for row in range(rows)]
    return table_of(when=dates, x=np.arange(rows) * 10.0, y=np.arange(rows) * 1.0)


def store_in(table: Table) -> WindowStore:
    store = table.stores["history"]
    assert isinstance(store, WindowStore)
    return store


def test_each_window_is_followed_by_its_targets() -> None:
    plan = plan_windows(ramp(), ["y"], Forecast(history=5, horizon=3, season=2), train_rows=40)
    windows = make_windows(ramp(), plan)
    assert windows.table.frame.columns == ["history", "y +1", "y +2", "y +3"]
    assert len(windows.table.frame) == 60 - 5 - 3 + 1
    assert plan.channels == ("y", "x", "sine of day", "cosine of day")  # 40 hours: no week, no year
    values = store_in(windows.table).values(np.arange(len(windows.table.frame)), 5)
    for row, first in enumerate(windows.first_target_row):
        assert values[row, 0].tolist() == list(range(first - 5, first))
        assert windows.table.frame.row(row)[1:] == (first, first + 1, first + 2)
    hours: np.ndarray = values[0, 2:].numpy()
    angles = 2 * np.pi * np.arange(5) / 24
    assert np.abs(hours - [np.sin(angles), np.cos(angles)]).max() < 1e-6
    assert windows.table.row_name(0) == "the forecast from row 6 on (2024-01-01 05:00:00)"


def test_windows_are_not_copied_and_equal_series_have_equal_hashes() -> None:
    windows = make_windows(ramp(), plan_windows(ramp(), ["y"], Forecast(history=6, horizon=2), train_rows=40))
    store, column = store_in(windows.table), windows.table.frame["history"]
    encoder = SeriesEncoder.fit(column[:10], store, Series())
    rows = encoder.rows(column, store)
    assert isinstance(rows, Windows)
    again, exact = store.windows(np.arange(3)), store.windows(np.arange(3), exact=True)
    assert rows.data.data_ptr() == again.data.data_ptr()
    assert exact.data.data_ptr() == store.matrix.data_ptr()
    whole = SeriesStore.of_arrays(list(store.values(column.to_numpy(), 6).numpy()), [""] * len(column))
    assert (whole.hashes == store.hashes).all()
    # Rows 0 … 14 stand in the first ten windows, each counts once.
    assert encoder.mean[0] == np.arange(15).mean()
    assert encoder.deviation[0] == pytest.approx(np.arange(15).std())
    again = SeriesEncoder.from_facts(encoder.facts())
    assert again.plan == store.plan


def test_a_length_beside_the_history_is_refused() -> None:
    windows = make_windows(ramp(), plan_windows(ramp(), ["y"], Forecast(history=6, horizon=2), train_rows=40))
    with pytest.raises(RecipeError, match=r"data\.series\.length: has no effect on a forecast"):
        SeriesEncoder.fit(windows.table.frame["history"], windows.table.stores["history"], Series(length=4))


def test_the_future_is_the_last_window() -> None:
    plan = plan_windows(ramp(), ["y", "x"], Forecast(history=5, horizon=3, season=4), train_rows=40)
    windows = make_windows(ramp(7), plan, future=True)
    assert windows.first_target_row.tolist() == [5, 6, 7]
    assert windows.table.frame.row(2)[1:] == (None,) * 6
    assert windows.table.frame.row(1)[1:] == (6, None, None, 60, None, None)
    assert store_in(windows.table).values(np.array([2]), 5)[0, 0].tolist() == [2, 3, 4, 5, 6]
    assert windows.table.row_name(2) == "the forecast behind row 7"
    with pytest.raises(DataError, match="has 4 rows; expected at least 5"):
        make_windows(ramp(4), plan, future=True)
    with pytest.raises(DataError, match=r"'toy\.csv' has no column 'x'"):
        make_windows(table_of(y=np.arange(9.0), when=ramp(9).frame["when"]), plan)


def test_gaps_are_filled_from_before_and_missing_truth_stays_missing() -> None:
    values = [None, 1.0, None, 3.0, None, *(float(row) for row in range(5, 40))]
    table = table_of(y=values, other=["a", "b"] * 20)
    plan = plan_windows(table, ["y"], Forecast(history=4, horizon=2), train_rows=30)
    windows = make_windows(table, plan)
    mean = float(np.mean([value for value in values[:30] if value is not None]))
    assert store_in(windows.table).matrix[:6, 0].tolist() == pytest.approx([mean, 1, 1, 3, 3, 5])
    assert windows.table.frame["y +1"][0] is None
    assert windows.table.frame["y +2"][0] == 5
    assert plan.left_out == ("other",)


def test_rows_are_sorted_by_their_dates_and_keep_their_names() -> None:
    frame = ramp(30).frame.reverse()
    ordered = order_rows(Table(frame, "toy.csv"), ()).table
    assert ordered.frame["y"].to_list() == list(range(30))
    assert ordered.row_name(0) == "row 30"
    assert "sorted by 'when'" in ordered.notes[-1]
    assert order_rows(ramp(), ()).table.notes == ()
    gap = frame.with_columns(pl.when(pl.col("y") == 3).then(None).otherwise("when").alias("when"))
    with pytest.raises(DataError, match=r"column 'when' of 'toy.csv' has no date in 1 row \(row 27\)"):
        order_rows(Table(gap, "toy.csv"), ())
    with pytest.raises(DataError, match="30 different dates in 60 rows; expected one row for each moment"):
        order_rows(Table(pl.concat([frame, frame.with_columns(y=pl.col("y") + 1)]), "toy.csv"), ())


@settings(deadline=None)
@given(
    rows=st.integers(30, 200),
    history=st.integers(1, 12),
    horizon=st.integers(1, 4),
    stride=st.integers(1, 5),
    shares=st.tuples(st.floats(0.15, 0.3), st.floats(0.15, 0.3)),
)
def test_parts_by_definition(
    rows: int, history: int, horizon: int, stride: int, shares: tuple[float, float]
) -> None:
    validation_row, test_row = stretches(rows, horizon=horizon, validation=shares[0], test=shares[1])
    firsts = np.arange(history, rows - horizon + 1)
    if validation_row < history + horizon:
        return
    parts = divide(firsts, horizon=horizon, validation_row=validation_row, test_row=test_row, stride=stride)
    for first, part in zip(firsts.tolist(), parts.tolist(), strict=True):
        targets = set(range(first, first + horizon))
        where = [set(range(validation_row)), set(range(validation_row, test_row)), set(range(test_row, rows))]
        inside = [code for code, stretch in enumerate(where) if targets <= stretch]
        assert part in (inside[0], 3) if inside else part == 3
        assert part == inside[0] if inside and inside[0] > 0 else True
    trained = firsts[parts == 0]
    assert trained[-1] + horizon == validation_row
    assert set(np.diff(trained)) <= {stride}


words = st.sampled_from(["?", "1e30", "-7", "12.5", "word", "", "NA", "0"])


@settings(deadline=None, max_examples=40)
@given(data=st.data(), rows=st.integers(50, 70), horizon=st.integers(1, 3), two=st.booleans())
def test_nothing_of_the_test_rows_reaches_training_or_validation(
    data: st.DataObject, rows: int, horizon: int, two: bool
) -> None:
    """Whatever is written into rows of the test stretch: plan, windows, targets and hashes of the others stay
    to the bit.
    """
    draw = np.random.default_rng(data.draw(st.integers(0, 9)))
    columns = {
        "when": [str(datetime(2024, 1, 1) + timedelta(hours=row)) for row in range(rows)],
        "y": [f"{value:.2f}" for value in draw.normal(size=rows)],
        "x": [
            f"{value:.2f}" if (row not in (5, 12) if two else value > 0.5) else None
            for row, value in enumerate(draw.normal(size=rows))
        ],
        "kind": list(draw.choice(["a", "b"], rows)),
    }
    recipe = DataRecipe(forecast=Forecast(horizon=horizon), split=Split(validation=0.2, test=0.2))
    _, test_row = stretches(rows, horizon=horizon, validation=0.2, test=0.2)
    changed = {name: list(values) for name, values in columns.items()}
    for row in {test_row, *data.draw(st.lists(st.integers(test_row, rows - 1), max_size=6))}:
        for name in ("y", "x", "kind"):
            changed[name][row] = data.draw(words)
    targets = ("y", "x") if two else ("y",)
    before, after = (
        window_table(
            Table(pl.DataFrame(series, schema_overrides={"x": pl.String}), "toy.csv", is_text=True),
            targets,
            recipe,
        )
        for series in (columns, changed)
    )
    assert before[1:] == after[1:]
    places = [np.flatnonzero(table.parts < 2) for table in (before[0], after[0]) if table.parts is not None]
    assert places[0].tolist() == places[1].tolist()
    assert before[0].frame[places[0]].equals(after[0].frame[places[0]])
    stores = [store_in(table) for table in (before[0], after[0])]
    assert stores[0].plan == stores[1].plan
    assert torch.equal(
        stores[0].values(places[0], stores[0].length), stores[1].values(places[0], stores[1].length)
    )
    assert (stores[0].hashes[places[0]] == stores[1].hashes[places[0]]).all()


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DataError, match="2 mistakes") as caught:
        stretches(100, horizon=20, validation=0.15, test=0.1)
    assert "the test rows are 10 of 100, fewer than the forecast's horizon of 20" in str(caught.value)
    with pytest.raises(
        DataError, match="has 40 training rows; a window takes 39 rows of history and 2 to forecast"
    ):
        plan_windows(ramp(), ["y"], Forecast(history=39, horizon=2), train_rows=40)
    with pytest.raises(
        DataError, match=r"the target 'name' of 'toy\.csv': found 'a', and no training row has a number"
    ):
        plan_windows(
            table_of(name=["a"] * 30, y=np.arange(30.0)), ["name"], Forecast(horizon=2), train_rows=20
        )
    with pytest.raises(DataError, match=r"data\.split\.method: found 'random'"):
        window_table(ramp(), ["y"], DataRecipe(split=Split(method="random")))


def test_last_season_and_the_scale_of_errors() -> None:
    table = table_of(y=[float(row % 4) for row in range(60)], x=np.arange(60.0))
    plan = plan_windows(table, ["y", "x"], Forecast(history=3, horizon=6), train_rows=40)
    assert plan.season == 4
    windows = make_windows(table, plan)
    task = TaskSpec(name="regression", targets=plan.outputs, horizon=6, season=4)
    said = store_in(windows.table).last_season(task, np.arange(1, len(windows.table.frame)))
    truth = windows.table.frame.select(plan.outputs).to_numpy()[1:]
    # It repeats itself, although a season is longer than the history.
    np.testing.assert_array_equal(said[:, :6], truth[:, :6])
    np.testing.assert_array_equal((truth - said)[:, 6:], np.tile([4.0] * 4 + [8.0] * 2, (len(said), 1)))
    scale = store_in(windows.table).naive_errors(task)
    assert np.isnan(scale[:6]).all()  # its error is zero
    assert scale[6:].tolist() == [4.0] * 6


def test_seasons_of_made_series() -> None:
    noise = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(480) / 24)
    assert find_season(wave + noise.normal(size=480) * 0.3) == 24
    assert find_season(wave + np.arange(480) * 0.5) == 24  # on a trend
    drift = 0.7 * noise.normal(size=4800).cumsum()
    assert find_season(np.tile(wave, 10) * 2 + drift) == 24  # under a drift
    assert find_season(noise.normal(size=500)) == 1
    assert find_season(np.arange(50.0)) == 1
    assert find_season(np.ones(50)) == 1
    assert find_season(np.full(50, np.nan)) == 1
    gaps = wave.copy()
    gaps[::7] = np.nan
    assert find_season(gaps) == 24


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), max_size=60))
def test_a_season_is_at_most_a_third_of_the_rows(values: list[float]) -> None:
    assert 1 <= find_season(np.array(values)) <= max(1, len(values) // 3 + 1)


@pytest.mark.parametrize(
    ("file", "target", "season"),
    [
        ("ett/ETTh1.csv", "OT", range(24, 25)),
        ("time-series/monthly-sunspots.csv", "Sunspots", range(120, 140)),
        ("time-series/airline-passengers.csv", "Passengers", range(12, 13)),
        ("time-series/daily-min-temperatures.csv", "Temp", range(360, 371)),
        ("time-series/shampoo.csv", "Sales", range(1, 2)),
    ],
)
def test_seasons_of_real_series(shared_data: Path, file: str, target: str, season: range) -> None:
    values = read(shared_data / file).frame[target].cast(pl.Float64).to_numpy()
    assert find_season(values[: len(values) * 7 // 10]) in season


def test_rows_of_one_moment_stay_in_one_stretch() -> None:
    moments = np.repeat(np.arange(50.0), 2)  # each moment twice
    cuts = stretches(100, horizon=3, validation=0.15, test=0.15, moments=moments)
    assert cuts == (70, 84)  # 85 lies between two rows of one moment
    assert stretches(100, horizon=3, validation=0.15, test=0.15) == (70, 85)


def _forecast_recipe(frame: pl.DataFrame, **more: object) -> DataRecipe:
    settings = {"horizon": 4, "history": 6, **dict(more.pop("forecast", {}))}  # pyright: ignore
    return DataRecipe.model_validate(
        {"source": frame, "target": ["y", "x"], "task": "forecast", "forecast": settings, **more}
    )


@pytest.mark.parametrize("gaps", [False, True])
def test_targets_are_those_of_the_table_though_nothing_is_copied(gaps: bool) -> None:
    frame = ramp(200).frame.with_columns(y=(pl.col("y") / 7).sin(), x=pl.col("x").cos())
    if gaps:
        frame = frame.with_columns(y=pl.when(pl.int_range(200) % 41 == 5).then(None).otherwise("y"))
    data = prepare(_forecast_recipe(frame))
    parts = [data.train, data.validation, data.train.join(data.validation)]
    for part in [*parts, data.train.pick(np.array([5, 2, 9]))]:
        whole = data.task.encode(part.raw)
        assert isinstance(part.target, TargetWindows)
        assert len(part.target) == len(part)
        assert part.target.outputs == 8
        assert torch.equal(torch.from_numpy(part.target.numpy()), whole)
        assert torch.equal(part.target.columns(slice(1, 7, 2)), whole[:, 1:7:2])
    whole, plain = data.task.encode(data.train.raw), ValueTask(data.task, 1)
    task = ValueTask(data.task, 1)
    encoder = fit_encoder(data.train.features, data.schema, data.train.stores, _forecast_recipe(frame))
    task.fit(data.train, encoder)
    plain.learn(whole)
    assert torch.equal(task.mean, plain.mean)
    assert torch.equal(task.spread, plain.spread)
    assert torch.equal(task.mean, whole.double().mean(dim=0))
    rows = torch.tensor([3, 0, 11])
    scaled = task.targets(data.train)
    assert isinstance(scaled, TargetWindows)
    expected = plain.scale(whole)
    assert isinstance(expected, torch.Tensor)
    assert torch.equal(scaled.take(rows), expected[rows])


def test_memory_does_not_grow_with_the_horizon() -> None:
    """Of 20,000 rows and 200 steps, a table of targets would take 32 MB, and each copy of it as much."""
    frame = pl.DataFrame({"y": np.sin(np.arange(20_000) / 9), "x": np.cos(np.arange(20_000) / 5)})
    recipe = _forecast_recipe(frame, target=["y"], forecast={"horizon": 200, "history": 10, "season": 24})
    tracemalloc.start()
    table, _, _ = window_table(Table(frame, "toy.csv"), ["y"], recipe)
    drawn = draw_parts(recipe)
    part, _ = make_part(
        drawn.train,
        infer(drawn.train.frame.select("history"), stored={"history": "series"}),
        task_of_parts(recipe, drawn),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(table.frame.columns) == 201
    first, last = (part.raw[name].to_numpy(allow_copy=False).ctypes.data for name in ("y +1", "y +200"))
    assert last - first == 199 * 8, "the columns are stretches of one series"
    assert peak < 8e6


@pytest.mark.parametrize("drop", [["x"], ["when"], ["when", "word"]])
def test_dropped_columns_are_no_channels(drop: list[str]) -> None:
    frame = ramp(200).frame.with_columns(word=pl.lit("a"))
    recipe = _forecast_recipe(frame, target=["y"], drop=drop)
    data = prepare(recipe)
    channels = data.train.stores["history"].plan.channels  # pyright: ignore[reportAttributeAccessIssue]
    assert ("x" in channels) is ("x" not in drop)
    assert ("sine of day" in channels) is ("when" not in drop)
    again = reopen(recipe, data.schema, data.task, expected=data.fingerprint)
    assert len(again[0]) == len(data.train)
