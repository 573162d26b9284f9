"""Learning curves of replicas: a thin line for each, a thick one for their mean."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from handrail.report.figures.curves import (
    Curve,
    epoch_axis,
    learning_rate,
    logarithmic_if_wide,
    measured_names,
    points,
    slug,
)
from handrail.report.figures.figure import FigureView, Key, figure_view
from handrail.report.figures.style import LINEAR, MUTED, NETWORK, axes_in, picture, thinned
from handrail.report.sections.replicas import Found, Replicas, spanned
from handrail.report.wording import metric_label, metric_value, titled

_LINES = (("train", LINEAR), ("val", NETWORK))
_POINTS, _FEWEST = 900, 40  # of all thin lines of a colour, and of one


def replica_curves(records: Sequence[dict[str, Any]], replicas: Replicas) -> list[FigureView]:
    """As `learning_curves`, from the lines of all replicas."""
    views = [_curves(records, name, replicas) for name in measured_names(records)]
    rates = [points(_lines(records, member), "learning_rate") for member in replicas.members]
    rates = [curve for curve in rates if len(curve[0])]
    if len({value for curve in rates for value in curve[1].tolist()}) > 1:
        views.append(learning_rate(rates))
    return views


def _lines(records: Sequence[dict[str, Any]], member: Found) -> list[dict[str, Any]]:
    return [line for line in records if line.get("replica") == member["replica"]]


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Their mean at each epoch that all of them have: later ones would be the mean of fewer, and jump."""
    shared = set.intersection(*(set(epochs.tolist()) for epochs, _ in curves)) if curves else set()
    epochs = np.array(sorted(shared))
    values = [values[np.isin(own, epochs)] for own, values in curves]
    return epochs, np.mean(values, axis=0) if values else epochs


def _curves(records: Sequence[dict[str, Any]], name: str, replicas: Replicas) -> FigureView:
    last = max(line["epoch"] for line in records)
    found = {part: _by_soundness(records, f"{part}_{name}", replicas) for part, _ in _LINES}
    at_best = _at_best(records, f"val_{name}", replicas)

    def draw(figure: Figure) -> None:
        axes = axes_in(figure, left=52)
        few = max(_FEWEST, _POINTS // len(replicas.members))
        for part, colour in _LINES:
            sound, _ = found[part]
            for curve in sound:
                axes.plot(*thinned(*curve, most=few), color=colour, linewidth=0.8, alpha=0.5)
            axes.plot(*thinned(*mean_curve(sound)), color=colour, linewidth=2.4)
        if name == "loss":
            logarithmic_if_wide(
                axes, np.concatenate([curve[1] for sound, _ in found.values() for curve in sound] or [[]])
            )
        axes.plot(*at_best, "o", color=NETWORK, markersize=5)
        axes.autoscale_view()
        axes.autoscale(enable=False)  # those that failed may have gone anywhere
        for _, failed in found.values():
            for curve in failed:
                axes.plot(*thinned(*curve, most=few), color=MUTED, linewidth=0.8)
        epoch_axis(axes, last)

    svg = picture(f"curve-{slug(name)}", draw, label=_label(name, last, replicas, at_best[1]))
    keys = [
        Key(f"{rows} rows", colour)
        for (part, colour), rows in zip(_LINES, ("train", "validation"), strict=True)
        if found[part][0]
    ]
    keys += [Key("failed replicas", MUTED)] if any(failed for _, failed in found.values()) else []
    return figure_view(
        f"{titled(metric_label(name))} by epoch",
        svg,
        note=_note(name, replicas, at_best[1]),
        keys=tuple(keys),
    )


def _by_soundness(
    records: Sequence[dict[str, Any]], key: str, replicas: Replicas
) -> tuple[list[Curve], list[Curve]]:
    """The curves of those that came to an end, and of those that failed."""
    sound: list[Curve] = []
    failed: list[Curve] = []
    for member in replicas.members:
        curve = points(_lines(records, member), key)
        if len(curve[0]):
            (failed if member["failure"] else sound).append(curve)
    return sound, failed


def _at_best(records: Sequence[dict[str, Any]], key: str, replicas: Replicas) -> Curve:
    """Each replica's value at the epoch whose weights were kept."""
    found = [(member["best_epoch"], points(_lines(records, member), key)) for member in replicas.sound]
    pairs = [(best, values[epochs == best][0]) for best, (epochs, values) in found if best in epochs]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _told(name: str, values: np.ndarray) -> str:
    low, high = (metric_value(name, float(value)) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _label(name: str, last: int, replicas: Replicas, at_best: np.ndarray) -> str:
    best = f", {_told(name, at_best)} at their best epochs" if len(at_best) else ""
    return f"Learning curves of {len(replicas.members)} replicas over {last} epochs{best}"


def _note(name: str, replicas: Replicas, at_best: np.ndarray) -> str:
    best = [member["best_epoch"] for member in replicas.sound]
    word = "Best epoch" if len(set(best)) == 1 else "Best epochs"
    value = f": {_told(name, at_best)} on validation rows" if len(at_best) else ""
    shortest, longest = (pick(member["epochs"] for member in replicas.sound) for pick in (min, max))
    mean = (
        f" The mean ends at epoch {shortest}, where the first replica stopped." if shortest < longest else ""
    )
    return f"{word} {spanned(best)}{value}.{mean}"
