"""URLs as they may be shown and written."""

import re

SECRET_KEYS = ("password", "passwd", "pwd", "sslpassword")


def without_password(text: str) -> str:
    """A URL without its password, wherever it contains one; any other text as it is."""
    if not re.match(r"\s*\w[\w+.-]*://", text):
        return text
    names = "|".join(SECRET_KEYS)
    # As SQLAlchemy reads it, a password reaches to the first @; one that holds an @ itself, to the last
    # before a query.
    bare = re.sub(r"^(\s*\w[\w+.-]*://[^:/@?#]*):[^@]*@(?:[^?]*@)?", r"\1@", text)
    bare = re.sub(rf"(?i)([?&])(?:{names})=[^&#]*(?:&|(?=#|$))", r"\1", bare)
    bare = re.sub(
        rf"(?i)(;|%3B|=|%7B)(?:{names})(?:=|%3D)(?:(?!%3B)[^;&#])*", r"\1", bare
    )  # as ODBC writes it
    return bare if bare == text else bare.rstrip("?&")
