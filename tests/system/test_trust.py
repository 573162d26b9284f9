"""Nothing that stands in a file is run, unless the user trusts the file by a flag of that command."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

import handrail
from handrail.checking import check
from handrail.cli import main
from handrail.components import KINDS, find
from handrail.data.sources import read
from handrail.errors import DataError, RecipeError
from handrail.recipe import Recipe, compose
from handrail.recipe.reading import ReadOptions
from handrail.run import Run
from handrail.runs.answers.uses import find_use
from handrail.tools.trust import only_named
from handrail.tuning.executors.worker import _prepare

MARK = "it-ran"
NETS = """
from torch import nn

class Tree(nn.Module):
    def __init__(self, inputs, outputs, *, depth: int = 1):
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.layer(x)
"""
# Whose import leaves a mark, and so do an object of its class and a call of its function.
INTRUDER = f"""
from pathlib import Path
Path("{MARK}").touch()

class Model:
    def __init__(self, *context, **arguments):
        Path("{MARK}").touch()

def model(*context):
    Path("{MARK}").touch()
"""
# From a kind to settings of a recipe whose component of that kind is `spec`, and where it stands.
SLOTS: dict[str, tuple[Callable[[Any], dict[str, Any]], str]] = {
    "model": (lambda spec: {"model": spec}, "model"),
    "layer": (lambda spec: {"model": {"layers": ["flatten", spec]}}, "model.layers[1]"),
    "activation": (lambda spec: {"model": {"mlp": {"activation": spec}}}, "model.mlp.activation"),
    "initialisation": (lambda spec: {"model": {"mlp": {"initialisation": spec}}}, "model.mlp.initialisation"),
    "loss": (lambda spec: {"objective": {"loss": spec}}, "objective.loss"),
    "penalty": (lambda spec: {"objective": {"penalties": [spec]}}, "objective.penalties[0]"),
    "rule": (lambda spec: {"learning": spec}, "learning"),
    "optimizer": (
        lambda spec: {"learning": {"gradient": {"optimizer": spec}}},
        "learning.gradient.optimizer",
    ),
    "schedule": (lambda spec: {"learning": {"gradient": {"schedule": spec}}}, "learning.gradient.schedule"),
    "clip": (lambda spec: {"learning": {"gradient": {"clip": spec}}}, "learning.gradient.clip"),
    "augmentation": (lambda spec: {"data": {"augment": [spec]}}, "data.augment[0]"),
}
# Kinds that no slot of a recipe holds: looked up among those that are registered.
NAMED = {"use", "toy", "trace", "view", "audit"}
NESTED: dict[str, tuple[Callable[[Any], dict[str, Any]], str]] = {
    "a schedule's argument": (
        lambda spec: {"learning": {"gradient": {"schedule": {"warm_up": {"then": spec}}}}},
        "learning.gradient.schedule.warm_up.then",
    ),
    "a space": (lambda spec: {"tuning": {"space": {"model": ["mlp", spec]}}}, "tuning.space"),
    "a nested space": (
        lambda spec: {"tuning": {"space": {"model": {"mlp": {"activation": {"choices": [spec]}}}}}},
        "tuning.space",
    ),
}
ATTACKS: list[Any] = [
    {"subprocess:Popen": {"args": ["touch", MARK]}},
    {"os:system": {"command": f"touch {MARK}"}},
    {"builtins:eval": {"source": f"open('{MARK}', 'w')"}},
    {"intruder:Model": {"depth": 1}},
    "intruder:model",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with the intruder in it, that Python looks into; at the end nothing has run."""
    place = tmp_path / "here"
    place.mkdir()
    (place / "intruder.py").write_text(INTRUDER)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(place)
    yield place
    sys.modules.pop("intruder", None)


def nothing_ran() -> bool:
    return not Path(MARK).exists() and "intruder" not in sys.modules


def write(path: str | Path, values: Any) -> Path:
    Path(path).write_text(yaml.safe_dump(values))
    return Path(path)


# What a file names


@pytest.mark.parametrize("slot", [*SLOTS, *NESTED])
def test_a_recipe_file_names_no_path(slot: str) -> None:
    make, where = (SLOTS | NESTED)[slot]
    for spec in ATTACKS:
        with pytest.raises(
            RecipeError, match=r"stands in 'recipe.yaml'.*nothing was imported.*trust=True"
        ) as caught:
            Recipe.load(write("recipe.yaml", make(spec)))
        assert all(problem.startswith(f"{where}: '") for problem in caught.value.problems)
        assert nothing_ran()


