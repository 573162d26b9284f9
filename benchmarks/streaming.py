"""Tables that are larger than the memory they may take: seconds and peak memory by the number of rows.

Each table has 20 columns (14 of numbers, 5 of categories, the target) with missing values among them, in one
Parquet file. `handrail fit` trains one epoch in batches of 1,024 in a process of its own; what counts is the
process with all its children, looked at four times a second, from the start of Python to the written report.

    python benchmarks/streaming.py [--millions 1,5,20] [--quick]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from _common import Found, facts, write_result

_AT_ONCE = 250_000
_COLUMNS = 20
_LEVELS = (4, 8, 12, 30, 3)
_MB = 2**20


def write_table(path: Path, rows: int) -> None:
    """A table whose target depends on some of its columns, written a block at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    generator, writer = np.random.default_rng(0), None
    for start in range(0, rows, _AT_ONCE):
        table = pa.table(_block(generator, min(_AT_ONCE, rows - start)))
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def _block(generator: np.random.Generator, rows: int) -> dict:
    import pyarrow as pa

    numbers = generator.normal(size=(rows, 12))
    missing = [generator.random(rows) < 0.05 if index < 4 else None for index in range(12)]
    columns = {
        f"x{index}": pa.array((numbers[:, index] * 10.0 ** (index % 4) + index).round(4), mask=missing[index])
        for index in range(12)
    }
    counts = generator.integers(0, 100, rows)
    columns |= {"n1": counts, "n2": generator.poisson(3, rows)}
    codes = [generator.integers(0, levels, rows) for levels in _LEVELS]
    names = np.array([f"level {code}" for code in range(max(_LEVELS))])
    for index, code in enumerate(codes):
        columns[f"c{index}"] = pa.array(
            names[code], mask=generator.random(rows) < 0.02 if index == 0 else None
        )
    score = (
        numbers[:, 0]
        + 0.7 * numbers[:, 1] * numbers[:, 2]
        + 1.2 * (codes[0] == 1)
        - (codes[3] % 5 == 2)
        + 0.01 * counts
        - 0.6
    )
    columns["target"] = np.where(generator.random(rows) < 1 / (1 + np.exp(-2 * score)), "yes", "no")
    return columns


def fitted(table: Path, run: Path) -> Found:
    """One fit in a process of its own: seconds, peaks in MB, and the seconds of its epoch."""
    command = [
        sys.executable,
        "-m",
        "handrail",
        "fit",
        str(table),
        "-t",
        "target",
        "--out",
        str(run),
        "--quiet",
    ]
    command += ["-s", "training.epochs=1", "-s", "training.batch_size=1024", "-s", "data.stream=true"]
    began, used = time.perf_counter(), _processor_seconds()
    with subprocess.Popen(command, env={**os.environ, "HANDRAIL_HOME": str(run.parent / "home")}) as process:
        peaks = _watched(process)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    seconds = time.perf_counter() - began
    epoch = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    accuracy = json.loads((run / "validation.json").read_text())["metrics"]["accuracy"]["value"]
    spent = _processor_seconds() - used
    return {"seconds": seconds, "processor": spent, "epoch": epoch["seconds"], "accuracy": accuracy, **peaks}


def _processor_seconds() -> float:
    """Of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _watched(process: subprocess.Popen) -> Found:
    """The most that the process and its children held together, by kind."""
    import psutil

    peaks = {"rss": 0.0, "pss": 0.0, "anonymous": 0.0}
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            together = [parent, *parent.children(recursive=True)]
            now = {
                "rss": sum(one.memory_info().rss for one in together) / _MB,
                "pss": sum(one.memory_full_info().pss for one in together) / _MB,
                "anonymous": sum(_anonymous(one.pid) for one in together),
            }
        except (psutil.Error, OSError):
            continue
        peaks = {name: max(peaks[name], now[name]) for name in peaks}
        time.sleep(0.25)
    return peaks


def _anonymous(process: int) -> float:
    text = Path(f"/proc/{process}/status").read_text()
    # A process that has ended.
    return int(text.split("RssAnon:")[1].split()[0]) / 1024 if "RssAnon:" in text else 0.0


def as_table(measurements: dict[float, Found]) -> str:
    """Markdown."""
    lines = [
        "# Tables larger than memory",
        "",
        f"A generated Parquet table of {_COLUMNS} columns, one epoch of the default network in batches of "
        "1,024, from the start of the "
        "process to the written report.",
        "Memory is that of the process with all its children, in MB: resident, proportional, and anonymous "
        "alone (without the pages of "
        "libraries and files).",
        facts("handrail", "torch", "polars", "pyarrow"),
        "",
        "| million rows | seconds | processor seconds | epoch (seconds) | rows a second | resident | "
        "proportional | anonymous | validation accuracy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for millions, run in measurements.items():
        rate = millions * 1e6 / run["seconds"]
        lines.append(
            f"| {millions:g} | {run['seconds']:.0f} | {run['processor']:.0f} | {run['epoch']:.0f} | "
            f"{rate:,.0f} | {run['rss']:,.0f} | {run['pss']:,.0f} | "
            f"{run['anonymous']:,.0f} | {run['accuracy']:.4f} |"
        )
    first, last = min(measurements), max(measurements)
    if first < last:
        grown, used = (
            (measurements[last][name] - measurements[first][name]) / (last - first)
            for name in ("seconds", "processor")
        )
        lines += [
            "",
            f"From {first:g} to {last:g} million rows each further million takes {grown:.1f} seconds, and "
            f"{used:.1f} of the processor.",
        ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--millions", default="1,5,20", help="numbers of rows, in millions")
    parser.add_argument(
        "--folder",
        type=Path,
        help="where tables and runs lie for a while; by default where temporary files do",
    )
    parser.add_argument("--quick", action="store_true", help="100,000 rows, nothing written: does it run?")
    asked = parser.parse_args()
    sizes = [0.1] if asked.quick else [float(size) for size in asked.millions.split(",")]
    measurements: dict[float, Found] = {}
    for millions in sizes:
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            table = Path(name) / "table.parquet"
            write_table(table, round(millions * 1e6))
            measurements[millions] = fitted(table, Path(name) / "run")
        print(millions, measurements[millions], file=sys.stderr)
    text = as_table(measurements)
    if not asked.quick:
        write_result("streaming.md", text)
    print(text)


if __name__ == "__main__":
    main()
