"""Numbers and names as readers know them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from handrail.tools.words import list_some, plural

_NAMES = {
    "top_3_accuracy": "top-3 accuracy",
    "top_5_accuracy": "top-5 accuracy",
    "f1": "F1",
    "f1_micro": "F1, micro",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "mase": "MASE",
    "nrmse": "NRMSE at the end",
    "dice": "Dice",
    "iou": "IoU",
    "map_50": "mAP@0.5",
    "map_50_95": "mAP@0.5:0.95",
    "recalled": "share recalled",
    "recall_50": "recall at overlap 0.5",
    "nats": "loss in nats",
    "bits": "bits a token",
    "bleu": "BLEU",
    "bits_per_dim": "bits a value",
    "bits_per_token": "bits a token",
}
_OF_POSITIVE = frozenset(
    ("precision", "recall", "false_positive_rate", "f1", "roc_auc", "pr_auc", "dice", "iou")
)
_ROWS = {
    "mask": "image",
    "boxes": "image",
    "next-token": "passage",
    "sequence": "text",
    "text-to-image": "picture",
}
LEVELS = ("error", "warning", "note")  # of findings, in the order of their weight
_PERCENT = "\u202f%"  # a narrow space that does not break
_IN_UNITS = frozenset(
    {"rmse", "mae", "perplexity", "reconstruction_error", "map_error", "quantisation_error"}
)
_SHARES = ("accuracy", "exact_match")


def metric_label(name: str, positive: str | None = None) -> str:
    """`roc_auc` → ROC AUC, `balanced_accuracy` → balanced accuracy; with a class, `F1 of 'fraud'`."""
    return of_positive(name, _NAMES.get(name, name.replace("_", " ")), positive)


def of_positive(name: str, label: str, positive: str | None) -> str:
    """A metric's label with the class that it is about, where it is about one of two."""
    return f"{label} of '{positive}'" if positive is not None and name in _OF_POSITIVE else label


def positive_class(task: Mapping[str, Any]) -> str | None:
    """The positive one of two classes, also in runs of earlier versions."""
    return task["classes"][1] if task["name"] in ("binary", "mask") and len(task["classes"]) == 2 else None


def series_of(task: Mapping[str, Any]) -> list[str]:
    """The series that a forecast is about: its targets are steps ahead of them."""
    return list(dict.fromkeys(name.rpartition(" +")[0] for name in task["targets"]))


def forecast_kind(task: Mapping[str, Any]) -> str:
    """`forecast`, or `free run` where it goes on from its own answers."""
    return "free run" if task.get("free_run") else "forecast"


def forecast_of(task: Mapping[str, Any]) -> str:
    """`forecast of load and price`, or `free run of` them."""
    return f"{forecast_kind(task)} of {list_some(series_of(task), last=' and ')}"


