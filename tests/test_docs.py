"""What the documentation shows is true: commands and code run, recipes are recipes, names and pages exist."""

import contextlib
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import handrail
from handrail import cli
from handrail.components import KINDS, available

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
RUN = [ROOT / "README.md", DOCS / "getting-started.md", *sorted((DOCS / "guides").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAILS = re.compile(r"\s+# exit code (\d+)$")


def blocks(page: Path, *kinds: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page: (kind, text)."""
    return [(kind, text) for kind, text in FENCE.findall(page.read_text(encoding="utf-8")) if kind in kinds]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def exit_code(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command of handrail, run in this process: importing torch for each would take
    minutes.
    """
    monkeypatch.setattr(sys, "argv", shlex.split(line, comments=True))
    with contextlib.suppress(KeyboardInterrupt):
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", RUN, ids=names(RUN))
def test_commands_and_code_run_from_top_to_bottom(
    page: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = blocks(page, "bash", "python")
    assert shown
    scope: dict[str, object] = {"__name__": "docs"}
    for kind, text in shown:
        if kind == "python":
            exec(compile(text, str(page), "exec"), scope)
            continue
        for line in text.splitlines():
            assert line.startswith("handrail "), (
                f"only commands of handrail are run; mark the block `sh`: {line}"
            )
            expected = int(match.group(1)) if (match := FAILS.search(line)) else 0
            assert exit_code(line, monkeypatch) == expected, line


def test_a_command_that_fails_is_noticed(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code("handrail fit bundled:iris --target nothing", monkeypatch) == 2
    assert exit_code("handrail list nothing", monkeypatch) == 2


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_recipes_are_recipes(page: Path) -> None:
    for _, text in blocks(page, "yaml"):
        handrail.Recipe.parse(yaml.safe_load(text)).resolved()


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_names_and_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = re.findall(r"^::: (handrail[\w.]*)", text, re.MULTILINE)
    paths += re.findall(r"`(handrail\.[a-z][\w.]*)`", text)
    for path in paths:
        assert resolves(path), path
    shown = [(ROOT, file) for file in re.findall(r"`((?:src|tests|docs)/[\w./]+)`", text)]
    shown += [
        (ROOT / "src/handrail", file)
        for file in re.findall(
            r"`((?:data|evaluation|learning|pipeline|recipe|runs|tasks|training)/[\w/]+\.py)`", text
        )
    ]
    for base, name in shown:
        assert (base / name).exists(), name


def resolves(path: str) -> bool:
    """Whether a dotted path leads to a module or something in one."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            value = getattr(value, part, None)
        return value is not None
    return False


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text):
        if "://" in target or target.startswith("#"):
            continue
        assert (page.parent / target.split("#")[0]).exists(), target


class _Settings(yaml.SafeLoader):
    """mkdocs.yml has a tag of its own."""


_Settings.add_constructor("!relative", lambda loader, node: str(node.value))


def test_every_page_is_in_the_menu_and_every_decision_in_the_list() -> None:
    menu = yaml.dump(yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Settings)["nav"])
    absent = [
        page for page in names(PAGES) if page.startswith("docs/") and page.removeprefix("docs/") not in menu
    ]
    assert not absent
    listed = re.findall(
        r"\]\((\d{4}-[\w-]+\.md)\)", (DOCS / "decisions/index.md").read_text(encoding="utf-8")
    )
    assert listed == sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (DOCS / "decisions/0001-dependencies.md").read_text(encoding="utf-8")
    packages = [re.split(r"[>=\[]", text)[0] for text in project["dependencies"]]
    absent = [name for name in packages if f"| {name} |" not in page]
    absent += [name for name in project["optional-dependencies"] if f"| `{name}` |" not in page]
    assert not absent


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{handrail.__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_command_and_kind_of_component_is_described() -> None:
    page = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    commands = {
        command.name or command.callback.__name__
        for command in cli.app.registered_commands
        if command.callback
    }
    assert {name for name in commands if f"`handrail {name} " not in page} == set()
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for kind, facts in KINDS.items():
        context = f"`{', '.join(facts.context)}`" if facts.context else "none"
        folder = facts.package.removeprefix("handrail.").replace(".", "/")
        assert f"| `{kind}` | `{folder}/` | {context} |" in contributing


def test_every_component_stands_in_the_reference() -> None:
    shown = {
        path
        for page in PAGES
        for path in re.findall(r"^::: (handrail[\w.]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    targets = [entry.target for kind in KINDS for entry in available(kind).values()]
    absent = [
        f"{t.__module__}.{t.__qualname__}"
        for t in targets
        if not {t.__module__, f"{t.__module__}.{t.__qualname__}"} & shown
    ]
    assert not absent


@pytest.fixture
def pasted(tmp_path: Path) -> tuple[Path, list[str]]:
    """A copy of the package with the examples of the page for newcomers in it, and their names."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    pages = []
    for _, text in blocks(ROOT / "CONTRIBUTING.md", "python"):
        head, _, code = text.partition("\n")
        path = tmp_path / head.removeprefix("# ")
        assert not path.exists(), f"{path.name} would replace a file of the package"
        path.write_text(code, encoding="utf-8")
        pages.append(path.stem)
    return tmp_path, pages


def test_what_contributing_shows_works_when_pasted(pasted: tuple[Path, list[str]]) -> None:
    folder, added = pasted
    assert len(added) == 4
    tests = [
        str(ROOT / "tests/test_contract.py"),
        "-k",
        " or ".join(added),
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
    ]
    options = ["--rootdir", str(folder), "-c", str(ROOT / "pyproject.toml"), "--override-ini", "addopts="]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 3 * len(added)
