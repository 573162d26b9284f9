"""ROC and precision-recall curves: how well probabilities rank the positive rows first."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from handrail.evaluation.metrics import Predictions
from handrail.report.figures.style import (
    NETWORK,
    PLAIN,
    SERIES,
    FigureView,
    Key,
    axes_in,
    figure_view,
    picture,
    thin,
)

MOST_CURVES = 10
Side = tuple[str, np.ndarray, np.ndarray]
Curve = tuple[np.ndarray, np.ndarray]


def ranking_curves(predictions: Predictions, part: str, *, marked: bool = False) -> list[FigureView]:
    """Both curves for the positive class, for each class against the others, or for each label.

    No figures for more than ten classes, or without a class that has both positive and negative rows. Curves
    are reduced to 300 points.
    """
    sides = _sides(predictions)
    if not sides or predictions.width > MOST_CURVES:
        return []
    return [_roc(sides, part, marked=marked), _precision_recall(sides, part, marked=marked)]


def _sides(predictions: Predictions) -> list[Side]:
    names = predictions.classes[1:] if predictions.task == "binary" else predictions.classes
    return [
        (name, true, score)
        for name, (true, _, score) in zip(names, predictions.sides(), strict=True)
        if score is not None and 0 < true.sum() < len(true)
    ]


def _looks(sides: Sequence[Side]) -> list[tuple[str, str]]:
    if len(sides) == 1:
        return [(NETWORK, "line")]
    return [(SERIES[place], "line" if place % 2 == 0 else "dashes") for place in range(len(sides))]


def _keys(sides: Sequence[Side], areas: Sequence[float]) -> tuple[Key, ...]:
    pairs = zip(sides, areas, _looks(sides), strict=True)
    return tuple(Key(name, colour, look, f"{area:.3f}") for (name, _, _), area, (colour, look) in pairs)


def _draw(figure: Figure, curves: Sequence[Curve], sides: Sequence[Side], xlabel: str, ylabel: str) -> None:
    axes = axes_in(figure)
    for (x, y), (colour, look) in zip(curves, _looks(sides), strict=True):
        dashes = (None, None) if look == "line" else (4, 2)
        axes.plot(*thin(x, y), color=colour, dashes=dashes, linewidth=1.8 if len(curves) == 1 else 1.5)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=xlabel, ylabel=ylabel)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(0.25))


def _roc(sides: Sequence[Side], part: str, *, marked: bool) -> FigureView:
    curves = [roc_curve(true, score)[:2] for _, true, score in sides]
    areas = [float(roc_auc_score(true, score)) for _, true, score in sides]

    def draw(figure: Figure) -> None:
        _draw(figure, curves, sides, "false positive rate", "true positive rate")
        figure.axes[0].plot([0, 1], [0, 1], color=PLAIN, linewidth=1, dashes=(2, 3), zorder=0.5)

    svg = picture(f"roc-{part}", draw, label=f"ROC {_areas_text(areas)} on {part} rows", height=300)
    note = "Numbers: area under the curve. Dotted: guessing."
    return figure_view("ROC", svg, note=note, keys=_keys(sides, areas), marked=marked)


def _precision_recall(sides: Sequence[Side], part: str, *, marked: bool) -> FigureView:
    curves = [precision_recall_curve(true, score)[1::-1] for _, true, score in sides]
    areas = [float(average_precision_score(true, score)) for _, true, score in sides]
    base = float(sides[0][1].mean())

    def draw(figure: Figure) -> None:
        _draw(figure, curves, sides, "recall", "precision")
        if len(sides) == 1:
            figure.axes[0].axhline(base, color=PLAIN, linewidth=1, dashes=(2, 3), zorder=0.5)

    dotted = f" Dotted: guessing, {base:.3f}." if len(sides) == 1 else ""
    note = f"Numbers: average precision.{dotted}"
    label = f"Precision against recall {_areas_text(areas)} on {part} rows"
    svg = picture(f"pr-{part}", draw, label=label, height=300)
    return figure_view("Precision and recall", svg, note=note, keys=_keys(sides, areas), marked=marked)


def _areas_text(areas: Sequence[float]) -> str:
    if len(areas) == 1:
        return f"curve with area {areas[0]:.3f}"
    return f"curves with areas from {min(areas):.3f} to {max(areas):.3f}"
