"""Several processes that train one network come to what one process comes to, and survive what happens to
them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from handrail import fit, resume
from handrail.errors import RecipeError
from handrail.learning.rule import Batch
from handrail.learning.rules.least_squares import LeastSquares
from handrail.objectives.objective import Objective, batch_weight
from handrail.training.distributed.batch_norm import whole_norms
from handrail.training.distributed.processes import Processes

# Shares of unequal length (17 and 16 of 33 rows), of unequal weight, a last batch of a single row (133 = 4 ·
# 33 + 1), and layers and a clip that look at the whole batch.
NO_CHANCE = {
    "model": {"mlp": {"hidden": [16, 8], "normalisation": "batch"}},
    "learning": {
        "gradient": {"optimizer": {"momentum": {"learning_rate": 0.05}}, "clip": {"by_norm": {"limit": 0.5}}}
    },
    "objective": {
        "loss": {"cross_entropy": {"label_smoothing": 0.1}},
        "penalties": [{"l2": {"strength": 0.01}}],
    },
    "data": {
        "source": "bundled:wine",
        "target": "target",
        "balance": "class_weights",
        "split": {"validation": 0.1, "test": 0.15},
    },
    "training": {"epochs": 60, "patience": None, "batch_size": 33, "checkpoint_seconds": 0.05},
    "evaluation": {"resamples": 100},
}
DROPOUT = {**NO_CHANCE, "model": {"mlp": {"hidden": [32, 16], "dropout": 0.3}}}


def begun(*arguments: str | Path, processes: int = 2) -> subprocess.Popen[str]:
    """torchrun, with processes of this interpreter."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        "-m",
        "handrail",
    ]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    """Exit code, standard output, and what handrail said on standard error."""
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, [line for line in errors.splitlines() if line.startswith("handrail: ")]


def recipe(folder: Path, settings: dict) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(settings))
    return path


def ranks(torchrun: int) -> dict[int, int]:
    """The process of each rank."""
    processes = {}
    for child in Path(f"/proc/{torchrun}/task/{torchrun}/children").read_text().split():
        environment = dict(
            pair.split("=", 1)
            for pair in Path(f"/proc/{child}/environ").read_text().split("\0")
            if "=" in pair
        )
        if "RANK" in environment:
            processes[int(environment["RANK"])] = int(child)
    return processes


