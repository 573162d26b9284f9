"""Sentences that several checks end with."""

from collections.abc import Collection

_MOST_NAMES = 5


def counted_columns(names: Collection[str], sentence: str) -> str:
    """A setting for each of a few columns; of many, for the first as an example.

    Arguments:
        sentence: with `{name}` where the column stands, such as `data.columns.{name}=text reads it as text.`
    """
    first = next(iter(names), "")
    head, tail = sentence.split(" ", 1)
    if len(names) == 1 or len(names) > _MOST_NAMES:
        return sentence.format(name=first)
    settings = " ".join(head.format(name=name) for name in names)
    return f"{settings} {tail}"
