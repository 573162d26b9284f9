"""The same networks on MNIST, taught by back-propagation and by rules that are without it.

Networks 784-256-10 and 784-256-256-10, as many epochs and the same batches for all rules; each rule has its
own learning rate, which falls along a cosine. Forward-forward has no output layer, and is given the label as
ten more inputs; equilibrium propagation uses each weight both ways, and learns by the squared error. Of the
training pictures the last sixth, 5,000 at most, are validation rows, by which the epoch is chosen. The 10,000
test pictures are sealed; they are opened when all trainings have ended.

    HANDRAIL_DATA=folder python experiments/without_backpropagation.py [--most 12000 --epochs 10]

Writes `benchmarks/results/without_backpropagation.md`: accuracy on test pictures with the spread of the
seeds, and the angle between the true gradient and what each rule follows, by layer, over the training.

Sources: Lillicrap et al. 2016; Nøkland 2016; Scellier & Bengio 2017; Hinton 2022
"""

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import handrail
from handrail.data.sources.media.idx import read_idx_pair
from handrail.training.callbacks import read_records

ROOT = Path(__file__).parents[1]
BATCH = 64
VALIDATION = 5000
NETWORKS = ([256], [256, 256])
PUBLISHED = (
    "Published, with larger networks and longer training: feedback alignment about 97.9 % "
    "(784-1000-10, Lillicrap et al. 2016); direct feedback alignment about 98 % (Nøkland 2016); equilibrium "
    "propagation 97 to 98 % (Scellier & Bengio 2017); forward-forward 98.6 % (four layers of 2,000 units, "
    "Hinton 2022)."
)


def taught_by(rule: str, rate: float, **settings: Any) -> dict[str, Any]:
    """A rule with Adam, whose rate falls along a cosine."""
    return {rule: {"optimizer": {"adam": {"learning_rate": rate}}, "schedule": "cosine", **settings}}


