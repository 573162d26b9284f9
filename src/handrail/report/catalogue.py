"""The catalogue of components, as `handrail list` prints it: all of a kind, or those of one name in full."""

import inspect
import re
import shlex
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

from handrail.components import KINDS, Component, available, hints, settings, type_words
from handrail.errors import RecipeError, did_you_mean
from handrail.report.folding import fold
from handrail.report.wording import align

Catalogue = dict[str, dict[str, dict[str, Any]]]
_PLACES = {  # where a kind stands in a recipe
    "model": "model",
    "rule": "learning",
    "optimizer": "learning.gradient.optimizer",
    "schedule": "learning.gradient.schedule",
    "clip": "learning.gradient.clip",
    "loss": "objective.loss",
}
_COMMANDS = {"trace": "trace {}", "view": "view RUN {}", "audit": "audit RUN {}", "use": "use RUN {} SOURCE"}
_LISTS = {"penalty": "objective.penalties", "augmentation": "data.augment", "layer": "model.layers"}


def catalogue(name: str | None = None) -> Catalogue:
    """Summary, settings with defaults and types, tasks and source of each component, by kind and name.

    Arguments:
        name: a kind, or a component, which may be of several kinds; by default everything.

    Raises: `RecipeError` for a name that is neither.
    """
    kinds = [name] if name in KINDS else list(KINDS)
    known = {kind: available(kind) for kind in kinds}
    if name is not None and name not in KINDS:
        known = {kind: {name: entries[name]} for kind, entries in known.items() if name in entries}
        if not known:
            raise RecipeError(f"there is no component and no kind '{name}'.{_hint(name)}")
    return {
        kind: {key: _entry(component) for key, component in entries.items()}
        for kind, entries in known.items()
    }


def _hint(name: str) -> str:
    components = {component for kind in KINDS for component in available(kind)}
    near = did_you_mean(name, {*components, *KINDS}, listed=False)
    return near or f" Kinds: {', '.join(KINDS)}; handrail list shows their components."


def _entry(component: Component) -> dict[str, Any]:
    parameters, annotations = settings(component), hints(component)
    needed = [key for key, each in parameters.items() if each.default is each.empty]
    description, arguments = _documented(component)
    return {
        "summary": component.summary,
        "settings": {key: None if key in needed else each.default for key, each in parameters.items()},
        "types": {key: type_words(annotations.get(key, Any)) for key in parameters},
        "required": needed,
        "arguments": {key: arguments[key] for key in parameters if key in arguments},
        "tasks": sorted(component.tasks),
        "source": component.source,
        "description": description,
    }


def _documented(component: Component) -> tuple[list[str], dict[str, str]]:
    """What the docstring says beside its first line: paragraphs, and arguments by name."""
    text = inspect.getdoc(component.target) or ""
    heads = r"^(?=(?:Arguments|Returns|Raises|Source|Shapes?)\b.*:)"
    body, *sections = re.split(heads, text, flags=re.MULTILINE)
    arguments: dict[str, str] = {}
    listed = next((part for part in sections if part.startswith("Arguments:")), "")
    for found in re.finditer(r"^ {4}(\w[\w, ]*): (.+(?:\n {8}.+)*)", listed, re.MULTILINE):
        arguments |= {name: " ".join(found[2].split()) for name in found[1].split(", ")}
    paragraphs = [" ".join(each.split()) for each in body.split("\n\n")[1:]]
    return [each for each in paragraphs if each], arguments


def catalogue_text(entries_by_kind: Catalogue, *, full: bool = False) -> str:
    """The catalogue as text.

    Arguments:
        full: the whole description and a line a setting, for one component.
    """
    lines: list[str] = []
    for kind, entries in entries_by_kind.items():
        if not full:
            lines += [kind.upper(), ""]
        for name, entry in entries.items():
            lines += _full_lines(kind, name, entry) if full else _short_lines(name, entry)
        lines.append("")
    return "\n".join(lines).rstrip()


def _short_lines(name: str, entry: Mapping[str, Any]) -> list[str]:
    arguments = ", ".join(f"{key}={value}" for key, value in entry["settings"].items())
    lines = [f"  {name}({arguments})", f"      {entry['summary']}"]
    lines += [f"      for {', '.join(entry['tasks'])}"] if entry["tasks"] else []
    return lines + ([f"      {entry['source']}"] if entry["source"] else [])


def _full_lines(kind: str, name: str, entry: Mapping[str, Any]) -> list[str]:
    lines = [f"{kind} {name}", "", *_indent(entry["summary"])]
    for paragraph in entry["description"]:
        lines += _indent(paragraph)
    lines += _indent(f"For {', '.join(entry['tasks'])}.") if entry["tasks"] else []
    lines += _indent(f"Source: {entry['source']}") if entry["source"] else []
    if entry["settings"]:
        lines += ["", "  settings (= default)", *_setting_lines(entry)]
    return [*lines, "", *_how_to_set(kind, name, entry), ""]


def _setting_lines(entry: Mapping[str, Any]) -> list[str]:
    needed = entry["required"]
    rows = [
        [f"    {key}", "(needed)" if key in needed else f"= {_yaml(value)}", entry["types"][key]]
        for key, value in entry["settings"].items()
    ]
    lines: list[str] = []
    for line, key in zip(align(rows), entry["settings"], strict=True):
        lines.append(line)
        if said := entry["arguments"].get(key):
            lines += _indent(said, "        ")
    return lines


def _how_to_set(kind: str, name: str, entry: Mapping[str, Any]) -> list[str]:
    """The settings to paste, or the source."""
    if kind == "toy":
        first = [f",{key}={_yaml(value)}" for key, value in list(entry["settings"].items())[:1]]
        return ["  To use it, wherever a source is:", f"    handrail fit toy:{name}{''.join(first)}"]
    if kind in _COMMANDS:
        command = _COMMANDS[kind].format(name)
        first = [f" -s {key}={_yaml(value)}" for key, value in list(entry["settings"].items())[:1]]
        return ["  To use it:", f"    handrail {command}{''.join(first)}"]
    if kind in _LISTS:
        return [f"  To use it, name it in the list {_LISTS[kind]}."]
    if kind not in _PLACES:
        return [f"  To use it, name it where a component takes one of kind {kind}."]
    lines = [f"{_PLACES[kind]}={name}"]
    if entry["settings"]:
        key, default = next(iter(entry["settings"].items()))
        lines.append(f"{_PLACES[kind]}.{name}.{key}={_yaml(default)}")
    return ["  To use it:", *(f"    -s {shlex.quote(line)}" for line in lines)]


def _yaml(value: Any) -> str:
    if isinstance(value, list | tuple | dict):
        plain = list(value) if isinstance(value, tuple) else value
        return yaml.safe_dump(plain, default_flow_style=True, width=10_000).strip()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _indent(text: str, by: str = "  ") -> list[str]:
    return [by + line for line in textwrap.wrap(text, len(max(fold("x " * 200), key=len)) - len(by))]
