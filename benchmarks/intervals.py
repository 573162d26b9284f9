"""How often do the intervals hold the truth? Every metric of every task, from 30 rows to 600,000.

    python benchmarks/intervals.py             # everything, on two processes: about 25 minutes
    python benchmarks/intervals.py --quick     # 200 simulations, sizes up to 1,000: about two minutes
    python benchmarks/intervals.py --worlds "binary;forecast" --simulations 500 --out -
    python benchmarks/intervals.py --worlds alone --out benchmarks/results/coverage-alone.md
    python benchmarks/intervals.py --worlds "map;map, torn" --out benchmarks/results/coverage-maps.md
    python benchmarks/intervals.py --worlds "generation;translation" --out benchmarks/results/coverage-made.md

A network is fitted once to 400 rows of a law (_worlds.py). Its true metrics are those on a million fresh
rows or more (forecasts: on long fresh stretches). Then rows are drawn afresh, thousands of times, and
measured by `measure_with_intervals` itself; so are differences from a baseline and from an equal network.
The script uses nothing else of handrail, so that an older version can be measured by PYTHONPATH.
"""

import argparse
import json
import math
import multiprocessing
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import handrail
from _worlds import WORLDS as WITH_TARGETS
from _worlds_alone import WORLDS as WITHOUT_TARGETS
from handrail.evaluation.bootstrap import difference, measure_with_intervals
from handrail.evaluation.outcomes.table import TableOutcome

OUT = Path(__file__).parent / "results" / "coverage.md"
SIMULATIONS, FEWER = 2000, 200
WORLDS = WITH_TARGETS | WITHOUT_TARGETS
LARGEST_DIFFERENCE = 1000  # rows
SHARES = tuple(np.round(np.arange(0.5, 0.995, 0.01), 2))
SHARE_ROWS = (12, 15, 30, 52, 100, 300, 1000, 10_000)
MAIN = {
    "binary": "accuracy roc_auc log_loss",
    "multi-class": "accuracy f1 log_loss",
    "regression": "rmse r2 mae",
}


@dataclass(frozen=True)
class Cell:
    """One size of one world: how many simulations, and how many resamples each interval has."""

    world: str
    rows: int
    simulations: int
    resamples: int
    seed: int

    @property
    def key(self) -> str:
        return f"{self.world}, {self.rows:,}"


def truths(world: str) -> dict[str, dict[str, float]]:
    """The metrics of network and baseline on fresh rows without end.

    At least a hundred times as many as the largest table has: an error of the truth itself would be there in
    every simulation, on the same side.
    """
    law, rng = WORLDS[world], np.random.default_rng(987)
    who, found = ("network", "baseline"), []
    for _ in range(max(1, math.ceil(100 * max(law.sizes) / law.fresh))):
        found.append([outcome.measure() for outcome in law.draw(rng, law.fresh, who=who)])
    means = [
        {key: float(np.mean([each[key] for each in one])) for key in one[0]}
        for one in zip(*found, strict=True)
    ]
    return dict(zip(who, means, strict=True))


def simulate(task: tuple[Cell, dict[str, dict[str, float]]]) -> tuple[Cell, dict[str, Any]]:
    """Of each metric and difference: how many intervals, how many below and above the truth; widths."""
    cell, truth = task
    law, counts = WORLDS[cell.world], {}
    rng = np.random.default_rng([cell.rows, cell.seed])
    for simulation in range(cell.simulations):
        network, equal, baseline = law.draw(rng, cell.rows, who=("network", "equal", "baseline"))
        found = measure_with_intervals(network, resamples=cell.resamples, seed=simulation)
        for name, interval in found.items():
            note(counts.setdefault(name, new_count()), interval, truth["network"][name])
        for name in compared(network) if cell.rows <= LARGEST_DIFFERENCE else ():
            options = {"resamples": cell.resamples, "seed": simulation}
            for other, against, true in (("equal", equal, 0.0), ("baseline", baseline, gap(truth, name))):
                key = f"{name} against the {other}"
                note(counts.setdefault(key, new_count()), difference(network, against, name, **options), true)
    return cell, counts


