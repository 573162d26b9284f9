"""Networks that the tests of audits share."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import handrail
from handrail.run import Run


def write_digits(folder: Path, rows: int = 1400) -> Path:
    """Digits of 8 × 8 as a file of pictures."""
    pixels, classes = load_digits(return_X_y=True)
    pictures = np.round(pixels[:rows] / 16 * 255).astype(np.uint8).reshape(-1, 8, 8)
    np.savez_compressed(folder / "digits.npz", x=pictures, y=classes[:rows])
    return folder / "digits.npz"


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small convolutional network that tells digits."""
    folder = tmp_path_factory.mktemp("digits")
    changes = {
        "model": {"cnn": {"widths": [8, 16]}},
        "training.epochs": 8,
        "evaluation.resamples": 100,
        "data.augment": [],
        "data.split.validation": 0.35,  # more rows than are attacked at once
    }
    return handrail.fit(write_digits(folder), changes=changes, out=folder / "run")
