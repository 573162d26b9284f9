"""Axes of the report's figures: what they span, and how their ticks are written."""

from handrail.report.figures import intervals
from handrail.report.figures.style import number_format


def test_a_baseline_whose_interval_has_no_end_leaves_the_scale_to_the_others() -> None:
    def row(name: str, value: float, low: float, high: float) -> intervals.Row:
        return name, [("validation", {"value": value, "low": low, "high": high})]

    rows = [
        row("network", 0.002, 0.001, 0.04),
        row("linear", 0.69, 0.68, 0.7),
        row("boosted trees", 0.05, 0.02, 6e66),
    ]
    low, high = intervals._limits(rows, "boosted trees")
    assert low < 0.001
    assert 0.05 < high < 0.3
    usual = [*rows[:2], row("boosted trees", 0.05, 0.02, 0.09)]
    assert 0.09 < intervals._limits(usual, "boosted trees")[1] < 0.1


def test_ticks_that_lie_close_have_the_digits_that_tell_them_apart() -> None:
    written = number_format()
    assert written.format_ticks([0.98181, 0.98182, 0.98183]) == ["0.98181", "0.98182", "0.98183"]
    assert written.format_ticks([-0.5, 0.1 + 0.2]) == ["−0.5", "0.3"]