def test_all_mistakes_are_told_at_once() -> None:
    values = {
        "seed": -1,
        "model": "intruder:Model",
        "objective": {"loss": "os:system"},
        "training": {"epoch": 1},
    }
    with pytest.raises(RecipeError) as caught:
        Recipe.load(write("recipe.yaml", values | {"learning": {"gradient": {"clip": "intruder:model"}}}))
    assert len(caught.value.problems) == 5
    assert nothing_ran()


def test_every_kind_is_covered() -> None:
    assert set(SLOTS) | NAMED == set(KINDS)


@pytest.mark.parametrize("spec", ["intruder:Model", "os:system"])
def test_a_toy_or_a_use_is_no_import_path(spec: str) -> None:
    run = handrail.fit("toy:or", changes={"model": "linear", "training.epochs": 1}, out="run")
    with pytest.raises(DataError, match="there is no generated table"):
        read(f"toy:{spec}")
    with pytest.raises(DataError, match="is no use of a network"):
        find_use(run.pipeline, spec)
    assert nothing_ran()


def test_what_is_registered_needs_no_trust() -> None:
    values = {
        "model": {"handrail.models.mlp:MLP": {"activation": "handrail.layers.activations:Maxout"}},
        "learning": {
            "handrail.learning.gradient:Gradient": {"optimizer": "sgd"}
        },  # an import path of version 0.1
        "tuning": {"space": {"model": ["handrail.models:MLP"]}},
    }
    assert "handrail.models.mlp:MLP" in Recipe.load(write("recipe.yaml", values)).model


@pytest.mark.parametrize("path", ["handrail.tools.files:write_text", "handrail.models.mlp:nn.Linear"])
def test_what_is_ours_but_not_registered_needs_it(path: str) -> None:
    with pytest.raises(RecipeError, match="trust=True"):
        Recipe.load(write("recipe.yaml", {"model": path}))


def test_a_registered_component_of_another_kind_is_none() -> None:
    with pytest.raises(RecipeError, match="trust=True"):
        Recipe.load(write("recipe.yaml", {"objective": {"loss": "handrail.models.mlp:MLP"}}))


# What the user names


@pytest.mark.parametrize("kind", SLOTS)
@pytest.mark.parametrize("trust", [False, True])
def test_what_is_of_another_kind_is_not_made(kind: str, *, trust: bool) -> None:
    make, where = SLOTS[kind]
    for spec in ATTACKS[:3]:
        file = write("recipe.yaml", make(spec))
        with pytest.raises(RecipeError, match=f"is no {kind}: expected a subclass of") as caught:
            _ = Recipe.load(file, trust=True) if trust else Recipe.parse(make(spec))
        assert caught.value.problems[0].startswith(f"{where}: ")
        assert nothing_ran()


@pytest.mark.parametrize("kind", SLOTS)
def test_classes_of_other_kinds(kind: str) -> None:
    class Local:
        def __init__(self, *context: Any) -> None:
            Path(MARK).touch()

    with pytest.raises(RecipeError, match="expected"):
        Recipe.parse(SLOTS[kind][0](Local))
    assert nothing_ran()
    with pytest.raises(RecipeError, match=f"'intruder:Model' is no {kind}"):
        find(kind, "intruder:Model")
    Path(MARK).unlink()  # the user named the module, which was imported; no object was made
    with pytest.raises(RecipeError, match=f"'intruder:Model' is no {kind}"):
        find(kind, "intruder:Model")
    assert not Path(MARK).exists()


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("model", "torch.nn:Linear"),
        ("activation", "torch.nn:ReLU"),
        ("loss", "torch.nn:HuberLoss"),
        ("loss", "torch.nn.functional:mse_loss"),
        ("optimizer", "torch.optim:SGD"),
        ("schedule", "torch.optim.lr_scheduler:ReduceLROnPlateau"),
        ("clip", "torch.nn.utils:clip_grad_value_"),
    ],
)
def test_what_serves_as_before(kind: str, path: str) -> None:
    assert find(kind, path).name == path


# Run folders

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    def run(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["handrail", *map(str, arguments)])
        code, before = 0, list(sys.path)
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        assert sys.path == before
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def table() -> pl.DataFrame:
    x = np.random.default_rng(0).normal(size=120)
    return pl.DataFrame({"x": x, "y": np.where(x > 0, "yes", "no")})


