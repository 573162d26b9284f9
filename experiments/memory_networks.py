"""Networks with a memory on the algorithms of their papers, beside an LSTM with as many parameters.

Each learns short series and is tested on longer ones. The test rows are opened when all trainings have ended.
A run that is already in the folder is not trained again.

    python experiments/memory_networks.py [--runs folder] [--only copy-ntm ...]

Writes `benchmarks/results/memory_networks.md`.

Sources: Graves, Wayne & Danihelka 2014; Graves et al. 2016
"""

import argparse
import platform
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl

import handrail

ROOT = Path(__file__).parents[1]
COPY = "toy:copy,rows=5000,test_rows=400,longest=10,test_shortest=20,test_longest=40"
REPEAT = "toy:repeat_copy,rows=3000,test_rows=100,bits=4,longest=5,most=5,test_shortest=6,test_longest=10"
RECALL = "toy:associative_recall,rows=6000,test_rows=200,longest=4,test_shortest=5,test_longest=8"
RATE = {"gradient": {"optimizer": {"adam": {"learning_rate": 0.003}}, "clip": {"by_norm": {"limit": 1.0}}}}
SYSTEMS: Mapping[str, tuple[str, Any, dict[str, Any]]] = {
    "copy-ntm": (COPY, {"ntm": {"locations": 64}}, {"epochs": 6}),
    "copy-dnc": (COPY, {"dnc": {"locations": 64}}, {"epochs": 2}),
    "copy-lstm": (COPY, {"lstm": {"width": 52}}, {"epochs": 6}),
    "repeat_copy-dnc": (REPEAT, {"dnc": {"locations": 32, "controller": "lstm"}}, {"epochs": 14}),
    "associative_recall-dnc": (RECALL, {"dnc": {"locations": 32}}, {"epochs": 10}),
}
HEAD = """# Networks with a memory

experiments/memory_networks.py; {versions}, {machine}, {date}. The first seed, the usual settings but for what
stands here; every network learns by Adam with a rate of 0.003, batches of 16 and gradients
cut at the length 1; inputs are not scaled.
Wrong bits over all bits that are asked for, with the 95 % interval over other rows, and the share of rows
without a mistake. Validation rows are as long as training rows, test rows are longer. Seconds are those of a
training by the clock, on a machine that others use at the same time.

| task | network | parameters | epochs | seconds | validation: wrong | test: wrong | test: whole rows |
|---|---|---|---|---|---|---|---|
"""


def train(name: str, folder: Path) -> handrail.Run:
    """The run of a system, trained unless it is there."""
    source, model, training = SYSTEMS[name]
    if (folder / name / "validation.json").exists():
        return handrail.load(folder / name)
    recipe: dict[str, Any] = {
        "data": {"source": source, "series": {"scaling": "none"}},
        "model": model,
        "learning": RATE,
        "training": {"batch_size": 16, "threads": 1, **training},
    }
    return handrail.fit(recipe=recipe, out=folder / name)


def line(name: str, run: handrail.Run) -> str:
    """A line of the table."""
    tested, held = run.tested or run.test(again=True), run.summary
    task, network = name.split("-")
    done = run.summary["training"]
    parts = [_share(found["metrics"]["bit_error_rate"]) for found in (held, tested)]
    whole = _share(tested["metrics"]["exact_match"])
    numbers = (f"{done['parameters']:,}", str(done["best_epoch"]), f"{done['seconds']:.0f}")
    return f"| {' | '.join((task, network, *numbers, *parts, whole))} |"


def _share(figure: Mapping[str, float | None]) -> str:
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    bounds = "no interval" if low is None or high is None else f"{low:.2%} to {high:.2%}"
    return f"{value:.2%} ({bounds})"


def by_length(runs: Mapping[str, handrail.Run]) -> list[str]:
    """Wrong bits of test rows by their length, in stretches of five steps of the answer."""
    lines = ["", "Test rows by the steps of their answer:", "", "| system | steps | rows | wrong bits |"]
    lines.append("|---|---|---|---|")
    for name, run in runs.items():
        rows = pl.read_parquet(run.path / "predictions" / "test.parquet")
        bits = (
            rows.select(pl.col("steps") // 5 * 5, "bit_error_rate")
            .group_by("steps")
            .agg(pl.len().alias("rows"), pl.col("bit_error_rate").mean())
        )
        for steps, count, wrong in bits.sort("steps").iter_rows():
            lines.append(f"| {name} | {steps} to {steps + 4} | {count} | {wrong:.2%} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--only", nargs="*", default=list(SYSTEMS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    asked = parser.parse_args(arguments)
    folder = asked.runs or Path(tempfile.mkdtemp())
    runs = {name: train(name, folder) for name in asked.only}
    lines = [line(name, run) for name, run in runs.items()]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    head = HEAD.format(versions=versions, machine=platform.machine(), date=f"{datetime.now(UTC):%Y-%m-%d}")
    text = head + "\n".join([*lines, *by_length(runs)]) + "\n"
    (asked.out / "memory_networks.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
