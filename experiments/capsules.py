"""A capsule network on MNIST, beside a convolutional network of as many parameters.

Both are trained on plain digits, moved by up to 2 pixels as in the paper, as many epochs and the same
batches. Then they are asked about test digits that were moved further, turned, or laid over each other in
pairs (the brighter pixel of two digits of different classes, each moved by up to 4 pixels and used once; an
answer is right whose two most probable classes are both). Networks see no such digits in training. Of the
training pictures 5,000 (a sixth at most) are validation rows; with `--refit` both learn in the end from all.

    HANDRAIL_DATA=folder python experiments/capsules.py [--refit] [--quick]

It goes on where it was interrupted: runs lie in `--runs`, one folder a network and seed, and those that have
ended are not trained again. `--quick` is 4 epochs of 12,000 pictures.

Writes `benchmarks/results/capsules.md`.

Source: Sabour, Frosst & Hinton 2017
"""

import argparse
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt8
from scipy.ndimage import rotate

import handrail
from handrail.data.sources.media.idx import read_idx_pair
from handrail.evaluation.proportions import paired_shares, wilson
from handrail.tools.files import write_atomically

ROOT = Path(__file__).parents[1]
BATCH, HELD, NORMAL = 128, 5000, 1.96
SYSTEMS = {
    "capsules": {"capsule_net": {}},
    "CNN": {"cnn": {"widths": [32, 80, 180, 338], "convolutions": 1}},
}
SHIFTS, ANGLES, APART = (2, 4, 6), (15, 30, 45), 4
PUBLISHED = (
    "Published, with 8.2 million parameters: 99.75 % on MNIST, and 94.8 % on pairs that overlap, for a "
    "network that was trained on such pairs (Sabour, Frosst & Hinton 2017, table 1)."
)
Pictures = UInt8[np.ndarray, "rows height width"]
Labels = Int[np.ndarray, " rows"]
Right = Bool[np.ndarray, " rows"]


@dataclass(frozen=True)
class Found:
    """One network: all parameters, those that take part in answers, seconds of an epoch, and which test rows
    it has right, by what was done to them.
    """

    parameters: int
    answering: int
    seconds: float
    right: Mapping[str, Right]


def mnist(folder: Path, name: str, most: int) -> tuple[Pictures, Labels]:
    """Pictures and labels of a part."""
    files = (folder / f"{name}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    pictures, labels = read_idx_pair(*files)
    return pictures[:most], labels[:most].astype(np.int64)


def write_parts(data: Path, folder: Path, *, most: int) -> dict[str, str]:
    """Training, validation and test rows as files, unless they are there."""
    paths = {name: folder / f"{name}.npz" for name in ("source", "validation", "test")}
    if not all(path.exists() for path in paths.values()):
        pictures, labels = mnist(data, "train", most)
        held = min(HELD, len(labels) // 6)
        parts = {
            "source": (pictures[:-held], labels[:-held]),
            "validation": (pictures[-held:], labels[-held:]),
            "test": mnist(data, "t10k", most),
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, (rows, classes) in parts.items():
            with write_atomically(paths[name]) as path, path.open("wb") as file:
                np.savez_compressed(file, x=rows, y=classes)
    return {name: str(path) for name, path in paths.items()}


def train(parts: Mapping[str, str], model: Any, *, seed: int, out: Path, asked: argparse.Namespace) -> Any:
    """Fit one network, or go on with it where it has begun."""
    if out.exists():
        return handrail.resume(out, progress="plain")
    recipe = {
        "data": {
            **parts,
            "target": "class",
            "augment": [{"shift": {"share": 2 / 28, "border": "black"}}],
            "images": {"scaling": "unit"},
        },
        "model": model,
        "learning": {"gradient": {"optimizer": {"adam": {"learning_rate": 0.002}}, "schedule": "cosine"}},
        "training": {
            "epochs": asked.epochs,
            "batch_size": BATCH,
            "patience": None,
            "threads": asked.threads,
        },
        "evaluation": {"resamples": 100},
        "seed": seed,
    }
    return handrail.fit(recipe=recipe, out=out, progress="plain")


def moved(pictures: Pictures, down: Labels, right: Labels) -> Pictures:
    """Each picture moved by its own numbers of pixels; black comes in."""
    reach, side = int(max(np.abs(down).max(), np.abs(right).max())), pictures.shape[1]
    padded = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach)))
    places = np.arange(side)
    rows, columns = (places + (reach - by)[:, None] for by in (down, right))
    return padded[np.arange(len(pictures))[:, None, None], rows[:, :, None], columns[:, None, :]]


