"""Text to image, in the small: 500 captions that nobody has seen as a combination.

The recipe of `handrail zoo text_to_image` is fitted with one thread, then the seal of the test rows is
opened: their combinations of colour, shape, size and place are in no training or validation row. For each
caption one picture is drawn at a temperature of 1, and what it shows is measured from its pixels by a plain
function (`handrail.data.sources.toys.drawn.read_shapes`), beside the baselines, what is read right by
chance, and the limits: the true pictures, and what their tokens stand for.

    python experiments/text_to_image.py [--rows 60000 --test-rows 500]

Writes `benchmarks/results/text_to_image.md` and a picture. Source: Ramesh et al. 2021
"""

import argparse
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
from PIL import Image

import handrail
from handrail.data.sources.toys.drawn.captioned_shapes import captioned_shapes
from handrail.zoo import find_entry

ROOT = Path(__file__).parents[1]
NAMES = (
    "bits_per_dim",
    "bits_per_token",
    "right_colour",
    "right_shape",
    "right_size",
    "right_place",
    "right_all",
)
SHOWN = 24


def fit(source: str, changes: Mapping[str, Any], out: Path) -> tuple[handrail.Run, float, float]:
    """The run, and its seconds of the clock and of a processor."""
    wall, work = time.perf_counter(), time.process_time()
    recipe = find_entry("text_to_image").recipe
    changes = {"training.threads": 1, **changes}
    run = handrail.fit(source, recipe=recipe, changes=changes, out=out, progress="none")
    return run, time.perf_counter() - wall, time.process_time() - work


def row(name: str, metrics: Mapping[str, Mapping[str, float | None]]) -> str:
    """A row of the table: each figure with its interval."""
    cells = []
    for metric in NAMES:
        found = metrics[metric]
        if found["value"] is None:
            cells.append("")
            continue
        scale, form = (100, "{:.1f}") if metric.startswith("right") else (1, "{:.3f}")
        low, high = found["low"], found["high"]
        bounds = (
            ""
            if low is None or high is None
            else f" ({form.format(low * scale)} to {form.format(high * scale)})"
        )
        cells.append(form.format(found["value"] * scale) + bounds)
    return f"| {name} | {' | '.join(cells)} |"


def save_pictures(run: handrail.Run, source_rows: int, path: Path) -> list[str]:
    """True pictures above those that were made for their captions. Returns the captions."""
    toy = captioned_shapes(rows=2, test_rows=source_rows)
    rows = toy.frame[2:][:SHOWN]
    truth = toy.stores["picture"].pixels((24, 24), 3, rows["picture"].to_list())  # pyright: ignore
    made = np.stack(run.predict(pl.DataFrame({"caption": rows["caption"]})).maps)
    lines = []
    for at in range(0, len(rows), SHOWN // 2):
        for pictures in (truth.permute(0, 2, 3, 1).numpy(), made):
            lines.append(
                np.concatenate(
                    [np.pad(each, ((1, 1), (1, 1), (0, 0))) for each in pictures[at : at + SHOWN // 2]],
                    axis=1,
                )
            )
    Image.fromarray(np.concatenate(lines)).resize((26 * SHOWN // 2 * 3, 26 * len(lines) * 3), 0).save(path)
    return rows["caption"].to_list()


def page(run: handrail.Run, tested: Mapping[str, Any], wall: float, work: float) -> list[str]:
    """The lines of the page."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    machine = f"{platform.machine()}, Python {platform.python_version()}; {versions}"
    training, rows = run.summary["training"], run.summary["rows"]
    (stage,) = training["stages"]
    on_top = training["seconds"] - stage["seconds"]
    return [
        "# Text to image, in the small",
        "",
        f"{machine}; {datetime.now(UTC):%Y-%m-%d}. Made by `experiments/text_to_image.py`.",
        "",
        f"`handrail zoo text_to_image`: {rows['train']:,} training and {rows['validation']:,} validation "
        f"rows, {training['parameters']:,} parameters. The fit took {wall / 60:.1f} minutes of the clock and "
        f"{work / 60:.1f} of a processor, with one thread: the discrete VAE {stage['seconds'] / 60:.1f} "
        f"minutes, the transformer {on_top / 60:.1f}; the rest is data, figures and the report.",
        "",
        f"{rows['test']:,} captions whose combination of colour, shape, size and place is in no row that was "
        "learned from or validated on. Shares in per cent, 95 % intervals by rows; one picture was drawn for "
        "each caption.",
        "",
        "| | bits a value | bits a token | colour | shape | size | place | all four |",
        "|---|---|---|---|---|---|---|---|",
        row("network", tested["metrics"]),
        *(row(name, metrics) for name, metrics in tested["baselines"].items()),
        "",
        tested["remark"],
        "",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, test, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--test-rows", type=int, default=500)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--set", action="append", default=[], help="further settings, NAME=VALUE")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    changes = dict(each.split("=", 1) for each in asked.set)
    with tempfile.TemporaryDirectory() as folder:
        source = f"toy:captioned_shapes,rows={asked.rows},test_rows={asked.test_rows}"
        settings = {name: int(value) for name, value in changes.items()}
        run, wall, work = fit(source, settings, Path(folder) / "run")
        lines = page(run, run.test(), wall, work)
        asked.out.mkdir(parents=True, exist_ok=True)
        captions = save_pictures(run, asked.test_rows, asked.out / "text_to_image.png")
    lines += [
        "![Pictures](text_to_image.png)",
        "",
        "Rows one and three are drawn by the source, rows two and four by the network, for: "
        + "; ".join(captions)
        + ".",
    ]
    (asked.out / "text_to_image.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
