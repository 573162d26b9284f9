"""Learning curves of a network or its replicas: loss, metrics and learning rate by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from handrail.report.figures.style import (
    LINEAR,
    MUTED,
    NETWORK,
    FigureView,
    Key,
    axes_in,
    figure_view,
    picture,
    thin,
)
from handrail.report.replicas import Replicas, Results, span
from handrail.report.wording import capitalise, metric_label, metric_value

_MOST_PANELS = 6
_LINES = (("train", LINEAR), ("val", NETWORK))
_POINTS, _FEWEST = 900, 40  # points of all thin lines of a colour, and of one line
Curve = tuple[np.ndarray, np.ndarray]


def learning_curves(records: Sequence[dict[str, Any]], best_epoch: int) -> list[FigureView]:
    """The loss first, then the other metrics, then the learning rate if it changes."""
    views = [_figure(records, name, best_epoch) for name in _curve_names(records)]
    rates = _points(records, "learning_rate")
    if len(set(rates[1].tolist())) > 1:
        views.append(_rate_figure([rates]))
    return views


def stage_curves(stages: Sequence[Mapping[str, Any]]) -> list[FigureView]:
    """The loss of each stage under the network."""
    views = []
    for number, stage in enumerate(stages, start=1):
        records = stage["records"]
        known = [line for line in records if line.get("val_loss") is not None]
        best = min(known, key=lambda line: line["val_loss"])["epoch"] if known else records[-1]["epoch"]
        title = f"Loss of stage {number}, {stage['model']}, by epoch"
        views.append(_figure(records, "loss", best, title=title, place=f"stage-{number}-"))
    return views


def _curve_names(records: Sequence[dict[str, Any]]) -> list[str]:
    """The first six quantities measured on training or validation rows, the loss first.

    Those with a slash in their name are the business of the rule's own pictures.
    """
    keys = (key for line in records for key in line if key.startswith(("train_", "val_")) and "/" not in key)
    names = dict.fromkeys(key.partition("_")[2] for key in keys)
    return sorted(names, key=lambda name: name != "loss")[:_MOST_PANELS]


def _points(records: Sequence[dict[str, Any]], key: str) -> Curve:
    pairs = [(line["epoch"], line[key]) for line in records if isinstance(line.get(key), int | float)]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def _figure(
    records: Sequence[dict[str, Any]], name: str, best_epoch: int, *, title: str = "", place: str = ""
) -> FigureView:
    train, validation = _points(records, f"train_{name}"), _points(records, f"val_{name}")
    last = records[-1]["epoch"]

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        for curve, colour in ((train, LINEAR), (validation, NETWORK)):
            axes.plot(*thin(*curve), color=colour, marker="o" if len(curve[0]) < 3 else "", markersize=6)
        _epoch_axis(axes, last)
        if name == "loss":
            _logarithmic_if_wide(axes, np.concatenate([train[1], validation[1]]))
        axes.axvline(best_epoch, color=MUTED, linewidth=1, dashes=(3, 3), zorder=0.5)
        at_best = validation[1][validation[0] == best_epoch]
        axes.plot([best_epoch] * len(at_best), at_best, "o", color=NETWORK, markersize=7)

    best = dict(zip(*validation, strict=True)).get(best_epoch)
    best_text = f", {metric_value(name, best)} at the best epoch, {best_epoch}" if best is not None else ""
    value = "" if best is None else f": {metric_value(name, best)} on validation rows"
    note = f"Best epoch {best_epoch} of {last}{value}."
    keys = [Key("train rows", LINEAR)] if len(train[0]) else []
    keys += [Key("validation rows", NETWORK)] if len(validation[0]) else []
    svg = picture(f"curve-{place}{_slug(name)}", draw, label=f"Learning curve over {last} epochs{best_text}")
    title = title or f"{capitalise(metric_label(name))} by epoch"
    return figure_view(title, svg, note=note, keys=tuple(keys))


def _slug(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)


def _rate_figure(curves: Sequence[Curve]) -> FigureView:
    """The learning rate of each network; replicas differ if their schedules follow the loss."""

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=56)
        for rates in curves:
            axes.plot(*thin(*rates), color=MUTED)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        _epoch_axis(axes, int(max(rates[0][-1] for rates in curves)))

    values = np.concatenate([rates[1] for rates in curves])
    low, high = values.min(), values.max()
    svg = picture("curve-learning-rate", draw, label=f"Learning rate by epoch, from {high:.3g} to {low:.3g}")
    return figure_view("Learning rate by epoch", svg, note=f"Between {low:.3g} and {high:.3g}.")


def _epoch_axis(axes: Axes, last: int) -> None:
    axes.set_xlabel("epoch")
    axes.set_xlim(1 - 0.02 * last, last * 1.02 + 0.02) if last > 1 else axes.set_xlim(0.5, 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(axis="x", visible=False)


def _logarithmic_if_wide(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic axis for a loss that falls by a factor of 30 or more, else its end is invisible."""
    if len(values) == 0 or values.min() <= 0 or values.max() < 30 * values.min():
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def replica_curves(records: Sequence[dict[str, Any]], replicas: Replicas) -> list[FigureView]:
    """Like `learning_curves`: a thin line for each replica, a thick one for their mean."""
    views = [_replica_figure(records, name, replicas) for name in _curve_names(records)]
    rates = [_points(_lines(records, member), "learning_rate") for member in replicas.members]
    rates = [curve for curve in rates if len(curve[0])]
    if len({value for curve in rates for value in curve[1].tolist()}) > 1:
        views.append(_rate_figure(rates))
    return views


