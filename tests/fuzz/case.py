"""A case of the campaign: files in a folder, a command, and what it left."""

import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

TINY = (
    "training.epochs=1",
    "evaluation.resamples=100",
    "training.precision=float32",
    "training.batch_size=16",
)


@dataclass
class Case:
    """What a generator fills.

    folder: holds `data`, where the input goes; `here`, the current folder of the command; `home`, with the
    ledger; `temporary`. templates: run folders that are made once, to be copied. arguments: of the
    command. notes: what was spoiled, for whoever reads a fault. outputs: paths that the command may make if
    it succeeds.
    """

    seed: str
    folder: Path
    templates: Path
    arguments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    pictures: bool = False

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)

    @property
    def quick(self) -> bool:
        """Whether only the quickest run folders are made."""
        return "HANDRAIL_FUZZ_QUICK" in os.environ

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def here(self) -> Path:
        return self.folder / "here"

    def template(self, name: str) -> Path:
        """A copy of a run folder, in `data`."""
        copy = self.data / name
        shutil.copytree(self.original(name), copy, symlinks=True)
        return copy

    def original(self, name: str) -> Path:
        """A run folder that is made when a case first wants it."""
        from fuzz import runs

        original = self.templates / name
        if not original.exists():
            runs.write_template(self.templates, name)
        return original

    def note(self, text: str) -> None:
        self.notes.append(text)

    def out(self, name: str) -> str:
        """A path, relative to the current folder, that the command may make."""
        self.outputs.append(str(self.here / name))
        return name

    def save(self) -> None:
        plain = {name: value for name, value in asdict(self).items() if name in _SAVED}
        (self.folder / "case.json").write_text(json.dumps(plain))


_SAVED = ("arguments", "notes", "outputs", "pictures")
Generator = Callable[[Case], None]


def families() -> Mapping[str, tuple[Generator, int]]:
    """The generators, each with its share of the cases."""
    from fuzz import commands, media, recipes, runs, tables

    return {
        "table": (tables.generate, 30),
        "media": (media.generate, 22),
        "recipe": (recipes.generate, 22),
        "run": (runs.generate, 20),
        "command": (commands.generate, 6),
    }


def family_of(number: int) -> str:
    """The family of case N: shares are kept in every stretch of 50 cases."""
    order = [name for name, (_, share) in families().items() for _ in range(share)]
    return order[number * 37 % len(order)]


def make_case(seed: int, number: int, folder: Path, templates: Path) -> Case:
    """Write the files of case N of a seed into a new folder."""
    for name in ("data", "here", "home", "temporary"):
        (folder / name).mkdir(parents=True)
    name = family_of(number)
    case = Case(f"{seed}/{number}/{name}", folder, templates)
    families()[name][0](case)
    case.save()
    return case


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder, with its size and time of change; links are not followed."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = f"{root}/{name}"
            facts = os.lstat(path)
            is_folder = name in folders and not stat.S_ISLNK(facts.st_mode)
            found[path] = (-1, 0) if is_folder else (facts.st_size, facts.st_mtime_ns)
    return found