def shifted(pictures: Pictures, by: int, rng: np.random.Generator) -> Pictures:
    """Moved by so many pixels up or down, and as many left or right."""
    down, right = by * rng.choice([-1, 1], (2, len(pictures)))
    return moved(pictures, down, right)


def turned(pictures: Pictures, by: int, rng: np.random.Generator) -> Pictures:
    """Turned by so many degrees to either side."""
    signs = rng.choice([-1, 1], len(pictures))
    turns = [
        rotate(each, sign * by, reshape=False, order=1) for each, sign in zip(pictures, signs, strict=True)
    ]
    return np.stack(turns)


def overlaid(
    pictures: Pictures, labels: Labels, rng: np.random.Generator
) -> tuple[Pictures, Int[np.ndarray, "pairs 2"]]:
    """Pairs of digits of different classes, each digit used once at most, and their two classes."""
    order = rng.permutation(len(labels) // 2 * 2).reshape(-1, 2)
    pairs = order[labels[order[:, 0]] != labels[order[:, 1]]]
    down, right = rng.integers(-APART, APART + 1, (2, *pairs.shape))
    halves = [moved(pictures[pairs[:, at]], down[:, at], right[:, at]) for at in (0, 1)]
    return np.maximum(*halves), labels[pairs]


def tasks(pictures: Pictures, labels: Labels) -> dict[str, tuple[Pictures, Int[np.ndarray, "rows known"]]]:
    """What is asked about: pictures, and the classes that are to be named; the same for all networks."""
    rng, one = np.random.default_rng(0), labels[:, None]
    asked = {"as they are": (pictures, one)}
    asked |= {f"moved by {by} and {by} pixels": (shifted(pictures, by, rng), one) for by in SHIFTS}
    asked |= {f"turned by {by}°": (turned(pictures, by, rng), one) for by in ANGLES}
    return {**asked, "two overlaid, both named": overlaid(pictures, labels, rng)}


def answer(run: Any, pictures: Pictures, known: Int[np.ndarray, "rows known"], file: Path) -> Right:
    """Whether the most probable classes of a row, as many as are known, are the known ones."""
    np.savez(file, x=pictures, y=known[:, 0])
    frame = run.predict(file).frame
    names = [name for name in frame.columns if name.startswith("probability_")]
    classes = np.array([int(name.removeprefix("probability_")) for name in names])
    ranked = classes[np.argsort(-frame.select(names).to_numpy(), axis=1)]
    return (np.sort(ranked[:, : known.shape[1]]) == np.sort(known)).all(axis=1)


def measure(run: Any, asked_about: Mapping[str, tuple[Pictures, Any]], file: Path, *, refit: bool) -> Found:
    """Open the test pictures and ask about all of them."""
    if not run.folder.test.exists():
        run.test(again=True, refit=refit, progress="plain")
    training = run.summary["training"]
    seconds = training["seconds"] / training["epochs"]
    right = {name: answer(run, *rows, file) for name, rows in asked_about.items()}
    sizes = {name: each.numel() for name, each in run.pipeline.network.named_parameters()}
    decoder = sum(size for name, size in sizes.items() if "decoder" in name)
    return Found(sum(sizes.values()), sum(sizes.values()) - decoder, seconds, right)


def as_text(found: Mapping[tuple[str, int], Found], *, rows: int, asked: argparse.Namespace) -> str:
    """The page of results."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    refit = ", then again on these and the validation rows together" if asked.refit else ""
    quick = "This is a reduced run (`--quick`): what more training would give, it does not say. "
    lines = [
        "# Capsules on MNIST",
        "",
        f"{machine}; {versions}; {datetime.now(UTC):%Y-%m-%d}. Made by `experiments/capsules.py`.",
        "",
        f"{quick if asked.quick else ''}{rows:,} training pictures{refit}; epochs: {asked.epochs}, batches "
        f"of {BATCH}; threads: {asked.threads}. Share of test pictures that are answered rightly, with an "
        "interval of 95 % over these pictures (Wilson), and the difference on the same pictures (Bonett & "
        "Price 2012). Intervals say nothing of other seeds: compare the rows of several. Seconds are of the "
        "clock, on a machine that others may use. The CNN has four convolutions of 3 × 3, each with max "
        "pooling, down to one position, which a shift changes little; the capsule network has a matrix of "
        "its own for each position.",
        "",
        "| network | seed | parameters | without the decoder | seconds an epoch |",
        "|---|---|---|---|---|",
    ]
    for (system, seed), each in found.items():
        counts = f"{each.parameters:,} | {each.answering:,}"
        lines.append(f"| {system} | {seed} | {counts} | {each.seconds:.0f} |")
    titles = " | ".join(SYSTEMS)
    lines += ["", f"| test digits | seed | {titles} | capsules − CNN |", "|---|---|---|---|---|"]
    for seed in asked.seeds:
        ours, theirs = (found[system, seed].right for system in SYSTEMS)
        lines += [compare(name, seed, ours[name], theirs[name]) for name in ours]
    return "\n".join([*lines, "", PUBLISHED, ""])


def compare(name: str, seed: int, ours: Right, theirs: Right) -> str:
    """A row of the table."""
    count = len(ours)
    own = " | ".join(
        f"{right.mean():.2%} ({bounds.low:.2%} to {bounds.high:.2%})"
        for right in (ours, theirs)
        for bounds in [wilson(float(right.mean()), count, NORMAL)]
    )
    gap = paired_shares(float((ours & ~theirs).sum()), float((theirs & ~ours).sum()), count, NORMAL)
    between = f"{ours.mean() - theirs.mean():+.2%} ({gap.low:+.2%} to {gap.high:+.2%})"
    return f"| {name} | {seed} | {own} | {between} |"


def main(arguments: Sequence[str] | None = None) -> dict[tuple[str, int], Found]:
    """Train or go on, then open the test pictures; what was found, by network and seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2, help="of each training")
    parser.add_argument("--most", type=int, default=60_000, help="pictures of a file")
    parser.add_argument("--refit", action="store_true", help="learn in the end from validation rows, too")
    parser.add_argument("--quick", action="store_true", help="4 epochs of 12,000 pictures")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "capsules")
    usual = os.environ.get("HANDRAIL_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(usual))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.epochs, asked.most = 4, 12_000
    folder = asked.runs / f"{asked.most}-{asked.epochs}"
    os.environ["HANDRAIL_HOME"] = str(folder / "home")  # a ledger for this experiment alone
    parts = write_parts(asked.data / "mnist", folder, most=asked.most)
    name: Callable[[str, int], Path] = lambda system, seed: folder / f"{system}-{seed}"  # noqa: E731
    runs = {
        (system, seed): train(parts, model, seed=seed, out=name(system, seed), asked=asked)
        for seed in asked.seeds
        for system, model in SYSTEMS.items()
    }
    about = tasks(*mnist(asked.data / "mnist", "t10k", asked.most))
    rows = next(iter(runs.values())).summary["rows"]["train"]
    file = folder / "asked.npz"
    found = {key: measure(run, about, file, refit=asked.refit) for key, run in runs.items()}
    text = as_text(found, rows=rows, asked=asked)
    (asked.out / "capsules.md").write_text(text)
    print(text)
    return found


if __name__ == "__main__":
    main()
