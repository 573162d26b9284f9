"""The replicas' main figure, a dot for each, beside the interval of what answers: two kinds of chance in one
picture.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from handrail.report.figures.figure import FigureView, figure_view
from handrail.report.figures.style import INK, MUTED, NETWORK, PAPER, axes_in, picture
from handrail.report.sections.replicas import Found, Replicas
from handrail.report.wording import metric_label, metric_value, number, titled

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 34, 78, 14, 8, 28  # pixels
# Pixels: of a dot, and of the dots above each other, which move closer where they are many.
_DOT, _HIGHEST = 9, 80


def replica_plot(
    found: Found, replicas: Replicas, metric: str, part: str, *, marked: bool = False
) -> list[FigureView]:
    """A row for the replicas, one for their ensemble and one for the best; nothing where the figure is not
    defined.

    Arguments:
        found: `validation.json` or `test.json`.
        marked: drawn from test rows that were opened before.
    """
    values, mean = replicas.values(metric), replicas.spread.get(metric, {}).get("mean")
    if not values or mean is None:
        return []
    interval, rows = found["metrics"][metric], _rows(replicas, metric)
    known = [*values, *(value for _, value, _ in rows), *(interval[end] for end in ("low", "high"))]
    limits = _limits([value for value in known if value is not None])
    dots = stacked(values, _DOT * (limits[1] - limits[0]) / (_WIDTH - _LEFT - _RIGHT))
    highest = max(height for _, height in dots)
    step = min(_DOT, _HIGHEST / max(highest, 1)) / _ROW
    top = 0.5 + step * highest

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=_LEFT, bottom=_BOTTOM, right=_RIGHT, top=_TOP)
        axes.set_xlim(*limits)
        axes.set_ylim(len(rows) + 0.5, -top)
        _plain(axes, ["replicas", *(name for name, _, _ in rows)])
        if len(values) > 1:
            axes.plot([mean, mean], [0.4, -top], color=INK, linewidth=1.4)
        for value, height in dots:
            axes.plot([value], [-height * step], "o", color=NETWORK, markersize=7, alpha=0.75)
        for place, (_, value, answers) in enumerate(rows, start=1):
            _mark(axes, value, place, interval if answers else None)

    height = round(_TOP + _BOTTOM + _ROW * (len(rows) + 0.5 + top))
    svg = picture(f"replicas-{part}", draw, label=_label(replicas, metric, part), width=_WIDTH, height=height)
    told = f"Upright line: their mean, {metric_value(metric, mean)}. " if len(values) > 1 else ""
    note = f"{told}Bar: the interval of {replicas.answers}, which answers."
    return [
        figure_view(
            f"{titled(metric_label(metric))} of the replicas",
            svg,
            note=note,
            marked=marked,
            side=f"{part} rows",
        )
    ]


def _rows(replicas: Replicas, metric: str) -> list[tuple[str, float | None, bool]]:
    """Name, value, and whether it answers."""
    names = {"ensemble": "ensemble", "best": f"replica {replicas.best}"}
    return [
        (name, replicas.figures[key].get(metric), (key == "ensemble") == replicas.joined)
        for key, name in names.items()
        if key in replicas.figures
    ]


def _limits(known: Sequence[float]) -> tuple[float, float]:
    low, high = min(known), max(known)
    margin = 0.06 * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin


def _plain(axes: Axes, names: Sequence[str]) -> None:
    """A name for each row, and few marks below."""
    axes.set_yticks(range(len(names)), names)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(round(value, 12))))
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def stacked(values: Sequence[float], width: float) -> list[tuple[float, int]]:
    """Values with the height of each, so that no two dots nearer than `width` have the same; lowest value
    first.
    """
    placed: list[tuple[float, int]] = []
    for value in sorted(values):
        taken = {height for other, height in placed if value - other < width}
        placed.append((value, next(height for height in range(len(placed) + 1) if height not in taken)))
    return placed


def _mark(axes: Axes, value: float | None, y: int, interval: Mapping[str, float | None] | None) -> None:
    if interval and interval["low"] is not None and interval["high"] is not None:
        axes.plot([interval["low"], interval["high"]], [y, y], color=NETWORK, linewidth=2)
    if value is not None:
        colour = NETWORK if interval else MUTED
        axes.plot(
            [value],
            [y],
            "D",
            markersize=7,
            markeredgewidth=1.8,
            markeredgecolor=colour,
            markerfacecolor=colour if interval else PAPER,
        )


def _label(replicas: Replicas, metric: str, part: str) -> str:
    values = ", ".join(metric_value(metric, value) for value in sorted(replicas.values(metric)))
    others = "; ".join(f"{name} {metric_value(metric, value)}" for name, value, _ in _rows(replicas, metric))
    return (
        f"{titled(metric_label(metric))} of {len(replicas.sound)} replicas on {part} rows: {values}; {others}"
    )
