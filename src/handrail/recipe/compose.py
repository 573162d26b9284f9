"""The recipe that the arguments of `fit` describe: a file or settings, with changes on top."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handrail.errors import RecipeError
from handrail.recipe import Recipe

SOURCES = ("source", "validation", "test")


def compose(
    source: Any = None,
    target: Any = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Recipe:
    """The recipe that the arguments of `fit` describe.

    Raises: `RecipeError` with every mistake.
    """
    if isinstance(recipe, str | Path):
        recipe = Recipe.load(recipe)
    base = Recipe() if recipe is None else recipe if isinstance(recipe, Recipe) else Recipe.parse(recipe)
    given = dict(changes or {})
    if source is not None:
        given["data.source"] = source
    if target is not None:
        given["data.target"] = target
    read_from = given.get("data.source", base.data.source)
    if base.name == "run" and "name" not in given and isinstance(read_from, str | Path):
        given["name"] = _name_of(str(given.get("data.read.table") or base.data.read.table or read_from))
    composed = base.with_values(given)
    composed = composed.with_values(
        {f"data.{name}": absolute(getattr(composed.data, name)) for name in SOURCES}
    )
    if composed.transfer.start is not None:
        composed = composed.with_values({"transfer.start": absolute(composed.transfer.start)})
    if composed.data.source is None:
        raise RecipeError(
            "no source was given (data.source); expected a file, a database URL or bundled:NAME."
        )
    return composed


def absolute(source: Any) -> Any:
    """Local files by their full path, so that a run can be continued from any folder."""
    if isinstance(source, Path) or (
        isinstance(source, str) and "://" not in source and not source.startswith("bundled:")
    ):
        return str(Path(source).expanduser().absolute())
    if isinstance(source, list) and all(isinstance(item, str | Path) for item in source):
        return [absolute(item) for item in source]
    return source


def _name_of(source: str) -> str:
    stem = source.removeprefix("bundled:").split("?")[0].rstrip("/").split("/")[-1].split(".")[0]
    return (
        "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem).strip("-") or "run"
    )
