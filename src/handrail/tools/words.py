"""Numbers and lists in messages, always in the same form."""

from collections.abc import Iterable


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2,000 rows`, `3 classes`.

    Arguments:
        number: how many there are.
        one, many: the noun in singular and plural; by default the plural ends in s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def list_some(items: Iterable[object], *, most: int = 5, last: str = ", ") -> str:
    """`a, b, c`; beyond `most`, how many more there are: `a, b, c, d, e and 7 more`.

    Arguments:
        items: what to list.
        most: how many are written out.
        last: what stands before the last item where all are written out, such as " and ".
    """
    names = [str(item) for item in items]
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return last.join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
