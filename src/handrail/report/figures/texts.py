"""Texts on the page: samples of a language model, and the most confident mistakes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LONGEST_SAMPLE = 2_000
_LONGEST_EXCERPT = 280
_SIGNS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | {0x7F: "␡"}


@dataclass(frozen=True)
class GeneratedText:
    """Text generated after a prompt, line ends included; `how` says how its tokens were drawn."""

    prompt: str
    text: str
    how: str


@dataclass(frozen=True)
class HardText:
    """A misclassified text, with the answer and its probability."""

    row: str
    text: str
    truth: str
    answer: str
    confidence: float | None = None

    @property
    def sure(self) -> str:
        """`97%`, or empty."""
        return "" if self.confidence is None else f"{self.confidence:.0%}"


def text_sample(prompt: str, text: str, *, temperature: float) -> GeneratedText:
    """A sample for the page: at most 2,000 letters, with signs for control characters.

    Arguments:
        text: the generated text without the prompt.
        temperature: the sampling temperature; 0 takes the most probable token each time.
    """
    how = f"temperature {temperature:g}" if temperature else "the most probable token each time"
    cut = text if len(text) <= _LONGEST_SAMPLE else f"{text[:_LONGEST_SAMPLE]}…"
    return GeneratedText(_visible(prompt), _visible(cut), how)


def hard_texts(
    rows: Sequence[str],
    texts: Sequence[str],
    truths: Sequence[str],
    answers: Sequence[str],
    confidences: Iterable[float] | None = None,
) -> list[HardText]:
    """Misclassified texts for the page, each cut to an excerpt, in the given order."""
    sure = list(confidences) if confidences is not None else [None] * len(rows)
    parts = zip(rows, texts, truths, answers, sure, strict=True)
    return [HardText(row, excerpt(text), truth, answer, share) for row, text, truth, answer, share in parts]


def excerpt(text: str, longest: int = _LONGEST_EXCERPT) -> str:
    """The beginning of a text on one line, cut between words if there is a space near the end."""
    line = _visible(" ".join(text.split()))
    if len(line) <= longest:
        return line
    begin = line[: longest - 1]
    space = begin.rfind(" ", longest * 3 // 4)
    return f"{begin[:space] if space > 0 else begin}…"


def _visible(text: str) -> str:
    """The text with a visible sign for each control character, which HTML forbids."""
    return text.replace("\r\n", "\n").translate(_SIGNS)
