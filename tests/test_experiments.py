"""The experiments run, with next to nothing."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def write_digits(folder: Path, name: str, pictures: int) -> None:
    """Bars and noise in MNIST's format."""
    chance = np.random.default_rng(len(name))
    pixels = chance.integers(0, 60, (pictures, 28, 28), dtype=np.uint8)
    pixels[::2, 8:20, 12:16] = 250
    pixels[1::2, 12:16, 8:20] = 250
    with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb") as file:
        file.write(struct.pack(">IIII", 2051, pictures, 28, 28) + pixels.tobytes())


def test_the_machine_on_mnist(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    import rbm_mnist

    for name, small in {"STEPS": 5, "SMALL": 3, "SMALL_EPOCHS": 1}.items():
        monkeypatch.setattr(rbm_mnist, name, small)
    mnist = tmp_path / "data" / "mnist"
    mnist.mkdir(parents=True)
    write_digits(mnist, "train", 120)
    write_digits(mnist, "t10k", 40)
    settings = [
        "--epochs",
        "1",
        "3",
        "--steps",
        "1",
        "2",
        "--at-once",
        "1",
        "--units",
        "4",
        "--temperatures",
        "100",
    ]
    found = rbm_mnist.main([*settings, "--data", str(tmp_path / "data"), "--out", str(tmp_path)])
    assert [each.epochs for each in found] == [1, 3]
    for each in found:
        assert each.low < each.test < each.high < 0
        assert each.test == pytest.approx(each.usual, abs=2)  # log Z by sampling, and by enumeration
    text = (tmp_path / "rbm_mnist.md").read_text()
    assert "| independent columns |" in text
    assert (tmp_path / "rbm_mnist.png").read_bytes().startswith(b"\x89PNG")
