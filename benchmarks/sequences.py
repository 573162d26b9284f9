"""Networks for sequences, side by side: an LSTM on the rows of digits and a small GPT on Tiny Shakespeare.

Every contender gets the same sequences and trains the same network with the same optimizer for the same
epochs, from its own first weights. Each runs in a process of its own, in turns; times are of training alone.
As machines are noisy, read the ratios. An epoch of the GPT is 200 steps.

    python benchmarks/sequences.py [--quick] [--turns 3] [--contenders plain,tuned] [--works gpt] [--data
    FOLDER]
"""

from pathlib import Path

import numpy as np

from _common import Arrays, Work, compare, split_up
from _peers_sequences import CONTEXT, gpt, keras_gpt, keras_lstm, lstm
from images import mnist

ROWS, STEPS, BATCH = 10_000, 200, 12
PARTS = ("train", "val", "test")
WORKS = {
    "lstm": Work(
        "LSTM with 128 units, 28 steps of 28 numbers, 10,000 digits, batch 128, Adam 0.001",
        network=lstm,
        keras_network=keras_lstm,
        recipe={"model": {"lstm": {"width": 128}}, "training.precision": "bfloat16"},
        batch=128,
        optimizer="adam",
        rate=1e-3,
        epochs=4,
        sources={"source": "train.ts", "validation": "val.ts", "test": "test.ts"},
    ),
    "gpt": Work(
        f"GPT (4 layers, 4 heads, width 128, context 64), {STEPS} steps of batch {BATCH} an epoch, "
        "AdamW 0.001",
        network=gpt,
        keras_network=keras_gpt,
        recipe={
            "model": {"gpt": {"width": 128, "layers": 4, "heads": 4}},
            "data.task": "next-token",
            "data.text.length": CONTEXT,
        },
        batch=BATCH,
        optimizer="adamw",
        rate=1e-3,
        epochs=3,
        sources={"source": "play.txt"},
        by_loss=True,
    ),
}


def digits(data: Path, quick: bool) -> Arrays:
    """The rows of a picture, from top to bottom, as the steps of a sequence; standardised by the training
    rows.
    """
    pairs = [mnist(data, part) for part in ("train", "t10k")]
    pixels = [pictures[:ROWS].astype(np.float32) for pictures, _ in pairs]
    mean, deviation = pixels[0].mean(), pixels[0].std()
    train, held = (
        ((x - mean) / deviation, labels[:ROWS]) for x, (_, labels) in zip(pixels, pairs, strict=True)
    )
    return split_up(train, held, quick=quick)


def write_series(arrays: Arrays, folder: Path) -> None:
    """What handrail reads: a `.ts` file for each part, with one dimension for each column of the picture."""
    for part in PARTS:
        header = [
            "@problemName digits",
            "@univariate false",
            "@dimensions 28",
            "@classLabel true 0 1 2 3 4 5 6 7 8 9",
            "@data",
        ]
        lines = [
            ":".join([*(",".join(f"{value:.4f}" for value in column) for column in rows.T), str(label)])
            for rows, label in zip(arrays[f"x_{part}"], arrays[f"y_{part}"], strict=True)
        ]
        (folder / f"{part}.ts").write_text("\n".join([*header, *lines]))


def passages(data: Path, folder: Path, quick: bool) -> Arrays:
    """Neighbouring windows of the beginning of the play: first those of an epoch, behind them the held-out
    ones.

    What handrail reads is a text file of the same letters, which it divides into the same stretches: 70, 15
    and 15 %.
    """
    play = (data / "tinyshakespeare" / "input.txt").read_text()
    letters = {letter: code for code, letter in enumerate(sorted(set(play)))}
    rows = (STEPS // 10 if quick else STEPS) * BATCH
    others = rows * 15 // 70
    (folder / "play.txt").write_text(play[: (rows + 2 * others) * CONTEXT])
    arrays = {}
    for part, start, count in (("train", 0, rows), ("val", rows, others)):
        codes = np.array(
            [letters[letter] for letter in play[start * CONTEXT : (start + count) * CONTEXT + 1]]
        )
        arrays |= {f"x_{part}": codes[:-1].reshape(-1, CONTEXT), f"y_{part}": codes[1:].reshape(-1, CONTEXT)}
    return arrays


def prepare(data: Path, folder: Path, quick: bool) -> dict[str, Arrays]:
    """The arrays of both, and handrail's files."""
    sources = {"lstm": digits(data, quick), "gpt": passages(data, folder, quick)}
    write_series(sources["lstm"], folder)
    return sources


if __name__ == "__main__":
    compare("Networks for sequences, side by side", __file__, WORKS, prepare, result="sequences.md")
