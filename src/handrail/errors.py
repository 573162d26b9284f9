"""Errors that a user can cause.

Every error that a user can cause is a `HandrailError`: a `ValueError` whose text says what was found, what
was expected, where, and what to do. The command line prints that text alone and exits with code 2.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_PROBLEMS, _MOST_CHARACTERS = 50, 4000  # in the text: 20,000 mistakes must not flood a terminal
# Control characters but for tabs and line ends, separators that some take for line ends, what turns the
# direction of writing, and halves of characters, which stand in names of files that are not UTF-8.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""A text as it may be shown: what would command the terminal, or hide, is written out, as in `\x1b`.

    Names and values come from data; whoever wrote them must not move the cursor, colour or rewrite lines.
    """
    return _INVISIBLE.sub(lambda match: ascii(match[0])[1:-1], text)


def without_userinfo(text: str) -> str:
    """A text without the passwords of the URLs in it: the last net, wherever a message quotes one."""
    return re.sub(r"(\b\w[\w+.-]*://[^\s:/@?#'\"]*):[^\s'\"@]*@(?:[^\s'\"?/]*@)?", r"\1@", text)


class VisibleFormatter(logging.Formatter):
    """One record of a log: all lines after its first are indented, so that none passes for a record."""

    def format(self, record: logging.LogRecord) -> str:
        return without_userinfo(visible(super().format(record))).replace("\n", "\n    ")


class HandrailError(ValueError):
    """One or several mistakes, each a full sentence in `problems`; the text lists the first of very many."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        given = [problems] if isinstance(problems, str) else problems
        self.problems: list[str] = [without_userinfo(visible(problem)) for problem in given]
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
