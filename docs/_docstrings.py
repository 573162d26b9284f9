"""Makes the short sections of our docstrings, such as `Raises: text`, readable for mkdocstrings.

Without it, mkdocstrings takes such a label for the head of a section and drops the text behind it.
"""

import re
from typing import Any

from griffe import Extension, Object

_LABELS = "Raises|Returns|Source"


class ShortSections(Extension):
    """Turns each `Label: text` into a paragraph with the label in bold."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = paragraphs(obj.docstring.value)


def paragraphs(text: str) -> str:
    """A docstring with its labelled sentences as paragraphs."""
    text = re.sub(
        rf"^((?:{_LABELS}): \S.*(?:\n[ \t]+\S.*)*)",
        lambda match: " ".join(match[1].split()),
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(rf"(?<!\n)\n(?=(?:{_LABELS}): )", "\n\n", text)
    return re.sub(rf"^({_LABELS}): ", r"**\1:** ", text, flags=re.MULTILINE)
