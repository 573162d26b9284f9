"""Learning curves: what was measured at each epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from handrail.views.figure import FigureView, Key, figure_view
from handrail.views.style import LINEAR, MUTED, NETWORK, axes_in, picture, thinned
from handrail.views.wording import metric_label, metric_value, titled

_OWN = ("epoch", "step", "seconds")
_MOST_PANELS = 6
Curve = tuple[np.ndarray, np.ndarray]


def learning_curves(records: Sequence[dict[str, Any]], best_epoch: int) -> list[FigureView]:
    """Loss first, then each other figure that was measured, then the learning rate where it changes."""
    names = dict.fromkeys(
        key.partition("_")[2] for line in records for key in line if key.startswith(("train_", "val_")) and key not in _OWN
    )
    ordered = sorted(names, key=lambda name: name != "loss")[:_MOST_PANELS]
    views = [_curves(records, name, best_epoch) for name in ordered]
    rates = _points(records, "learning_rate")
    if len(set(rates[1].tolist())) > 1:
        views.append(_learning_rate(rates))
    return views


def _points(records: Sequence[dict[str, Any]], key: str) -> Curve:
    pairs = [(line["epoch"], line[key]) for line in records if isinstance(line.get(key), int | float)]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def _curves(records: Sequence[dict[str, Any]], name: str, best_epoch: int) -> FigureView:
    train, validation = _points(records, f"train_{name}"), _points(records, f"val_{name}")
    last = records[-1]["epoch"]

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        for curve, colour in ((train, LINEAR), (validation, NETWORK)):
            axes.plot(*thinned(*curve), color=colour, marker="o" if len(curve[0]) < 3 else "", markersize=6)
        _epochs(axes, last)
        if name == "loss":
            _logarithmic_if_wide(axes, np.concatenate([train[1], validation[1]]))
        axes.axvline(best_epoch, color=MUTED, linewidth=1, dashes=(3, 3), zorder=0.5)
        at_best = validation[1][validation[0] == best_epoch]
        axes.plot([best_epoch] * len(at_best), at_best, "o", color=NETWORK, markersize=7)

    best = dict(zip(*validation, strict=True)).get(best_epoch)
    best_text = f", {metric_value(name, best)} at the best epoch, {best_epoch}" if best is not None else ""
    note = f"Best epoch {best_epoch} of {last}{_value(name, best)}."
    keys = [Key("train rows", LINEAR)] if len(train[0]) else []
    keys += [Key("validation rows", NETWORK)] if len(validation[0]) else []
    svg = picture(f"curve-{_slug(name)}", draw, label=f"Learning curve over {last} epochs{best_text}")
    title = metric_label(name)
    return figure_view(f"{titled(title)} by epoch", svg, note=note, keys=tuple(keys))


def _value(name: str, best: float | None) -> str:
    return "" if best is None else f": {metric_value(name, best)} on validation rows"


def _slug(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)


def _learning_rate(rates: Curve) -> FigureView:
    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=56)
        axes.plot(*thinned(*rates), color=MUTED)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        _epochs(axes, int(rates[0][-1]))

    low, high = rates[1].min(), rates[1].max()
    svg = picture("curve-learning-rate", draw, label=f"Learning rate by epoch, from {high:.3g} to {low:.3g}")
    return figure_view("Learning rate by epoch", svg, note=f"Between {low:.3g} and {high:.3g}.")


def _epochs(axes: Axes, last: int) -> None:
    axes.set_xlabel("epoch")
    axes.set_xlim(1 - 0.02 * last, last * 1.02 + 0.02) if last > 1 else axes.set_xlim(0.5, 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(axis="x", visible=False)


def _logarithmic_if_wide(axes: Axes, values: np.ndarray) -> None:
    """A loss that falls by more than a factor of thirty shows its end on a logarithmic axis only."""
    if len(values) == 0 or values.min() <= 0 or values.max() < 30 * values.min():
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
