"""The columns that are to be predicted, by name or by position."""

from collections.abc import Sequence

from handrail.errors import DataError, did_you_mean
from handrail.tools.interface import argument


def find_targets(
    columns: Sequence[str], target: str | int | Sequence[str | int] | None, *, alone: bool = False
) -> tuple[str, ...]:
    """The names of the target columns, given by name or by position (1 is the first column, -1 the last).

    Arguments:
        alone: whether the target may be the only column (texts and series are predicted from themselves).

    Raises: `DataError` when there is no such column or no target was named.
    """
    if target is None:
        listed = ", ".join(columns[:20])
        how = f"name it with {argument('target', 'COLUMN')} (data.target)"
        raise DataError(f"no target was named; expected one of the columns {listed}; {how}.")
    targets = [target] if isinstance(target, str | int) else target
    names = tuple(_find_target(columns, item) for item in targets)
    if len(set(names)) < len(names):
        raise DataError(f"data.target names a column twice: {', '.join(names)}.")
    if len(names) >= len(columns) and not alone:
        raise DataError(
            "every column is a target; nothing is left to predict it from. A series whose rows stand in the "
            "order of time is forecast from its own past with data.task=forecast, "
            "and its next symbol, or bin of numbers, is predicted with data.task=next-token."
        )
    return names


def find_label(
    columns: Sequence[str], label: str | int | None, *, own: str | list[str] | None, drop: Sequence[str] = ()
) -> str | None:
    """The column that helps to judge what is learned without a target; None where there is none.

    Arguments:
        label: by name or by position, as a target.
        own: what the source itself calls its target.
        drop: the columns that are left out.

    Raises: `DataError` when there is no such column, or it is left out as well.
    """
    if label is None:
        return own if isinstance(own, str) and own in columns and own not in drop else None
    name = _find_target(columns, label, setting="data.label")
    if name in drop:
        raise DataError(
            f"data.drop: '{name}' is data.label, which is no input anyway; leave one of them out."
        )
    return name


def find_factors(
    columns: Sequence[str],
    factors: Sequence[str | int],
    *,
    own: str | list[str] | None,
    drop: Sequence[str] = (),
) -> tuple[str, ...]:
    """The names of the columns that say what varies, given by name or by position.

    Arguments:
        own: what the source itself calls its targets: several, that are left in, are factors.
        drop: the columns that are left out.

    Raises: `DataError` when there is no such column, one is named twice, or one is left out as well.
    """
    if not factors:
        several = own if isinstance(own, list) else []
        return tuple(name for name in several if name in columns and name not in drop)
    names = [_find_target(columns, factor, setting="data.factors") for factor in factors]
    if len(set(names)) < len(names):
        raise DataError(f"data.factors names a column twice: {', '.join(names)}.")
    if dropped := [name for name in names if name in drop]:
        raise DataError(
            f"data.drop: '{dropped[0]}' is among data.factors, which are no inputs anyway; leave one of them "
            "out."
        )
    return tuple(names)


def _find_target(columns: Sequence[str], target: str | int, *, setting: str = "data.target") -> str:
    if str(target) in columns:
        return str(target)
    try:
        position = int(target)
    except ValueError:
        hint = did_you_mean(target, columns)
        raise DataError(f"{setting}: the table has no column '{target}'.{hint}") from None
    if position == 0 or not -len(columns) <= position <= len(columns):
        raise DataError(
            f"{setting}: found position {position}; the table has columns 1 to {len(columns)} (-1 is the "
            "last)."
        )
    return columns[position - 1 if position > 0 else position]
