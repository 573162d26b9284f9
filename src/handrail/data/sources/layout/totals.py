"""Rows at the end of a text file that hold the sums of those above them, or their means.

A row counts as one where its numbers say so, up to rounding, and either a word ('Total') or several columns
agree. A last row that is a multiple of all others would else rule every figure of the table.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from handrail.data.columns.values import as_numbers
from handrail.data.finding import Finding
from handrail.data.sources.layout.odd_rows import KEEP_ROWS
from handrail.tools.words import list_some, plural

_SUMS = (
    r"totals?|totale|totaal|totalt|sums?|summe|suma|soma|somme|gesamt|gesamtsumme|insgesamt|all|overall|Σ|∑"
    r"|итого|всего|сумма|合计|总计|總計|合計"
)
_MEANS = (
    r"averages?|avg|means?|mittelwert|mittel|durchschnitt|schnitt|moyenne|media|promedio|gemiddelde|среднее"
    r"|平均|Ø|⌀"
)
_WORD = re.compile(rf"\W*(?:(?:grand|sub|over)[ -]?)?(?:{_SUMS}|{_MEANS})[\W_]*", re.IGNORECASE)
_SURE = re.compile(r"\W*(?:grand[ -]?)?(?:totals?|sum|summe|gesamt|average|mean|Σ|∑)[\W_]*", re.IGNORECASE)
_LABEL = re.compile(
    rf"{_WORD.pattern}|(?:grand )?(?:total|sum|summe|gesamt|mean|average)[\s=:(].{{0,24}}", re.IGNORECASE
)
_MOST, _FEWEST, _TAIL = 4, 4, 1000  # rows at the end; above a row without a word; looked at first
_LOOKED_AT = 16  # columns
_DIGITS = frozenset("0123456789+-.")
_LOOSEST = 0.02  # of a sum, the error of rounding
_PARTS = 0.95  # of a column that can be read as numbers


@dataclass(frozen=True)
class _Totals:
    """So many rows at the end are totals of `columns`; `label` is the word in the first of them."""

    rows: int
    label: str | None
    columns: list[str]


def leave_out_totals(
    frame: pl.DataFrame, lines: np.ndarray, source: str
) -> tuple[pl.DataFrame, np.ndarray, list[Finding]]:
    """The table and its lines without the rows at the end that sum up those above, and a finding on them.

    Arguments:
        frame: columns of text, or numbers.
        lines: on which each row begins.
    """
    totals = _find_totals(frame)
    if totals is None:
        return frame, lines, _suspect_label(frame, lines, source)
    above = frame.height - totals.rows
    return frame[:above], lines[:above], [_finding(totals, lines[above:].tolist(), above, source)]


def _finding(totals: _Totals, lines: list[int], above: int, source: str) -> Finding:
    several = len(lines) > 1
    where = f"line{'s' if several else ''} {list_some((f'{line:,}' for line in lines), last=' and ')}"
    word = f" ('{totals.label}')" if totals.label else ""
    listed = list_some(f"'{name}'" for name in totals.columns)
    return Finding(
        level="warning",
        name="totals",
        seen=f"{source}: {where}{word} {'sum' if several else 'sums'} up the "
        f"{plural(above, 'row')} above (in {listed}) and {'were' if several else 'was'} left out.",
        why="A row that sums up all others is none of them, and would weigh as much as all.",
        action=f"{KEEP_ROWS} keeps {'them as rows' if several else 'it as a row'}.",
        decided=True,
    )


def _find_totals(frame: pl.DataFrame) -> _Totals | None:
    labels: list[str] = []
    for place in range(frame.height - 1, max(frame.height - 1 - _MOST, 1), -1):
        label = _label_of(frame, place)
        if label is None:
            break
        labels.append(label)
    if labels:
        return _labelled(frame, frame.height - len(labels), labels[-1])
    return _unlabelled(frame, frame.height - 1)


def _suspect_label(frame: pl.DataFrame, lines: np.ndarray, source: str) -> list[Finding]:
    """A warning where the last row is called a total, but its numbers are none."""
    label = _label_of(frame, frame.height - 1) if frame.height > 1 else None
    if label is None or not _SURE.fullmatch(label):
        return []
    line = int(lines[-1])
    return [
        Finding(
            level="warning",
            name="totals",
            seen=f"{source}: line {line:,}, the last one, says '{label}', but does not hold the sums or "
            "means of those above; it was read as a row.",
            why="A row that sums up others is none of them.",
            action="Take it out of the file if it is no row.",
        )
    ]


def _label_of(frame: pl.DataFrame, place: int) -> str | None:
    """The word that calls a row a total; it is none where it is a value, as in rows above."""
    for i, cell in enumerate(frame.row(place)):
        if isinstance(cell, str) and cell[:1] not in _DIGITS and _LABEL.fullmatch(cell):
            return None if (frame[:, i] == cell).sum() > 1 else cell
    return None


def _labelled(frame: pl.DataFrame, above: int, label: str) -> _Totals | None:
    """Where at least half of the columns of numbers hold sums or means in one of the rows with a word.

    A single one counts if it is beyond all values above, as sums are, or if the word is a plain one.
    """
    best: list[str] = []
    for place in range(above, frame.height):
        matched, other = _compare(frame, above, place, means=True)
        sure = (
            len(matched) > 1
            or _SURE.fullmatch(label)
            or any(_is_beyond(frame, above, place, name) for name in matched)
        )
        if sure and len(matched) >= max(other, 1) and len(matched) > len(best):
            best = matched
    return _Totals(frame.height - above, label, best) if best else None


def _is_beyond(frame: pl.DataFrame, above: int, place: int, name: str) -> bool:
    value, largest = (
        as_numbers(frame[name][place : place + 1])[0],
        as_numbers(frame[name][:above]).abs().max(),
    )
    return abs(value) > float(largest or 0)  # pyright: ignore[reportArgumentType]


def _unlabelled(frame: pl.DataFrame, above: int) -> _Totals | None:
    """Where all numbers of the last row are sums, of several columns, and the words are lacking."""
    if above < _FEWEST or not _may_be_sums(frame, above):
        return None
    matched, other = _compare(frame, above, above, means=False, strict=True)
    if other or not matched:
        return None
    if len(matched) == 1 and not _lacks_words(frame, above):
        return None
    return _Totals(1, None, matched)


def _may_be_sums(frame: pl.DataFrame, above: int) -> bool:
    """A look at the last rows alone: a sum of numbers of one sign is beyond each of them.

    A word in the row says that it is one of those above.
    """
    beyond = seen = 0
    for place, cell in enumerate(frame.row(above)):
        if cell is None:
            continue
        value = _number(cell)
        if value is None:
            return False
        numbers = as_numbers(frame.to_series(place)[max(above - _TAIL, 0) : above]).drop_nulls()
        low, high = (float(numbers.min() or 0), float(numbers.max() or 0)) if len(numbers) else (0.0, 0.0)  # pyright: ignore
        if (low >= 0 and value < high) or (high <= 0 and value > low):
            return False
        beyond += abs(value) > max(abs(low), abs(high))
        seen += 1
        if seen == _LOOKED_AT and not beyond:
            return False
    return beyond > 0


def _lacks_words(frame: pl.DataFrame, above: int) -> bool:
    """Whether columns of words that are full above are empty in the row."""
    empty = [i for i, cell in enumerate(frame.row(above)) if cell is None]
    columns = [frame[:above, i] for i in empty]
    words = [
        column for column in columns if column.dtype == pl.String and not as_numbers(column[:_TAIL]).count()
    ]
    return bool(words) and not any(column.null_count() for column in words)


def _compare(
    frame: pl.DataFrame, above: int, place: int, *, means: bool, strict: bool = False
) -> tuple[list[str], int]:
    """The columns of numbers whose cell in a row is the sum (or mean) of those above, and how many are not.

    Arguments:
        above: how many rows are summed up.
        strict: stop at the first column that is not.
    """
    matched: list[str] = []
    other = 0
    for i, cell in enumerate(frame.row(place)):
        value = None if cell is None else _number(cell)
        if value is None:
            continue
        column = frame[:above, i]
        numbers = as_numbers(column).drop_nulls()
        filled = column.len() - column.null_count()
        if len(numbers) < 2 or len(numbers) < _PARTS * filled or not (numbers != 0).any():
            continue
        if _is_total(value, cell, numbers, means=means):
            matched.append(frame.columns[i])
        else:
            other += 1
            if strict:
                break
    return matched, other


def _is_total(value: float, cell: object, numbers: pl.Series, *, means: bool) -> bool:
    """Whether a value is the sum (or mean) of the numbers, but for their rounding."""
    total, n = float(numbers.sum()), len(numbers)
    digits = max(_decimals(number) for number in numbers.tail(_TAIL).to_list())
    own = 0.5 * 10.0 ** -_decimals(cell)
    exact = 1e-9 * float(numbers.abs().sum())
    # Three deviations of a sum of rounding errors; of few small numbers that would be the sum itself.
    rounded = min(3 * math.sqrt(n / 12) * 10.0**-digits, _LOOSEST * abs(total))
    if math.isclose(value, total, rel_tol=0, abs_tol=exact + own + rounded):
        return True
    spread = float(numbers.std() or 0)  # pyright: ignore[reportArgumentType]
    near = (exact + rounded) / n + own
    return means and near <= _LOOSEST * 5 * spread and math.isclose(value, total / n, rel_tol=0, abs_tol=near)


def _number(cell: object) -> float | None:
    try:
        value = float(cell) if "_" not in str(cell) else math.nan  # pyright: ignore[reportArgumentType]
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _decimals(value: object) -> int:
    """Digits behind the point, as it is written; of a number, as Python writes it."""
    text = format(value, ".12g") if isinstance(value, float) else str(value)
    mantissa = re.split("[eE]", text)[0]
    return len(mantissa.partition(".")[2].rstrip("0" if isinstance(value, float) else ""))
