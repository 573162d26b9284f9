"""Generated tables: `toy:NAME,argument=value`."""

import subprocess
import sys
from typing import Annotated, Any, get_args, get_origin

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from handrail.components import Component, available, hints
from handrail.components import settings as arguments_of
from handrail.data.sources import read
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe import compose
from handrail.recipe.reading import ReadOptions
from handrail.report.catalogue import catalogue, catalogue_text

TOYS = available("toy")
MOST_ROWS = 60  # more cost time and show nothing else


def bounds(annotation: Any) -> tuple[type, dict[str, Any]]:
    """The type of an argument, and its bounds by name."""
    assert get_origin(annotation) is Annotated
    kind, *extras = get_args(annotation)
    marks = [mark for extra in extras for mark in (extra, *extra.metadata)]
    names = ("ge", "gt", "le", "lt")
    return kind, {name: getattr(mark, name) for mark in marks for name in names if hasattr(mark, name)}


def values(name: str, annotation: Any) -> st.SearchStrategy[Any]:
    """Any value in range, its ends among them; of rows and the like only small ones."""
    kind, limits = bounds(annotation)
    low = limits["gt"] if "gt" in limits else limits["ge"]
    high = limits["lt"] if "lt" in limits else limits["le"]
    if kind is int:
        most = {"rows": MOST_ROWS, "inputs": 8}.get(name, high - ("lt" in limits))
        return st.integers(low + ("gt" in limits), most)
    return st.floats(low, high, exclude_min="gt" in limits, exclude_max="lt" in limits, allow_subnormal=False)


@st.composite
def sources(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(sorted(TOYS)))
    annotations = hints(TOYS[name])
    keys = (
        draw(st.lists(st.sampled_from(sorted(arguments_of(TOYS[name]))), unique=True))
        if (arguments_of(TOYS[name]))
        else []
    )
    chosen = {key: draw(values(key, annotations[key])) for key in keys}
    return f"toy:{name}" + "".join(f",{key}={value!r}" for key, value in chosen.items()), chosen


@given(sources())
@settings(max_examples=150, deadline=None)
def test_any_arguments_in_range_give_a_finite_table_of_the_rows_asked_and_the_same_bits(
    case: tuple[str, dict[str, Any]],
) -> None:
    source, chosen = case
    try:
        table, again = read(source), read(source)
    except DataError as error:
        assume("expected it at most as large" not in str(error))  # a shortest length above the longest
        assume("Ask for fewer or shorter rows" not in str(error))
        raise
    assert all(
        np.isfinite(table.frame[name].to_numpy()).all() for name in table.frame.select(cs.numeric()).columns
    )
    rows = chosen.get("rows", table.frame.height)
    if table.parts is not None:
        rows = chosen.get("rows", int((table.parts == 0).sum())) + int((table.parts == 2).sum())
    assert table.frame.height == rows
    assert table.frame.equals(again.frame)
    assert table.target is None or set(targets(table)) < set(table.frame.columns)


def targets(table: Table) -> list[str]:
    assert table.target is not None
    return [table.target] if isinstance(table.target, str) else table.target


@pytest.mark.parametrize("entry", [each for each in TOYS.values() if "seed" in arguments_of(each)])
def test_another_seed_draws_other_rows(entry: Component) -> None:
    first, other = (read(f"toy:{entry.name},seed={seed}") for seed in (0, 1))
    pictures = any((first.stores[name].hashes != other.stores[name].hashes).any() for name in first.stores)
    assert pictures or not first.frame.equals(other.frame)


def answers(name: str) -> list[int]:
    table = read(f"toy:{name}")
    return table.frame[targets(table)[0]].to_list()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("not", [1, 0]),
        ("and", [0, 0, 0, 1]),
        ("or", [0, 1, 1, 1]),
        ("xor", [0, 1, 1, 0]),
        ("nand", [1, 1, 1, 0]),
        ("nor", [1, 0, 0, 0]),
        ("xnor", [1, 0, 0, 1]),
        ("parity", [0, 1, 1, 0, 1, 0, 0, 1]),
        ("majority", [0, 0, 0, 1, 0, 1, 1, 1]),
    ],
)
def test_truth_tables_by_hand(name: str, expected: list[int]) -> None:
    assert answers(name) == expected


def test_parity_of_many_inputs_is_the_exclusive_or_of_all() -> None:
    frame = read("toy:parity,inputs=6").frame
    assert frame.height == 64
    assert frame.unique().height == 64
    bits = frame.drop("y").to_numpy()
    assert (np.bitwise_xor.reduce(bits, axis=1) == frame["y"].to_numpy()).all()
    assert frame.row(0)[:-1] == (0,) * 6
    assert frame.row(1)[:-1] == (0, 0, 0, 0, 0, 1)


def test_shapes_follow_their_formulas_where_there_is_no_noise() -> None:
    circles = read("toy:circles,noise=0,inner=0.3").frame
    radius = np.hypot(circles["x1"], circles["x2"])
    np.testing.assert_allclose(radius, np.where(circles["class"] == 0, 1, 0.3))
    moons = read("toy:moons,noise=0").frame
    upper, lower = moons.filter(pl.col("class") == 0), moons.filter(pl.col("class") == 1)
    np.testing.assert_allclose(np.hypot(upper["x1"], upper["x2"]), 1)
    np.testing.assert_allclose(np.hypot(lower["x1"] - 1, lower["x2"] - 0.5), 1)
    assert upper["x2"].min() >= 0  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]
    assert lower["x2"].max() <= 0.5  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]
    spirals = read("toy:spirals,noise=0,turns=2,classes=3").frame
    radius = np.hypot(spirals["x1"], spirals["x2"])
    angle = np.arctan2(spirals["x2"], spirals["x1"])
    turned = angle - 2 * np.pi * (2 * radius + spirals["class"].to_numpy() / 3)
    np.testing.assert_allclose(np.cos(turned), 1, atol=1e-9)
    polar = read("toy:polar").frame
    np.testing.assert_allclose(polar["r"] * np.cos(polar["phi"]), polar["x"], atol=1e-12)
    np.testing.assert_allclose(polar["r"] * np.sin(polar["phi"]), polar["y"], atol=1e-12)
    line = read("toy:line,noise=0,slope=-1.5,intercept=4").frame
    np.testing.assert_allclose(line["y"], 4 - 1.5 * line["x"])