def systems(hidden: list[int]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Model and rule by name; the first is the one that the others stand beside."""
    small = {"mlp": {"hidden": hidden, "initialisation": "small_random"}}
    return {
        "back-propagation": ({"mlp": {"hidden": hidden}}, taught_by("gradient", 0.001)),
        "feedback alignment": (small, taught_by("feedback_alignment", 0.001)),
        "direct feedback alignment": (small, taught_by("feedback_alignment", 0.001, direct=True)),
        "forward-forward": ({"forward_forward_net": {"hidden": hidden}}, taught_by("forward_forward", 0.004)),
        "equilibrium propagation": (
            {"equilibrium_net": {"hidden": hidden}},
            taught_by("equilibrium_propagation", 0.001),
        ),
    }


@dataclass(frozen=True)
class Found:
    """One system in one network: test accuracy and seconds of each seed; angles `[seeds, epochs, layers]`."""

    system: str
    hidden: tuple[int, ...]
    accuracies: tuple[float, ...]
    seconds: tuple[float, ...]
    angles: np.ndarray


def write_parts(mnist: Path, folder: Path, *, most: int) -> dict[str, str]:
    """Pictures and labels of each part, as files by the names of a recipe."""
    parts = {}
    for part, name in (("source", "train"), ("test", "t10k")):
        files = (mnist / f"{name}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
        pictures, labels = read_idx_pair(*files)
        parts[part] = (pictures[:most], labels[:most].astype(np.int64))
    pictures, labels = parts["source"]
    held = min(VALIDATION, len(labels) // 6)
    parts |= {"source": (pictures[:-held], labels[:-held]), "validation": (pictures[-held:], labels[-held:])}
    for name, (pictures, labels) in parts.items():
        np.savez_compressed(folder / f"{name}.npz", x=pictures, y=labels)
    return {name: str(folder / f"{name}.npz") for name in parts}


def train(
    parts: Mapping[str, str], model: Any, rule: Any, *, out: Path, seed: int, asked: argparse.Namespace
) -> Path:
    """Fit one network; the folder of its run."""
    recipe = {
        "data": {**parts, "target": "class", "augment": []},
        "model": model,
        "learning": rule,
        "training": {
            "epochs": asked.epochs,
            "batch_size": BATCH,
            "patience": None,
            "threads": asked.threads,
            "precision": "float32",
        },
        "evaluation": {"resamples": 100},
        "seed": seed,
    }
    return handrail.fit(recipe=recipe, out=out).path


def angles_of(path: Path) -> np.ndarray:
    """`[epochs, layers]` in degrees."""
    records = read_records(path / "metrics.jsonl")
    names = [name for name in records[0] if name.startswith("train_angle/")]
    return np.array([[line[name] for name in names] for line in records]).reshape(len(records), -1)


def measure(paths: Sequence[Path], system: str, hidden: Sequence[int]) -> Found:
    """Open the test pictures."""
    runs = [handrail.load(path) for path in paths]
    tested = [run.test(again=True)["metrics"]["accuracy"]["value"] for run in runs]
    seconds = tuple(run.summary["training"]["seconds"] for run in runs)
    angles = np.stack([angles_of(path) for path in paths])
    return Found(system, tuple(hidden), tuple(tested), seconds, angles)


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation in percent, with the lowest and the highest."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    mean, low, high = statistics.fmean(values), min(values), max(values)
    return f"**{mean:.2%}** ± {deviation * 100:.2f} | {low:.2%} to {high:.2%}"


def shape(hidden: Sequence[int]) -> str:
    return "-".join(str(units) for units in (784, *hidden, 10))


def as_text(found: Sequence[Found], *, rows: int, asked: argparse.Namespace) -> str:
    """The page of results."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    seeds = ", ".join(str(seed) for seed in asked.seeds)
    lines = [
        "# Learning without back-propagation on MNIST",
        "",
        f"{machine}; {versions}; {datetime.now(UTC):%Y-%m-%d}. Made by "
        "`experiments/without_backpropagation.py`.",
        "",
        f"{rows:,} training pictures, {asked.epochs} epochs, batches of {BATCH}, seeds {seeds}, "
        f"{asked.threads} thread(s). Accuracy on the test pictures, opened when all trainings had "
        "ended: mean ± standard deviation over the seeds, lowest and highest. Seconds are of the clock, for "
        "one training, on a machine that others may use as well.",
        "",
        "| network | rule | accuracy | lowest and highest | seconds |",
        "|---|---|---|---|---|",
    ]
    for each in found:
        seconds = statistics.fmean(each.seconds)
        row = f"| {shape(each.hidden)} | {each.system} | {spread(each.accuracies)} | {seconds:.0f} |"
        lines.append(row)
    lines += ["", PUBLISHED, "", *angle_lines(found, asked.epochs)]
    return "\n".join(lines) + "\n"


def angle_lines(found: Sequence[Found], epochs: int) -> list[str]:
    """The angle by layer at some epochs, mean over the seeds."""
    shown = sorted({1, min(2, epochs), max(1, epochs // 4), max(1, epochs // 2), epochs})
    lines = [
        "## The angle to the true gradient",
        "",
        "Degrees between what a rule follows and the gradient of the network's loss by back-propagation, on "
        "the first batch of an epoch, mean over the seeds. At 90° the two have nothing in common. The last "
        "layer of feedback alignment is taught as by back-propagation.",
        "",
        "| network | rule | layer | " + " | ".join(f"epoch {epoch}" for epoch in shown) + " |",
        "|---|---|---|" + "---|" * len(shown),
    ]
    for each in found:
        for layer, curve in enumerate(each.angles.mean(axis=0).T, start=1):
            values = " | ".join(f"{curve[epoch - 1]:.0f}" for epoch in shown)
            lines.append(f"| {shape(each.hidden)} | {each.system} | {layer} | {values} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> list[Found]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1, help="of each training")
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
        fitted: dict[tuple[str, tuple[int, ...]], list[Path]] = {}
        linear = {"one layer, by back-propagation": ("linear", taught_by("gradient", 0.001))}
        for hidden, each in [([], linear), *((hidden, systems(hidden)) for hidden in NETWORKS)]:
            for system, (model, rule) in each.items():
                paths = [folder / f"{system}-{len(hidden)}-{seed}" for seed in asked.seeds]
                for path, seed in zip(paths, asked.seeds, strict=True):
                    train(parts, model, rule, out=path, seed=seed, asked=asked)
                fitted[system, tuple(hidden)] = paths
        found = [measure(paths, system, hidden) for (system, hidden), paths in fitted.items()]
        rows = handrail.load(next(iter(fitted.values()))[0]).summary["rows"]["train"]
    text = as_text(found, rows=rows, asked=asked)
    (asked.out / "without_backpropagation.md").write_text(text)
    print(text)
    return found


if __name__ == "__main__":
    main()
