"""A restricted Boltzmann machine with 500 hidden units on MNIST: how likely are digits that it never saw?

Each pixel is black or white by its grey level as a probability, drawn once from a fixed seed, training and
test pictures alike, as in Salakhutdinov & Murray 2008; by a threshold the figures would be others. Of the
60,000 training pictures the last 5,000 are validation rows. The 10,000 test pictures are sealed; they are
opened when all trainings have ended. log Z is found by annealed importance sampling at the inverse
temperatures of the paper, from 100 chains.

    HANDRAIL_DATA=folder python experiments/rbm_mnist.py [--epochs 50 60 180 --steps 7 1 1]

Each number of epochs is a training of its own, by persistent contrastive divergence, whose rate falls to
its end, and whose Gibbs steps grow from 1 to the number that stands in its place. Writes
`benchmarks/results/rbm_mnist.md` and a picture of fantasies, at the ends of chains that began at noise.

Source: Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks
"""

import argparse
import gzip
import math
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import handrail
from handrail.models.annealing import LogZ, anneal
from handrail.models.rbm import RBM
from handrail.network import model_in
from handrail.training.callbacks import Callback, Training

ROOT = Path(__file__).parents[1]
RULE = {
    "persistent": True,
    "learning_rate": 0.1,
    "final": 0.01,
    "momentum": 0.5,
    "weight_decay": 1e-4,
}
BATCH = 100
VALIDATION = 5000
CHAINS, TEMPERATURES = 100, 14_500
SMALL, SMALL_EPOCHS = 20, 5  # a machine whose log Z is known
FANTASIES, STEPS, ENLARGED = 64, 5000, 2
PAPER = "Salakhutdinov & Murray 2008, 500 units: CD-3 about −105, CD-25 about −86"


@dataclass(frozen=True)
class Found:
    """What one training came to: nats a picture, seconds, and what the baselines come to."""

    steps: int
    epochs: int
    seconds: float
    processor: float
    train: float
    validation: float
    test: float
    low: float
    high: float
    error: float
    log_z: float
    usual: float
    baselines: Mapping[str, float]


def read_pictures(path: Path, most: int) -> np.ndarray:
    """Grey levels `[pictures, 28, 28]` of an IDX file, at most so many."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)[:most]


def write_parts(mnist: Path, folder: Path, *, most: int) -> dict[str, str]:
    """Black and white pictures of each part, as files by the names of a recipe."""
    chance = np.random.default_rng(0)
    train, test = (
        np.where(chance.random(grey.shape) * 255 < grey, 255, 0).astype(np.uint8)
        for grey in (
            read_pictures(mnist / f"{name}-images-idx3-ubyte.gz", most) for name in ("train", "t10k")
        )
    )
    held = min(VALIDATION, len(train) // 6)
    parts = {"source": train[:-held], "validation": train[-held:], "test": test}
    for name, pictures in parts.items():
        np.savez_compressed(folder / f"{name}.npz", x=pictures)
    return {name: str(folder / f"{name}.npz") for name in parts}


def train(
    job: tuple[int, int, int], *, parts: Mapping[str, str], threads: int, runs: Path
) -> tuple[Path, float]:
    """Fit one machine; the folder of its run, and the seconds that processors were at work for its training.

    The last weights count, as the rate has fallen to its end.

    Arguments:
        job: hidden units, epochs, Gibbs steps at the end.
    """
    units, epochs, steps = job
    recipe = {
        "data": {**parts, "augment": [], "images": {"scaling": "unit"}},
        "model": {"rbm": {"units": units}},
        "learning": {"contrastive_divergence": {**RULE, "final_steps": steps}},
        "training": {
            "epochs": epochs,
            "batch_size": BATCH,
            "validate_every": epochs,
            "patience": None,
            "threads": threads,
            "checkpoint_seconds": 60,
        },
    }
    clock = Clock()
    run = handrail.fit(
        recipe=recipe, out=runs / f"{units}-units-{epochs}-epochs-to-{steps}-steps", callbacks=(clock,)
    )
    return run.path, clock.seconds


class Clock(Callback):
    """The seconds that processors were at work from the first step of a training to its last."""

    def on_train_begin(self, training: Training) -> None:
        self.began = time.process_time()

    def on_train_end(self, training: Training) -> None:
        self.seconds = time.process_time() - self.began


def constants(run: handrail.Run, temperatures: int) -> tuple[float, LogZ]:
    """log Z as the fit found it, and by annealed importance sampling with so many temperatures."""
    machine = model_in(run.pipeline.network)
    assert isinstance(machine, RBM)
    base = run.pipeline.decoder.get_buffer("base")
    return float(machine.log_z), anneal(machine, base, chains=CHAINS, temperatures=temperatures)


def check(path: Path, temperatures: int) -> str:
    """Annealed importance sampling beside the exact log Z of a machine of 20 hidden units."""
    exact, found = constants(handrail.load(path), temperatures)
    return (
        f"The estimator itself, on a machine of {SMALL} hidden units after {SMALL_EPOCHS} epochs: log Z "
        f"{found.value:.3f}, standard error {found.error:.3f}; exactly, by enumeration, {exact:.3f}."
    )


def measure(
    path: Path, processor: float, parts: Mapping[str, str], *, temperatures: int, again: bool
) -> tuple[Found, handrail.Run]:
    """Open the test pictures, and put a log Z from more temperatures in the place of the fit's."""
    run = handrail.load(path)
    tested = run.test(again=again)
    own_log_z, log_z = constants(run, temperatures)
    shift = own_log_z - log_z.value  # of every log p

    def value(name: str) -> float:
        log_p = run.use("score", parts[name]).frame["log_density"].to_numpy()
        return float(log_p.mean(dtype=np.float64)) + shift

    own = tested["metrics"]["log_likelihood"]
    found = Found(
        steps=run.recipe.learning["contrastive_divergence"]["final_steps"],
        epochs=run.summary["training"]["epochs"],
        seconds=run.summary["training"]["seconds"],
        processor=processor,
        train=value("source"),
        validation=value("validation"),
        test=own["value"] + shift,
        low=own["low"] + shift,
        high=own["high"] + shift,
        error=log_z.error,
        log_z=log_z.value,
        usual=own["value"],
        baselines={name: each["log_likelihood"]["value"] for name, each in tested["baselines"].items()},
    )
    return found, run


