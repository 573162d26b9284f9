"""Maps of units as pictures: what is drawn, and what stands beside it."""

import re

import numpy as np
import pytest

from handrail.components.pictures import Cells, from_plain, to_plain
from handrail.report.figures.named import named_picture


def corners(svg: str) -> list[np.ndarray]:
    """The polygons of a drawing."""
    paths = re.findall(r'<path d="([^"]*)"', svg)
    polygons = [polygon for path in paths for polygon in path.split("z") if polygon]
    return [np.array([pair.split() for pair in each[1:].split("L")], float) for each in polygons]


def test_a_picture_comes_back_from_plain_data():
    values = np.arange(24.0).reshape(2, 3, 4)
    cells = Cells("Units", values, hexagonal=True, captions=("a", "b"), names=("x",), columns=2)
    back = from_plain(to_plain(cells))
    assert isinstance(back, Cells)
    assert {**vars(back), "values": 0} == {**vars(cells), "values": 0}
    np.testing.assert_array_equal(back.values, values)


@pytest.mark.parametrize(("hexagonal", "sides"), [(False, 4), (True, 6)])
def test_each_unit_is_drawn_once_and_the_bar_below(hexagonal, sides):
    cells = Cells("Units", np.arange(12.0).reshape(1, 3, 4), hexagonal=hexagonal)
    drawn = corners(named_picture(cells, "units").svg)
    assert [len(each) for each in drawn] == [sides] * 12 + [4] * 32
    middles = np.array([each.mean(axis=0) for each in drawn[:12]])
    order = np.lexsort((middles[:, 0], middles[:, 1].round()))
    rows = middles[order].reshape(3, 4, 2)
    assert (np.diff(rows[:, :, 0], axis=1) > 0).all()
    moved = rows[1, :, 0] - rows[0, :, 0]
    width = rows[0, 1, 0] - rows[0, 0, 0]
    assert moved == pytest.approx(np.full(4, width / 2 if hexagonal else 0), abs=0.05)


def test_units_without_a_value_are_outlines_and_captions_are_escaped():
    values = np.array([[[1.0, np.nan], [3.0, 1234.5]]])
    view = named_picture(Cells("Rows", values, captions=("<b>",), note="note"), "rows")
    assert view.svg.count("fill: none") == 2  # the unit, and the edge
    assert "&lt;b&gt;" in view.svg
    assert "<b>" not in view.svg
    assert "1 to 1234" in view.svg
    named_picture(Cells("Nothing", np.full((1, 2, 2), np.nan)), "nothing")


def test_groups_have_a_legend_and_no_bar():
    view = named_picture(Cells("Label", np.array([[[0.0, 1.0], [-1.0, 1.0]]]), names=("a", "b", "c")), "g")
    assert [key.label for key in view.keys] == ["a", "b"]
    assert len(corners(view.svg)) == 4
