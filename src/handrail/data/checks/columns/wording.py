"""Sentences that several checks end with."""

from collections.abc import Collection

from handrail.data.finding import as_pasted

_MOST_NAMES = 5


def counted_columns(names: Collection[str], sentence: str) -> str:
    """A setting for each of a few columns; of many, for the first as an example.

    Arguments:
        sentence: with `{name}` where the column stands, such as `data.columns.{name}=text reads it as text.`
    """
    first = next(iter(names), "")
    head, tail = sentence.split(" ", 1)
    if len(names) == 1 or len(names) > _MOST_NAMES:
        return f"{as_pasted(head.format(name=first))} {tail}"
    settings = " ".join(as_pasted(head.format(name=name)) for name in names)
    return f"{settings} {tail}"


def set_format(name: str, date_format: str) -> str:
    """The setting that reads the dates of a column by one format."""
    path = f"data.dates.formats.{name}"
    return f"{path}='{date_format}'" if as_pasted(path) == path else as_pasted(f"{path}={date_format}")


def set_kind(name: str, kind: str) -> str:
    """The setting that gives a column its kind."""
    return as_pasted(f"data.columns.{name}={kind}")