def wait_for_epoch(run: Path, epoch: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while len(records(run)) < epoch:
        assert process.poll() is None, "it ended before it could be disturbed"
        assert time.monotonic() < until
        time.sleep(0.01)


def records(run: Path) -> list[dict[str, float]]:
    path = run / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def away(run: Path, other: Path) -> float:
    """The largest difference between the weights of two runs."""
    ours, theirs = (load_file(path / "model" / "weights.safetensors") for path in (run, other))
    return max(float((ours[name].double() - theirs[name]).abs().max()) for name in ours if ours[name].numel())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    return fit(recipe=NO_CHANCE, out=tmp_path_factory.mktemp("alone") / "run").path


def test_two_processes_learn_what_one_learns_and_speak_with_one_voice(alone: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, out, errors = ended(begun("fit", recipe(tmp_path, NO_CHANCE), "--out", run))
    assert (code, errors) == (0, [])
    assert out.count("report: ") == 1
    ours, theirs = records(run), records(alone)
    assert len(ours) == len(theirs) == 60
    for line, other in zip(ours, theirs, strict=True):
        assert line == pytest.approx(other, rel=1e-4)
    assert ours[-1]["train_loss"] < 0.7 * ours[0]["train_loss"]
    assert away(run, alone) < 1e-4
    assert {path.name for path in run.rglob("*")} == {path.name for path in alone.rglob("*")}
    log = (run / "log.txt").read_text()
    assert log.count("2 processes divide each batch of 33 rows") == log.count("INFO done") == 1
    assert json.loads((run / "environment.json").read_text())["processes"] == 2
    assert json.loads((alone / "environment.json").read_text())["processes"] == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc")
def test_a_killed_process_ends_all_and_one_process_goes_on(alone: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = begun("fit", recipe(tmp_path, NO_CHANCE), "--out", run, "--quiet")
    wait_for_epoch(run, 3, process)
    os.kill(ranks(process.pid)[1], signal.SIGKILL)
    code, _, errors = ended(process)
    assert code != 0
    assert errors == [
        "handrail: another process of this training has ended, or cannot be reached. Continue with: "
        f"handrail resume {run}"
    ]
    assert len(records(run)) < 60
    resume(run)
    assert records(run)[-1] == pytest.approx(records(alone)[-1], rel=1e-4)
    assert away(run, alone) < 1e-4


@pytest.mark.slow
def test_a_mistake_is_told_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = recipe(tmp_path, {**NO_CHANCE, "model": "linear", "learning": "rosenblatt", "objective": {}})
    process = begun("fit", path, "--out", tmp_path / "run")
    code, out, errors = ended(process)
    assert code != 0
    assert out == ""
    assert errors == [
        "handrail: learning: Rosenblatt cannot be divided among processes; train with one, without torchrun."
    ]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_every_process_trusts_what_the_command_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.py").write_text(
        "import os\nfrom torch import nn\nopen(f'imported-{os.getpid()}', 'w').close()\n"
        "class Net(nn.Linear):\n"
        "    def __init__(self, inputs, outputs):\n        super().__init__(inputs, outputs)\n"
    )
    training = {**NO_CHANCE["training"], "epochs": 2}
    path = recipe(tmp_path, {**NO_CHANCE, "model": "theirs:Net", "training": training})
    code, _, (error,) = ended(begun("fit", path, "--out", "run"))
    assert code != 0
    assert "'theirs:Net' stands in" in error
    assert not list(tmp_path.glob("imported-*"))
    assert ended(begun("fit", path, "--out", "run", "--trust", "-q")) == (0, "", [])
    assert len(list(tmp_path.glob("imported-*"))) == 2


@pytest.mark.slow
@pytest.mark.parametrize("disturbance", ["one killed", "all killed", "ended"])
def test_as_many_processes_go_on_to_the_same_bits(disturbance: str, tmp_path: Path) -> None:
    """Dropout included: each process has chance of its own, and all of it is in the checkpoint."""
    whole, run, path = tmp_path / "whole", tmp_path / "run", recipe(tmp_path, DROPOUT)
    assert ended(begun("fit", path, "--out", whole, "--quiet"))[0] == 0
    process = begun("fit", path, "--out", run, "--quiet")
    wait_for_epoch(run, 5, process)
    if disturbance == "ended":
        process.terminate()
        said = r"stopped in epoch"
    else:
        processes = ranks(process.pid)
        for rank in [1] if disturbance == "one killed" else [0, 1]:
            os.kill(processes[rank], signal.SIGKILL)
        said = "another process" if disturbance == "one killed" else ""
    _, _, errors = ended(process)
    assert len(records(run)) < 60
    assert [said in error for error in errors] == ([True] if said else [])
    assert ended(begun("resume", run, "--quiet"))[0] == 0
    assert away(run, whole) == 0
    assert records(run) == records(whole)


@pytest.mark.slow
def test_another_number_of_processes_goes_on(alone: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = begun("fit", recipe(tmp_path, NO_CHANCE), "--out", run, "--quiet")
    wait_for_epoch(run, 5, process)
    process.terminate()
    assert "everything is saved" in ended(process)[2][0]
    assert ended(begun("resume", run, "--quiet", processes=3))[0] == 0
    assert away(run, alone) < 1e-4


@pytest.mark.slow
def test_optimizers_that_try_several_points_agree(tmp_path: Path) -> None:
    """While they go down: at the bottom, from the third epoch on, a last digit leads elsewhere."""
    settings = {
        **NO_CHANCE,
        "model": {"mlp": {"hidden": [8]}},
        "learning": {"gradient": {"optimizer": "lbfgs"}},
    }
    settings["training"] = {"epochs": 2, "batch_size": 133}
    one = fit(recipe=settings, out=tmp_path / "one").path
    assert ended(begun("fit", recipe(tmp_path, settings), "--out", tmp_path / "two", "--quiet"))[0] == 0
    assert records(tmp_path / "two")[-1] == pytest.approx(records(one)[-1], rel=1e-3)


class Member(Processes):
    """A member of a team that nobody has called together."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self._copies = rank, size, 1


@given(rows=st.integers(1, 60), batch_size=st.integers(1, 40), processes=st.integers(2, 7))
def test_shares_make_up_the_batch(rows: int, batch_size: int, processes: int) -> None:
    order = torch.randperm(rows)
    whole = [order[start : start + batch_size] for start in range(0, rows, batch_size)]
    data = Batch(torch.arange(rows), torch.arange(rows))
    shares = [list(Member(rank, processes).batches(data, order, batch_size)) for rank in range(processes)]
    for step, batch in enumerate(whole):
        parts = [member[step].inputs for member in shares]
        if len(batch) < processes:
            assert all(torch.equal(part, batch) for part in parts)
        else:
            assert torch.equal(torch.cat(parts), batch)
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_what_cannot_be_divided_is_refused() -> None:
    penalties = Objective("binary_cross_entropy", ["l2", "activity_l1", "sparsity_kl"]).penalties
    with pytest.raises(RecipeError) as refused:
        Member(0, 2).check("LeastSquares", divides=LeastSquares.divides, penalties=penalties, batch_size=8)
    assert [problem.split(" ")[1] for problem in refused.value.problems] == [
        "LeastSquares",
        "activity_l1",
        "sparsity_kl",
    ]


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_normalisation_over_one_process_is_torchs(kind: type[nn.Module], momentum: float | None) -> None:
    torch.manual_seed(0)
    shape = (6, 3) if kind is nn.BatchNorm1d else (6, 3, 4, 5)
    ours, theirs = (kind(3, momentum=momentum) for _ in range(2))  # pyright: ignore[reportCallIssue]
    x = [(torch.randn(shape) * 3 + 1).requires_grad_() for _ in range(2)]
    x[1].data = x[0].data.clone()
    with whole_norms(ours, total=lambda values: values, copies=lambda: 1):
        for layer, given_rows in zip((ours, theirs), x, strict=True):
            for _ in range(2):
                (layer(given_rows) ** 3).sum().backward()
    torch.testing.assert_close(x[0].grad, x[1].grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    assert "forward" not in vars(ours)


def test_a_share_weighs_what_its_mixed_rows_weigh() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            change = nn.Identity()
            change.mixture = (torch.tensor([0.75, 1.0]), torch.tensor([1, 0]))  # pyright: ignore[reportArgumentType]
            self.augment = nn.Sequential(change)

    weights = torch.tensor([4.0, 1.0])
    assert float(batch_weight(Mixed(), weights, rows=2)) == 0.75 * 4 + 0.25 * 1 + 1.0
    assert float(batch_weight(nn.Linear(1, 1), weights, rows=2)) == 5
    assert batch_weight(Mixed(), None, rows=2) == 2
