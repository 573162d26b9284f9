"""Commands with odd arguments, and files that are none: pipes, devices, circles."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from fuzz.case import TINY, Case
from fuzz.formats import as_csv
from fuzz.oddities import CELLS, NAMES
from fuzz.tables import make_grid

ENDINGS = (
    ".csv",
    ".json",
    ".parquet",
    ".npy",
    ".npz",
    ".db",
    ".txt",
    ".png",
    ".wav",
    ".ts",
    ".yaml",
    ".gz",
    "",
    ".xyz",
)


def _special(case: Case) -> Path:
    """What a path can name beside a file and a folder."""
    rng = case.rng
    path = case.data / f"special{rng.choice(ENDINGS)}"
    how = rng.choice(
        ("pipe", "socket", "null", "dangling", "circle", "folder", "self in folder", "proc", "sparse")
    )
    if how == "pipe":
        os.mkfifo(path)
    elif how == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # names of sockets are short
        socket.socket(socket.AF_UNIX).bind(path.name)
        os.chdir(here)
    elif how == "folder":
        path.mkdir()
    elif how == "self in folder":
        path.mkdir()
        (path / "again").symlink_to("..")
    elif how == "sparse":
        with path.open("wb") as file:
            file.truncate(10**7)
    else:
        path.symlink_to(
            {"null": "/dev/null", "proc": "/proc/self/mem", "circle": path.name}.get(how, "nothing")
        )
    case.note(how)
    return path


def _use_special(case: Case) -> None:
    rng, path = case.rng, str(_special(case))
    run = str(case.template("run")) if rng.random() < 0.3 else path
    case.arguments = rng.choice(
        (
            ["check", "--target=x", path], ["check", path], ["predict", run, path], ["convert", path,
            case.out("out.csv")],
            ["init", path, "-o", case.out("r.yaml")], ["test", path], ["resume", path], ["report", path],
            ["sample", path],
            ["export", path], ["tune", "--resume", path], ["fit", "-t", "x", "-q", "-o", case.out("run"),
            path],
        )
    )  # fmt: skip


def _odd_arguments(case: Case) -> None:
    rng = case.rng
    odd = [value.replace("\0", "") for value in (rng.choice(NAMES), rng.choice(CELLS))]
    table = _table(case)
    case.arguments = rng.choice(
        (
            ["list", odd[0]], ["list", "--json", "model"], ["list"], ["--help"], [], [odd[0]], ["check"],
            ["check", table, odd[1]],
            ["check", "--target", odd[0], table], ["check", "--set", odd[0], table], ["check", "--set",
            f"{odd[0]}={odd[1]}", table],
            ["check", "--set", f"data.{odd[0]}.x={odd[1]}", table], ["check", "--set", f"model={odd[1]}",
            table],
            ["check", f"bundled:{odd[0]}"], ["check", "bundled:iris", "-t", odd[0]], ["check",
            f"{odd[0]}://{odd[1]}"],
            ["check", f"postgresql://{odd[0]}@localhost:1/{odd[1]}", "--read=table=x"], ["check",
            f"sqlite:///{odd[1]}", "--read=table=x"],
            ["check", "http://localhost/x.csv"], ["check", f"file://{table}"], ["check",
            f"mysql://{odd[0]}/x", "--read=query=SELECT 1"],
            ["predict", odd[0], odd[1]], ["predict", str(case.data), table], ["sample", str(case.data),
            "--length", odd[1]],
            ["test", odd[0]], ["resume", odd[1]], ["report", odd[0]], ["export", odd[1]], ["tune"], ["tune",
            "--resume", odd[0]],
            ["check", "[" * 50], ["check", "**/*" * 9], ["check", "~nobody/x.csv"], ["check", "--read",
            f"{odd[0]}={odd[1]}", table],
            ["fit", "-q", f"data[{odd[0]}"], ["check", "x" * 5000], ["check", "/" + "x/" * 3000], ["check",
            "-t", "x", "--json", table],
        )
    )  # fmt: skip


def _table(case: Case) -> str:
    path = case.data / "table.csv"
    path.write_text(as_csv(case.rng, make_grid(case.rng, 30, "yes/no")))
    return str(path)


def _in_the_way(case: Case) -> None:
    """A destination that is a file, a folder, too long, or cannot be."""
    rng, table = case.rng, _table(case)
    run = case.template("run")
    place = rng.choice(
        (
            "there",
            "there/deeper/out.csv",
            "x" * 300,
            "../data",
            "/proc/x",
            "/dev/full",
            "",
            ".",
            "\n",
            "a\x1b[31m",
        )
    )
    if rng.random() < 0.5:
        (case.here / "there").write_text("mine")
    tiny = [f"--set={change}" for change in TINY] + ["--set=model={mlp: {hidden: [4]}}"]
    case.arguments = rng.choice(
        (
            ["fit", "-t", "label", *tiny, "-q", "-o", place, table], ["convert", table, place], ["convert",
            table, place + ".csv"],
            ["init", table, "-t", "label", "-o", place], ["predict", str(run), table, "-o", place],
            ["export", str(run), "--onnx", place],
            ["predict", str(run), table, "-o", place + ".parquet", "--overwrite"], ["convert", table,
            f"sqlite:///{place}.db"],
            ["tune", "-t", "label", *tiny, "--set=tuning.space={seed: [1, 2]}", "-q", "-o", place, table],
            ["convert", table, table], ["convert", "--overwrite", table, place + ".json"], ["convert",
            "--table", place, table, "out.db"],
        )
    )  # fmt: skip
    case.outputs += [
        str(case.here),
        *(
            [
                str(case.data),
                f"{case.data}.csv",
                f"{case.data}.db",
                f"{case.data}.json",
                f"{case.data}.parquet",
            ]
            if place == "../data"
            else []
        ),
    ]


SCENES: tuple[Callable[[Case], None], ...] = (
    _use_special,
    _odd_arguments,
    _odd_arguments,
    _odd_arguments,
    _in_the_way,
)


def generate(case: Case) -> None:
    """A command whose arguments are at fault."""
    case.rng.choice(SCENES)(case)
