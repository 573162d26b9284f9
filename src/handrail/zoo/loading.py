"""Read the files of the zoo. All mistakes are told at once."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from handrail.components import explain
from handrail.errors import RecipeError, did_you_mean
from handrail.tools.yaml import read_yaml
from handrail.zoo.entry import FAMILIES, Entry

ENTRIES = Path(__file__).parent / "entries"
_SECTIONS = ("zoo", "recipe")
_FIELDS = [name for name in Entry.model_fields if name not in ("name", "recipe")]


def load_zoo(folder: Path = ENTRIES) -> dict[str, Entry]:
    """All entries by name, in the order of the families and, within one, of the years.

    What stands in a recipe is not looked into before it is used: components are written with torch.

    Raises: `RecipeError` with every mistake of every file.
    """
    entries, problems = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            entries.append(_read_entry(path))
        except RecipeError as error:
            problems += error.problems
    if problems:
        raise RecipeError(problems)
    entries.sort(key=lambda entry: (FAMILIES.index(entry.family), entry.year, entry.name))
    return {entry.name: entry for entry in entries}


def find_entry(name: str) -> Entry:
    """The entry of that name. Raises: `RecipeError`, with the nearest name, where there is none."""
    entries = load_zoo()
    if name not in entries:
        near = did_you_mean(name.lower().replace("-", "_"), entries, listed=False)
        raise RecipeError(f"there is no system '{name}' in the zoo.{near or ' handrail zoo lists them all.'}")
    return entries[name]


def _read_entry(path: Path) -> Entry:
    values = read_yaml(path)
    problems = [
        f"{path.name}: {name}: unknown section.{did_you_mean(name, _SECTIONS)}"
        for name in values
        if name not in _SECTIONS
    ]
    problems += [f"{path.name}: {name}: is missing." for name in _SECTIONS if name not in values]
    sections: dict[str, dict[str, Any]] = {}
    for name in _SECTIONS:
        section = values.get(name, {})
        if not isinstance(section, dict):
            problems.append(f"{path.name}: {name}: found {type(section).__name__}, expected settings.")
        sections[name] = section if isinstance(section, dict) else {}
    if problems:
        raise RecipeError(problems)
    facts, recipe = sections["zoo"], sections["recipe"]
    problems = [
        f"{path.name}: zoo.{name}: unknown setting.{did_you_mean(name, _FIELDS)}"
        for name in facts
        if name not in _FIELDS
    ]
    facts = {name: value for name, value in facts.items() if name in _FIELDS}
    try:
        entry = Entry(name=path.stem, recipe={"name": path.stem, **recipe}, **facts)
    except ValidationError as error:
        problems += [f"{path.name}: {text}" for text in explain(error.errors(), _place)]
        raise RecipeError(problems) from None
    if problems:
        raise RecipeError(problems)
    return entry


def _place(loc: tuple[int | str, ...]) -> str:
    first, *rest = loc
    section = "" if first in ("name", "recipe") else "zoo."
    return f"{section}{first}" + "".join(f"[{part}]" for part in rest)
