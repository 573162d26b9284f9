"""Mistakes told before torch is imported, which takes longer than to find most of them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handrail.data.raw_files import refuse_special_file
from handrail.data.sources import look_at_file, matching, read
from handrail.data.sources.sql import is_url
from handrail.data.sources.toys import parse_toy
from handrail.recipe import SOURCES, Recipe, absolute, compose
from handrail.recipe.reading import TOY, Limits, is_named
from handrail.recipe.sections import DataRecipe

_SMALL = 2_000_000  # bytes: read in a fraction of the time that importing torch takes


def look_early(
    source: str | None,
    target: Any,
    *,
    recipe: str | Mapping[str, Any] | None,
    changes: Mapping[str, Any],
    trust: bool,
) -> Recipe:
    """The recipe of a command, composed, after a first look at its source.

    What is not there is told at once; a small table is read and divided, so that a wrong target or split is
    told, too. All else, and larger sources, are for the command itself.

    Raises: `RecipeError`, `DataError` as `handrail.fit`.
    """
    if source is not None:
        look_at(source)
    asked = compose(source, target, recipe=recipe, changes=changes, trust=trust)
    if "torch" in sys.modules:  # a component was named, and they are written with torch
        return asked
    for name in SOURCES:
        if isinstance(place := getattr(asked.data, name), str):
            look_at(place, asked.data.read.limits)
    if _is_small(asked.data):
        from handrail.data.split.parts import draw_parts, task_of_parts

        task_of_parts(asked.data, draw_parts(asked.data))
    return asked


def look_at(source: str, limits: Limits | None = None) -> None:
    """A first look at what a source names, from outside.

    Arguments:
        limits: of its files; without, their sizes are not looked at.

    Raises: `DataError` for a source of which nothing is there, for devices and the like, for files that are
        too large, and for mistakes in what describes a generated table.
    """
    if source.startswith(TOY):
        parse_toy(source)
    if is_url(source) or is_named(source):
        return
    paths = matching(source)
    if not any(path.exists() for path in paths):
        read(absolute(source))
    for path in paths:
        refuse_special_file(path)
        if limits is not None:
            look_at_file(path, limits)


def _is_small(recipe: DataRecipe) -> bool:
    """Whether all sources are small tables in files, whose rows are no windows, pictures or passages."""
    sources = [Path(str(place)) for name in SOURCES if (place := getattr(recipe, name)) is not None]
    usual = not recipe.is_forecast and recipe.task != "next-token" and recipe.stream is not True
    return usual and all(path.is_file() and path.stat().st_size <= _SMALL for path in sources)
