"""YAML without its surprises, and with limits: a file of a few hundred bytes must not fill the memory."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from handrail.errors import RecipeError
from handrail.tools.file_kinds import special_kind

LARGEST_FILE = 2**20  # bytes
MOST_VALUES = 100_000  # aliases written out
DEEPEST = 50
MOST_DIGITS = 400  # of a whole number: as many as a float's largest has, and more
_TAG = "tag:yaml.org,2002:"
_FORMS = (
    ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    ("float", r"(?:[-+]?[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?$", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$", list("-+.")),
    ("merge", r"(?:<<)$", ["<"]),
)

_ALSO = {"float": "int"}  # how else a value may be written where its tag says what it is


class LimitError(ConstructorError):
    """YAML by its form, but with more, or other, than a recipe may hold."""


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises: `RecipeError` when there is none, or it is beyond the limits."""
    values = _read(Path(path))
    if not isinstance(values, dict):
        content = "is empty" if values is None else f"holds {type(values).__name__}"
        raise RecipeError(f"the recipe '{path}' {content}, expected sections such as data, model, training.")
    return values


def _read(path: Path) -> Any:
    try:
        kind = special_kind(path)
        if kind is not None:
            raise RecipeError(f"the recipe '{path}' is {kind}; expected a file of YAML.")
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            size = f"has {path.stat().st_size:,} bytes; expected at most {LARGEST_FILE:,}"
            raise RecipeError(f"the recipe '{path}' {size}.")
        return parse_yaml(data.decode("utf-8-sig"))
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe file '{path}'.") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"the recipe '{path}' cannot be read: {error}. Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(f"the recipe '{path}' cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f" line {place.line + 1}, column {place.column + 1}:" if place else ""
        problem = getattr(error, "problem", None) or str(error)
        says = problem if isinstance(error, LimitError) else f"is not YAML ({problem})"
        raise RecipeError(f"the recipe '{path}':{line} {says}.") from None


def parse_yaml(text: str) -> Any:
    """The one document in a YAML text. Raises: `yaml.YAMLError`, of which `LimitError` is one."""
    return yaml.load(text, Loader)  # noqa: S506 - a safe loader


class Loader(yaml.SafeLoader):
    """YAML without its surprises: only true and false are truth values (not yes, no, on, off, which are
    classes and columns more often), dates and numbers such as 007 or 12:30 stay text, and no key may stand
    twice. What PyYAML writes without quotes as text is read as text: the forms above are some of its own.

    Text, numbers, truth values, lists and mappings are all that a tag (`!!int`) may ask for. Aliases count as
    if they were written out.

    Raises: `LimitError` for more than `MOST_VALUES` values, `DEEPEST` levels or `MOST_DIGITS` digits, for an
        alias within what it stands for, and for values that are not what their tag says.
    """

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - filled below, as PyYAML expects
    yaml_constructors: dict[str, Any] = {}  # noqa: RUF012 - filled below, as PyYAML expects

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.values = self.depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self.values, self.depth = self.values + 1, self.depth + 1
        mark = self.peek_event().start_mark
        if self.values > MOST_VALUES:
            raise LimitError(None, None, _too_many("more than", MOST_VALUES), mark)
        if self.depth > DEEPEST:
            raise LimitError(None, None, f"is nested deeper than {DEEPEST} levels", mark)
        node = super().compose_node(parent, index)
        if node is not None and isinstance(node, MappingNode) != (node.tag == f"{_TAG}map"):
            self.refuse_tag(node)
        self.depth -= 1
        return node

    def get_single_node(self) -> Node | None:
        node = super().get_single_node()
        if node is not None:
            _Expansion().measure(node, 1)
        return node

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, ScalarNode)]:
            if key.value in keys:
                raise ConstructorError(None, None, f"'{_short(key.value)}' stands twice", key.start_mark)
            # Large whole numbers can be chosen so that all of them fall into one place of a hash table.
            if key.tag == f"{_TAG}int" and len(key.value) > 18:
                problem = f"the key {_short(key.value)} has {len(key.value):,} digits; expected a name"
                raise LimitError(None, None, problem, key.start_mark)
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_checked(self, node: Node) -> Any:
        """A number, truth value or nothing, written as it would be without its tag."""
        kind = node.tag.removeprefix(_TAG)
        text = self.construct_scalar(node) if isinstance(node, ScalarNode) else None
        forms = [form for name, form, _ in _FORMS if name in (kind, _ALSO.get(kind))]
        if text is None or not any(re.match(form, text) for form in forms):
            found = "a list or mapping" if text is None else f"'{_short(text)}'"
            raise LimitError(None, None, f"found {found} tagged !!{kind}; leave the tag out", node.start_mark)
        if kind == "int" and len(text) > MOST_DIGITS:
            problem = f"a whole number has {len(text):,} digits; expected at most {MOST_DIGITS}"
            raise LimitError(None, None, problem, node.start_mark)
        return getattr(self, f"construct_yaml_{kind}")(node)

    def construct_text(self, node: Node) -> str:
        """A text that can be written as UTF-8 again."""
        text = self.construct_yaml_str(node)
        if re.search("[\ud800-\udfff]", text):
            problem = "found half of a surrogate pair (\\ud800 to \\udfff), which is no character"
            raise LimitError(None, None, problem, node.start_mark)
        return text

    def refuse_tag(self, node: Node) -> None:
        """Raises: `ConstructorError` for the tags of other types, and for those that do not fit."""
        problem = f"could not determine a constructor for the tag '{_short(node.tag)}'; leave it out"
        raise ConstructorError(None, None, problem, node.start_mark)


