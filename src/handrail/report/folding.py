"""Text for a terminal: no line longer than it, and nothing that stands there twice."""

import os
import shutil
import textwrap
from collections.abc import Iterable, Sequence

from handrail.report.wording import align

_WIDEST = 110  # a line is hard to read beyond
_NARROWEST = 40


def fold(text: str) -> list[str]:
    """One paragraph as lines; all after the first are indented. Names and settings stay whole."""
    width = min(_WIDEST, max(_NARROWEST, terminal_width() or _WIDEST))
    how = {"subsequent_indent": "    ", "break_long_words": False, "break_on_hyphens": False}
    return textwrap.wrap(text, width, **how) or [""]


def fold_all(texts: Iterable[str]) -> list[str]:
    """Paragraphs as lines; one that is empty stays."""
    return [line for text in texts for line in fold(text)]


def terminal_width() -> int | None:
    """The columns of the terminal (or `COLUMNS`); None where the output goes elsewhere."""
    if not os.environ.get("COLUMNS") and not _is_terminal():
        return None
    return shutil.get_terminal_size((_WIDEST, 24)).columns


def _is_terminal() -> bool:
    try:
        os.get_terminal_size(1)
    except OSError:
        return False
    return True


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table whose first column names the rows; what is too wide for the terminal follows below."""
    width, blocks, first = terminal_width(), [], 1
    sizes = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    while first < len(sizes):
        last, taken = first + 1, sizes[0] + 2 + sizes[first]
        while last < len(sizes) and (width is None or taken + 2 + sizes[last] <= width):
            taken += 2 + sizes[last]
            last += 1
        blocks.append(align([[row[0], *row[first:last]] for row in rows]))
        first = last
    return [line for number, block in enumerate(blocks) for line in ([""] if number else []) + block]
