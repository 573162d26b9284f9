"""Imports point one way: rooms by rank, files without circles. Read from the code, not run."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import handrail

ROOT = Path(handrail.__file__).parent
# From the top down; rooms of one line know nothing of each other.
ORDER = """
__main__
cli
sklearn tuning zoo traces audits
fitting checking
run
report
views
runs
pipeline
training
tasks
evaluation learning
network
data models augmentation objectives
layers
shapes
recipe
components
tools
errors
"""
RANK = {room: rank for rank, line in enumerate(ORDER.split("\n")) for room in line.split()}
FILES = {
    ".".join(("handrail", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def modules(node: ast.AST) -> Iterator[str]:
    """The modules that an import statement names: of `from a import b` it is `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in FILES)
    elif isinstance(node, ast.ImportFrom) and node.module in FILES:
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        yield from (names & FILES.keys()) or {node.module}


IMPORTS = {
    name: {module for node in ast.walk(ast.parse(path.read_text())) for module in modules(node)} - {name}
    for name, path in FILES.items()
}


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_room_has_a_rank() -> None:
    assert {room(module) for module in FILES if module != "handrail"} == RANK.keys()


def test_imports_point_downwards() -> None:
    upwards = [
        f"{module} -> {other}"
        for module, others in IMPORTS.items()
        for other in others - {"handrail"}
        if module != "handrail" and room(module) != room(other) and RANK[room(module)] >= RANK[room(other)]
    ]
    assert not upwards


def test_there_are_no_circles() -> None:
    # The package's own face names everything, and looks nothing up before it is used.
    TopologicalSorter({name: others for name, others in IMPORTS.items() if name != "handrail"}).prepare()


def test_only_third_parties_are_imported_for_types_alone() -> None:
    hidden = [
        f"{module}: {ast.unparse(node)}"
        for module, path in FILES.items()
        for block in ast.walk(ast.parse(path.read_text()))
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING" and module != "handrail"
        for node in ast.walk(block)
        if any(modules(node))
    ]
    assert not hidden


def test_folders_stay_small() -> None:
    flat = ("models", "layers", "objectives", "augmentation", "learning/rules", "report/figures")
    sizes = {
        folder.relative_to(ROOT).as_posix(): len(list(folder.glob("*.py")))
        for folder in (ROOT, *(path.parent for path in ROOT.rglob("__init__.py")))
    }
    assert sizes["."] <= 8
    assert not {name: size for name, size in sizes.items() if size > 14 and name not in flat}
