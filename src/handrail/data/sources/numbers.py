"""Which notation the numbers of a table are written in: decided by the column and the file as a whole.

Evidence is counted piece by piece, so that a file of any size is judged by all its rows.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple

import polars as pl

from handrail.data.columns.notation import as_written_plainly
from handrail.data.columns.values import as_numbers
from handrail.data.finding import Finding, Level, report_columns
from handrail.data.sources.layout.evidence import Evidence
from handrail.recipe.reading import Notation, ReadOptions, Sign

KNOWN = "as is known"
_MANY = 10  # numbers with three digits behind the point, none of which a program would have shortened
_PERCENT = frozenset("%‰")


class Decision(NamedTuple):
    """What a column of numbers is written in.

    Arguments:
        notation: None where the numbers are written in several ways, and stay as they are.
        why: what decided, or what stands against it.
        doubt: whether nothing in the file decides.
        example: a number of the column.
    """

    notation: Notation | None
    why: str
    doubt: bool
    example: str


Decisions = dict[str, Decision]


class Signs(NamedTuple):
    """The signs of a column; where it does not show them, what decided, and whether that is a guess."""

    decimal: Literal[".", ","]
    thousands: Sign
    why: str = ""
    doubt: bool = False


def decide(
    evidence: Mapping[str, Evidence],
    options: ReadOptions,
    *,
    delimiter: str = ",",
) -> Decisions:
    """The notation of each column of numbers that are not plain, and what decided.

    A comma or point is sure where it stands twice, beside the other, or not before three last digits. Where
    all of a column's could be either, other columns decide, and where these show nothing, what is usual: a
    comma stands between thousands, unless fields are parted by semicolons and longer numbers have none.
    """
    if options.numbers == "plain":
        return {}
    alike = {id(each): each for each in evidence.values()}  # most columns of a wide table are
    votes, numbers = Counter[str](), Counter(id(each) for each in evidence.values())
    for key, each in alike.items():
        votes.update(dict.fromkeys(_votes(each), numbers[key]) if each.are_numbers else {})
    asked = {key for key, each in alike.items() if each.are_numbers and _is_in_question(each, options)}
    decisions = {}
    for name, each in evidence.items():
        if name in options.notations:
            decisions[name] = _decide_known(each, options.notations[name])
        elif id(each) in asked:
            decision = _decide_column(each, votes, options, delimiter)
            if decision.notation != Notation() or not _is_plain(each.example):
                decisions[name] = decision
    return decisions


def _decide_known(column: Evidence, notation: Notation) -> Decision:
    """The notation that is known; a doubt where the sign that it has for decimals may part thousands here."""
    usual = {notation.decimal, notation.thousands} == {",", "."}
    if usual and column.shows(f"?{notation.decimal}") and not column.shows(f"d{notation.decimal}"):
        why = f"as is known of the column, which has '{notation.thousands}' between thousands"
        return Decision(notation, why, True, column.example)
    return Decision(notation, KNOWN, False, column.example)


def _is_plain(example: str) -> bool:
    return not example or not as_numbers(pl.Series([example])).null_count()


def _votes(column: Evidence) -> list[str]:
    """The decimal sign of a column that shows it."""
    comma, point = column.shows("d,") or column.shows("t."), column.shows("d.") or column.shows("t,")
    return [] if comma == point else ["," if comma else "."]


def _is_in_question(column: Evidence, options: ReadOptions) -> bool:
    if not column.plain:
        return True
    return column.shows("?.") and (options.decimal == "," or not column.shows("d."))


def _decide_column(column: Evidence, votes: Counter[str], options: ReadOptions, delimiter: str) -> Decision:
    units: Counter[str] = Counter()
    for unit, count in column.units.items():
        units["".join(unit)] += count
    plain = units.pop("", 0)
    is_share = len(units) == 1 and not _PERCENT.isdisjoint(next(iter(units)))
    if len(units) > 1:
        listed = " and ".join(f"'{unit}' ({units[unit]:,})" for unit in sorted(units)[:4])
        return Decision(None, f"amounts in {listed}", True, column.example)
    if is_share and plain:
        without = f"{plain:,} of {column.numbers:,} numbers stand without '%'"
        return Decision(None, without, True, column.example)
    if options.decimal or options.thousands in (",", "."):
        signs, against = _given(column, options), "not as data.read.decimal and data.read.thousands say"
    else:
        signs = _shown(column) or _by_others(column, votes, delimiter)
        against = "commas and points are used in several ways"
    if signs is None:
        return Decision(None, against, True, column.example)
    unit = next(iter(units), "")
    notation = Notation(decimal=signs.decimal, thousands=signs.thousands, unit=unit, sure=not signs.why)
    return Decision(notation, signs.why, signs.doubt, column.example)


def _given(column: Evidence, options: ReadOptions) -> Signs | None:
    """As the settings say."""
    opposite: dict[str, Literal[".", ","]] = {",": ".", ".": ","}
    decimal = options.decimal or opposite.get(options.thousands or "")
    if decimal is None:
        return None
    other = opposite[decimal]
    if column.shows(f"d{other}"):
        return None
    usual: Sign = other if column.shows(f"t{other}") or column.shows(f"?{other}") else _spaces(column)
    return Signs(decimal, usual if options.thousands is None else options.thousands)


def _spaces(column: Evidence) -> Sign:
    return " " if column.shows("t_") else "'" if column.shows("t'") else ""


def _shown(column: Evidence) -> Signs | None:
    """As the column itself shows."""
    comma, point = (column.shows(f"d{sign}") for sign in ",.")
    between = [sign for sign in ",." if column.shows(f"t{sign}")]
    doubtful = [sign for sign in ",." if column.shows(f"?{sign}")]
    if comma and point:
        in_order = not between and not doubtful
        return Signs(",", _spaces(column), "decimal commas stand beside decimal points") if in_order else None
    if len(between) > 1 or (comma and "," in between) or (point and "." in between):
        return None
    if comma or "." in between:
        return Signs(",", "." if between or "." in doubtful else _spaces(column))
    if point or "," in between:
        return Signs(".", "," if between or "," in doubtful else _spaces(column))
    return None if doubtful else Signs(".", _spaces(column))


def _by_others(column: Evidence, votes: Counter[str], delimiter: str) -> Signs | None:
    """As other columns show, or as is usual; of a column whose signs could be either."""
    doubtful = [sign for sign in ",." if column.shows(f"?{sign}")]
    if len(doubtful) != 1 or _is_mixed(column):
        return None
    shown = "," if votes[","] > votes["."] else "." if votes["."] else ""
    if doubtful == ["."]:
        return _read_points(column, shown)
    if shown == ",":
        return Signs(",", "", "as other columns have decimal commas")
    if shown == ".":
        return Signs(".", ",", "as other columns have decimal points")
    if delimiter == ";" and column.long:
        return Signs(",", "", "as is usual where longer numbers have none", doubt=True)
    return Signs(".", ",", "as is usual", doubt=True)


def _read_points(column: Evidence, shown: str) -> Signs:
    if shown == "," and not column.long:
        return Signs(",", ".", "as other columns have decimal commas")
    # Decimals that a program wrote would not all have three digits, nor none.
    bare = column.shapes["digits"] and column.shapes["?."] >= _MANY and not column.long
    usual = Signs(",", ".", "as is usual where smaller numbers have none", doubt=True)
    if bare:
        return usual
    # Where every number has a point before three digits, nothing in the column shows what it is.
    return Signs(".", "", "as is usual" if column.shapes["?."] == column.numbers else "")


def _is_mixed(column: Evidence) -> bool:
    return any(column.shows(mark) for mark in ("d,", "d.", "t,", "t."))


def write_plainly(frame: pl.DataFrame, notations: Mapping[str, Notation]) -> pl.DataFrame:
    """The columns of texts that have a notation as computers write numbers."""
    return pl.DataFrame(
        [
            as_written_plainly(column, notations[column.name])
            if column.name in notations and column.dtype == pl.String
            else column
            for column in frame.iter_columns()
        ]
    )


def notations_of(decisions: Mapping[str, Decision]) -> dict[str, Notation]:
    """The notations alone."""
    return {name: each.notation for name, each in decisions.items() if each.notation is not None}


def report_decisions(decisions: Decisions) -> list[Finding]:
    """How numbers were read that are not plain, where nothing decided, and what was left as it is."""
    found = {name: each for name, each in decisions.items() if each.why != KNOWN}
    sure, guessed, left = {}, {}, {}
    for name, (notation, why, doubt, example) in found.items():
        if notation is None:
            left[name] = f"such as '{example}': {why}"
        else:
            plain = as_written_plainly(pl.Series([example]), notation)[0]
            details = guessed if doubt else sure
            details[name] = f"'{example}' is {plain}{f', {why}' if why else ''}"
    return [
        *_report(
            "note", "written-numbers", sure, "numbers that are written with signs, and read by value.", found
        ),
        *_report(
            "warning", "guessed-numbers", guessed, "numbers whose sign could be the decimal one, too.", found
        ),
        *_report("warning", "odd-numbers", left, "look like numbers, taken as they are written.", found),
    ]


def _other_reading(notation: Notation | None) -> str:
    """The setting of a notation with comma and point the other way round."""
    decimal, between = (",", ".") if notation is None or notation.decimal == "." else (".", ",")
    unit = f", unit: '{notation.unit}'" if notation is not None and notation.unit else ""
    return f"{{decimal: '{decimal}', thousands: '{between}'{unit}}}"


def _report(
    level: Level, name: str, details: dict[str, str], seen: str, decisions: Decisions
) -> list[Finding]:
    if not details:
        return []
    column = next(iter(details))
    other = _other_reading(decisions[column].notation)
    return report_columns(
        level,
        name,
        details,
        seen=seen,
        why="A network learns from what a number is worth, not from how it is written.",
        action="data.read.decimal and data.read.thousands say which sign is which, "
        f'"data.read.notations.{column}={other}" for one column; '
        "data.read.numbers=plain takes such cells as text.",
        decided=True,
    )
