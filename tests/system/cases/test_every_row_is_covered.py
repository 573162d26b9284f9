"""No row of the list of cases is forgotten."""

import importlib
import re
from pathlib import Path

from case_rows import ROWS

_FILE = re.compile(r"[\w-]+\.(?:csv|tsv|jsonl?|parquet|npy|yaml)\b")


def names_in(text: str, cases: Path) -> set[str]:
    """The files and folders that a list of cases names, beneath the folder of cases."""
    names: set[str] = set()
    folders: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            folders = re.findall(r"`(\w+)/", line)
        elif line.startswith("Not shipped"):
            folders = []
        words = set(_FILE.findall(line)) | {match[0] for match in _FILE.finditer(line)}
        if line.startswith("| "):
            words |= set(re.findall(r"[\w.-]+", line.split("|")[1]))
        names |= {
            f"{folder}/{word}" for folder in folders for word in words if (cases / folder / word).exists()
        }
    return names


def test_every_row_has_a_test(shared_cases: Path) -> None:
    for path in sorted(Path(__file__).parent.glob("test_case_*.py")):
        importlib.import_module(path.stem)
    named = names_in((shared_cases / "README.md").read_text(), shared_cases)
    assert len(named) > 60
    assert sorted(named - ROWS.keys()) == []
    assert [row for row in ROWS if not (shared_cases / row).exists()] == []


def test_what_is_shipped_has_a_test(shared_cases: Path) -> None:
    """Files that no row names, too: twins of others."""
    for path in sorted(Path(__file__).parent.glob("test_case_*.py")):
        importlib.import_module(path.stem)
    shipped = {
        str(path.relative_to(shared_cases)) for folder in shared_cases.iterdir() if folder.is_dir()
        for path in folder.iterdir()
    }  # fmt: skip
    assert sorted(shipped - ROWS.keys()) == []
