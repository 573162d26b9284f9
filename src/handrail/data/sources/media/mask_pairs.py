"""Which mask belongs to which picture: by equal names, or by names that an affix tells apart."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from handrail.errors import DataError
from handrail.tools.words import list_some, plural

MASK_WORD = "masks?|segmentations?|segm?|labels?|ground_?truth|gt|annotations?|mattes?|trimaps?"
_OF_A_MASK = re.compile(rf"(.*)[-_. ](?:{MASK_WORD})|(?:{MASK_WORD})[-_. ](.*)", re.IGNORECASE)
_MOST_LENGTH = 60  # letters of a name in which an affix is looked for
_FEW = 3  # examples in a message


@dataclass(frozen=True)
class Affix:
    """What stands before and behind the common part of a name."""

    before: str = ""
    behind: str = ""

    def strip(self, name: str) -> str | None:
        """The common part of a name, whose folders stay as they are; None where the affix is missing."""
        folder, slash, last = name.rpartition("/")
        if len(last) <= len(self.before) + len(self.behind):
            return None
        if not (last.startswith(self.before) and last.endswith(self.behind)):
            return None
        return folder + slash + last[len(self.before) : len(last) - len(self.behind)]

    def __str__(self) -> str:
        return f"{self.before}NAME{self.behind}"


@dataclass
class Pairs:
    """Pictures with their masks, and what is left over.

    rule: how names of pictures and masks differ; None where they are the same.
    """

    masks: dict[str, str] = field(default_factory=dict)
    bare: list[str] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    rule: tuple[Affix, Affix] | None = None


def match(pictures: Sequence[str], masks: Sequence[str]) -> Pairs:
    """Pair paths of pictures and masks, relative to their folders.

    Names are compared without endings. Where they are not the same, the affix (`_mask`, `seg-`) that pairs
    most of them is taken, if it pairs more than half of either side.

    Raises: `DataError` where two pictures, or two masks, differ in their ending alone.
    """
    rules = [(Affix(), Affix())]
    own = {_key(name): name for name in pictures}
    theirs = {_key(name): name for name in masks}
    if own.keys() != theirs.keys():
        of_pictures = _common_affixes(own)
        rules += [(affix, found) for affix in of_pictures if (found := _vote(own, theirs, affix))]
    return max((_pair(pictures, masks, rule) for rule in rules), key=lambda pairs: len(pairs.masks))


def require_all(pairs: Pairs, pictures: str, masks: str) -> None:
    """Raises: `DataError` with the number of pictures without a mask and the other way round, and the rule.

    Arguments:
        pictures, masks: the names of the folders.
    """
    if not pairs.bare and not pairs.alone:
        return
    found = []
    if pairs.bare:
        names = list_some((f"{pictures}/{name}" for name in pairs.bare), most=_FEW)
        found.append(f"{plural(len(pairs.bare), 'picture')} without a mask ({names})")
    if pairs.alone:
        names = list_some((f"{masks}/{name}" for name in pairs.alone), most=_FEW)
        found.append(f"{plural(len(pairs.alone), 'mask')} without a picture ({names})")
    several = _several(pairs)
    how = "that have the same name, apart from the ending"
    if pairs.rule:
        picture, mask = pairs.rule
        how = f"by their names ({picture} and {mask})"
    raise DataError(
        f"{' and '.join(found)}; {plural(len(pairs.masks), 'pair')} were found {how}. {several}"
        "Add or remove what is missing, or give pictures and masks the same names."
    )


def describe(pairs: Pairs) -> list[str]:
    """A note on the rule by which masks were found, where there is one."""
    if pairs.rule is None:
        return []
    picture, mask = next(iter(pairs.masks.items()))
    return [f"masks are matched with pictures by name: {mask} belongs to {picture}"]


def split_one_folder(names: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Pictures and masks that lie in one folder, told by `mask` or such a word in half of the names.

    Returns: the names of both; None where fewer than half of the pictures have such a companion.
    """
    keys = {_key(name) for name in names}
    masks = {name for name in names if _stem_of_mask(_key(name)) in keys}
    pictures = [name for name in names if name not in masks]
    if not masks or 2 * len(masks) < len(pictures):
        return None
    return pictures, [name for name in names if name in masks]


def _stem_of_mask(key: str) -> str | None:
    folder, slash, last = key.rpartition("/")
    found = _OF_A_MASK.fullmatch(last)
    return None if found is None else folder + slash + (found[1] or found[2] or "")


def _key(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 (many files)


def _pair(pictures: Sequence[str], masks: Sequence[str], rule: tuple[Affix, Affix]) -> Pairs:
    """Raises: `DataError` where two files have one name apart from the ending."""
    own, theirs = _by_common_part(pictures, rule[0]), _by_common_part(masks, rule[1])
    paired = {name: theirs[part] for part, name in own.items() if part in theirs}
    with_picture = set(paired.values())
    return Pairs(
        paired,
        [name for name in pictures if name not in paired],
        [name for name in masks if name not in with_picture],
        None if rule == (Affix(), Affix()) else rule,
    )


def _by_common_part(names: Iterable[str], affix: Affix) -> dict[str, str]:
    known: dict[str, str] = {}
    for name in names:
        part = affix.strip(_key(name))
        if part is not None and known.setdefault(part, name) != name:
            raise DataError(
                f"{known[part]} and {name} differ in their ending alone, so that names do not tell which "
                "mask belongs to which picture. Give one of them another name."
            )
    return known


def _common_affixes(names: Iterable[str]) -> list[Affix]:
    """Nothing, and what all names begin or end with, up to the nearest border between words."""
    last = [name.rpartition("/")[2] for name in names]
    before = _common_start(last)
    behind = _common_start([name[::-1] for name in last])[::-1]
    before = re.sub(r"(?:\d+|(?<=[-_. ])[a-zA-Z]+)$", "", before)
    behind = re.sub(r"^(?:\d+|[a-zA-Z]+(?=[-_. ]))", "", behind)
    return list(dict.fromkeys((Affix(), Affix(before), Affix("", behind), Affix(before, behind))))


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((place for place, (one, other) in pairs if one != other), min(len(first), len(last)))]


def _vote(pictures: Mapping[str, str], masks: Mapping[str, str], of_picture: Affix) -> Affix | None:
    """The affix of masks that most of them have, where it pairs more than half of either side."""
    parts = {part for name in pictures if (part := of_picture.strip(name)) is not None}
    votes: Counter[Affix] = Counter()
    for name in masks:
        folder, slash, last = name.rpartition("/")
        for cut in range(1, min(len(last), _MOST_LENGTH)):
            if folder + slash + last[:cut] in parts:
                votes[Affix("", last[cut:])] += 1
            if folder + slash + last[cut:] in parts:
                votes[Affix(last[:cut], "")] += 1
    if not votes:
        return None
    affix, count = votes.most_common(1)[0]
    return affix if 2 * count > min(len(parts), len(masks)) else None


def _several(pairs: Pairs) -> str:
    """A sentence where masks begin with the names of pictures: several for each."""
    parts = {_key(name) for name in (*pairs.bare, *pairs.masks)}
    begun = 0
    for name in pairs.alone:
        key = _key(name)
        begun += any(key[:cut] in parts for cut in range(1, len(key)) if not key[cut].isalnum())
    if begun <= len(pairs.alone) / 2 or len(pairs.alone) < len(parts):
        return ""
    return "Several masks a picture are not read: join those of a picture in one file, a value a class. "
