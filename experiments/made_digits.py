"""New digits by several generators, judged beside held-out digits of MNIST.

Each learns from the same pictures. 2,000 of its digits are compared with 2,000 test pictures by precision and
recall (k = 3) and the Fréchet distance, in the features of a classifier that was taught on the training
pictures, and tested for copies of them. Two lines say how good these figures can be: as many other test
pictures, and training pictures themselves, which only the test for copies gives away. A convolutional
network, taught on the training pictures, says how rare the rarest digit is, and of how many it is sure.

    HANDRAIL_DATA=folder python experiments/made_digits.py [--rows 10000 --epochs 40 --systems gan vae]

Writes `benchmarks/results/made_digits.md` and `.png`. Sources: Kynkäänmiemi et al. 2019 (precision, recall);
Heusel et al. 2017 (Fréchet distance); Meehan, Chaudhuri & Dasgupta 2020 (copies)
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64, UInt8
from PIL import Image

import handrail
from deep_belief import mnist
from handrail.evaluation.points.sample_quality import copying, frechet_distance, precision_and_recall
from handrail.shapes import ImageShape
from handrail.tasks.alone.sample_features import Features, features_for

ROOT = Path(__file__).parents[1]
COMPARED, HELD, SURE, SIDE = 2000, 2000, 0.9, 28
SYSTEMS: Mapping[str, dict[str, Any]] = {
    "gan": {"model": "gan"},
    "vae": {"model": {"vae": {"code": 20, "likelihood": "bernoulli"}}},
    "diffusion": {"model": "diffusion"},
}
Pictures = UInt8[np.ndarray, "rows height width"]
HEAD = """# New digits

experiments/made_digits.py, {rows:,} training pictures, {epochs} epochs, one seed; {versions}, {machine},
{date}. {compared:,} digits of each line beside {compared:,} test pictures, {features}.
Copying is 0 as by chance and 1 where each digit is nearest to a training picture; p is that of its test.
Sure: the share of digits to which a convolutional network (right about {right:.1%} of validation pictures)
gives one class with a probability of .9 or more. Rarest: the smallest of the ten classes' shares. Minutes are
of the clock, for the training, with {threads} thread(s).

| digits | precision | recall | Fréchet distance | copying | p | sure | rarest | minutes |
|---|---|---|---|---|---|---|---|---|
"""


def write_parts(
    data: Path, folder: Path, rows: int
) -> tuple[dict[str, str], dict[str, Pictures], Int64[np.ndarray, " rows"]]:
    """The parts as a file each, the pictures that are compared, and the classes of the training pictures."""
    (known, classes), (test, _) = mnist(data, "train"), mnist(data, "t10k")
    parts = {"source": slice(0, rows), "validation": slice(rows, rows + HELD), "test": slice(-HELD, None)}
    for name, some in parts.items():
        np.savez_compressed(folder / f"{name}.npz", x=known[some], y=classes[some])
    pictures = {"train": known[:rows], "real": test[:COMPARED], "other": test[COMPARED : 2 * COMPARED]}
    return (
        {f"data.{name}": str(folder / f"{name}.npz") for name in parts},
        pictures,
        classes[:rows].astype(np.int64),
    )


def flat(pictures: Pictures) -> np.ndarray:
    return pictures.reshape(len(pictures), -1) / 255


def judged(made: Pictures, pictures: Mapping[str, Pictures], features: Features, judge: Any) -> str:
    """A line of figures."""
    real, cloud = features.of(flat(pictures["real"])), features.of(flat(made))
    precise, recalled = precision_and_recall(real, cloud)
    copies = copying(flat(made[:1000]), flat(pictures["train"]), flat(pictures["real"]))
    sure, rarest = confidence(made, judge)
    quality = f"{precise.mean():.3f} | {recalled.mean():.3f} | {frechet_distance(real, cloud):.2f}"
    return f"{quality} | {copies.excess:.3f} | {copies.p_value:.3f} | {sure:.3f} | {rarest:.3f}"


def confidence(made: Pictures, judge: Any) -> tuple[float, float]:
    """The share of pictures that clearly are one digit, and that of the rarest digit."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made.npz"
        np.savez_compressed(file, x=made, y=np.zeros(len(made), int))
        frame: pl.DataFrame = judge.predict(file).frame
    shares = frame.select(name for name in frame.columns if name.startswith("probability_")).to_numpy()
    classes = np.bincount(shares.argmax(axis=1), minlength=shares.shape[1])
    return float((shares.max(axis=1) >= SURE).mean()), float(classes.min() / len(made))


def save_picture(made: Mapping[str, Pictures], path: Path, *, across: int = 20) -> None:
    """Two lines of digits of each generator, not chosen."""
    lines = [np.hstack(list(some[place : place + across])) for some in made.values() for place in (0, across)]
    Image.fromarray(255 - np.vstack(lines)).save(path)


def main(arguments: Sequence[str] | None = None) -> dict[str, Pictures]:
    """Fit, judge, write the page; the digits of each generator."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--systems", nargs="+", default=["gan", "vae"], choices=list(SYSTEMS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HANDRAIL_DATA", ROOT)))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["HANDRAIL_HOME"] = str(folder / "home")  # a ledger for this experiment alone
        parts, pictures, labels = write_parts(asked.data / "mnist", folder, asked.rows)
        common = {**parts, "data.images.scaling": "unit", "training.threads": asked.threads}
        judging = {"data.target": "class", "training.epochs": min(asked.epochs, 5)}
        judge = handrail.fit(changes={**common, **judging}, out=folder / "judge")
        learning = {"data.label": "class", "training.epochs": asked.epochs, "training.patience": None}
        features = features_for(flat(pictures["train"]), labels, ImageShape(1, SIDE, SIDE))
        lines = [
            f"| {name} | {judged(pictures[part][:COMPARED], pictures, features, judge)} | |"
            for name, part in (("other test pictures", "other"), ("training pictures", "train"))
        ]
        made: dict[str, Pictures] = {}
        for name in asked.systems:
            began = time.monotonic()
            run = handrail.fit(changes={**common, **learning, **SYSTEMS[name]}, out=folder / name)
            minutes = (time.monotonic() - began) / 60
            made[name] = np.stack(run.generate(COMPARED).maps).reshape(-1, SIDE, SIDE)
            lines.append(f"| {name} | {judged(made[name], pictures, features, judge)} | {minutes:.1f} |")
        right = judge.validation["accuracy"]["value"]
    head = HEAD.format(
        rows=asked.rows,
        epochs=asked.epochs,
        versions=f"handrail {metadata.version('handrail')}, torch {torch.__version__}",
        machine=f"{platform.machine()}, {os.cpu_count()} processors",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        compared=COMPARED,
        features=features.words,
        right=right,
        threads=asked.threads,
    )
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "made_digits.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    save_picture(made, asked.out / "made_digits.png")
    return made


if __name__ == "__main__":
    main()
