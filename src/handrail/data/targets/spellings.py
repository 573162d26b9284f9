"""Labels that differ in case, white space or a final dot alone, or say yes and no in several ways: when they
are one class, and which it is.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Literal, NamedTuple

from handrail.data.columns.values import YES_NO
from handrail.data.columns.words import NO, YES

Spelling = Literal["auto", "fold", "as_written"]
_USUAL = 0.9  # of the rows of a letter: beside a spelling of so many the others are slips
_WAYS = (*YES_NO, (("1", "1.0"), ("0", "0.0")))  # to write yes and no
_DIGITS = frozenset(("1", "1.0", "0", "0.0"))
_WORDS = {**dict.fromkeys(YES, "yes"), **dict.fromkeys(NO, "no")}
_FULL_WORDS = frozenset(word for yes, no in YES_NO for word in (yes[0], no[0]))


class Spellings(NamedTuple):
    """classes: of each label as it is written, the one that it is read as. apart: groups of labels that were
    left as they are although they differ in case alone.
    """

    classes: dict[str, str]
    apart: tuple[tuple[str, ...], ...] = ()


def merge_spellings(counts: Mapping[str, int], how: Spelling = "auto") -> Spellings:
    """Which labels are the same class: each group is read as its most frequent spelling.

    Yes and no that are written in several ways (TRUE and FALSE beside 1 and 0) are two classes, written in
    the way of most rows.

    Where case may be meaning, `auto` keeps labels apart: single letters (a, A, b, B; not y, Y, n, N) unless
    nine in ten rows are spelled one way, and all where one class alone would be left (AA, Aa, aa).

    Arguments:
        counts: rows of each label as it is written.
        how: `auto`, `fold` (all groups become one class) or `as_written` (none does).
    """
    same = {label: label for label in counts}
    if how == "as_written":
        return Spellings(same)
    groups, synonyms = _groups(counts)
    several, apart = [group for group in groups if len(group) > 1], []
    if how == "auto" and not synonyms:
        in_case = [group for group in several if _differ_in_case(group)]
        are_letters = all(len(_key(group[0])) == 1 for group in groups)
        doubtful = are_letters and any(_is_doubtful(group, counts) for group in in_case)
        apart = in_case if len(groups) == 1 or doubtful else []
    way = _usual_way(groups, counts) if synonyms == _WORDS else frozenset()
    for group in several:
        if group not in apart:
            usual = min(group, key=lambda label: (_key(label) not in way, -counts[label], label))
            same.update(dict.fromkeys(group, usual))
    return Spellings(same, tuple(tuple(group) for group in apart))


def read_spellings(labels: Iterable[str], classes: Sequence[str]) -> dict[str, str]:
    """Of labels that no class is written as, the class of another spelling, where there is exactly one."""
    own = [_key(name) for name in classes]
    synonyms = _WORDS if len(classes) == 2 and _say_both({*own}) else _synonyms(own)
    names: dict[str, list[str]] = {}
    for name in classes:
        names.setdefault(synonyms.get(_key(name), _key(name)), []).append(name)
    keys = {label: synonyms.get(_key(label), _key(label)) for label in labels}
    return {label: names[key][0] for label, key in keys.items() if len(names.get(key, ())) == 1}


def _groups(labels: Iterable[str]) -> tuple[list[list[str]], Mapping[str, str]]:
    """The labels by what they have in common, and which of them are words for yes and no."""
    labels = sorted(labels)
    synonyms = _synonyms([_key(label) for label in labels])
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(synonyms.get(_key(label), _key(label)), []).append(label)
    return list(groups.values()), synonyms


def _key(label: str) -> str:
    """What is left of a label without case, white space at its ends or doubled, and a final dot."""
    text = " ".join(unicodedata.normalize("NFC", label).casefold().split())
    return text.removesuffix(".").rstrip() or text


def _synonyms(keys: Sequence[str]) -> dict[str, str]:
    """'y' for 'yes' and the like, where the labels are such words alone, some of them yes and some no: of one
    pair, or, where one is a full word or both letters are there, 1, 0 and words of others beside them.
    """
    known = {*keys}
    for yes, no in YES_NO:
        if known <= {*yes, *no} and _say_both(known):
            return {**dict.fromkeys(yes, yes[0]), **dict.fromkeys(no, no[0])}
    letters = any({yes[1], no[1]} <= known <= {*yes, *no, *_DIGITS} for yes, no in YES_NO)
    return _WORDS if _say_both(known) and (letters or known & _FULL_WORDS) else {}


def _say_both(keys: Set[str]) -> bool:
    """Whether these are words and digits for yes and no alone, and some of each."""
    return keys <= YES | NO and bool(keys & YES) and bool(keys & NO)


def _usual_way(groups: Sequence[Sequence[str]], counts: Mapping[str, int]) -> frozenset[str]:
    """The keys of the way to write yes and no that has the most rows, of those that write both."""
    rows: dict[str, int] = {}
    for label in (label for group in groups for label in group):
        rows[_key(label)] = rows.get(_key(label), 0) + counts[label]
    both = [frozenset((*yes, *no)) for yes, no in _WAYS if rows.keys() & {*yes} and rows.keys() & {*no}]
    return max(both, key=lambda way: sum(rows.get(key, 0) for key in way), default=frozenset())


def _differ_in_case(group: Sequence[str]) -> bool:
    return len({" ".join(label.split()).removesuffix(".") for label in group}) > 1


def _is_doubtful(group: Sequence[str], counts: Mapping[str, int]) -> bool:
    rows = [counts[label] for label in group]
    return max(rows) < _USUAL * sum(rows)
