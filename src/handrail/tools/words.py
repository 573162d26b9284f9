"""Numbers and lists in messages, always in the same form."""

from collections.abc import Sequence


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2,000 rows`, `3 classes`.

    Arguments:
        number: how many there are.
        one, many: the noun in singular and plural; by default the plural ends in s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def list_some(items: Sequence[object], *, most: int = 5) -> str:
    """`a, b, c`; beyond `most`, how many more there are: `a, b, c, d, e and 7 more`."""
    more = len(items) - most
    return ", ".join(str(item) for item in items[:most]) + (f" and {more:,} more" if more > 0 else "")
