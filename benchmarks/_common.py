"""What the benchmarks share: contenders in processes of their own, in turns; how each trains; tables of what
was measured.

Heavy imports stand inside functions, as each process is to load only what it uses: its memory is a figure.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HANDRAIL_DATA", HERE.parent.parent / "shared" / "data"))
HELD_OUT_AT_ONCE = 500
Arrays = dict[str, np.ndarray]
Key = TypeVar("Key")
Found = dict[str, float]


@dataclass(frozen=True)
class Job:
    """What a contender's process is given; its last line of output says in JSON what was measured."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def in_turns(script: str, jobs: Mapping[Key, Job], *, turns: int, folder: Path) -> dict[Key, list[Found]]:
    """Every job once in every turn, so that what slows the machine down for a while hits all alike."""
    runs: dict[Key, list[Found]] = {key: [] for key in jobs}
    for turn in range(turns):
        for key, job in jobs.items():
            runs[key].append(_alone(script, job, folder))
            print(f"turn {turn + 1}, {key}: {runs[key][-1]}", file=sys.stderr)
    return runs


def _alone(script: str, job: Job, folder: Path) -> Found:
    answer = subprocess.run(
        [sys.executable, script, *job.arguments],
        env={**os.environ, **job.environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if answer.returncode:
        raise SystemExit(f"{' '.join(job.arguments)} failed:\n{answer.stderr[-4000:]}")
    return json.loads(answer.stdout.splitlines()[-1])


def medians(runs: Sequence[Found]) -> Found:
    """Of each figure, over the turns."""
    return {what: statistics.median(run[what] for run in runs) for what in runs[0]}


def peak_memory() -> float:
    """The most that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident() -> float:
    """The memory that this process holds now, in MB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024


def facts(*packages: str) -> str:
    """The machine, and the versions of what was compared."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    return (
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}; {versions}."
    )


def write_result(name: str, text: str) -> None:
    """Keep the figures beside the benchmarks."""
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / name).write_text(text)


@dataclass(frozen=True)
class Work:
    """One network on one data set.

    Arguments:
        title: of its table.
        network, keras_network: make it in torch and in Keras.
        recipe: what handrail is told besides data, epochs and batch size.
        batch: rows a step. optimizer, rate: `momentum` is 0.9 of it; decay only in `adamw`, 0.01.
        epochs: the first warms up and is given apart.
        sources: the files that handrail reads in the benchmark's folder, by the recipe's names of the parts.
        by_loss: the figure on held-out rows is the loss in nats, not the accuracy.
    """

    title: str
    network: Callable[[], Any]
    keras_network: Callable[[], Any]
    recipe: Mapping[str, Any]
    batch: int
    optimizer: Literal["adam", "adamw", "momentum"]
    rate: float
    epochs: int
    sources: Mapping[str, str]
    by_loss: bool = False


@dataclass(frozen=True)
class Trained:
    """Seconds of each epoch, the figure on held-out rows after the last, and what the network was computed
    in.
    """

    seconds: Sequence[float]
    score: float
    bits: Literal[16, 32] = 32


def split_up(
    train: tuple[np.ndarray, np.ndarray], held: tuple[np.ndarray, np.ndarray], *, quick: bool
) -> Arrays:
    """Arrays by the names that handrail knows; the last tenth of the held-out rows is the part that it seals.

    Arguments:
        quick: no more than 640 training rows and a quarter as many held-out ones.
    """
    rows, others = (640, 160) if quick else (len(train[0]), len(held[0]))
    last = others * 9 // 10
    ranges = {"train": (train, slice(rows)), "val": (held, slice(last)), "test": (held, slice(last, others))}
    parts = {name: [part[where] for part in pair] for name, (pair, where) in ranges.items()}
    return {
        f"{letter}_{name}": array
        for name, pair in parts.items()
        for letter, array in zip("xy", pair, strict=True)
    }


def tensors(arrays: Arrays, part: str) -> tuple[Any, Any]:
    """Inputs and targets of a part; pictures of bytes as float32 `[rows, channels, height, width]`,
    standardised by training rows.
    """
    import torch

    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if x.dtype == np.uint8:
        mean, deviation = arrays["x_train"].mean(axis=(0, 1, 2)), arrays["x_train"].std(axis=(0, 1, 2))
        x = (x.astype(np.float32) - mean.astype(np.float32)) / deviation.astype(np.float32)
        x = np.ascontiguousarray(x.reshape(*x.shape[:3], -1).transpose(0, 3, 1, 2))
    return torch.from_numpy(x), torch.from_numpy(y)


def loss_of(scores: Any, targets: Any) -> Any:
    """Mean cross-entropy over rows, or over all steps of all rows."""
    from torch.nn import functional

    return functional.cross_entropy(scores.flatten(0, -2).float(), targets.flatten())


def torch_network(work: Work) -> Any:
    """The network with torch's own first weights."""
    import torch

    torch.manual_seed(0)
    return work.network()


def torch_optimizer(work: Work, network: Any, *, fused: bool | None = None) -> Any:
    """torch's optimizer, as it comes or fused."""
    import torch

    parameters = network.parameters()
    if work.optimizer == "momentum":
        return torch.optim.SGD(parameters, lr=work.rate, momentum=0.9, fused=fused)
    kind = torch.optim.Adam if work.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=work.rate, fused=fused)


def torch_score(work: Work, predict: Callable[[Any], Any], arrays: Arrays) -> float:
    """Accuracy or loss on held-out rows."""
    import torch

    total, count = 0.0, 0
    x, y = tensors(arrays, "val")
    with torch.inference_mode():
        for start in range(0, len(x), HELD_OUT_AT_ONCE):
            targets = y[start : start + HELD_OUT_AT_ONCE]
            scores = predict(x[start : start + HELD_OUT_AT_ONCE])
            figure = (
                loss_of(scores, targets) if work.by_loss else (scores.argmax(-1) == targets).float().mean()
            )
            total, count = total + float(figure) * len(targets), count + len(targets)
    return total / count


def with_loop(work: Work, arrays: Arrays, _: Path) -> Trained:
    """A plain PyTorch loop over a DataLoader in float32, as tutorials write it."""
    from torch.utils.data import DataLoader, TensorDataset

    network = torch_network(work)
    loader = DataLoader(TensorDataset(*tensors(arrays, "train")), batch_size=work.batch, shuffle=True)
    optimizer = torch_optimizer(work, network)
    seconds = []
    for _epoch in range(work.epochs):
        began = time.perf_counter()
        network.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss_of(network(x), y).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - began)
    return Trained(seconds, torch_score(work, network.eval(), arrays))


