"""What a variational autoencoder is worth: bounds on binarised MNIST.

784–200–200–50 and back (Burda, Grosse & Salakhutdinov 2016), and the same with a code of 2. Training
pictures are binarised anew at each step; 5,000 pictures by which the epoch is chosen and the sealed 10,000
test pictures were binarised once. Shown are the evidence lower bound of all test rows, the bound that is
importance-weighted with 5,000 draws of 1,000 of them, and the squared error of reconstructions beside PCA
with codes of the same size.

    HANDRAIL_DATA=folder python experiments/vae.py [--epochs 150 --codes 50 2]

Writes `benchmarks/results/vae.md`. Sources: Kingma & Welling 2014; Burda, Grosse & Salakhutdinov 2016
"""

import argparse
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA

import handrail
from deep_belief import mnist
from handrail.network import model_in

ROOT = Path(__file__).parents[1]
WEIGHTED_ROWS, DRAWS, HELD = 1000, 5000, 5000


def binarised(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White with the probability that a pixel's value is of 255."""
    return (rng.random(pictures.shape) * 255 < pictures).astype(np.uint8) * 255


def write_digits(data: Path, folder: Path) -> dict[str, str]:
    """Training, validation and test pictures as files."""
    rng, (known, _), (test, _) = np.random.default_rng(0), mnist(data, "train"), mnist(data, "t10k")
    parts = {
        "source": known[:-HELD],
        "validation": binarised(known[-HELD:], rng),
        "test": binarised(test, rng),
    }
    for name, pictures in parts.items():
        np.savez_compressed(folder / f"{name}.npz", x=pictures)
    return {f"data.{name}": str(folder / f"{name}.npz") for name in parts}


def digits_row(parts: dict[str, str], code: int, epochs: int, out: Path) -> str:
    """A row of the table of digits."""
    began = time.monotonic()
    settings: dict[str, Any] = {
        "code": code,
        "hidden": [200, 200],
        "likelihood": "bernoulli",
        "binarise": True,
    }
    changes = {
        **parts,
        "model": {"vae": settings},
        "training.epochs": epochs,
        "training.patience": None,
        "training.batch_size": 128,
        "learning": {"gradient": {"schedule": "cosine"}},
    }
    run = handrail.fit(changes=changes, out=out)
    minutes = (time.monotonic() - began) / 60
    run.test(again=True)  # each code has a network of its own
    figures = measured(run, parts, code)
    return f"| {code} | {minutes:.1f} | {figures} |"


@torch.no_grad()
def measured(run: handrail.Run, parts: dict[str, str], code: int) -> str:
    """Both bounds, and the errors of the reconstructions and of PCA's."""
    model: Any = model_in(run.pipeline.network).eval()
    test = torch.from_numpy(np.load(parts["data.test"])["x"] / 255).float().unsqueeze(1)
    followed = torch.cat([model.bounds(some, 0)[:, 1] for some in test.split(1000)]).mean()
    weighted = torch.cat([model.bounds(some, DRAWS)[:, 0] for some in test[:WEIGHTED_ROWS].split(10)])
    error = float((model.reconstruct(test) - test.flatten(1)).square().mean())
    known = np.load(parts["data.source"])["x"].reshape(-1, 784)[:20_000] / 255
    plane = PCA(code, svd_solver="randomized", random_state=0).fit(known)
    flat = test.flatten(1).numpy()
    beside = float(np.square(plane.inverse_transform(plane.transform(flat)) - flat).mean())
    spread = float(weighted.std()) / len(weighted) ** 0.5
    bounds = f"{-float(followed):.2f} | {-float(weighted.mean()):.2f} ± {1.96 * spread:.2f}"
    return f"{bounds} | {error:.4f} | {beside:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--codes", type=int, nargs="*", default=[50, 2])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    asked = parser.parse_args()
    data = Path(os.environ["HANDRAIL_DATA"])
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    about = f"{versions}, {platform.machine()}, {os.cpu_count()} processors, {datetime.now(UTC):%Y-%m-%d}."
    lines = ["# Variational autoencoder", "", about, ""]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        lines += [
            f"MNIST, binarised; {asked.epochs} epochs. Nats; squared errors of binarised test pictures.",
            "",
            "| code | minutes | −ELBO | −importance-weighted bound, 5,000 draws | error | PCA |",
            "|---|---|---|---|---|---|",
        ]
        parts = write_digits(data / "mnist", out)
        lines += [digits_row(parts, code, asked.epochs, out / f"code{code}") for code in asked.codes]
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "vae.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
