"""Labels that differ in case, white space or a final dot alone: when they are one class, and which it is."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from handrail.data.columns.values import YES_NO

Spelling = Literal["auto", "fold", "as_written"]
_USUAL = 0.9  # of the rows of a letter: beside a spelling of so many the others are slips


class Spellings(NamedTuple):
    """classes: of each label as it is written, the one that it is read as. apart: groups of labels that were
    left as they are although they differ in case alone.
    """

    classes: dict[str, str]
    apart: tuple[tuple[str, ...], ...] = ()


def merge_spellings(counts: Mapping[str, int], how: Spelling = "auto") -> Spellings:
    """Which labels are the same class: each group is read as its most frequent spelling.

    Where case may be meaning, `auto` keeps labels apart: single letters (a, A, b, B; not y, Y, n, N) unless
    nine in ten rows are spelled one way, and all where one class alone would be left (AA, Aa, aa).

    Arguments:
        counts: rows of each label as it is written.
        how: `auto`, `fold` (all groups become one class) or `as_written` (none does).
    """
    same = {label: label for label in counts}
    if how == "as_written":
        return Spellings(same)
    groups, are_words = _groups(counts)
    several, apart = [group for group in groups if len(group) > 1], []
    if how == "auto" and not are_words:
        in_case = [group for group in several if _differ_in_case(group)]
        are_letters = all(len(_key(group[0])) == 1 for group in groups)
        doubtful = are_letters and any(_is_doubtful(group, counts) for group in in_case)
        apart = in_case if len(groups) == 1 or doubtful else []
    several = [group for group in several if group not in apart]
    for group in several:
        usual = min(group, key=lambda label: (-counts[label], label))
        same.update(dict.fromkeys(group, usual))
    return Spellings(same, tuple(tuple(group) for group in apart))


def read_spellings(labels: Iterable[str], classes: Sequence[str]) -> dict[str, str]:
    """Of labels that no class is written as, the class of another spelling, where there is exactly one."""
    synonyms = _synonyms([_key(name) for name in classes])
    names: dict[str, list[str]] = {}
    for name in classes:
        names.setdefault(synonyms.get(_key(name), _key(name)), []).append(name)
    keys = {label: synonyms.get(_key(label), _key(label)) for label in labels}
    return {label: names[key][0] for label, key in keys.items() if len(names.get(key, ())) == 1}


def _groups(labels: Iterable[str]) -> tuple[list[list[str]], bool]:
    """The labels by what they have in common, and whether they are words for yes and no."""
    labels = sorted(labels)
    synonyms = _synonyms([_key(label) for label in labels])
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(synonyms.get(_key(label), _key(label)), []).append(label)
    return list(groups.values()), bool(synonyms)


def _key(label: str) -> str:
    """What is left of a label without case, white space at its ends or doubled, and a final dot."""
    text = " ".join(unicodedata.normalize("NFC", label).casefold().split())
    return text.removesuffix(".").rstrip() or text


def _synonyms(keys: Sequence[str]) -> dict[str, str]:
    """'y' for 'yes' and the like, where the labels are such words alone, some of them yes and some no."""
    for yes, no in YES_NO:
        if {*keys} <= {*yes, *no} and {*keys} & {*yes} and {*keys} & {*no}:
            return {**dict.fromkeys(yes, yes[0]), **dict.fromkeys(no, no[0])}
    return {}


def _differ_in_case(group: Sequence[str]) -> bool:
    return len({" ".join(label.split()).removesuffix(".") for label in group}) > 1


def _is_doubtful(group: Sequence[str], counts: Mapping[str, int]) -> bool:
    rows = [counts[label] for label in group]
    return max(rows) < _USUAL * sum(rows)
