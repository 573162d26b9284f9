"""The catalogue of components: what they do, their settings, their sources."""

import inspect
from typing import Any

from handrail.components import KINDS, available, settings
from handrail.errors import RecipeError, did_you_mean


def catalogue(kind: str | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """Summary, settings with defaults, tasks and source of each component, by kind and name.

    Raises: `RecipeError` for an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise RecipeError(f"there is no kind of component '{kind}'.{did_you_mean(kind, KINDS)}")
    kinds = [kind] if kind else list(KINDS)
    return {each: {name: _entry(entry) for name, entry in available(each).items()} for each in kinds}


def _entry(entry: Any) -> dict[str, Any]:
    defaults = {
        name: None if parameter.default is inspect.Parameter.empty else parameter.default
        for name, parameter in settings(entry).items()
    }
    return {
        "summary": entry.summary,
        "settings": defaults,
        "tasks": sorted(entry.tasks),
        "source": entry.source,
    }


def catalogue_text(entries_by_kind: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The catalogue as `handrail list` prints it."""
    lines = []
    for kind, entries in entries_by_kind.items():
        lines += [kind.upper(), ""]
        for name, entry in entries.items():
            arguments = ", ".join(f"{key}={value}" for key, value in entry["settings"].items())
            lines.append(f"  {name}({arguments})")
            lines.append(f"      {entry['summary']}")
            lines += [f"      for {', '.join(entry['tasks'])}"] if entry["tasks"] else []
            lines += [f"      {entry['source']}"] if entry["source"] else []
        lines.append("")
    return "\n".join(lines).rstrip()