class _Expansion:
    """How many values, and levels, a document has when its aliases are written out."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[int, int]] = {}
        self.open: set[int] = set()

    def measure(self, node: Node, depth: int) -> tuple[int, int]:
        """(values, levels) of a node that stands at a depth. Raises: `LimitError`."""
        values, levels = self.known.get(id(node)) or self._measure(node, depth)
        if depth + levels > DEEPEST + 1:
            problem = f"aliases nest it deeper than {DEEPEST} levels"
            raise LimitError(None, None, problem, node.start_mark)
        return values, levels

    def _measure(self, node: Node, depth: int) -> tuple[int, int]:
        if id(node) in self.open:
            problem = "an alias (*) stands within what it stands for; write the values out"
            raise LimitError(None, None, problem, node.start_mark)
        self.open.add(id(node))
        values, levels = 1, 1
        for child in _children(node):
            more, below = self.measure(child, depth + 1)
            values, levels = values + more, max(levels, below + 1)
        if values > MOST_VALUES:
            problem = f"aliases (*) make {_too_many('', values)}; write out what is needed"
            raise LimitError(None, None, problem, node.start_mark)
        self.open.remove(id(node))
        self.known[id(node)] = values, levels
        return values, levels


def _children(node: Node) -> list[Node]:
    if not isinstance(node, CollectionNode):
        return []
    return [item for pair in node.value for item in pair] if isinstance(node, MappingNode) else node.value


def _too_many(word: str, values: int) -> str:
    return f"{word or 'at least'} {values:,} values; expected at most {MOST_VALUES:,}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]} …"


for _name, _form, _first in _FORMS:
    Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(_form), _first)
for _name in ("null", "bool", "int", "float"):
    Loader.add_constructor(f"{_TAG}{_name}", Loader.construct_checked)
Loader.add_constructor(f"{_TAG}str", Loader.construct_text)
for _name in ("seq", "map"):
    Loader.add_constructor(f"{_TAG}{_name}", getattr(yaml.SafeLoader, f"construct_yaml_{_name}"))
Loader.add_constructor(None, Loader.refuse_tag)  # pyright: ignore[reportArgumentType]
