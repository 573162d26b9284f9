"""Numbers, lists and URLs as messages show them."""

import re
from collections.abc import Iterable
from urllib.parse import unquote, unquote_plus

_HIDDEN = (
    r"[\w.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|account[_-]?key|credentials?|signature)|pass|auth|sig"
)
_SPACE = r"(?:\s|\+|%20)*"
# As ODBC writes it: in braces, in which only a doubled brace does not end it, or up to a semicolon.
_ODBC_VALUE = r"(?:\{(?:[^}]|\}\})*\}|%7B(?:(?!%7D).|%7D%7D)*%7D|(?:(?!%3B)[^;&#])*)"
_ODBC = re.compile(
    rf"(?i)(^|/|;|%3B|=|%3D|%7B)({_SPACE})(?:{_HIDDEN}){_SPACE}(?:=|%3D){_SPACE}({_ODBC_VALUE})"
)
_WORDS = re.compile(rf"(?i)(^|[\s/])(?:{_HIDDEN})\s*=\s*('(?:[^'\\]|\\.)*'|[^\s;]+)")


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2,000 rows`, `3 classes`; by default the plural ends in s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def only(number: int, one: str, many: str | None = None) -> str:
    """`no row`, `only 1 row`, `only 3 rows`."""
    return f"only {plural(number, one, many)}" if number else f"no {one}"


def number(value: float) -> str:
    """As a person writes it: `99999999` and `5305629.5`, where `g` gives 1e+08; `0.25`, `1e+20`, `1e-07`."""
    size = abs(value)
    if not 1e5 <= size < 1e15:
        return f"{value:g}"
    return f"{value:.0f}" if value == round(value) else f"{value:.2f}".rstrip("0").rstrip(".")


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


def is_secret(key: str) -> bool:
    """Whether a setting of a connection is called like a password, a token or a key."""
    return re.fullmatch(_HIDDEN, unquote(key), re.IGNORECASE) is not None


def without_password(text: str) -> str:
    """A URL, or the settings of a connection (`Driver={…};Pwd={…}`), without passwords, tokens and keys.

    Any other text stays as it is.
    """
    if not re.match(r"\s*\w[\w+.-]*://", text):
        settings = len(re.findall(r"[^\s=;]+\s*=", text)) > 1
        return _WORDS.sub(r"\1", _ODBC.sub(r"\1\2", text) if ";" in text else text) if settings else text
    # As SQLAlchemy reads it, a password reaches to the first @; one that holds an @ itself, to the last
    # before a query.
    bare = re.sub(r"^(\s*\w[\w+.-]*://[^:/@?#]*):[^@]*@(?:[^?]*@)?", r"\1@", text)
    head, mark, query = bare.partition("?")
    query, hash_mark, fragment = query.partition("#")
    kept = "&".join(part for part in query.split("&") if not is_secret(part.partition("=")[0]))
    bare = head + mark + kept + hash_mark + fragment
    bare = _ODBC.sub(r"\1\2", bare)
    return bare if bare == text else bare.rstrip("?&")


def secrets_in(url: str) -> set[str]:
    """The passwords that a URL holds in the settings of ODBC, as they are and without braces."""
    values = {match[3] for text in (url, unquote_plus(url)) for match in _ODBC.finditer(text)}
    return {form for value in values for form in (value, unquote(value).strip("{}")) if form}
