"""A fit that is killed at any moment and resumed ends with the same bits as one that was left alone."""

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from handrail import RunError, fit, resume
from handrail.run import Run
from handrail.training.signals import Interrupted

RULES = {
    "gradient": {
        "learning": "gradient",
        "model": {"mlp": {"hidden": [32, 16], "dropout": 0.2}},
        "training.epochs": 7,
    },
    "replicas": {
        "learning": "gradient",
        "model": {"mlp": {"hidden": [16], "dropout": 0.2, "normalisation": "batch"}},
        "training.epochs": 7,
        "training.replicas": 3,
        "training.together": True,
    },
    "replicas one after another": {
        "learning": "gradient",
        "model": {"mlp": {"hidden": [16], "dropout": 0.2}},
        "training.epochs": 3,
        "training.replicas": 3,
        "training.together": False,
    },
    "rosenblatt": {"learning": "rosenblatt", "model": "linear", "training.epochs": 7},
    "delta": {"learning": "delta", "model": "linear", "training.epochs": 7},
    "least_squares": {"learning": "least_squares", "model": {"mlp": {"hidden": [200]}}, "training.epochs": 1},
    "feedback_alignment": {
        "learning": "feedback_alignment",
        "model": {"mlp": {"hidden": [16, 8], "dropout": 0.2}},
        "training.epochs": 4,
    },
    "forward_forward": {"model": {"forward_forward_net": {"hidden": [16]}}, "training.epochs": 3},
    "equilibrium_propagation": {"model": {"equilibrium_net": {"hidden": [8]}}, "training.epochs": 3},
    "placed units": {"learning": "least_squares", "model": {"rbf": {"units": 20}}, "training.epochs": 2},
    "stages": {
        "stages": [
            {"model": {"rbm": {"visible": "gaussian", "units": 16}}, "epochs": 3, "batch_size": 16},
            {"model": {"rbm": {"units": 8}}, "epochs": 3, "batch_size": 16},
        ],
        "training.epochs": 3,
    },
}
# Without a target; `label` then only judges.
ALONE = {
    "lloyd": {"model": {"kmeans": {"clusters": 40}}, "training.epochs": 8},
    "contrastive_divergence": {
        "model": {"rbm": {"visible": "gaussian", "units": 16}},
        "learning": {"contrastive_divergence": {"persistent": True}},
        "training.epochs": 4,
    },
    "kohonen": {"model": {"kohonen": {"height": 5, "width": 6}}, "training.epochs": 8},
    "kohonen online": {
        "model": {"kohonen": {"height": 5, "width": 6}},
        "learning": {"kohonen": {"mode": "online"}},
        "training.epochs": 4,
    },
    "adversarial": {"model": {"gan": {"hidden": [16]}}, "training.epochs": 4},
    "a condition": {"model": {"gan": {"hidden": [16], "conditional": True}}, "training.epochs": 4},
    "cycle": {"model": {"cyclegan": {"hidden": [16]}}, "training.epochs": 4},
    "an average of the weights": {
        "model": {"diffusion": {"hidden": [16], "steps": 20}},
        "data.drop": ["c"],
        "training.epochs": 4,
    },
    "hebb": {"model": "hopfield", "learning": "hebb", "training.epochs": 1},
    "storkey": {"model": "hopfield", "learning": "storkey", "training.epochs": 1, "data.sample": 0.007},
    "oja": {"model": {"linear_code": {"code": 1}}, "learning": "oja", "training.epochs": 5},
    "sanger": {"model": "linear_code", "training.epochs": 5},
    "store": {"model": "modern_hopfield", "training.epochs": 1},
}
RULES |= {
    name: {"data.label": "label", "data.encoding.scaling": "minmax", **changes}
    for name, changes in ALONE.items()
}
# On generated pictures.
PICTURES = {
    "stages of pictures": {
        "stages": [
            {"model": {"conv_rbm": {"filters": 4, "kernel": 3}}, "epochs": 3, "batch_size": 16},
            {"model": {"patch_kmeans": {"clusters": 8, "patch": 2}}, "epochs": 4},
        ],
        "model": "linear",
        "training.epochs": 3,
    },
    "a loss that the model adds": {
        "model": {"capsule_net": {"maps": 4, "types": 2, "primary": 4, "dims": 4, "decoder": [8]}},
        "training.epochs": 4,
    },
    "maps that are looked for": {
        "model": {"deconvolutional_network": {"maps": [4], "kernel": 3}},
        "training.epochs": 4,
    },
    "stochastic pooling": {
        "model": {"cnn": {"widths": [3], "convolutions": 1, "pooling": "stochastic"}},
        "training.epochs": 4,
    },
}
PICTURED = {
    "a stage on the target": {
        "stages": [{"model": {"dvae": {"codes": 6, "channels": [4, 4]}}, "epochs": 3, "batch_size": 32}],
        "model": {"decoder_only": {"width": 8, "layers": 1, "heads": 2, "dropout": 0.1}},
        "learning": {"gradient": {"optimizer": "adam"}},
        "training.batch_size": 32,
        "training.epochs": 3,
    },
}
SOURCES = dict.fromkeys(PICTURES, "toy:shapes,rows=900,side=8")
# On pictures whose factors are known.
FACTORS = {"pairs": {"model": {"inverse_graphics": {"hidden": [16]}}, "training.epochs": 4}}
SOURCES |= dict.fromkeys(FACTORS, "toy:sprites,levels=5")
# On series of bits, whose test rows the source names.
MEMORY = {
    "a network with a memory": {
        "model": {"dnc": {"units": 8, "locations": 8, "width": 4, "controller": "lstm"}},
        "training.epochs": 3,
    }
}
SOURCES |= dict.fromkeys(
    MEMORY, "toy:copy,rows=200,test_rows=20,bits=3,longest=4,test_shortest=5,test_longest=6"
)
SOURCES |= dict.fromkeys(PICTURED, "toy:captioned_shapes,rows=300,test_rows=20")
QUICK = [rule for rule in RULES if rule == "contrastive_divergence" or rule not in ALONE]
RULES |= PICTURES | MEMORY | FACTORS | PICTURED
COMMON = {
    "training.patience": None,
    "training.checkpoint_seconds": 0.0,
    "training.batch_size": 8,
    "evaluation.resamples": 100,
}

