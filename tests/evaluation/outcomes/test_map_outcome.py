"""Figures of maps against sums written out."""

from dataclasses import replace

import numpy as np
import pytest

from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.forms import NoInterval
from handrail.evaluation.outcomes.map import MapOutcome, Ways

TORN = "topographic_error"


def outcome(rows: int = 200, *, torn: float = 0.2, seed: int = 0) -> MapOutcome:
    rng = np.random.default_rng(seed)
    ways = Ways(rng.exponential(size=rows), rng.random(rows) < torn)
    distances, lengths = rng.exponential(size=rows), rng.random(rows)
    return MapOutcome(rng.integers(0, 20, rows), distances, 5, ways, lengths=lengths)


def test_figures_are_those_of_their_formulas():
    each = outcome()
    assert each.ways is not None
    found = each.measure()
    assert list(found) == ["map_error", "quantisation_error", TORN]
    assert found["quantisation_error"] == pytest.approx(each.distances.mean())
    assert found["map_error"] == pytest.approx((each.distances + each.ways.lengths).mean())
    assert found[TORN] == pytest.approx(np.mean(each.ways.torn))  # pyright: ignore


def test_weights_are_copies():
    each, weights = outcome(60), np.arange(60) % 3
    assert each.ways is not None
    assert not isinstance(each.ways.torn, NoInterval)
    places = np.repeat(np.arange(60), weights)
    ways = Ways(each.ways.lengths[places], each.ways.torn[places])
    copied = replace(
        each,
        units=each.units[places],
        distances=each.distances[places],
        lengths=each.lengths[places],
        ways=ways,
    )
    (statistic,) = each.statistics(each.names())
    figures = statistic(weights[:, None].astype(float))
    for name, value in copied.measure().items():
        assert figures[name][0] == pytest.approx(value), name


def test_every_figure_has_an_interval_around_it_and_the_share_that_of_wilson():
    """Wilson 1927, with 1.96."""
    found = measure_with_intervals(outcome(), resamples=200)
    for name, interval in found.items():
        assert interval.low < interval.value < interval.high, name
    share, z, rows = found[TORN].value, 1.959964, 200
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    assert (found[TORN].low, found[TORN].high) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_prototypes_on_no_map_have_a_quantisation_error_alone():
    found = measure_with_intervals(replace(outcome(), ways=None), resamples=50)
    assert np.isfinite(found["quantisation_error"].low)
    for name in ("map_error", TORN):
        assert np.isnan(found[name].value)
        assert found[name].reason == "its prototypes lie on no map"


def test_where_all_units_are_neighbours_there_is_no_topographic_error():
    each = outcome()
    assert each.ways is not None
    small = replace(each, ways=replace(each.ways, torn=NoInterval("all units are neighbours")))
    found = measure_with_intervals(small, resamples=50)
    assert np.isfinite(found["map_error"].low)
    assert found[TORN].reason == "all units are neighbours"
    assert "torn" not in small.columns()


def test_two_maps_of_the_same_rows_are_compared():
    first = outcome()
    assert first.ways is not None
    other = replace(first, distances=first.distances * 2)
    assert difference(first, other, "map_error").high < 0
    assert difference(first, other, TORN).value == 0
    assert not first.same_rows(outcome(seed=1))


def test_units_are_named_by_row_and_column_from_one():
    each = replace(outcome(3), units=np.array([0, 4, 5]))
    assert [each.describe(row, truth=False) for row in (0, 1, 2)] == [
        "unit in row 1, column 1",
        "unit in row 1, column 5",
        "unit in row 2, column 1",
    ]
    columns = each.columns()
    assert columns["map_row"].tolist() == [1, 1, 2]
    assert columns["map_column"].tolist() == [1, 5, 1]
