"""An echo state network as an ordinary forecast, beside networks that are taught and the seasonal naive one.

The oil temperature of ETTh1 (hourly, with the six loads) and the monthly sunspots, 24 rows ahead. All
networks have their usual settings and see the same windows; each learns as it usually does, and its epoch is
chosen on the same validation rows. The test rows, the last 15 %, are opened when all trainings have ended.

    HANDRAIL_DATA=folder python experiments/reservoir_forecasts.py [--epochs 10 --seeds 3]

Writes `benchmarks/results/reservoir_forecasts.md`.

Sources: Jaeger 2001; ETTh1: Zhou et al. 2021
"""

import argparse
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import handrail

ROOT = Path(__file__).parents[1]
HORIZON = 24
SERIES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "ETTh1": ("ett/ETTh1.csv", {"target": "OT", "forecast": {"history": 96, "season": 24, "stride": 4}}),
    "sunspots": (
        "time-series/monthly-sunspots.csv",
        {"target": "Sunspots", "forecast": {"history": 132, "season": 132}},
    ),
}
MODELS: Sequence[Any] = ("echo_state", "nlinear", "lstm", "transformer")


def fit(source: Path, data: Mapping[str, Any], model: Any, seed: int, out: Path, *, epochs: int) -> Path:
    """Train one network; the folder of its run."""
    forecast = {**data["forecast"], "horizon": HORIZON}
    taught = {"epochs": epochs, "patience": 3} if model != "echo_state" else {}  # which tries all its ridges
    recipe = {
        "data": {**data, "source": str(source), "task": "forecast", "forecast": forecast},
        "model": model,
        "training": {**taught, "threads": 1},
        "seed": seed,
    }
    return handrail.fit(recipe=recipe, out=out).path


def row(name: str, tested: Sequence[Mapping[str, Any]], seconds: Sequence[float]) -> str:
    """Of a system: MASE over the seeds, the interval of the first seed, R² and seconds."""
    mase = [each["mase"]["value"] for each in tested]
    low, high = (tested[0]["mase"][side] for side in ("low", "high"))
    bounds = "no interval" if low is None else f"{low:.3f} to {high:.3f}"
    spread = f" ± {np.std(mase, ddof=1):.3f}" if len(mase) > 1 else ""
    r2 = np.mean([each["r2"]["value"] for each in tested])
    took = f"{np.mean(seconds):.0f}" if seconds else ""
    return f"| {name} | {np.mean(mase):.3f}{spread} | {bounds} | {r2:.3f} | {took} |"


def table(name: str, paths: Mapping[str, Sequence[Path]]) -> list[str]:
    """Open the test rows of one series."""
    lines = [
        f"## {name}\n",
        "| system | MASE | 95 % interval, first seed | R² | seconds |",
        "|---|---|---|---|---|",
    ]
    baselines: dict[str, Any] = {}
    for system, runs in paths.items():
        loaded = [handrail.load(path) for path in runs]
        tested = [run.test(again=True) for run in loaded]
        baselines = tested[0]["baselines"]
        seconds = [run.summary["training"]["seconds"] for run in loaded]
        lines.append(row(system, [each["metrics"] for each in tested], seconds))
    return [*lines, *(row(baseline, [figures], []) for baseline, figures in baselines.items()), ""]


def head(asked: argparse.Namespace) -> str:
    """What was run, where and when."""
    settings = f"{HORIZON} rows ahead, at most {asked.epochs} epochs, {asked.seeds} seeds, one thread"
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("handrail", "torch"))
    return (
        "# Echo state networks as forecasts\n\n"
        f"experiments/reservoir_forecasts.py, {settings}; {versions}, {platform.machine()}, "
        f"{datetime.now(UTC):%Y-%m-%d}. Figures are of test rows: MASE, mean ± standard deviation over the "
        "seeds; its interval is over other rows. Seconds are those of a training by the clock, on a machine "
        "that others may use.\n"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all, then open the test rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--series", nargs="+", default=list(SERIES), choices=list(SERIES))
    usual = os.environ.get("HANDRAIL_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(usual))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    asked = parser.parse_args(arguments)
    lines = [head(asked)]
    with tempfile.TemporaryDirectory() as name:
        os.environ["HANDRAIL_HOME"] = f"{name}/home"  # a ledger for this experiment alone
        paths: dict[str, dict[str, list[Path]]] = {series: {} for series in asked.series}
        for series in asked.series:
            file, data = SERIES[series]
            for model in MODELS:
                for seed in range(asked.seeds):
                    out = Path(name) / f"{series}-{model}-{seed}"
                    path = fit(asked.data / file, data, model, seed, out, epochs=asked.epochs)
                    paths[series].setdefault(model, []).append(path)
        for series, found in paths.items():
            lines += table(series, found)
    text = "\n".join(lines)
    (asked.out / "reservoir_forecasts.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