def compared(outcome: Any) -> Sequence[str]:
    """The metrics whose differences are simulated, of each task."""
    names = MAIN.get(outcome.task, "").split() or [outcome.names()[0]]
    return ["mase", "rmse"] if "mase" in outcome.names() else names


def gap(truth: dict[str, dict[str, float]], name: str) -> float:
    return truth["network"][name] - truth["baseline"][name]


def new_count() -> dict[str, Any]:
    return {"shown": 0, "below": 0, "above": 0, "all": 0, "widths": []}


def note(count: dict[str, Any], interval: Any, true: float) -> None:
    """An interval that was shown lies below the truth, holds it, or lies above it."""
    count["all"] += 1
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        count["shown"] += 1
        count["below"] += interval.high < true
        count["above"] += interval.low > true
        count["widths"].append(interval.high - interval.low)


def shares(task: tuple[int, int]) -> tuple[int, list[float]]:
    """The coverage of an accuracy's interval for each true share from .5 to .99, from the binomial law."""
    from scipy.stats import binom

    rows, _ = task
    hits = np.unique(np.linspace(0, rows, min(rows, 2000) + 1).round().astype(int)) if rows <= 2000 else None
    if hits is None:  # only what the shares can give
        spread = 5 * np.sqrt(rows * 0.25)
        hits = np.arange(int(0.5 * rows - spread), rows + 1, 1)
    ends = [share_interval(rows, int(hit)) for hit in hits]
    low, high = np.array(ends).T
    coverage = []
    for share in SHARES:
        chances = binom.pmf(hits, rows, share)
        coverage.append(float(chances[(low <= share) & (share <= high)].sum() / chances.sum()))
    return rows, coverage


def share_interval(rows: int, hits: int) -> tuple[float, float]:
    """The interval of the accuracy of so many hits."""
    truth = np.arange(rows) % 2
    labels = np.where(np.arange(rows) < hits, truth, 1 - truth)
    interval = measure_with_intervals(TableOutcome("binary", truth, labels=labels), resamples=200)["accuracy"]
    return interval.low, interval.high


def main() -> None:
    options = parse()
    simulations = options.simulations or (FEWER if options.quick else SIMULATIONS)
    names = [name.strip() for name in options.worlds.split(";")] if options.worlds else list(WITH_TARGETS)
    names = list(WITHOUT_TARGETS) if names == ["alone"] else names
    started = time.time()
    cells = [
        Cell(name, rows, fewer(rows, simulations), options.resamples, options.seed)
        for name in names
        for rows in WORLDS[name].sizes
        if options.largest is None or rows <= options.largest
    ]
    if options.quick:
        cells = [cell for cell in cells if cell.rows <= 1000]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        wanted = sorted({cell.world for cell in cells}, key=names.index)
        true = dict(zip(wanted, pool.map(truths, wanted, chunksize=1), strict=True))
        tasks = [(cell, true[cell.world]) for cell in sorted(cells, key=lambda cell: cell.rows)]
        results = stored(options.json)
        tasks = [task for task in tasks if task[0].key not in results]
        for cell, counts in pool.imap_unordered(simulate, tasks, chunksize=1):
            results[cell.key] = counts
            store(options.json, {"cells": results})
            print(f"{cell.key}: {time.time() - started:.0f} s", file=sys.stderr, flush=True)
        sizes = [rows for rows in SHARE_ROWS if rows <= (300 if options.quick else 1000)]
        of_shares = (
            {} if options.worlds else dict(pool.imap(shares, [(rows, 0) for rows in sizes], chunksize=1))
        )
    text = page(cells, results, of_shares, simulations, time.time() - started)
    if options.out == "-":
        print(text)
    else:
        Path(options.out).write_text(text, encoding="utf-8")
    store(options.json, {"cells": results, "shares": of_shares})