def _lines(records: Sequence[dict[str, Any]], member: Results) -> list[dict[str, Any]]:
    return [line for line in records if line.get("replica") == member["replica"]]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean at each epoch that all curves have: later ones would be the mean of fewer, and jump."""
    shared = set.intersection(*(set(epochs.tolist()) for epochs, _ in curves)) if curves else set()
    epochs = np.array(sorted(shared))
    values = [values[np.isin(own, epochs)] for own, values in curves]
    return epochs, np.mean(values, axis=0) if values else epochs


def mean_records(records: Sequence[dict[str, Any]], replicas: Replicas) -> list[dict[str, Any]]:
    """The mean of the figures of the replicas that finished, in each epoch that all of them have."""
    lines = [{line["epoch"]: line for line in _lines(records, member)} for member in replicas.sound]
    shared = sorted(set.intersection(*(set(each) for each in lines))) if lines else []
    together = [[each[epoch] for each in lines] for epoch in shared]
    return [
        {
            name: float(np.mean([each[name] for each in own]))
            for name in own[0]
            if all(name in each for each in own)
        }
        for own in together
    ]


def _replica_figure(records: Sequence[dict[str, Any]], name: str, replicas: Replicas) -> FigureView:
    last = max(line["epoch"] for line in records)
    curves = {part: _by_soundness(records, f"{part}_{name}", replicas) for part, _ in _LINES}
    at_best = _at_best(records, f"val_{name}", replicas)

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        few = max(_FEWEST, _POINTS // len(replicas.members))
        for part, colour in _LINES:
            sound, _ = curves[part]
            for curve in sound:
                axes.plot(*thin(*curve, most=few), color=colour, linewidth=0.8, alpha=0.5)
            axes.plot(*thin(*mean_curve(sound)), color=colour, linewidth=2.4)
        if name == "loss":
            values = [curve[1] for sound, _ in curves.values() for curve in sound]
            _logarithmic_if_wide(axes, np.concatenate(values or [[]]))
        axes.plot(*at_best, "o", color=NETWORK, markersize=5)
        axes.autoscale_view()
        axes.autoscale(enable=False)  # failed replicas may have gone anywhere
        for _, failed in curves.values():
            for curve in failed:
                axes.plot(*thin(*curve, most=few), color=MUTED, linewidth=0.8)
        _epoch_axis(axes, last)

    span_text = _span_text(name, at_best[1]) if len(at_best[1]) else ""
    label = f"Learning curves of {len(replicas.members)} replicas over {last} epochs"
    label += f", {span_text} at their best epochs" if span_text else ""
    titles = {"train": "train rows", "val": "validation rows"}
    keys = [Key(titles[part], colour) for part, colour in _LINES if curves[part][0]]
    keys += [Key("failed replicas", MUTED)] if any(failed for _, failed in curves.values()) else []
    svg, note = picture(f"curve-{_slug(name)}", draw, label=label), _curve_note(replicas, span_text)
    return figure_view(f"{capitalise(metric_label(name))} by epoch", svg, note=note, keys=tuple(keys))


def _by_soundness(
    records: Sequence[dict[str, Any]], key: str, replicas: Replicas
) -> tuple[list[Curve], list[Curve]]:
    """The curves of the replicas that finished, and of those that failed."""
    sound: list[Curve] = []
    failed: list[Curve] = []
    for member in replicas.members:
        curve = _points(_lines(records, member), key)
        if len(curve[0]):
            (failed if member["failure"] else sound).append(curve)
    return sound, failed


def _at_best(records: Sequence[dict[str, Any]], key: str, replicas: Replicas) -> Curve:
    """Each replica's value at the epoch whose weights were kept."""
    curves = [(member["best_epoch"], _points(_lines(records, member), key)) for member in replicas.sound]
    pairs = [(best, values[epochs == best][0]) for best, (epochs, values) in curves if best in epochs]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _span_text(name: str, values: np.ndarray) -> str:
    low, high = (metric_value(name, float(value)) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _curve_note(replicas: Replicas, span_text: str) -> str:
    best = [member["best_epoch"] for member in replicas.sound]
    word = "Best epoch" if len(set(best)) == 1 else "Best epochs"
    value = f": {span_text} on validation rows" if span_text else ""
    epochs = [member["epochs"] for member in replicas.sound]
    mean = f" The mean ends at epoch {min(epochs)}, where the first replica stopped."
    return f"{word} {span(best)}{value}.{mean if min(epochs) < max(epochs) else ''}"
