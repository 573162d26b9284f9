"""The zoo: its files are right, its recipes run, its page and the registry know the same systems."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import handrail
from handrail.cli import main
from handrail.components import available, find, parse
from handrail.errors import RecipeError
from handrail.recipe import Recipe
from handrail.recipe.alone import usual_rule
from handrail.zoo import CELLS, Entry, find_entry, load_zoo, overview_text

ROOT = Path(__file__).parents[2]
ZOO = load_zoo()
QUICK = [name for name, entry in ZOO.items() if not entry.slow]
# Models and rules that no entry names yet, and why.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "model": {
        "plain_net": "the twin of the residual network, without its shortcuts",
        "staged": "stands where a recipe has stages, as deep_belief",
        "staged_target": "stands where a recipe has a stage on its target, as text_to_image",
        "volume_cnn": "no source reads volumes yet",
    },
    "rule": {"storkey": "another rule of the Hopfield network"},
}
FACTS: dict[str, Any] = {
    "title": "A net (N)",
    "family": "neuron",
    "year": 1958,
    "source": "Rosenblatt 1958",
    "rule": "rosenblatt",
    "cells": ["input", "output"],
    "line": "a unit",
}


def component_of(entry: Entry, kind: str) -> str:
    """The name of an entry's model or rule."""
    model = entry.recipe.get("model", "auto")
    learning = entry.recipe.get("learning") or usual_rule(model) or "gradient"
    return parse(model if kind == "model" else learning, kind)[0]


@pytest.mark.parametrize("name", ZOO)
def test_every_recipe_is_one_and_names_components_and_its_rule(name: str) -> None:
    entry = ZOO[name]
    recipe = Recipe.parse(entry.recipe)
    recipe.resolved()
    assert recipe.name == name
    assert str(recipe.data.source).startswith(("bundled:", "toy:")) or entry.needs
    assert find("model", component_of(entry, "model"))
    assert component_of(entry, "rule") == entry.rule
    assert str(entry.year) in entry.source


@pytest.mark.parametrize("kind", ["model", "rule"])
def test_every_model_and_rule_is_in_the_zoo_or_has_a_reason(kind: str) -> None:
    named = {component_of(entry, kind) for entry in ZOO.values()}
    if kind == "model":
        stages = (stage for entry in ZOO.values() for stage in entry.recipe.get("stages", ()))
        named |= {parse(stage["model"], "model")[0] for stage in stages}
    assert named.isdisjoint(EXCEPTIONS[kind])
    assert named | set(EXCEPTIONS[kind]) == set(available(kind))


def test_cells_are_those_of_the_chart(shared_data: Path) -> None:
    """The legend of the chart of neural networks, as the lectures print it."""
    lectures = list((shared_data.parent / "lectures").glob("004_*.txt"))
    if not lectures:
        pytest.skip("the lectures are not beside the real data sets")
    lecture = lectures[0].read_text(encoding="utf-8")
    legend = lecture[: lecture.index("A mostly complete chart of Neural Networks")].splitlines()[-40:]
    lines = [line.removeprefix("- ").removeprefix("△ ").strip() for line in legend if line.startswith("- ")]
    assert tuple(line.lower().removesuffix(" cell") for line in lines[-len(CELLS) :]) == CELLS
    assert lines[-len(CELLS)] == "Input Cell"


def test_the_zoo_holds_the_rows_of_the_chart(shared_data: Path) -> None:
    """van Veen & Leijnen 2019: 29 networks, by the short forms of their names."""
    lectures = list((shared_data.parent / "lectures").glob("004_*.txt"))
    if not lectures:
        pytest.skip("the lectures are not beside the real data sets")
    lecture = lectures[0].read_text(encoding="utf-8")
    chart = lecture[lecture.index("A mostly complete chart of Neural Networks") :]
    rows = re.findall(r"^[A-Z][^\n(]* \(([A-Z]+)\)\s*$", chart, re.MULTILINE)
    assert len(rows) == len(set(rows)) == 29
    short_forms = re.findall(r"\(([A-Z]+)\)", " ".join(entry.title for entry in ZOO.values()))
    assert set(rows) <= set(short_forms)