def with_tuned_loop(work: Work, arrays: Arrays, _: Path) -> Trained:
    """A hand-tuned PyTorch loop: rows in memory, taken by the batch, channels last, bfloat16, fused
    optimizer.
    """
    import torch

    low = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    network = torch_network(work)
    inputs, targets = tensors(arrays, "train")
    if inputs.ndim == 4:
        network, inputs = (thing.to(memory_format=torch.channels_last) for thing in (network, inputs))

    def lowered() -> Any:
        return torch.autocast("cpu", torch.bfloat16, enabled=low)

    optimizer = torch_optimizer(work, network, fused=True)
    seconds = []
    for _epoch in range(work.epochs):
        began = time.perf_counter()
        network.train()
        for rows in torch.randperm(len(inputs)).split(work.batch):
            optimizer.zero_grad()
            with lowered():
                scores = network(inputs[rows])
            loss_of(scores, targets[rows]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - began)
    with lowered():
        return Trained(seconds, torch_score(work, network.eval(), arrays), 16 if low else 32)


def with_lightning(work: Work, arrays: Arrays, _: Path) -> Trained:
    """Lightning's Trainer, with logging, checkpoints and progress bar switched off."""
    import logging

    import lightning
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    times: list[float] = []

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = torch_network(work)

        def training_step(self, batch, _index):
            x, y = batch
            return loss_of(self.network(x), y)

        def configure_optimizers(self):
            return torch_optimizer(work, self)

        def on_train_epoch_start(self):
            times.append(time.perf_counter())

        def on_train_epoch_end(self):
            times[-1] = time.perf_counter() - times[-1]

    module = Module()
    loader = DataLoader(TensorDataset(*tensors(arrays, "train")), batch_size=work.batch, shuffle=True)
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = lightning.Trainer(max_epochs=work.epochs, accelerator="cpu", **dict.fromkeys(off, False))
    trainer.fit(module, loader)
    return Trained(times, torch_score(work, module.network.eval(), arrays))


