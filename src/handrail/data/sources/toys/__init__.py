"""Generated tables: `toy:NAME,argument=value,…`, each drawn by one function whose signature is its arguments.

A new one is a function with `@component("toy")` in a file of this folder, which returns a `Toy`.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from handrail.components import Component, available, hints, settings, type_words
from handrail.data.sources.cells import rename_columns
from handrail.data.table import Table
from handrail.errors import DataError
from handrail.recipe.reading import TOY, ReadOptions

_NAME = re.compile(r"\s*([\w-]*)\s*")


def read_toy(source: str, options: ReadOptions) -> Table:
    """The table that `toy:NAME,argument=value,…` describes; the same text gives the same bits.

    Raises: `DataError` with every mistake in the text: an unknown name, unknown arguments, values out of
        range.
    """
    entry, values = parse_toy(source)
    toy = entry.target(**values)
    frame = rename_columns(toy.frame, options.names, source)
    named = dict(zip(toy.frame.columns, frame.columns, strict=True))
    target = named[toy.target] if isinstance(toy.target, str) else [named[name] for name in toy.target]
    arguments = "".join(f",{key}={value}" for key, value in values.items())
    notes = (f"{TOY}{entry.name}{arguments}",) if values else ()
    notes = (*notes, *toy.notes)
    stores = {named[name]: store for name, store in toy.stores.items()}
    partners = tuple(named[name] for name in toy.partners)
    rest = {"stores": stores, "parts": toy.parts, "partners": partners}
    return Table(frame, source, notes=notes, target=target or None, **rest)


def parse_toy(source: str) -> tuple[Component, dict[str, Any]]:
    """The generator that a source names, and all its arguments, defaults included.

    Raises: `DataError` as `read_toy`.
    """
    text = source.removeprefix(TOY)
    found = _NAME.match(text)
    name, rest = (found[1], text[found.end() :]) if found else ("", text)
    known = available("toy")
    if name not in known:
        raise DataError(f"there is no generated table '{TOY}{name}'.{_near(name, known)}")
    entry, problems = known[name], []
    annotations, parameters = hints(entry), settings(entry)
    values = {key: parameter.default for key, parameter in parameters.items()}
    seen = set[str]()
    for key, value in _arguments(rest, problems):
        if key in seen:
            problems.append(f"{key} is given twice.")
        elif key not in parameters:
            problems.append(f"unknown argument '{key}'.{_near(key, parameters)}")
        else:
            try:
                values[key] = TypeAdapter(annotations[key]).validate_python(value)
            except ValidationError:
                default = parameters[key].default
                problems.append(
                    f"found {key}={value}, expected a {type_words(annotations[key])} (default {default})."
                )
        seen.add(key)
    if problems:
        raise DataError([f"{TOY}{name}: {problem}" for problem in problems])
    return entry, values


def _arguments(rest: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    """What stands behind the name, as pairs of texts; what is no pair is a problem."""
    if not rest:
        return
    first, *pieces = rest.split(",")
    for piece in ([first] if first else []) + pieces:
        key, sign, value = (part.strip() for part in piece.partition("="))
        if sign and re.fullmatch(r"\w+", key):
            yield key, value
        else:
            problems.append(f"found '{piece}', expected ,argument=value as in toy:moons,rows=500,noise=0.1.")


def _near(name: str, known: Mapping[str, Any]) -> str:
    """The nearest valid name, and all of them."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    return f"{meant} Known: {', '.join(known)}." if known else f"{meant} It has no arguments."