def test_noise_has_the_deviation_asked() -> None:
    line = read("toy:line,rows=20000,noise=0.25,seed=4").frame
    rest = (line["y"] - 1 - 2 * line["x"]).to_numpy()
    assert abs(rest.std() - 0.25) < 0.005
    assert abs(rest.mean()) < 0.008


def test_meshed_regions_are_connected_interlocked_and_of_equal_area() -> None:
    """Lippmann's figure: neither region is convex, each is of one piece, and their hulls overlap."""
    frame = read("toy:meshed,rows=40000").frame
    assert abs(frame["class"].to_numpy().mean() - 0.5) < 0.01
    size = 40
    places = [
        np.minimum(((frame[name] + 1) * size / 2).to_numpy().astype(int), size - 1) for name in ("x1", "x2")
    ]
    grid = np.full((size, size), -1)
    grid[places[0], places[1]] = frame["class"].to_numpy()
    assert (grid >= 0).all()
    assert [pieces(grid == code) for code in (0, 1)] == [1, 1]
    middle = grid[size // 2]
    assert np.abs(np.diff(middle)).sum() == 3  # two teeth of each across the middle


def pieces(region: np.ndarray) -> int:
    """How many connected pieces a region of a grid has, by flooding."""
    left, found = region.copy(), 0
    while left.any():
        found += 1
        open_places = [tuple(np.argwhere(left)[0])]
        while open_places:
            row, column = open_places.pop()
            inside = 0 <= row < len(left) and 0 <= column < len(left)
            if not inside or not left[row, column]:
                continue
            left[row, column] = False
            steps = ((1, 0), (-1, 0), (0, 1), (0, -1))
            open_places += [(row + down, column + right) for down, right in steps]
    return found


def test_new_rows_of_blobs_lie_around_the_same_centres() -> None:
    centres = [read(f"toy:blobs,spread=0,seed={seed}").frame.unique().sort("class").rows() for seed in (0, 1)]
    assert centres[0] == centres[1]
    assert centres[0] != read("toy:blobs,spread=0,layout=1").frame.unique().sort("class").rows()


def test_all_mistakes_are_told_at_once_with_ranges_and_nearest_names() -> None:
    with pytest.raises(DataError) as caught:
        read("toy:moons,rows=1,nois=0.1,noise=nan,seed=2,seed=3,")
    told = str(caught.value)
    assert "5 mistakes" in told
    assert "found rows=1, expected a whole number from 2 up to 1,000,000 (default 500)" in told
    assert "unknown argument 'nois'. Did you mean 'noise'? Known: rows, noise, seed." in told
    assert "found noise=nan, expected a number from 0" in told
    assert "seed is given twice" in told
    assert "found '', expected ,argument=value as in toy:moons,rows=500,noise=0.1" in told


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "toy:mons",
            r"there is no generated table 'toy:mons'. Did you mean 'moons'\? Known: and, .*bars, .*xor",
        ),
        ("toy:", "there is no generated table 'toy:'. Known: and, associative_recall, bars"),
        ("toy:os.path:join", "there is no generated table 'toy:os'"),
        ("toy:moons?rows=5&noise=0.1", r"found '\?rows=5&noise=0.1', expected ,argument=value"),
        ("toy:xor,seed=1", "unknown argument 'seed'. It has no arguments"),
        ("toy:moons,rows=5.5", "found rows=5.5, expected a whole number from 2"),
    ],
)
def test_mistakes(source: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(source)


def test_columns_can_be_renamed_and_targets_follow() -> None:
    table = read("toy:polar,rows=5", options=ReadOptions(names=["east", "north", "distance", "angle"]))
    assert table.target == ["distance", "angle"]
    with pytest.raises(DataError, match="delimiter' would have no effect"):
        read("toy:polar", options=ReadOptions(delimiter=";"))


def test_a_recipe_keeps_the_source_as_it_is_and_takes_its_name() -> None:
    recipe = compose("toy:moons,rows=50,noise=0.25")
    assert recipe.data.source == "toy:moons,rows=50,noise=0.25"
    assert recipe.name == "moons"


def test_the_catalogue_shows_how_a_toy_is_written() -> None:
    text = catalogue_text(catalogue("moons"), full=True)
    assert "handrail fit toy:moons,rows=500" in text
    assert "whole number from 2 up to 1,000,000" in text
    assert "handrail fit toy:xor" in catalogue_text(catalogue("xor"), full=True)


def test_a_mistake_is_told_before_torch_is_imported() -> None:
    code = (
        "import sys\n"
        "from handrail.cli.early import look_at\n"
        "from handrail.errors import DataError\n"
        "try:\n    look_at('toy:mons')\n"
        "except DataError:\n    sys.exit(3 if 'torch' in sys.modules else 0)\n"
        "sys.exit(4)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
