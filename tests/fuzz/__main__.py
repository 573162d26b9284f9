"""Run a campaign in a warm process of its own: everything is imported once, and each case is a fork."""

import argparse
import gc
import importlib
import json
import os
import pkgutil
import shutil
import sys
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS)] if os.environ.get("PYTHONPATH") else [str(_TESTS), str(_TESTS.parent / "src")]
_LATE = (  # what commands import inside functions
    "torch", "torch._dynamo", "torch._inductor.codecache",  # this one looks for a folder for its cache
    "scipy.signal", "scipy.stats", "sklearn.datasets", "sklearn.linear_model",
    "sklearn.ensemble", "PIL.Image",
    "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "matplotlib.figure", "matplotlib.backends.backend_svg",
    "jinja2",
    "sqlalchemy", "sqlalchemy.dialects.sqlite", "pyarrow.parquet", "pyarrow.feather", "rich.table",
    "rich.console",
    "tokenizers", "pandas", "typer.rich_utils", "safetensors.torch", "wave",
)  # fmt: skip


def warm_up() -> None:
    """Import all that a command may need, and use nothing of it."""
    import torch

    import handrail

    torch.set_num_threads(1)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.gettempdir()  # torch makes it as soon as it optimises
    for module in pkgutil.walk_packages(handrail.__path__, "handrail."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _LATE:
            importlib.import_module(name)
    os.fsync = lambda _descriptor: None  # no test cuts the power
    gc.collect()
    gc.freeze()  # a collection in a fork would touch, and so copy, all that was imported


FAULTS = ("raise", "panic", "leave", "change", "hang")


def break_commands(fault: str) -> None:
    """Let every command show a fault, to see that the campaign sees it."""
    import fuzz.campaign
    import handrail.cli

    def panic() -> None:
        raise type("Panic", (BaseException,), {})("out of range")

    def raise_error() -> None:
        raise KeyError("x")

    def write(path: str) -> None:
        Path(path).write_text("litter")

    acts = {
        "raise": raise_error,
        "panic": panic,
        "leave": lambda: write(os.environ["TMPDIR"] + "/litter"),
        "change": lambda: write("../data/litter"),
        "hang": lambda: time.sleep(60),
    }
    handrail.cli.app = acts[fault]  # pyright: ignore[reportAttributeAccessIssue]
    fuzz.campaign.SECONDS = 2.0 if fault == "hang" else fuzz.campaign.SECONDS


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--step", type=int, default=1, help="every so many")
    parser.add_argument("--case", type=int, help="this one alone; its folder is kept")
    parser.add_argument(
        "--folder", type=Path, help="for the cases; by default a new one in the temporary folder"
    )
    parser.add_argument("--quick", action="store_true", help="of run folders, the quickest to make alone")
    parser.add_argument("--break", dest="broken", choices=FAULTS, help="let the command of each case do this")
    parser.add_argument("--results", type=Path, help="write a line of JSON a case")
    asked = parser.parse_args()
    warm_up()
    from fuzz.campaign import run_campaign, summarise

    if asked.broken:
        break_commands(asked.broken)
    if asked.quick:
        os.environ["HANDRAIL_FUZZ_QUICK"] = "1"
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="handrail-fuzz-"))
    numbers = range(asked.first, asked.first + asked.cases * asked.step, asked.step)
    one = asked.case is not None
    results = []
    for result in run_campaign(asked.seed, [asked.case] if one else numbers, folder, keep=one):
        results.append(result)
        if result.faults or one:
            _say(str(result))
        if asked.results:
            with asked.results.open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")
    _say(summarise(results))
    faulty = any(result.faults for result in results)
    if one or faulty:
        _say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(int(faulty))


if __name__ == "__main__":
    main()
