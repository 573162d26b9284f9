"""A refit decides as the fit did, also of masks and boxes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import handrail
from handrail.pipeline import Pipeline


def bright_discs(folder: Path) -> Path:
    """Pictures of a dark ground with a few bright pixels, and masks of these."""
    for item in range(24):
        rng = np.random.default_rng(item)
        place = np.zeros((16, 16), dtype=bool)
        row, column = rng.integers(2, 12, 2)
        place[row : row + 3, column : column + 3] = True
        pixels = np.where(place, 150, 90) + rng.integers(-35, 35, (16, 16))
        for name, values in (("image", pixels), ("label", 255 * place)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values.astype(np.uint8)).save(folder / name / f"{item:02d}.png")
    return folder


@pytest.mark.parametrize("threshold", ["auto", 0.2])
def test_a_refit_keeps_the_threshold_of_masks(threshold: str | float, tmp_path: Path) -> None:
    changes = {
        "model": {"unet": {"depth": 1, "width": 4}},
        "training.epochs": 2,
        "evaluation.resamples": 100,
        "evaluation.threshold": threshold,
    }
    run = handrail.fit(bright_discs(tmp_path / "pictures"), changes=changes, out=tmp_path / "run")
    chosen = run.summary["decisions"]["threshold"]
    assert chosen != 0.5
    tested = run.test(refit=True)
    assert tested["decisions"]["threshold"] == chosen
    refitted = Pipeline.load(run.folder.refit).decoder
    assert refitted.decisions["threshold"] == chosen
    assert refitted.reasons == run.summary["reasons"]