QUICK = {"training.epochs": 1, "evaluation.resamples": 100}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module of somebody else's, a table, and a run with that module's network."""
    place = tmp_path_factory.mktemp("foreign")
    table().write_csv(place / "table.csv")
    for name in ("nets_of_ours", "nets_of_theirs"):
        (place / f"{name}.py").write_text(NETS)
    sys.path.append(str(place))
    try:
        changes = {**QUICK, "model": "nets_of_ours:Tree"}
        run = handrail.fit(place / "table.csv", "y", changes=changes, out=place / "run")
        assert handrail.load(run.path).predict(table()).frame.height == 120  # named in this process
    finally:
        sys.path.remove(str(place))
    for file in ("recipe.yaml", "resolved.yaml", "model/pipeline.json", "recipe.json"):
        path = place / "run" / file
        if path.exists():
            path.write_text(path.read_text().replace("nets_of_ours", "nets_of_theirs"))
    return place


@pytest.fixture
def their_run(foreign: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run; this process has not named what it names."""
    monkeypatch.syspath_prepend(foreign)
    return Path(shutil.copytree(foreign / "run", folder / "run"))


def tamper(run: Path, file: str, path: str) -> None:
    text = (run / file).read_text()
    assert "nets_of_theirs:Tree" in text
    (run / file).write_text(text.replace("nets_of_theirs:Tree", path))


@pytest.mark.parametrize("path", ["subprocess:Popen", "intruder:Model"])
@pytest.mark.parametrize("command", ["predict", "test", "resume", "export", "sample", "test --refit", "fit"])
def test_a_run_folder_names_no_path(
    path: str, command: str, their_run: Path, foreign: Path, cli: Cli
) -> None:
    for file in ("recipe.yaml", "resolved.yaml", "model/pipeline.json"):
        tamper(their_run, file, path)
    if command == "resume":
        (their_run / "validation.json").unlink()
    name, *flags = command.split()
    arguments = [their_run, foreign / "table.csv"] if name == "predict" else [their_run]
    arguments = [their_run / "recipe.yaml"] if name == "fit" else arguments
    code, out, err = cli(name, *arguments, *flags)
    assert (code, out) == (2, ""), err
    assert f"'{path}' stands in '" in err
    assert "--trust" in err
    assert nothing_ran()


