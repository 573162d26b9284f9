"""How often a generator collapses, and whether the test for copies finds one that copies.

Ring: eight Gaussians around a circle (2,000 rows, 1,400 of them trained on), fitted with many seeds under the
default rule and under the original game, without the penalty on the critic's slope and the average of the
generator's weights. A mode is covered where one of 2,500 generated rows lies within 3 standard deviations.

Copies: one generator is trained on 100 of the digits of scikit-learn as 64 numbers, on purpose to copy them:
of two latent numbers by three hidden layers, for too long, and with the training rows as validation rows, so
that the best weights are those that copy best. Others are trained by default on 1,197 digits and on 1,400
rows of the ring. Each is tested for copies of its training rows beside held-out rows.

    python experiments/gan.py [--seeds 20 --epochs 100 --copy-epochs 6000]

Writes `benchmarks/results/gan_collapse.md`. Sources: Goodfellow et al. 2014; Metz et al. 2017 (ring);
Srivastava et al. 2017 (modes); Meehan, Chaudhuri & Dasgupta 2020 (copies)
"""

import argparse
import platform
import re
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.datasets import load_digits

import handrail
from handrail.data.sources import read
from handrail.data.sources.toys.laws import ring_places

ROOT = Path(__file__).parents[1]
MODES, NOISE = 8, 0.05
PLAIN: dict[str, Any] = {"penalty": 0, "average": 0}
RULES: dict[str, dict[str, Any]] = {
    "default": {},
    "plain, minimax (the original)": {"loss": "minimax", **PLAIN},
}
HELD = 600  # half of them to choose the weights by, half to test by
VERDICTS = ("copies training rows", "leans towards training rows, but few are copies", "No sign")
NEAR, P_VALUE = r"([0-9.]+%) are as near", r"\(p = ([0-9.]+)"


def modes_covered(rows: np.ndarray) -> int:
    """How many of the modes have a row near them."""
    apart = np.linalg.norm(rows[:, None] - ring_places(MODES, 2.0), axis=2)
    return int((apart.min(axis=0) <= 3 * NOISE).sum())


def ring_line(name: str, rule: Mapping[str, Any], seeds: int, epochs: int, out: Path) -> str:
    """A row of the table of the ring."""
    found, began = [], time.process_time()
    for seed in range(seeds):
        changes = {
            "model": "gan",
            "learning": {"adversarial": dict(rule)},
            "training.epochs": epochs,
            "evaluation.resamples": 100,
            "seed": seed,
        }
        run = handrail.fit("toy:ring", changes=changes, out=out / f"{name[:8]}-{rule.get('loss')}-{seed}")
        found.append(modes_covered(run.generate(2500).frame.to_numpy()))
    counts = np.array(found)
    whole, half = int((counts == MODES).sum()), int((counts <= MODES // 2).sum())
    seconds = (time.process_time() - began) / seeds
    shares = f"{whole} of {seeds} | {half} of {seeds}"
    return f"| {name} | {counts.mean():.1f} | {counts.min()} | {shares} | {seconds:.1f} |"


def copy_line(
    name: str, train: pl.DataFrame, held: pl.DataFrame, changes: Mapping[str, Any], out: Path
) -> str:
    """A row of the table of copies."""
    half = len(held) // 2
    given = {
        "data.validation": held[:half],
        "data.test": held[half:],
        "evaluation.resamples": 100,
        **changes,
    }
    tested = handrail.fit(train, changes=given, out=out).test(again=True)  # the same rows for two generators
    copying, remark = tested["metrics"]["copying"]["value"], tested["remark"]
    verdict = next(words for words in VERDICTS if words in remark)
    near, p_value = (found[1] if (found := re.search(form, remark)) else "–" for form in (NEAR, P_VALUE))
    return f"| {name} | {len(train)} | {copying:.3f} | {p_value} | {near} | {verdict} |"


def copy_lines(epochs: int, out: Path) -> list[str]:
    """One generator that is overfitted on purpose, and default ones."""
    pixels = load_digits(return_X_y=True)[0].astype(np.float64)
    order = np.random.default_rng(0).permutation(len(pixels))
    frame = pl.DataFrame(pixels[order], schema=[f"p{place}" for place in range(pixels.shape[1])])
    held, known = frame[:HELD], frame[HELD:]
    overfitted = {
        "model": {"gan": {"hidden": [256, 256, 256], "latent": 2}},
        "training.epochs": epochs,
        "data.validation": known[:100],
    }
    ring, others = (read(f"toy:ring,rows={rows},seed={seed}").frame for rows, seed in ((1400, 0), (HELD, 1)))
    return [
        copy_line("digits, overfitted on purpose", known[:100], held, overfitted, out / "overfitted"),
        copy_line("digits, default", known, held, {"model": "gan"}, out / "default"),
        copy_line("ring, default", ring, others, {"model": "gan"}, out / "ring"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--copy-epochs", type=int, default=6000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rings = [
            ring_line(name, rule, settings.seeds, settings.epochs, place) for name, rule in RULES.items()
        ]
        copies = copy_lines(settings.copy_epochs, place)
    versions = f"handrail {metadata.version('handrail')}, torch {torch.__version__}, {platform.machine()}"
    lines = [
        "# How often generators collapse, and copies",
        "",
        f"experiments/gan.py, {versions}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
        f"## Eight modes of a ring, {settings.seeds} seeds, {settings.epochs} epochs",
        "",
        "| rule | modes covered, mean | least | all 8 | at most 4 | processor seconds a fit |",
        "|---|---|---|---|---|---|",
        *rings,
        "",
        "## The test for copies",
        "",
        f"Beside {HELD // 2} held-out rows, {settings.copy_epochs} epochs on purpose and 200 by default. "
        "Copying is 0 as by chance, and 1 where each generated row is nearest to a training row; near are "
        "those that lie as near to one as 5 % of held-out rows do.",
        "",
        "| generator | training rows | copying | p | near | the report says |",
        "|---|---|---|---|---|---|",
        *copies,
    ]
    settings.out.mkdir(parents=True, exist_ok=True)
    (settings.out / "gan_collapse.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
