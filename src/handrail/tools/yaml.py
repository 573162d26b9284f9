"""YAML without its surprises."""

import re
from pathlib import Path
from typing import Any

import yaml

from handrail.errors import RecipeError


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises: `RecipeError` when there is none."""
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe file '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe '{path}' cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f" line {place.line + 1}, column {place.column + 1}:" if place else ""
        problem = getattr(error, "problem", error)
        raise RecipeError(f"the recipe '{path}':{line} is not YAML ({problem}).") from None
    if not isinstance(values, dict):
        content = "is empty" if values is None else f"holds {type(values).__name__}"
        raise RecipeError(f"the recipe '{path}' {content}, expected sections such as data, model, training.")
    return values


class Loader(yaml.SafeLoader):
    """YAML without its surprises: only true and false are truth values (not yes, no, on, off, which are
    classes and columns more often), dates and numbers such as 007 or 12:30 stay text, and no key may stand
    twice. What PyYAML writes without quotes as text is read as text: the forms below are some of its own.
    """

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - filled below, as PyYAML expects

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in keys:
                problem = f"'{key.value}' stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _form, _first in (
    ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    ("float", r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?$", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$", list("-+.")),
    ("merge", r"(?:<<)$", ["<"]),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_form), _first)