def draw(run: handrail.Run, path: Path) -> None:
    """What each pixel is expected to be at the ends of chains, 64 side by side."""
    maps = run.use("generate", rows=FANTASIES, steps=STEPS, means=True).maps
    side = math.isqrt(FANTASIES)
    tiles = np.stack([each[:, :, 0] for each in maps]).reshape(side, side, 28, 28)
    whole = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=96)
    whole = whole.transpose(0, 2, 1, 3).reshape(side * 30, side * 30)
    picture = Image.fromarray(whole)
    picture.resize((picture.width * ENLARGED, picture.height * ENLARGED), Image.Resampling.NEAREST).save(path)


def as_text(found: Sequence[Found], checked: str, *, rows: int, asked: argparse.Namespace) -> str:
    """The page of results."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    last = found[-1]
    rule = ", ".join(f"{name} {value}" for name, value in RULE.items())
    lines = [
        f"# A restricted Boltzmann machine with {asked.units} hidden units on MNIST",
        "",
        f"{machine}; {versions}; {datetime.now(UTC):%Y-%m-%d}. Made by `experiments/rbm_mnist.py`.",
        "",
        "Mean log p of a picture, in nats. Pixels are drawn once by their grey levels, from a fixed seed. "
        f"{rows:,} training, {VALIDATION:,} validation pictures; the test pictures were opened when all "
        f"trainings had ended. log Z: {CHAINS} chains, {asked.temperatures:,} temperatures.",
        "",
        f"Rule: contrastive divergence, batches of {BATCH}, {rule}; `final` is reached in the last epoch. "
        f"{asked.threads} thread(s) a training, {asked.at_once} training(s) at once. Seconds are "
        "those of the clock; on a machine that others use as well, processors work for fewer of them.",
        "",
        "| Gibbs | epochs | seconds | of a processor | training | validation | test | interval of the rows "
        "| standard error of log Z |",
        "|---" * 9 + "|",
    ]
    for each in found:
        lines.append(
            f"| RBM, steps 1 to {each.steps} | {each.epochs} | {each.seconds:.0f} | {each.processor:.0f} "
            f"| {each.train:.2f} | {each.validation:.2f} | **{each.test:.2f}** "
            f"| {each.low:.2f} to {each.high:.2f} | {each.error:.2f} |"
        )
    lines += [f"| {name} | | | | | | {value:.2f} | | |" for name, value in last.baselines.items()]
    lines += [
        "",
        f"For comparison: {PAPER}.",
        "",
        checked,
        "",
        *(
            f"- {each.epochs} epochs, steps 1 to {each.steps}: log Z {each.log_z:.2f}; with the 3,000 "
            f"temperatures of a fit by itself the test figure is {each.usual:.2f}."
            for each in found
        ),
        "",
        "![Fantasies](rbm_mnist.png)",
        "",
        f"What the first machine expects of each pixel at the ends of {FANTASIES} chains "
        f"of {STEPS:,} steps, begun without any hidden unit.",
        "",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> list[Found]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=[50, 60, 180], help="one training each")
    parser.add_argument(
        "--steps", type=int, nargs="+", default=[7, 1, 1], help="of Gibbs, at the end of each"
    )
    parser.add_argument("--at-once", type=int, default=2, help="trainings side by side, each in a process")
    parser.add_argument("--threads", type=int, default=1, help="of each training")
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--temperatures", type=int, default=TEMPERATURES)
    parser.add_argument("--most", type=int, default=60_000, help="pictures of a file")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HANDRAIL_DATA", ROOT.parent / "shared" / "data")
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HANDRAIL_HOME"] = str(folder / "home")  # a ledger for this experiment alone
        parts = write_parts(Path(asked.data) / "mnist", folder, most=asked.most)
        fit = partial(train, parts=parts, threads=asked.threads, runs=folder)
        pairs = zip(asked.epochs, asked.steps, strict=True)
        jobs = [*((asked.units, *pair) for pair in pairs), (SMALL, SMALL_EPOCHS, 1)]
        if asked.at_once > 1:
            with multiprocessing.get_context("spawn").Pool(asked.at_once) as pool:
                fitted = pool.map(fit, jobs, chunksize=1)
        else:
            fitted = [fit(job) for job in jobs]
        torch.set_num_threads(asked.threads)
        measured = [
            measure(*each, parts, temperatures=asked.temperatures, again=place > 0)
            for place, each in enumerate(fitted[:-1])
        ]
        checked = check(fitted[-1][0], asked.temperatures)
        draw(measured[0][1], asked.out / "rbm_mnist.png")
        rows = measured[-1][1].summary["rows"]["train"]
    found = [each for each, _ in measured]
    text = as_text(found, checked, rows=rows, asked=asked)
    (asked.out / "rbm_mnist.md").write_text(text)
    print(text)
    return found


if __name__ == "__main__":
    main()
