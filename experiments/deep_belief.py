"""What training without a target first is worth: a deep belief network and a deep autoencoder on MNIST.

Classes: 784-500-500-10 with 500 labels for training and 500 more by which the epoch is chosen; the stages,
two restricted Boltzmann machines, learn from all training pictures. Beside it the same network from random
weights and a linear model, with the same labels. Reconstruction: 784-500-250-30 and back, begun by three such
machines and unrolled, beside the same network from random weights and PCA with 30 components. Everything is
learned once for each seed, which draws the labels and the weights; the 10,000 test pictures are sealed, and
are opened when all trainings have ended. Differences are paired by seed, with Student's interval of 95 %.

    HANDRAIL_DATA=folder python experiments/deep_belief.py [--most 20000 --epochs 10 --tuning 30 --seeds 4]

Writes `benchmarks/results/deep_belief.md`.

Sources: Hinton, Osindero & Teh 2006; Hinton & Salakhutdinov 2006
"""

import argparse
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import t

import handrail
from handrail.data.sources.media.idx import read_idx_pair

ROOT = Path(__file__).parents[1]
LABELS, HELD, CODE = 500, 500, 30
Results = Mapping[str, Float[np.ndarray, " seeds"]]


def mnist(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and labels of a part."""
    return read_idx_pair(*(folder / f"{name}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")))


def write_parts(data: Path, folder: Path, *, most: int, seed: int) -> dict[str, str]:
    """Training, validation and test rows as files: training rows but for 500 have an empty label."""
    pictures, labels = mnist(data, "train")
    order = np.random.default_rng(seed).permutation(len(pictures))[: most + HELD]
    known = labels.astype("<U1")[order]
    known[LABELS:most] = ""
    test_pictures, test_labels = mnist(data, "t10k")
    parts = {
        "source": (pictures[order][:most], known[:most]),
        "validation": (pictures[order][most:], known[most:]),
        "test": (test_pictures, test_labels.astype("<U1")),
    }
    folder.mkdir(parents=True)
    for name, (rows, classes) in parts.items():
        np.savez_compressed(folder / f"{name}.npz", x=rows, y=classes)
    return {name: str(folder / f"{name}.npz") for name in parts}


def machines(*units: int, epochs: int) -> list[dict[str, Any]]:
    """Stages of restricted Boltzmann machines."""
    return [{"model": {"rbm": {"units": width}}, "epochs": epochs} for width in units]


def systems(asked: argparse.Namespace) -> dict[str, dict[str, dict[str, Any]]]:
    """Recipes by task and name; the first of each is the one that the others stand beside."""
    classes = machines(500, 500, epochs=asked.epochs)
    codes = machines(500, 250, CODE, epochs=asked.epochs)
    tuning = {"training": {"epochs": asked.tuning, "patience": None}}
    return {
        "classes": {
            "pretrained": {"stages": classes, **tuning},
            "random weights": {
                "model": {"staged": {"stages": [each["model"] for each in classes]}},
                **tuning,
            },
            "linear": {"model": "linear", **tuning},
        },
        "reconstruction": {
            "pretrained": {"stages": codes, **tuning},
            "random weights": {"model": {"staged": {"stages": [each["model"] for each in codes]}}, **tuning},
        },
    }


def fit(parts: Mapping[str, str], task: str, recipe: Mapping[str, Any], seed: int, out: Path) -> Path:
    """Fit one network; the folder of its run."""
    target = {"target": "class"} if task == "classes" else {"label": "class", "task": "reconstruction"}
    whole = {
        **recipe,
        "data": {**parts, **target, "augment": [], "images": {"scaling": "unit"}},
        "evaluation": {"resamples": 100},
        "training": {**recipe["training"], "precision": "float32"},
        "seed": seed,
    }
    return handrail.fit(recipe=whole, out=out).path


def main(arguments: Sequence[str] | None = None) -> dict[str, Results]:
    """Learn all of them, then open the test pictures; the figures by task and system."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=20_000, help="training pictures")
    parser.add_argument("--epochs", type=int, default=10, help="of each stage")
    parser.add_argument("--tuning", type=int, default=30, help="epochs of the whole network")
    parser.add_argument("--seeds", type=int, default=4)
    usual = os.environ.get("HANDRAIL_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(usual))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        os.environ["HANDRAIL_HOME"] = f"{name}/home"  # a ledger for this experiment alone
        paths: dict[str, dict[str, list[Path]]] = {"classes": {}, "reconstruction": {}}
        for seed in range(asked.seeds):
            folder = Path(name) / f"data-{seed}"
            parts = write_parts(asked.data / "mnist", folder, most=asked.most, seed=seed)
            for task, recipes in systems(asked).items():
                for system, recipe in recipes.items():
                    path = fit(parts, task, recipe, seed, Path(name) / f"{task}-{system}-{seed}")
                    paths[task].setdefault(system, []).append(path)
        results = {task: measure_all(each) for task, each in paths.items()}
    titles = {
        "classes": ("784-500-500-10 with 500 labels", "share right", 4),
        "reconstruction": (f"784-500-250-{CODE} and back", "squared error of a pixel", 5),
    }
    tables = [table(*titles[task][:2], found, titles[task][2]) for task, found in results.items()]
    (asked.out / "deep_belief.md").write_text("\n".join([head(asked), *tables]))
    return results


def head(asked: argparse.Namespace) -> str:
    """What was run, where and when."""
    settings = (
        f"experiments/deep_belief.py, {asked.most:,} training pictures, {LABELS} of them with a label, "
        f"{asked.epochs} epochs a stage, {asked.tuning} epochs of the whole network, {asked.seeds} seeds"
    )
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    return (
        "# A deep belief network and a deep autoencoder on MNIST\n\n"
        f"{settings}; {versions}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}. All figures are of "
        "10,000 test pictures; differences are those from the pretrained network.\n"
    )


def measure_all(paths: Mapping[str, Sequence[Path]]) -> Results:
    """The test figures of each system, and of PCA beside the first where rows are given back."""
    lone = "PCA" in handrail.load(next(iter(paths.values()))[0]).summary["baselines"]
    metric = "reconstruction_error" if lone else "accuracy"
    results = {system: measure(each, metric) for system, each in paths.items()}
    return {**results, "PCA": measure(paths["pretrained"], metric, baseline="PCA")} if lone else results


def measure(paths: Sequence[Path], metric: str, *, baseline: str = "") -> Float[np.ndarray, " seeds"]:
    """A test figure of each seed, of the network or of a baseline beside it."""
    tested = [handrail.load(path).test(again=True) for path in paths]
    shown = [each["baselines"][baseline] if baseline else each["metrics"] for each in tested]
    return np.array([each[metric]["value"] for each in shown])


def table(title: str, metric: str, results: Results, digits: int) -> str:
    """A row a system: mean and standard deviation over the seeds, and the paired difference."""
    first = next(iter(results.values()))
    lines = [f"## {title}\n", f"| start | {metric} | difference | 95 % interval |", "|---|---|---|---|"]
    for system, values in results.items():
        gap, size = values - first, len(values)
        reach = t.ppf(0.975, size - 1) * gap.std(ddof=1) / size**0.5
        own = f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"
        between = (
            f"{gap.mean():+.{digits}f} | {gap.mean() - reach:+.{digits}f} to {gap.mean() + reach:+.{digits}f}"
        )
        lines.append(f"| {system} | {own} | {between if values is not first else '– | –'} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