def with_keras(work: Work, arrays: Arrays, _: Path) -> Trained:
    """Keras's fit, on torch."""
    import keras

    keras.utils.set_random_seed(0)
    network = work.keras_network()
    times: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            times.append(time.perf_counter())

        def on_epoch_end(self, epoch, logs=None):
            times[-1] = time.perf_counter() - times[-1]

    optimizers = {
        "adam": lambda: keras.optimizers.Adam(work.rate, epsilon=1e-8),
        "adamw": lambda: keras.optimizers.AdamW(work.rate, weight_decay=0.01, epsilon=1e-8),
        "momentum": lambda: keras.optimizers.SGD(work.rate, momentum=0.9),
    }
    network.compile(
        optimizer=optimizers[work.optimizer](),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    x, y = (part.numpy() for part in tensors(arrays, "train"))
    network.fit(x, y, batch_size=work.batch, epochs=work.epochs, verbose=0, callbacks=[Clock()])
    return Trained(times, torch_score(work, lambda x: network(x, training=False), arrays))


def with_handrail(work: Work, arrays: Arrays, folder: Path) -> Trained:
    """handrail's fit of a recipe; its own seconds of training, its own figure after the last epoch."""
    import handrail
    from handrail.tools.yaml import read_yaml

    optimizer = {"momentum": {"momentum": 0.9, "learning_rate": work.rate}}.get(
        work.optimizer, {"learning_rate": work.rate}
    )
    recipe = {
        "data": {name: str(folder / file) for name, file in work.sources.items()} | {"augment": []},
        "learning": {"gradient": {"optimizer": {work.optimizer: optimizer}}},
        "training": {"epochs": work.epochs, "batch_size": work.batch, "patience": None},
    }
    with tempfile.TemporaryDirectory() as runs:
        run = handrail.fit(recipe=recipe, changes=work.recipe, out=Path(runs) / "run")
        epochs = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
        settled = read_yaml(run.path / "resolved.yaml")["training"]
    # It cuts a text for itself, into a window more or less.
    steps = -(-len(arrays["y_train"]) // work.batch)
    seconds = [epoch["seconds"] * steps / epoch["step"] for epoch in epochs]
    score = epochs[-1]["val_loss" if work.by_loss else "val_accuracy"]
    return Trained(seconds, score, 16 if settled["precision"] == "bfloat16" else 32)


CONTENDERS = {
    "handrail": with_handrail,
    "tuned": with_tuned_loop,
    "plain": with_loop,
    "lightning": with_lightning,
    "keras": with_keras,
}
NAMES = dict(
    zip(
        CONTENDERS,
        ("handrail", "PyTorch, hand-tuned", "PyTorch + DataLoader", "Lightning", "Keras 3 on torch"),
        strict=True,
    )
)
ENVIRONMENT = {"KERAS_BACKEND": "torch", "KERAS_HOME": "keras"}
MODULES = {"handrail": "handrail.fitting", "lightning": "lightning", "keras": "keras"}


def train(work: Work, contender: str, folder: Path, arrays: Arrays) -> Found:
    """Train by one contender in this process; what was measured."""

    # Torch imports its compiler at the first step of an optimizer; that is no training.
    __import__("torch._dynamo")
    __import__(MODULES.get(contender, "torch"))
    done = CONTENDERS[contender](work, arrays, folder)
    first, *rest = done.seconds
    return {
        "seconds": statistics.median(rest),
        "first": first,
        "memory": peak_memory(),
        "score": done.score,
        "bits": done.bits,
    }


def compare(
    title: str,
    script: str,
    works: Mapping[str, Work],
    prepare: Callable[[Path, Path, bool], Mapping[str, Arrays]],
    *,
    result: str,
) -> None:
    """The command of a benchmark: parse, measure, write.

    Arguments:
        title: of what is written to `result`.
        prepare: (folder of the data sets, where to write files for handrail, quick) → the arrays of each
            work.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="few rows, one turn, nothing written: does it run?"
    )
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help=f"some of {', '.join(CONTENDERS)}")
    parser.add_argument("--works", default=",".join(works), help=f"some of {', '.join(works)}")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--one", nargs=2, metavar=("WORK", "CONTENDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        warnings.simplefilter("ignore")
        print(json.dumps(_one(works, asked.one[0], asked.one[1], asked.threads)))
        return
    from _rate import as_table

    contenders, chosen = asked.contenders.split(","), {name: works[name] for name in asked.works.split(",")}
    turns = 1 if asked.quick else asked.turns
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for data, arrays in prepare(asked.data.absolute(), folder, asked.quick).items():
            np.savez(folder / f"{data}.npz", allow_pickle=False, **arrays)
        jobs = {
            (work, one): Job(["--one", work, one, "--threads", str(asked.threads)], ENVIRONMENT)
            for work in chosen
            for one in ("rate", *contenders)
        }
        runs = in_turns(script, jobs, turns=turns, folder=folder)
    lines = [
        f"# {title}",
        "",
        facts("handrail", "torch", "lightning", "keras"),
        f"Threads: {asked.threads}. Medians of {turns} turns.",
        "",
    ]
    for name, work in chosen.items():
        rows = {NAMES[one]: medians(runs[name, one]) for one in contenders}
        lines += [
            f"## {work.title}",
            "",
            *as_table(rows, medians(runs[name, "rate"]), by_loss=work.by_loss),
            "",
        ]
    text = "\n".join(lines)
    if not asked.quick:
        write_result(result, text)
    print(text)


def _one(works: Mapping[str, Work], name: str, contender: str, threads: int) -> Found:
    """What a process of its own does, in the folder of the data sets."""
    import torch

    torch.set_num_threads(threads)
    with np.load(f"{name}.npz", allow_pickle=False) as file:
        # It reads for itself.
        arrays = {"y_train": file["y_train"]} if contender == "handrail" else dict(file)
    if contender != "rate":
        return train(works[name], contender, Path.cwd(), arrays)
    from _rate import matrix_rates, operations

    x, y = tensors(arrays, "train")
    counted = operations(works[name].network(), x[:4], y[:4], loss_of) / 4 * len(x)
    return {**matrix_rates(), "operations": counted}