def decision(task: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """`'fraud' where its probability is above 0.287 (the best F1 on validation rows)`, or the constant of a
    density, or the size of a code or a map; empty without one.
    """
    threshold = results.get("decisions", {}).get("threshold")
    if threshold is None:
        reasons = results.get("reasons", {})
        return next((reasons[name] for name in ("density", "code", "map") if name in reasons), "")
    reason = results.get("reasons", {}).get("threshold")
    subject = {
        "binary": f"'{positive_class(task)}' where its probability",
        "mask": f"a pixel is '{positive_class(task)}' where its probability",
        "multi-label": "a label is given where its probability",
    }.get(task["name"], "an object counts where its score")
    return f"{subject} is above {threshold:.3g}{f' ({reason})' if reason else ''}"


def capitalise(label: str) -> str:
    """With a capital letter, except names such as mAP, whose second letter is one."""
    return label if label[1:2].isupper() else f"{label[:1].upper()}{label[1:]}"


def row_word(task: Mapping[str, Any], columns: Iterable[Mapping[str, Any]] = ()) -> str:
    """What a row of the task is called: row, image, window, passage, text."""
    if any(column["kind"] == "symbols" for column in columns):
        return "row"
    return "window" if task.get("horizon") else _ROWS.get(task["name"], "row")


def number(value: float | None, *, digits: int = 4) -> str:
    """Four significant digits with a true minus sign; a dash where the value is not defined."""
    if value is None or not math.isfinite(value):
        return "–"
    return _minus_sign(f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.{digits}g}")


def _minus_sign(digits: str) -> str:
    """A true minus sign, and none before a value that was rounded to zero."""
    rounded_away = digits.startswith("-") and not any(digit in digits for digit in "123456789")
    return digits.removeprefix("-") if rounded_away else digits.replace("-", "−")


def metric_value(name: str, value: float | None) -> str:
    """Shares with three decimals, losses with four, values with a unit with four digits."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 1e4:
        return number(value)
    if name in _IN_UNITS:
        return _minus_sign(f"{value:#.4g}".removesuffix("."))
    return _minus_sign(f"{value:.4f}" if name.endswith(("loss", "nats")) else f"{value:.3f}")


def value_in_prose(name: str, value: float | None) -> str:
    """For sentences: accuracies and other shares of correct answers in per cent."""
    if value is None:
        return "undefined"
    if name.endswith(_SHARES):
        return f"{value:.1%}".replace("%", _PERCENT)
    return metric_value(name, value)


def interval(name: str, bounds: Mapping[str, float | None], *, prose: bool = False) -> str:
    """`0.912 to 0.955`, as `value_in_prose` with `prose`; empty where there is no interval."""
    if bounds["low"] is None or bounds["high"] is None:
        return ""
    write = value_in_prose if prose else metric_value
    low, high = write(name, bounds["low"]), write(name, bounds["high"])
    return f"{low.removesuffix(_PERCENT)} to {high}"


def no_interval(bounds: Mapping[str, Any]) -> str:
    """`no interval, because only 3 rows are …`, or why there is no value; or nothing."""
    reason = bounds.get("reason")
    if bounds["value"] is None:
        return f"not measured, because {reason}" if reason else ""
    if bounds["low"] is not None:
        return ""
    return f"no interval, because {reason}" if reason else "no interval"


def difference(name: str, value: float | None) -> str:
    """A difference with its sign; accuracies in percentage points."""
    if value is None:
        return "–"
    sign = "+" if value > 0 else "−" if value < 0 else ""
    if name.endswith(_SHARES):
        return f"{sign}{abs(100 * value):.1f} points"
    return f"{sign}{metric_value(name, abs(value))}"


def difference_interval(name: str, bounds: Mapping[str, float | None]) -> str:
    """`−0.7 to +3.7 points`."""
    if bounds["low"] is None or bounds["high"] is None:
        return ""
    return f"{difference(name, bounds['low']).removesuffix(' points')} to {difference(name, bounds['high'])}"


def inputs(shape: Any) -> str:
    """`60 inputs`, `inputs of 1 × 28 × 28`."""
    if isinstance(shape, list):
        return f"inputs of {' × '.join(f'{size:,}' for size in shape)}"
    return plural(shape, "input")


def moment(text: str) -> str:
    """`2026-05-04T12:30:00+00:00` → 4 May 2026, 12:30 UTC."""
    try:
        when = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return f"{when.day} {_MONTHS[when.month - 1]} {when:%Y, %H:%M} UTC"


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def component(spec: Any) -> str:
    """A resolved component without settings that are off: `mlp(hidden=[64, 32], activation=relu)`."""
    if isinstance(spec, Mapping) and len(spec) == 1:
        name, arguments = next(iter(spec.items()))
        if isinstance(arguments, Mapping):
            active = {key: value for key, value in arguments.items() if not _off(value)}
            inside = ", ".join(f"{key}={component(value)}" for key, value in active.items())
            return f"{name}({inside})" if inside else str(name)
    if isinstance(spec, list):
        return f"[{', '.join(component(item) for item in spec)}]"
    return f"{spec:g}" if isinstance(spec, float) else str(spec)


def _off(value: Any) -> bool:
    return value in (None, "none", []) or (isinstance(value, float) and value == 0)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table as lines, their cells padded to the width of each column."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    padded = [map(str.ljust, row, widths) for row in rows]
    return ["  ".join(cells).rstrip() for cells in padded]


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The shortest unambiguous end of each dotted setting: `learning_rate`."""
    short: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        tails = (".".join(parts[-length:]) for length in range(1, len(parts) + 1))
        others = [other for other in names if other != name]
        short[name] = next(
            (tail for tail in tails if not any(f".{other}".endswith(f".{tail}") for other in others)), name
        )
    return short


def setting_value(setting: Any) -> str:
    """A setting's value as short text."""
    if isinstance(setting, float):
        return f"{setting:.4g}"
    return component(setting) if isinstance(setting, Mapping | list) else str(setting)