def stored(file: str | None) -> dict[str, Any]:
    """The cells that an earlier run with the same settings has finished, or was stopped after."""
    path = None if file is None else Path(file)
    return json.loads(path.read_text(encoding="utf-8"))["cells"] if path and path.is_file() else {}


def store(file: str | None, values: dict[str, Any]) -> None:
    if file is not None:
        Path(file).write_text(json.dumps(values, default=np.generic.item), encoding="utf-8")


def fewer(rows: int, simulations: int) -> int:
    """A row of the largest table costs as much as many small tables."""
    return simulations if rows < 100_000 else max(100, simulations // 10)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{FEWER} simulations, sizes up to 1,000")
    parser.add_argument("--simulations", type=int, help=f"of each cell; {SIMULATIONS} otherwise")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=13, help="of the rows that are drawn")
    parser.add_argument("--worlds", help=f"alone (all without a target), or some of: {'; '.join(WORLDS)}")
    parser.add_argument("--largest", type=int, help="leave out larger sizes")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", default=str(OUT), help="a file, or - for the terminal")
    parser.add_argument("--json", help="counts as JSON, too; what is there already is not simulated again")
    return parser.parse_args()


def page(
    cells: Sequence[Cell], results: dict[str, Any], of_shares: dict[int, list[float]], simulations, seconds
):
    seed = cells[0].seed
    lines = [
        "# How often intervals hold the truth",
        "",
        f"Intervals of 95 %, {simulations:,} simulations a cell (above 100,000 rows a tenth), seed {seed}; "
        f"{datetime.now(UTC):%d %B %Y}, handrail {handrail.__version__}, "
        f"{platform.machine()}, Python {platform.python_version()}, {seconds / 60:.0f} minutes. "
        "Made by `benchmarks/intervals.py`.",
        "",
        "A number is the share of shown intervals that hold the truth, in per cent. In brackets: the share of "  # noqa: E501
        "simulations in which an interval was shown, where it is below 100 %. Rows of forecasts are blocks of four "  # noqa: E501
        "overlapping windows. **Bold** numbers lie below 93; `*` marks those above 97, which are conservative.",  # noqa: E501
    ]
    for world in dict.fromkeys(cell.world for cell in cells):
        mine = [cell for cell in cells if cell.world == world]
        lines += ["", f"## {world}", "", "| | " + " | ".join(f"{cell.rows:,}" for cell in mine) + " |"]
        lines.append("|---|" + "---|" * len(mine))
        for metric in dict.fromkeys(name for cell in mine for name in results[cell.key]):
            written = [cell_text(results[cell.key].get(metric)) for cell in mine]
            lines.append(f"| {metric.replace('_', ' ')} | " + " | ".join(written) + " |")
    if of_shares:
        lines += ["", "## Shares", "", "Coverage of an accuracy, exact, over true values .50, .51 … .99.", ""]
        lines += ["| rows | mean | lowest | highest |", "|---|---|---|---|"]
        for rows, coverage in of_shares.items():
            values = np.array(coverage) * 100
            lines.append(f"| {rows:,} | {values.mean():.1f} | {values.min():.1f} | {values.max():.1f} |")
    return "\n".join([*lines, ""])


def cell_text(count: dict[str, Any] | None) -> str:
    if not count or not count["shown"]:
        return "none shown"
    coverage = 100 * (1 - (count["below"] + count["above"]) / count["shown"])
    shown = 100 * count["shown"] / count["all"]
    text = (
        f"**{coverage:.1f}**" if coverage < 93 else f"{coverage:.1f}*" if coverage > 97 else f"{coverage:.1f}"
    )
    return text if shown > 99.95 else f"{text} ({shown:.0f})"


if __name__ == "__main__":
    main()
