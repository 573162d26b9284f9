"""Run folders, searches and the ledger, with files that are lost, cut, swapped or of another content."""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from fuzz.case import TINY, Case
from fuzz.formats import as_csv
from fuzz.oddities import CELLS, NAMES, VALUES, replace_file, spoil_file, spoil_plain
from fuzz.tables import make_grid, spoil_grid
from system.kinds import KINDS

COMMANDS = (
    "predict",
    "predict",
    "test",
    "resume",
    "report",
    "predict",
    "test",
    "resume",
    "export",
    "transfer",
)


def _tiny(**changes: Any) -> dict[str, Any]:
    usual = {
        name: json.loads(value) if value[0].isdigit() else value
        for name, value in (c.split("=") for c in TINY)
    }
    return {**usual, **changes}


def _table(folder: Path) -> str:
    path = folder / "source.csv"
    path.write_text(as_csv(Random(0), make_grid(Random(5), 60, "yes/no")))
    return str(path)


def _fit(source: str, target: str | None, out: Path, changes: dict[str, Any], *, stop: bool = False) -> None:
    """A finished run, or one that was interrupted after its first epoch."""
    from handrail import fit
    from handrail.training.callbacks import Callback
    from handrail.training.signals import Interrupted

    class Stop(Callback):
        def on_epoch_end(self, *_: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    if not stop:
        fit(source, target, changes=changes, out=out)
        return
    try:
        fit(source, target, changes={**changes, "training.epochs": 3}, out=out, callbacks=(Stop(),))
    except Interrupted:
        return
    raise AssertionError("the fit was not interrupted")


def _tune(source: str, target: str, out: Path, *, stop: bool = False) -> None:
    """A finished search, or one that was interrupted after its first group of trials."""
    from handrail import tune
    from handrail.training.signals import Interrupted
    from handrail.tuning.trial import TrialStore

    space = {"model.mlp.hidden": [[4], [3, 3]], "training.batch_size": [8, 16]}
    add = TrialStore.add

    def add_and_stop(*arguments: Any) -> None:
        add(*arguments)
        os.kill(os.getpid(), signal.SIGINT)

    if not stop:
        tune(source, target, changes=_tiny(), space=space, out=out)
        return
    TrialStore.add = add_and_stop  # pyright: ignore[reportAttributeAccessIssue]
    try:
        tune(source, target, changes=_tiny(), space=space, out=out)
    except Interrupted:
        return
    finally:
        TrialStore.add = add
    raise AssertionError("the search was not interrupted")


def _of_kind(name: str) -> Callable[[Path, Path], None]:
    def write(source: Path, out: Path) -> None:
        kind = KINDS[name]
        _fit(str(kind.write(source, ())), kind.target, out, _tiny(**kind.changes))

    return write


MLP = {"model": {"mlp": {"hidden": [4]}}}
TEMPLATES: dict[str, Callable[[Path, Path], None]] = {
    "run": lambda source, out: _fit(_table(source), "label", out, _tiny(**MLP)),
    "half-run": lambda source, out: _fit(_table(source), "label", out, _tiny(**MLP), stop=True),
    "replicas": lambda source, out: _fit(
        _table(source), "label", out, _tiny(**MLP, **{"training.replicas": 2})
    ),
    "search": lambda source, out: _tune(_table(source), "label", out),
    "half-search": lambda source, out: _tune(_table(source), "label", out, stop=True),
    **{f"{name}-run": _of_kind(name) for name in KINDS},
}


def write_template(folder: Path, name: str) -> None:
    """A run folder that many cases copy, beside its source."""
    import handrail.report.page
    from fuzz.campaign import write_no_report

    handrail.report.page.write_report = write_no_report
    os.environ |= {"HANDRAIL_HOME": str(folder / "home"), "TMPDIR": str(folder)}
    source = folder / f"{name}-source"
    source.mkdir()
    TEMPLATES[name](source, folder / f"making-{name}")
    (folder / f"making-{name}").rename(folder / name)


def _files(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size)


def _spoil(case: Case, path: Path) -> None:
    case.note(spoil_file(case.rng, path))


def _replace(case: Case, path: Path) -> None:
    case.note(replace_file(case.rng, path))


def _swap(case: Case, path: Path) -> None:
    """The same file of another run, or another file of this one."""
    rng, run = case.rng, _run_of(case, path)
    name = rng.choice(("run", "half-run") if case.quick else ("run", "half-run", "replicas"))
    others = sorted(case.original(name).rglob(path.name))
    other = rng.choice(others) if others and rng.random() < 0.5 else rng.choice(_files(run))
    data = other.read_bytes()
    path.write_bytes(data)
    case.note(f"{path.name}: that of {other.parent.name}/{other.name}")


def _run_of(case: Case, path: Path) -> Path:
    return case.data / path.relative_to(case.data).parts[0]


def _spoil_structure(case: Case, path: Path) -> None:
    """Values, keys, types and shapes, in a file that can be read."""
    rng = case.rng
    spoil = {
        ".json": _spoil_json, ".yaml": _spoil_yaml, ".safetensors": _spoil_tensors,
        ".parquet": _spoil_parquet,
        ".sqlite": _spoil_sqlite, ".jsonl": _spoil_json_lines, ".npz": _spoil_npz,
    }.get(path.suffix)  # fmt: skip
    if spoil is None:
        _spoil(case, path)
        return
    try:
        case.note(f"{path.name}: {spoil(rng, path)}")
    except Exception as error:  # an earlier spoil has left nothing that can be read
        case.note(f"{path.name}: {type(error).__name__}")


def _spoil_json(rng: Random, path: Path) -> str:
    values, how = spoil_plain(rng, json.loads(path.read_text()))
    path.write_text(json.dumps(values))
    return how


def _spoil_json_lines(rng: Random, path: Path) -> str:
    lines = path.read_text().splitlines()
    place = rng.randrange(len(lines))
    values, how = spoil_plain(rng, json.loads(lines[place]))
    lines[place] = json.dumps(values)
    path.write_text("\n".join(lines) + "\n")
    return how


def _spoil_yaml(rng: Random, path: Path) -> str:
    import yaml

    values, how = spoil_plain(rng, yaml.safe_load(path.read_text()))
    path.write_text(yaml.safe_dump(values, allow_unicode=True))
    return how


def _spoil_tensors(rng: Random, path: Path) -> str:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    tensors = load_file(path)
    with safe_open(path, "numpy") as file:
        facts = file.metadata() or {}
    if rng.random() < 0.4 and facts:
        key = rng.choice(sorted(facts))
        how = rng.randrange(3)
        if how == 0:
            del facts[key]
        else:
            try:
                inside, _ = spoil_plain(rng, json.loads(facts[key]))
                facts[key] = json.dumps(inside)
            except ValueError:
                facts[key] = rng.choice(CELLS)
        save_file(tensors, path, metadata=facts)
        return f"fact {key} changed"
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    how = rng.randrange(6)
    if how == 0:
        del tensors[name]
    elif how == 1:
        tensors[rng.choice(NAMES) or "_"] = tensors.pop(name)
    elif how == 2:
        tensors[name] = np.zeros((*tensor.shape, 2), tensor.dtype)
    elif how == 3:
        tensors[name] = tensor.astype(rng.choice(("float64", "int8", "bool", "float16")))
    elif how == 4:
        tensors[name] = np.full_like(
            tensor, rng.choice((np.nan, np.inf, 1e30)) if tensor.dtype.kind == "f" else 1
        )
    else:
        tensors[name] = tensor[:0] if tensor.ndim else np.zeros(3, tensor.dtype)
    save_file(tensors, path, metadata=facts)
    return f"tensor {name} changed ({how})"


def _spoil_npz(rng: Random, path: Path) -> str:
    import numpy as np

    arrays = dict(np.load(path, allow_pickle=False))
    name = rng.choice(sorted(arrays)) if arrays else "x"
    how = rng.randrange(4)
    if how == 0:
        arrays.pop(name, None)
    elif how == 1:
        arrays[name] = np.array(rng.choice(("text", 3, None, float("nan"))))
    elif how == 2:
        arrays[name] = np.asarray(arrays.get(name))[..., None]
    else:
        arrays[name] = np.asarray(arrays.get(name))[:0]
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    return f"array {name} changed ({how})"


def _spoil_parquet(rng: Random, path: Path) -> str:
    import polars as pl

    frame = pl.read_parquet(path)
    name = rng.choice(frame.columns)
    how = rng.randrange(7)
    if how == 0:
        frame = frame.drop(name)
    elif how == 1:
        frame = frame.rename({name: rng.choice(NAMES)})
    elif how == 2:
        frame = frame.head(rng.choice((0, 1)))
    elif how == 3:
        frame = frame.with_columns(pl.lit(rng.choice((None, "x", 1.5, -7, 2**62, True))).alias(name))
    elif how == 4:
        frame = frame.with_columns(pl.col(name).cast(pl.String))
    elif how == 5:
        frame = pl.concat([frame, frame])
    else:
        frame = frame.with_columns(
            pl.col(name).implode().list.concat(pl.col(name).implode()).first().alias(name)
        )
    frame.write_parquet(path)
    return f"column {name} changed ({how})"


def _spoil_sqlite(rng: Random, path: Path) -> str:
    connection = sqlite3.connect(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    table = rng.choice(tables)
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    column, value = (
        rng.choice(columns),
        rng.choice(("x", -1, 1e300, b"\xff", "{}", "[]", "null", '{"a": [1]}', 2**62)),
    )
    statement, values = rng.choice(
        (
            (f'DROP TABLE "{table}"', ()), (f'DELETE FROM "{table}"', ()),
            (f'ALTER TABLE "{table}" RENAME TO other', ()),
            *[(f'UPDATE OR REPLACE "{table}" SET "{column}" = ?', (value,))] * 6,
            ("PRAGMA user_version = 99", ()),
            (f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO other', ()),
        )
    )  # fmt: skip
    try:
        with connection:
            connection.execute(statement, values)
    except sqlite3.Error as error:
        statement = f"{statement} ({error})"
    connection.close()
    return f"{statement} {values!r:.40}"


def _lose_folder(case: Case, path: Path) -> None:
    if path.parent == _run_of(case, path):
        _replace(case, path)
    else:
        shutil.rmtree(path.parent)
        case.note(f"{path.parent.name} deleted")


def _add(case: Case, path: Path) -> None:
    name = case.rng.choice(
        (
            "state.safetensors",
            "test.json",
            "report.html",
            "search.yaml",
            "refit",
            "x",
            ".x",
            "validation.json",
        )
    )
    place = path.parent / name
    if not place.exists():
        if case.rng.random() < 0.3:
            place.mkdir()
        else:
            place.write_bytes(case.rng.choice((b"", b"{}", b"null", b"[1]", case.rng.randbytes(30))))
        case.note(f"{place.name} added in {path.parent.name}")


SPOILS: tuple[Callable[[Case, Path], None], ...] = (
    _spoil, _spoil, _spoil, _spoil_structure, _spoil_structure, _spoil_structure, _spoil_structure,
    _spoil_structure,
    _replace, _replace, _swap, _swap, _lose_folder, _add,
)  # fmt: skip


def generate(case: Case) -> None:
    """A command on a run, on its ledger, or on its new rows, one of which is spoiled."""
    rng = case.rng
    rarer = (
        "search",
        "half-search",
        "half-search",
        "replicas",
        *rng.sample([f"{kind}-run" for kind in KINDS], 4),
    )
    name = rng.choice(("run",) * 12 + ("half-run",) * 4 + (() if case.quick else rarer))
    case.note(name)
    run, rows = case.template(name), None
    if rng.random() < 0.2 and name == "run":
        rows = _odd_rows(case)
    else:
        _spoil_run(case, run)
    if name.endswith("search"):
        case.arguments = ["resume", str(run)] if rng.random() < 0.5 else ["tune", "--resume", str(run)]
        return
    command = rng.choice(COMMANDS) if rows is None else "predict"
    if name == "half-run" and rng.random() < 0.7:
        command = "resume"
    if name == "next token-run" and rng.random() < 0.5:
        command = "sample"
    _choose(case, command, name, run, rows)


def _choose(case: Case, command: str, name: str, run: Path, rows: Path | None) -> None:
    rng, sources = case.rng, case.templates / f"{name}-source"
    trust = ["--trust"] if rng.random() < 0.1 else []
    if command == "predict":
        inside = sorted(sources.iterdir())
        source = rows or (inside[0] if len(inside) == 1 else sources)
        more = rng.choice(([], [], ["--keep"], ["--skip-bad"], ["--json"], ["-o", case.out("out.csv")]))
        case.arguments = ["predict", *more, *trust, "--", str(run), str(source)]
    elif command == "test":
        case.arguments = ["test", *rng.choice(([], [], [], ["--again"], ["--refit"], ["--json"])), str(run)]
        if rng.random() < 0.15:
            ledger = case.folder / "home" / "ledger.sqlite"
            ledger.write_bytes(
                rng.choice((b"", b"x", rng.randbytes(5000), b"SQLite format 3\0" + bytes(100)))
            )
            case.note("ledger spoiled")
    elif command == "transfer":
        table = case.templates / "run-source" / "source.csv"
        start = rng.choice((str(run), str(run / "model" / "weights.safetensors"), str(run / "model")))
        tiny = [
            f"--set={change}"
            for change in (*TINY, "model={mlp: {hidden: [4]}}", f"transfer.start={json.dumps(start)}")
        ]
        case.arguments = ["fit", "--target=label", *tiny, "-o", case.out("next"), "-q", str(table)]
    elif command == "sample":
        case.arguments = ["sample", "--length=5", str(run), f"--start={rng.choice(CELLS)}".replace("\0", "")]
    else:
        case.pictures = command == "report"
        case.arguments = [command, *trust, str(run)]


def _spoil_run(case: Case, run: Path) -> None:
    for spoil in case.rng.sample(SPOILS, case.rng.choice((1, 1, 1, 1, 2, 3))):
        files = _files(run)
        if files:
            spoil(case, case.rng.choice(files))


def _odd_rows(case: Case) -> Path:
    """New rows: columns lost, added, renamed, of other types; cells that training did not have."""
    rng, path = case.rng, case.data / "new.csv"
    grid = make_grid(rng, rng.choice((1, 2, 7, 30)), rng.choice(("yes/no", "number")))
    for _ in range(rng.choice((0, 1, 1, 3))):
        place = rng.randrange(grid.width())
        if rng.random() < 0.5 and grid.width() > 1:
            grid.names.pop(place)
            for row in grid.rows:
                row.pop(place)
            grid.target = grid.target if grid.target[0] in grid.names else grid.names[:1]
        else:
            odd = rng.choice(VALUES)
            for row in grid.rows:
                row[place] = str(odd)[:50]
    spoil_grid(case, grid)
    path.write_bytes(as_csv(rng, grid).encode("utf-8", "surrogatepass"))
    return path