def test_each_file_of_a_run_is_checked(their_run: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.yaml"):
        _ = Run(their_run).recipe
    with pytest.raises(RecipeError, match=r"pipeline\.json"):
        handrail.load(their_run)
    tamper(their_run, "recipe.yaml", "mlp")
    tamper(their_run, "model/pipeline.json", "nets_of_ours:Tree")
    with pytest.raises(RecipeError, match=r"resolved\.yaml"):
        Run(their_run).refit()


def test_a_run_of_a_former_version_is_trusted_or_refused_as_any(their_run: Path, cli: Cli) -> None:
    """What was registered then needs no trust by its former path; what was not does."""
    old = {"handrail.learning.gradient:Gradient": {"optimizer": "adam"}}
    for file in ("recipe.yaml", "resolved.yaml"):
        write(their_run / file, {**yaml.safe_load((their_run / file).read_text()), "learning": old})
    (their_run / "checkpoints" / "recipe.json").unlink()
    summary = json.loads((their_run / "validation.json").read_text())
    (their_run / "validation.json").write_text(json.dumps({**summary, "replicas": None}))
    with pytest.raises(RecipeError, match=r"'nets_of_theirs:Tree' stands in.*trust=True"):
        handrail.load(their_run)
    assert len(handrail.load(their_run, trust=True).predict(table()).frame) == 120
    assert cli("test", their_run, "-q")[0] == 2
    assert cli("test", their_run, "-q", "--trust", "--refit") == (0, "", "")


def test_trust_is_of_one_call(their_run: Path) -> None:
    run = handrail.load(their_run, trust=True)
    assert len(run.predict(table()).frame) == 120
    assert run.recipe.model == "nets_of_theirs:Tree"
    with pytest.raises(RecipeError, match="trust=True"):
        handrail.load(their_run)


def test_only_weights_are_taken_from_a_run_to_start_from(their_run: Path, foreign: Path) -> None:
    tamper(their_run, "model/pipeline.json", "intruder:Model")
    changes = {**QUICK, "model": "nets_of_ours:Tree", "transfer.start": str(their_run)}
    run = handrail.fit(foreign / "table.csv", "y", changes=changes, out="started")
    assert run.summary["training"]["transfer"]
    assert nothing_ran()


@pytest.mark.pictures
def test_a_report_reads_the_recipe(their_run: Path) -> None:
    tamper(their_run, "recipe.yaml", "intruder:Model")
    with pytest.raises(RecipeError, match=r"recipe\.yaml"):
        Run(their_run).report()
    assert nothing_ran()


def test_a_trusted_run_is_used_by_every_command(their_run: Path, foreign: Path, cli: Cli) -> None:
    assert cli("predict", their_run, foreign / "table.csv", "--trust", "-o", "answers.csv")[0] == 0
    assert cli("resume", their_run, "--trust", "-q")[0] == 0
    assert cli("test", their_run, "--trust", "--refit", "-q")[0] == 0
    assert cli("report", their_run, "--trust")[0] == 0
    assert cli("predict", their_run, foreign / "table.csv", "-o", "more.csv")[0] == 2


# Searches


def test_a_search_folder_names_no_path(cli: Cli) -> None:
    Path("search").mkdir()
    for values in (
        {"model": "intruder:Model"},
        {"tuning": {"space": {"model": ["intruder:Model"]}}},
        {"tuning": {"space": {"model.intruder:Model.depth": [1, 2]}}},
    ):
        write("search/search.yaml", {"data": {"source": "bundled:iris", "target": "target"}, **values})
        for command in (["resume", "search"], ["tune", "--resume", "search"], ["tune", "search/search.yaml"]):
            code, out, err = cli(*command)
            assert (code, out) == (2, "")
            assert "'intruder:Model' stands in 'search/search.yaml'" in err
            assert nothing_ran()


def test_a_file_joins_no_cluster(cli: Cli) -> None:
    """What comes back from one is unpickled."""
    values = {
        "data": {"source": "bundled:iris", "target": "target"},
        "tuning": {"cluster": "intruder.example:10001", "space": {"training.batch_size": [16, 32]}},
    }
    file = write("recipe.yaml", values)
    code, out, err = cli("tune", str(file))
    assert (code, out) == (2, "")
    assert "tuning.cluster: 'intruder.example:10001' stands in 'recipe.yaml'" in err
    assert "--trust" in err
    assert sorted(path.name for path in Path().iterdir()) == ["intruder.py", "recipe.yaml"]
    assert Recipe.load(file, trust=True).tuning.cluster == "intruder.example:10001"
    changes = {"tuning.cluster": "mine.example:10001"}
    assert compose(recipe=file, changes=changes).tuning.cluster == "mine.example:10001"


def test_a_worker_may_import_what_its_job_names(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search has checked it; what its folder holds is not asked."""
    monkeypatch.syspath_prepend(foreign)
    recipe = Recipe.parse({"data": {"source": str(foreign / "none.csv")}, "model": "nets_of_ours:Tree"})
    job = {"recipe": recipe.model_dump(), "fingerprint": "", "threads": 1, "measurement": {}, "folder": None}
    with pytest.raises(DataError, match=r"none\.csv"):  # only now; its recipe was read
        _prepare(json.dumps(job))


@pytest.mark.slow
def test_workers_inherit_the_trust_of_their_command(
    foreign: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(foreign)
    settings = [f"{name}={value}" for name, value in QUICK.items()]
    # Two threads a training: then workers are new processes, no copies of this one.
    settings += ["tuning.workers=2", "training.threads=2"]
    common = ["-q", *(part for setting in settings for part in ("-s", setting))]
    named = ["-s", "tuning.space={model.nets_of_theirs:Tree.depth: [1, 2]}"]
    assert cli("tune", "table.csv", "-t", "y", "-o", "named", *common, *named) == (0, "", "")
    data = {"source": "table.csv", "target": "y"}
    values = {"data": data, "tuning": {"space": {"model": ["nets_of_theirs:Tree", "linear"]}}}
    base = write("base.yaml", values)
    assert cli("tune", base, "-o", "refused", *common)[0] == 2
    assert cli("tune", base, "-o", "trusted", "--trust", "--refit", *common) == (0, "", "")
    assert cli("export", "trusted/winner", "--trust", "-q")[0] == 0


# Pickles


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {MARK}",)


def test_a_file_does_not_allow_a_pickle(cli: Cli) -> None:
    Path("rows.pkl").write_bytes(pickle.dumps(table().to_dict(as_series=False)))
    changes = {**QUICK, "data.read.allow_pickle": True}
    with pytest.warns(UserWarning, match="can run any code"):
        run = handrail.fit("rows.pkl", "y", changes=changes, out="run")
    recipe = yaml.safe_load((run.path / "recipe.yaml").read_text())
    recipe["data"].setdefault("read", {})["allow_pickle"] = True
    write(run.path / "recipe.yaml", recipe)
    rows = Path("rows.pkl").read_bytes()
    Path("rows.pkl").write_bytes(pickle.dumps(Bomb()))
    (run.path / "validation.json").rename("validation.json")
    for command in ("resume run", "resume run --trust", "fit run/recipe.yaml", "check run/recipe.yaml"):
        code, out, err = cli(*command.split())
        assert (code, out) == (2, "")
        assert "give --allow-pickle each time it is read" in err
        assert not Path(MARK).exists()
    Path("validation.json").rename(run.path / "validation.json")
    with pytest.raises(DataError, match="each time it is read"):
        Run("run").test()
    assert not Path(MARK).exists()
    Path("rows.pkl").write_bytes(rows)
    (run.path / "report.html").unlink()
    with pytest.warns(UserWarning, match="can run any code"):
        assert cli("resume", "run", "--allow-pickle", "-q")[0] == 0
    with pytest.warns(UserWarning, match="can run any code"):
        assert cli("test", "run", "--allow-pickle", "-q")[0] == 0


def test_trust_does_not_allow_a_pickle() -> None:
    Path("rows.pkl").write_bytes(pickle.dumps(Bomb()))
    values = {"data": {"source": "rows.pkl", "target": "y", "read": {"allow_pickle": True}}}
    with pytest.raises(DataError, match="allow_pickle=True"):
        check(recipe=write("recipe.yaml", values), trust=True)
    assert not Recipe.load("recipe.yaml", trust=True).data.read.allow_pickle
    with pytest.warns(UserWarning, match="any code"), pytest.raises(DataError, match="expected"):
        read("rows.pkl", options=ReadOptions(allow_pickle=True))
    assert Path(MARK).exists()  # so the bomb is one


# The current folder

_LIBRARIES = ("opt_einsum", "typer", "numpy", "torch", "typing", "sitecustom", "intruder")


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(handrail.__file__).parents[1])}
    command = [sys.executable, "-m", "handrail", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def test_the_current_folder_is_not_looked_into(folder: Path) -> None:
    for name in _LIBRARIES:
        (folder / f"{name}.py").write_text(INTRUDER)
    done = _python("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert nothing_ran()


def test_no_python_that_a_library_starts_looks_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch does while it compiles."""
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with only_named(None):
        command = [sys.executable, "-c", "import intruder"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "No module named 'intruder'" in done.stderr
    assert nothing_ran()
    assert "PYTHONSAFEPATH" not in os.environ


@pytest.mark.slow
def test_no_command_looks_into_it(folder: Path) -> None:
    for name in _LIBRARIES:
        (folder / f"{name}.py").write_text(INTRUDER)
    table().write_csv("table.csv")
    quick = [part for name, value in QUICK.items() for part in ("-s", f"{name}={value}")]
    search = [
        "-s",
        "training.threads=2",
        "-s",
        "tuning.workers=2",
        "-s",
        "tuning.space={training.batch_size: [8, 16]}",
    ]
    for arguments in (
        ["check", "table.csv", "-t", "y"],
        ["fit", "table.csv", "-t", "y", "-o", "run", *quick],
        ["predict", "run", "table.csv"],
        ["tune", "table.csv", "-t", "y", "-o", "search", *quick, *search],
    ):
        done = _python(*arguments)
        assert done.returncode == 0, done.stderr
        assert nothing_ran()
    (folder / "mynet.py").write_text(f"open('mynet-ran', 'w').close()\n{NETS}")
    named = _python("fit", "table.csv", "-t", "y", "-o", "named", "-s", "model=mynet:Tree", *quick)
    assert named.returncode == 0, named.stderr
    assert Path("mynet-ran").exists()
    Path("mynet-ran").unlink()
    assert _python("predict", "named", "table.csv").returncode == 2
    assert not Path("mynet-ran").exists()
    assert _python("predict", "named", "table.csv", "--trust").returncode == 0
    assert nothing_ran()


def test_the_folder_of_a_command_is_offered_while_it_imports(
    foreign: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (foreign / "named_here.py").write_text(NETS)
    monkeypatch.chdir(foreign)
    code, _, err = cli("check", "table.csv", "-t", "y", "-s", "model=named_here:Tree")
    assert (code, err) == (0, "")
