"""What is worth saying about picture files that could all be read."""

import re
from collections import Counter
from collections.abc import Sequence

from handrail.data.stores.pixels.decode import SUFFIXES, Seen
from handrail.tools.words import list_some

_FEW = 0.02  # the share of files below which they are named
_DARK = 16384  # of 65,536 grey levels
_STAND_IN = re.compile(r"not[ _-]?found|place[ _-]?holder|no[ _-]?image|unavailable|dummy", re.IGNORECASE)
_MODES = {
    **{"1": "black and white", "L": "grey", "LA": "grey with transparency", "P": "palette", "RGB": "colour"},
    **{"RGBA": "colour with transparency", "CMYK": "CMYK colour"},
    **dict.fromkeys(("I", "I;16", "I;16B", "I;16L", "I;16N"), "16-bit grey"),
}


def remarks_on(names: Sequence[str], seen: Sequence[Seen]) -> tuple[str, ...]:
    """Files that are not what their names say, or not like the others: sentences that name them."""
    formats = _odd([file.format for file in seen], "file format")
    depths = _odd([_MODES.get(file.mode, file.mode) for file in seen], "depth")
    files_with: dict[tuple[str, ...], list[str]] = {}
    for name, file, kind, depth in zip(names, seen, formats, depths, strict=True):
        animated = "animated, the first frame is used" if file.animated else ""
        remarks = (_check_suffix(name, file), kind, depth, _check_stand_in(name), animated)
        if any(remarks):
            files_with.setdefault(tuple(remark for remark in remarks if remark), []).append(name)
    sentences = [f"{list_some(files)}: {'; '.join(remarks)}." for remarks, files in files_with.items()]
    return (*sentences, *_explain_deep(seen), *_explain_transparent(names, seen))


def _check_suffix(name: str, file: Seen) -> str:
    expected = SUFFIXES.get("." + name.rsplit(".", 1)[-1].lower(), file.format)
    if expected == file.format:
        return ""
    return f"by content it is a {file.format}, whatever its name says, and is read as such"


def _odd(kinds: Sequence[str], what: str) -> list[str]:
    """For each file, what sets it apart: few are like it, and most are of one other kind."""
    counts = Counter(kinds)
    usual, many = counts.most_common(1)[0]
    if many <= len(kinds) / 2:
        return [""] * len(kinds)
    few = {kind for kind, count in counts.items() if kind != usual and count <= max(1, _FEW * len(kinds))}
    return [
        f"{what} {kind} ({usual} in {many:,} of the {len(kinds):,} files)" if kind in few else ""
        for kind in kinds
    ]


def _check_stand_in(name: str) -> str:
    if not _STAND_IN.search(name.rsplit("/", 1)[-1]):
        return ""
    return "by its name it stands for a picture that was missing: look at it, and remove it if it shows none"


def _explain_transparent(names: Sequence[str], seen: Sequence[Seen]) -> list[str]:
    clear = [name for name, file in zip(names, seen, strict=True) if file.transparent]
    share = f"{len(clear):,} of {len(seen):,} pictures have transparent pixels, which stand on white"
    return [f"{share}: {list_some(clear, most=3)}."] if clear else []


def _explain_deep(seen: Sequence[Seen]) -> list[str]:
    tops = [file.top for file in seen if file.top]
    if not tops:
        return []
    share = f"{len(tops):,} of {len(seen):,}"
    text = f"{share} pictures have 16 bits a pixel; they are brought to 8 (divided by 257)."
    if max(tops) < _DARK:
        text += f" None is brighter than {max(tops):,} of 65,535, so little is left: stretch them first."
    return [text]