def test_the_page_has_every_system_with_its_recipe_and_its_picture() -> None:
    page = (ROOT / "docs/zoo.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## [^\n]* \{: #(\w+) \}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert list(parts) == list(ZOO), "run: make zoo"
    for name, entry in ZOO.items():
        assert f"[{entry.title}](#{name}) | {entry.year} |" in page
        assert entry.line in page
        shown = re.search(r"^```yaml\n(.*?)^```$", parts[name], re.MULTILINE | re.DOTALL)
        assert shown is not None
        assert yaml.safe_load(shown[1]) == entry.recipe, f"run: make zoo, {name} has changed"
        picture = ROOT / f"docs/assets/zoo/{name}.svg"
        assert 1_000 < picture.stat().st_size <= 60_000
    pictures = {path.stem for path in (ROOT / "docs/assets/zoo").iterdir()}
    assert pictures == set(ZOO)


def written(folder: Path, name: str, **sections: Any) -> None:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    written(tmp_path, "good", zoo=FACTS, recipe={"model": "linear"})
    wrong = {**FACTS, "family": "neurons", "cells": ["input", "hiden"], "yaer": 1}
    written(tmp_path, "wrong", zoo=wrong, recipe={"model": "linear"})
    written(tmp_path, "short", zoo={"title": "A net"}, recipe={})
    written(tmp_path, "half", zoo=FACTS, recipes={})
    written(tmp_path, "flat", zoo="perceptron", recipe=[1])
    (tmp_path / "broken.yaml").write_text("zoo: [", encoding="utf-8")
    with pytest.raises(RecipeError) as told:
        load_zoo(tmp_path)
    text = "\n".join(told.value.problems)
    for expected in (
        "wrong.yaml: zoo.family: there is no family 'neurons'. Did you mean 'neuron'?",
        "wrong.yaml: zoo.cells[1]: there is no cell 'hiden'. Did you mean 'hidden'?",
        "wrong.yaml: zoo.yaer: unknown setting. Did you mean 'year'?",
        "short.yaml: zoo.year: ",
        "half.yaml: recipes: unknown section. Did you mean 'recipe'?",
        "half.yaml: recipe: is missing.",
        "flat.yaml: zoo: found str, expected settings.",
        "flat.yaml: recipe: found list, expected settings.",
        "broken.yaml",
    ):
        assert expected in text
    assert "good" not in text


def test_the_example_for_newcomers_is_an_entry(tmp_path: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(
        r"^```yml\n# src/handrail/zoo/entries/(\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    for file, text in blocks:
        (tmp_path / file).write_text(text, encoding="utf-8")
    (entry,) = load_zoo(tmp_path).values()
    Recipe.parse(entry.recipe).resolved()


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"no system 'Perceptrn' in the zoo\. Did you mean 'perceptron'\?"):
        find_entry("Perceptrn")
    with pytest.raises(RecipeError, match="handrail zoo lists them all"):
        find_entry("elephant")


def test_the_table_says_what_is_slow_and_what_is_needed() -> None:
    entry = Entry(name="net", slow=True, needs="MNIST", recipe={"model": "linear"}, **FACTS)
    row, below = overview_text([entry]).splitlines()[1:3]
    assert row.split() == ["neuron", "net", "1958", "rosenblatt", "input,", "output"]
    assert below == "    A net (N): a unit. More than two minutes. Needs MNIST."


def run_cli(monkeypatch: pytest.MonkeyPatch, capsys: Any, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["handrail", *arguments])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_cli(monkeypatch, capsys, *arguments)


def test_the_table_needs_no_torch() -> None:
    script = (
        "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules)); "
        "sys.argv = ['handrail', 'zoo']; from handrail.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *lines, torch = done.stdout.splitlines()
    assert torch == "False"
    assert all(any(name in line.split() for line in lines) for name in ZOO)


def test_a_system_is_fitted_by_its_own_recipe(cli: Any, tmp_path: Path) -> None:
    listed = json.loads(cli("zoo", "--json")[1])
    assert [entry["name"] for entry in listed] == list(ZOO)
    code, out, _ = cli("zoo", "linear_regression", "-o", "run", "-s", "seed=3")
    assert (code, out.splitlines()[-1]) == (0, "report: run/report.html")
    run = handrail.load(tmp_path / "run")
    asked = ZOO["linear_regression"].recipe
    assert run.recipe.asked() == {**asked, "seed": 3}
    code, out, _ = cli("zoo", "linear_regression", "--recipe")
    assert (code, yaml.safe_load(out)) == (0, asked)


def test_what_would_be_ignored_is_refused(cli: Any) -> None:
    code, _, told = cli("zoo", "--out", "x", "-s", "seed=1")
    assert (code, told) == (2, "handrail: --out, --set: no effect without a NAME; leave it out.\n")
    code, _, told = cli("zoo", "perceptron", "--recipe", "--test")
    assert (code, told) == (2, "handrail: --test: no effect with --recipe; leave it out.\n")
    assert cli("zoo", "perceptron", "-s", "training.epoch=3")[0] == 2


@pytest.mark.slow
@pytest.mark.pictures
@pytest.mark.trees
@pytest.mark.parametrize("name", QUICK)
def test_a_fit_takes_less_than_two_minutes_and_warns_of_nothing(name: str, tmp_path: Path) -> None:
    began = time.process_time()  # of processors, which other work on the machine does not take
    run = handrail.fit(recipe=ZOO[name].recipe, out=tmp_path / name)
    assert time.process_time() - began < 2 * 120
    assert [each["seen"] for each in run.summary["findings"] if each["level"] != "note"] == []
    assert run.folder.report.stat().st_size > 10_000
