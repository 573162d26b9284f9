"""Learning curves: loss, metrics and learning rate by epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from handrail.report.figures.figure import FigureView, Key, figure_view
from handrail.report.figures.style import LINEAR, MUTED, NETWORK, axes_in, picture, thin
from handrail.report.wording import capitalise, metric_label, metric_value

_MOST_PANELS = 6
Curve = tuple[np.ndarray, np.ndarray]


def learning_curves(records: Sequence[dict[str, Any]], best_epoch: int) -> list[FigureView]:
    """The loss first, then the other metrics, then the learning rate if it changes."""
    views = [_curves(records, name, best_epoch) for name in curve_names(records)]
    rates = points(records, "learning_rate")
    if len(set(rates[1].tolist())) > 1:
        views.append(learning_rate([rates]))
    return views


def curve_names(records: Sequence[dict[str, Any]]) -> list[str]:
    """The first six quantities measured on training or validation rows, the loss first."""
    names = dict.fromkeys(
        key.partition("_")[2] for line in records for key in line if key.startswith(("train_", "val_"))
    )
    return sorted(names, key=lambda name: name != "loss")[:_MOST_PANELS]


def points(records: Sequence[dict[str, Any]], key: str) -> Curve:
    """Epochs and finite values of a recorded quantity."""
    pairs = [(line["epoch"], line[key]) for line in records if isinstance(line.get(key), int | float)]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def _curves(records: Sequence[dict[str, Any]], name: str, best_epoch: int) -> FigureView:
    train, validation = points(records, f"train_{name}"), points(records, f"val_{name}")
    last = records[-1]["epoch"]

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        for curve, colour in ((train, LINEAR), (validation, NETWORK)):
            axes.plot(*thin(*curve), color=colour, marker="o" if len(curve[0]) < 3 else "", markersize=6)
        epoch_axis(axes, last)
        if name == "loss":
            logarithmic_if_wide(axes, np.concatenate([train[1], validation[1]]))
        axes.axvline(best_epoch, color=MUTED, linewidth=1, dashes=(3, 3), zorder=0.5)
        at_best = validation[1][validation[0] == best_epoch]
        axes.plot([best_epoch] * len(at_best), at_best, "o", color=NETWORK, markersize=7)

    best = dict(zip(*validation, strict=True)).get(best_epoch)
    best_text = f", {metric_value(name, best)} at the best epoch, {best_epoch}" if best is not None else ""
    note = f"Best epoch {best_epoch} of {last}{_value(name, best)}."
    keys = [Key("train rows", LINEAR)] if len(train[0]) else []
    keys += [Key("validation rows", NETWORK)] if len(validation[0]) else []
    svg = picture(f"curve-{slug(name)}", draw, label=f"Learning curve over {last} epochs{best_text}")
    title = metric_label(name)
    return figure_view(f"{capitalise(title)} by epoch", svg, note=note, keys=tuple(keys))


def _value(name: str, best: float | None) -> str:
    return "" if best is None else f": {metric_value(name, best)} on validation rows"


def slug(name: str) -> str:
    """A name as part of an identifier."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)


def learning_rate(curves: Sequence[Curve]) -> FigureView:
    """The learning rate of each network; replicas differ if their schedules follow the loss."""

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=56)
        for rates in curves:
            axes.plot(*thin(*rates), color=MUTED)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        epoch_axis(axes, int(max(rates[0][-1] for rates in curves)))

    values = np.concatenate([rates[1] for rates in curves])
    low, high = values.min(), values.max()
    svg = picture("curve-learning-rate", draw, label=f"Learning rate by epoch, from {high:.3g} to {low:.3g}")
    return figure_view("Learning rate by epoch", svg, note=f"Between {low:.3g} and {high:.3g}.")


def epoch_axis(axes: Axes, last: int) -> None:
    """Whole epochs, from the first to the last."""
    axes.set_xlabel("epoch")
    axes.set_xlim(1 - 0.02 * last, last * 1.02 + 0.02) if last > 1 else axes.set_xlim(0.5, 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(axis="x", visible=False)


def logarithmic_if_wide(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic axis for a loss that falls by a factor of 30 or more, else its end is invisible."""
    if len(values) == 0 or values.min() <= 0 or values.max() < 30 * values.min():
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
