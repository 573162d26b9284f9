"""FGSM and PGD beside the Adversarial Robustness Toolbox, on the same network and pictures.

A small convolutional network learns 8 × 8 digits; both attack the same validation pictures with the same
strengths and steps. Shown is the accuracy that is left, and the seconds that each took.

    python benchmarks/adversarial.py [--rows 400]

Writes `benchmarks/results/adversarial.md`. Source: Nicolae et al. 2018 (the toolbox)
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch
from art.estimators.classification import PyTorchClassifier
from sklearn.datasets import load_digits
from torch import Tensor, nn

import handrail
from _common import facts, write_result
from handrail.audits.adversarial import pgd, room_of
from handrail.audits.audited import Audited
from handrail.pipeline.ensemble import first_of

STRENGTHS, STEPS = (2 / 255, 4 / 255, 8 / 255, 16 / 255, 32 / 255), 20


class InUnits(nn.Module):
    """A network that takes pixels from 0 to 1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x * 255)


def fitted(folder: Path) -> handrail.Run:
    pixels, classes = load_digits(return_X_y=True)
    pictures = np.round(pixels / 16 * 255).astype(np.uint8).reshape(-1, 8, 8)
    np.savez_compressed(folder / "digits.npz", x=pictures, y=classes)
    changes = {
        "model": {"cnn": {"widths": [16, 32]}},
        "training.epochs": 20,
        "data.augment": [],
        "data.split.validation": 0.3,
    }
    return handrail.fit(folder / "digits.npz", changes=changes, out=folder / "run")


def theirs(network: nn.Module, x: np.ndarray, codes: np.ndarray, strength: float, steps: int) -> np.ndarray:
    """Pictures as the toolbox changes them."""
    shape: Any = x.shape[1:]
    how: Any = {"clip_values": (0.0, 1.0), "device_type": "cpu"}
    classifier = PyTorchClassifier(InUnits(network), nn.CrossEntropyLoss(), shape, 10, **how)
    attack: Any = (
        FastGradientMethod(classifier, eps=strength, batch_size=256)
        if steps == 1
        else ProjectedGradientDescentPyTorch(
            classifier,
            eps=strength,
            eps_step=2.5 * strength / steps,
            max_iter=steps,
            batch_size=256,
            verbose=False,
        )
    )
    return attack.generate(x, y=codes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400)
    settings = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        run = fitted(Path(folder))
        audited = Audited(run)
        chosen = np.arange(min(settings.rows, len(audited.part)))
        room, codes = room_of(audited, chosen), audited.part.target[chosen].reshape(-1).long()
        network = first_of(run.pipeline.network).eval()

        def share(pictures: Tensor) -> float:
            with torch.no_grad():
                return float((network(pictures).argmax(dim=1) == codes).float().mean())

        for name, steps in (("FGSM", 1), ("PGD", STEPS)):
            for strength in STRENGTHS:
                began = time.perf_counter()
                ours = pgd(network, room, codes, strength, steps=steps)
                middle = time.perf_counter()
                other = theirs(network, (room.rows / 255).numpy(), codes.numpy(), strength, steps)
                ended = time.perf_counter()
                ours_left, theirs_left = share(ours), share(torch.from_numpy(other) * 255)
                took = f"{middle - began:.2f} | {ended - middle:.2f}"
                gap = 100 * (ours_left - theirs_left)
                lines.append(
                    f"| {name} | {strength:.4f} | {ours_left:.2%} | {theirs_left:.2%} | {gap:+.2f} | {took} |"
                )
    head = (
        "# Adversarial examples beside the Adversarial Robustness Toolbox\n\n"
        f"benchmarks/adversarial.py, {len(codes)} pictures, PGD of {STEPS} steps; "
        f"{facts('handrail', 'torch', 'adversarial-robustness-toolbox')} Accuracy that is left; the gap in "
        "points.\n\n| attack | ε | handrail | toolbox | gap | seconds, handrail | seconds, toolbox |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    write_result("adversarial.md", head + "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
