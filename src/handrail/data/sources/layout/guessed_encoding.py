"""That the encoding of a text was guessed: said with an example of what was read."""

import re

from handrail.data.finding import Finding

_USUAL = ("cp1252", "latin-1")  # what is left where a text is not UTF-8
_WORD = re.compile(r"[^\s,;|\"]{0,24}[^\x00-\x7f][^\s,;|\"]{0,24}")
_MANY = 0.3  # of the letters


def report_guess(data: bytes, encoding: str, source: str) -> list[Finding]:
    """A finding for a text that is not UTF-8 and was read as Windows-1252, which fits nearly all bytes.

    Arguments:
        data: as it was read, in UTF-8.
        encoding: that was guessed.
    """
    if encoding not in _USUAL:
        return []
    text = data.decode("utf-8")
    found = _WORD.search(text)
    if found is None:
        return []
    line = text.count("\n", 0, found.start()) + 1
    letters = [letter for letter in text[: 1 << 16] if letter.isalpha()]
    foreign = sum(letter > "\x7f" for letter in letters) > _MANY * max(len(letters), 1)
    doubt = " Most letters are such, which is odd for a western language." if foreign else ""
    return [
        Finding(
            level="warning" if foreign else "note",
            name="encoding",
            seen=f"{source} is not UTF-8, and was read as {encoding}: line {line} holds '{found[0]}'.{doubt}",
            why="Every encoding gives letters, but only one gives the right ones.",
            action="If that is wrong: --read encoding=NAME (data.read.encoding), such as cp1250, cp1251, "
            "cp437, mac_roman or shift_jis.",
            decided=True,
        )
    ]
