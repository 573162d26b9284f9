"""Networks for pictures, side by side: LeNet-5 on MNIST and ResNet-20 on 32 × 32 colour.

Every contender gets the same pictures and trains the same network with the same optimizer for the same
epochs, from its own first weights, without augmentation. Each runs in a process of its own, in turns; times
are of training alone. As machines are noisy, read the ratios.

    python benchmarks/images.py [--quick] [--turns 3] [--contenders plain,tuned] [--works lenet] [--data
    FOLDER]
"""

import gzip
from pathlib import Path

import numpy as np

from _common import Arrays, Work, compare, split_up
from _peers_images import keras_lenet, keras_resnet, lenet, resnet

WORKS = {
    "lenet": Work(
        "LeNet-5 (61,706 parameters), MNIST, batch 128, Adam 0.001",
        network=lenet,
        keras_network=keras_lenet,
        recipe={"model": "lenet5"},
        batch=128,
        optimizer="adam",
        rate=1e-3,
        epochs=3,
        sources={"source": "lenet.npz"},
    ),
    "resnet": Work(
        "ResNet-20 (269,722 parameters), 4,000 pictures of CIFAR-10, batch 128, momentum 0.1",
        network=resnet,
        keras_network=keras_resnet,
        recipe={"model": {"resnet": {"depth": 20}}},
        batch=128,
        optimizer="momentum",
        rate=0.1,
        epochs=3,
        sources={"source": "resnet.npz"},
    ),
}


def mnist(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures `[items, 28, 28]` and their digits, from MNIST's own files."""
    pixels = gzip.decompress((folder / "mnist" / f"{part}-images-idx3-ubyte.gz").read_bytes())
    digits = gzip.decompress((folder / "mnist" / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(
        digits, np.uint8, offset=8
    ).astype(np.int64)


def cifar(folder: Path, batches: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures `[items, 32, 32, 3]` and their classes; a row of each file is one picture."""
    from PIL import Image

    rows = [
        np.asarray(Image.open(folder / "cifar10-convnetjs" / f"cifar10_batch_{batch}.png").convert("RGB"))
        for batch in batches
    ]
    labels = np.loadtxt(folder / "cifar10-convnetjs" / "cifar10_labels.txt", dtype=np.int64)
    places = [np.arange(1000) + 1000 * batch for batch in batches]
    return np.concatenate(rows).reshape(-1, 32, 32, 3), labels[np.concatenate(places)]


def prepare(data: Path, _: Path, quick: bool) -> dict[str, Arrays]:
    """Training and held-out rows of both; a tenth of the latter is the part that handrail seals."""
    sets = {
        "lenet": (mnist(data, "train"), mnist(data, "t10k")),
        "resnet": (cifar(data, (0, 1, 2, 3)), cifar(data, (50,))),
    }
    return {name: split_up(*parts, quick=quick) for name, parts in sets.items()}


if __name__ == "__main__":
    compare("Networks for pictures, side by side", __file__, WORKS, prepare, result="images.md")
