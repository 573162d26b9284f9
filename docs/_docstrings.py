"""Makes the short sections of our docstrings, `Raises: text` and the like, readable for mkdocstrings.

It takes a label with text behind it and indented lines below for a section of another form, and loses the
text.
"""

import re
from typing import Any

from griffe import Extension, Object

_LABELS = "Raises|Returns|Source"


class ShortSections(Extension):
    """Each `Label: text` becomes a paragraph of its own with the label in bold."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = paragraphs(obj.docstring.value)


def paragraphs(text: str) -> str:
    """The docstring with its labelled sentences as paragraphs."""
    text = re.sub(
        rf"^((?:{_LABELS}): \S.*(?:\n[ \t]+\S.*)*)",
        lambda found: " ".join(found[1].split()),
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(rf"(?<!\n)\n(?=(?:{_LABELS}): )", "\n\n", text)
    return re.sub(rf"^({_LABELS}): ", r"**\1:** ", text, flags=re.MULTILINE)
