"""Errors that a user can cause.

Every error that a user can cause is a `HandrailError`: a `ValueError` whose text says what was found, what
was expected, where, and what to do. The command line prints that text alone and exits with code 2.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class HandrailError(ValueError):
    """One or several mistakes, each a full sentence in `problems`."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: list[str] = [problems] if isinstance(problems, str) else list(problems)
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = "\n".join(f"  {number}. {text}" for number, text in enumerate(self.problems, start=1))
        return f"{len(self.problems)} mistakes:\n{lines}"


class RecipeError(HandrailError):
    """The recipe cannot be followed: unknown names, arguments out of range, settings without effect."""


class DataError(HandrailError):
    """The data cannot be read or used as asked."""


class RunError(HandrailError):
    """A run folder is missing something, is broken, or cannot do what was asked."""


class SealError(HandrailError):
    """The test rows have been opened before, or cannot be opened."""


class TrainingError(HandrailError):
    """Training had to stop: the loss is not a number or has exploded."""


def did_you_mean(name: object, known: Iterable[object], *, listed: bool = True) -> str:
    """A hint with the nearest valid name, else all names where they are few and `listed`, or nothing.

    Returns: a text that begins with a space, or the empty text.
    """
    names: Sequence[str] = sorted(str(option) for option in known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f" Did you mean '{near[0]}'?"
    if listed and names and len(names) <= 24:
        return " Known: " + ", ".join(names) + "."
    return ""
