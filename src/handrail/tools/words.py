"""Numbers, lists and URLs as messages show them."""

import re
from collections.abc import Iterable

SECRET_KEYS = ("password", "passwd", "pwd", "sslpassword")


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2,000 rows`, `3 classes`; by default the plural ends in s."""
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


def without_password(text: str) -> str:
    """A URL without its password, wherever it contains one; any other text as it is."""
    if not re.match(r"\s*\w[\w+.-]*://", text):
        return text
    names = "|".join(SECRET_KEYS)
    # As SQLAlchemy reads it, a password reaches to the first @; one that holds an @ itself, to the last
    # before a query.
    bare = re.sub(r"^(\s*\w[\w+.-]*://[^:/@?#]*):[^@]*@(?:[^?]*@)?", r"\1@", text)
    bare = re.sub(rf"(?i)([?&])(?:{names})=[^&#]*(?:&|(?=#|$))", r"\1", bare)
    # as ODBC writes it
    bare = re.sub(rf"(?i)(;|%3B|=|%7B)(?:{names})(?:=|%3D)(?:(?!%3B)[^;&#])*", r"\1", bare)
    return bare if bare == text else bare.rstrip("?&")
