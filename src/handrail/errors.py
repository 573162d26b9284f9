"""Errors that a user can cause.

Every error that a user can cause is a `HandrailError`: a `ValueError` whose text says what was found, what
was expected, where, and what to do. The command line prints that text alone and exits with code 2.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_PROBLEMS, _MOST_CHARACTERS = (
    50,
    4000,
)  # in the text; a file of 20,000 mistakes must not flood a terminal


class HandrailError(ValueError):
    """One or several mistakes, each a full sentence in `problems`; the text lists the first of very many."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: list[str] = [problems] if isinstance(problems, str) else list(problems)
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1:
            return _shorten(self.problems[0])
        shown = enumerate(self.problems[:_MOST_PROBLEMS], start=1)
        lines = [f"  {number}. {_shorten(text)}" for number, text in shown]
        if len(self.problems) > len(lines):
            lines.append(f"  and {len(self.problems) - len(lines):,} more")
        return "\n".join([f"{len(self.problems)} mistakes:", *lines])


def _shorten(text: str) -> str:
    """A message with its beginning and its advice, where a value in it is very long."""
    half = _MOST_CHARACTERS // 2
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:half]} … {text[-half:]}"


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