# Children come from a server that has imported everything and run nothing, so that each begins within
# milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["handrail.fitting"])


def a_table(folder: Path) -> Path:
    """Two noisy classes: no rule ends early on them."""
    chance = random.Random(3)
    rows = [(chance.gauss(0, 1), chance.gauss(0, 1), chance.choice("abc")) for _ in range(3000)]
    table = pl.DataFrame(rows, schema=["x", "y", "c"], orient="row")
    label = (table["x"] + table["y"] * table["x"] + pl.Series([chance.gauss(0, 0.5) for _ in rows]) > 0).cast(
        pl.Int64
    )
    path = folder / "table.csv"
    table.with_columns(label.alias("label")).write_csv(path)
    return path


def weights(run: Path) -> bytes:
    return (run / "model" / "weights.safetensors").read_bytes()


def records(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def do_fit(table: Path | str, changes: dict, out: Path) -> None:
    known = isinstance(table, str) or "data.label" in changes
    fit(table, None if known else "label", changes=changes, out=out)


def do_resume(out: Path) -> None:
    resume(out)


def kill_after(seconds: float, target, *arguments) -> bool:
    """Run in a process of its own and kill it; false when it had ended before."""
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    process.join(seconds)
    alive = process.is_alive()
    if alive:
        process.kill()
    process.join()
    return alive


def check_kills(rule: str, moments: list[float], folder: Path) -> None:
    table = SOURCES.get(rule) or a_table(folder)
    changes = {**COMMON, **RULES[rule]}
    whole = folder / "whole"
    began = time.monotonic()
    do_fit(table, changes, whole)
    lasts = time.monotonic() - began
    killed = 0
    for number, moment in enumerate(moments):
        out = folder / f"killed-{number}"
        killed += kill_after(moment * lasts, do_fit, table, changes, out)
        if not (out / "recipe.yaml").exists():
            continue  # killed before it began
        killed += kill_after(moment * lasts / 2, do_resume, out)
        do_resume(out)
        assert weights(out) == weights(whole), f"killed after {moment * lasts:.3f} s"
        assert records(out) == records(whole)
    assert killed, "no process was killed in time; the test shows nothing"


@pytest.mark.parametrize("rule", [rule for rule in QUICK if rule != "replicas one after another"])
def test_a_killed_fit_resumes_to_the_same_bits(rule: str, tmp_path: Path) -> None:
    check_kills(rule, [0.3, 0.7], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_twenty_random_kills(rule: str, tmp_path: Path) -> None:
    chance = random.Random(rule)
    check_kills(rule, [chance.uniform(0.02, 1.1) for _ in range(20)], tmp_path)


class StopAt:
    """A listener that sends a signal to this process at a step of an epoch."""

    def __init__(self, epoch: int, step: int, number: int) -> None:
        from handrail.training.callbacks import Callback

        outer = self

        class Listener(Callback):
            def on_batch_end(self, engine, step):
                if engine.progress.epoch + 1 == outer.epoch and step == outer.step:
                    os.kill(os.getpid(), outer.number)

        self.epoch, self.step, self.number, self.listener = epoch, step, number, Listener()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_an_epoch_saves_and_says_how_to_go_on(number: int, tmp_path: Path) -> None:
    table, changes = a_table(tmp_path), {**COMMON, **RULES["gradient"], "training.epochs": 5}
    do_fit(table, changes, tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"epoch 3, after step 77.*handrail.resume") as stop:
        fit(
            table,
            "label",
            changes=changes,
            out=tmp_path / "stopped",
            callbacks=(StopAt(3, 77, number).listener,),
        )
    assert stop.value.exit_code == 128 + number
    with pytest.raises(RunError, match="resume"):
        Run(tmp_path / "stopped").summary  # noqa: B018
    assert "ERROR stopped: stopped in epoch 3" in (tmp_path / "stopped" / "log.txt").read_text()
    resume(tmp_path / "stopped")
    assert "INFO done" in (tmp_path / "stopped" / "log.txt").read_text()
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")
    assert records(tmp_path / "stopped") == records(tmp_path / "whole")


def test_a_fit_that_has_ended_is_not_trained_again(tmp_path: Path) -> None:
    table = a_table(tmp_path)
    fit(table, "label", changes={**COMMON, "training.epochs": 2}, out=tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
    resume(tmp_path / "run")
    assert before == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()
    }


def test_resume_refuses_data_that_has_changed(tmp_path: Path) -> None:
    table, changes = a_table(tmp_path), {**COMMON, **RULES["gradient"], "training.epochs": 5}
    with pytest.raises(Interrupted):
        fit(
            table,
            "label",
            changes=changes,
            out=tmp_path / "run",
            callbacks=(StopAt(2, 10, signal.SIGINT).listener,),
        )
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], "9.5,9.5,a,1", *lines[2:]]) + "\n")
    with pytest.raises(RunError, match=r"table\.csv.*has changed"):
        resume(tmp_path / "run")


def test_resume_refuses_rows_in_another_order(tmp_path: Path) -> None:
    """The split goes by position: in another order, rows that were trained on would be sealed."""
    table, changes = a_table(tmp_path), {**COMMON, **RULES["gradient"], "training.epochs": 5}
    with pytest.raises(Interrupted):
        fit(
            table,
            "label",
            changes=changes,
            out=tmp_path / "run",
            callbacks=(StopAt(2, 10, signal.SIGINT).listener,),
        )
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    with pytest.raises(RunError, match="or their order, are not the same"):
        resume(tmp_path / "run")


def test_resume_refuses_a_recipe_that_was_changed(tmp_path: Path) -> None:
    table, changes = a_table(tmp_path), {**COMMON, **RULES["gradient"], "training.epochs": 5}
    with pytest.raises(Interrupted):
        fit(
            table,
            "label",
            changes=changes,
            out=tmp_path / "run",
            callbacks=(StopAt(2, 10, signal.SIGINT).listener,),
        )
    recipe = tmp_path / "run" / "recipe.yaml"
    text = recipe.read_text()
    recipe.write_text(text.replace("epochs: 5", "epochs: 7"))
    with pytest.raises(RunError, match=r"has been changed since the fit began: training\.epochs"):
        resume(tmp_path / "run")
    recipe.write_text(text)
    resume(tmp_path / "run")


def test_a_module_given_as_an_object_stays_as_it_was(tmp_path: Path) -> None:
    import torch

    table, net = a_table(tmp_path), torch.nn.Linear(5, 1)
    before = net.weight.detach().clone()
    run = fit(table, "label", changes={**COMMON, "model": net, "training.epochs": 2}, out=tmp_path / "run")
    assert not torch.equal(run.pipeline.network.get_parameter("weight"), before)
    assert torch.equal(net.weight, before)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    table, changes = a_table(tmp_path), {**COMMON, **RULES["gradient"], "training.epochs": 5}
    with pytest.raises(Interrupted):
        fit(
            table,
            "label",
            changes=changes,
            out=tmp_path / "run",
            callbacks=(StopAt(2, 10, signal.SIGINT).listener,),
        )
    path = tmp_path / "run" / "checkpoints" / "last" / "state.safetensors"
    content = bytearray(path.read_bytes())
    for damage in (
        content[: len(content) // 2],
        content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        b"",
    ):
        path.write_bytes(damage)
        with pytest.raises(RunError, match=r"last/state\.safetensors' is damaged"):
            resume(tmp_path / "run")
