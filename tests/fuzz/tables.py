"""Tables in every format, with cells, columns, lines and bytes that are not what they should be."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from fuzz.case import TINY, Case
from fuzz.formats import WRITERS, Grid
from fuzz.oddities import CELLS, NAMES, replace_file, spoil_bytes, spoil_text

TARGETS = ("yes/no", "three", "number", "zero/one", "two columns", "words", "forecast")
READ = (
    "delimiter=;", "delimiter=tab", "delimiter=whitespace", "delimiter=xx", "header=true", "header=false",
    "header=3",
    "names=a,b", "names=a,a", "names=", "quote=", "quote='", "encoding=utf-16", "encoding=latin-1",
    "encoding=nonsense",
    "encoding=rot13", "encoding=base64", "encoding=utf-7", "encoding=idna", "encoding=cp037", "decimal=,",
    "decimal=;",
    "missing=x,0", "missing=", "table=flowers", "table=nothing", "query=SELECT 1", "query=nonsense",
    "key=y", "x=1", "=",
    "delimiter", "allow_pickle=true", "encoding=undefined", "encoding=punycode",
    "query=SELECT * FROM flowers LIMIT 0",
)  # fmt: skip
SET = (
    "data.split.method=time", "data.split.method=stratified", "data.split.method=order",
    "data.split.method=random",
    "data.split={method: group, column: colour}", "data.split={method: time, column: day}",
    "data.split={method: column, column: colour}", "data.split.validation=0.5", "data.split.test=0.001",
    "data.sample=3", "data.sample=0.5", "data.sample=100000", "data.duplicates=drop",
    "data.balance=oversample",
    "data.balance=undersample", "data.balance=class_weights", "data.encoding.scaling=quantile",
    "data.stream=true",
    "data.encoding.scaling=robust", "data.encoding.scaling=minmax", "data.encoding.categories=embedding",
    "data.encoding.missing=mean", "data.encoding={missing: constant, fill: 0}", "data.drop=[colour]",
    "data.drop=[x,y]",
    "data.columns={x: category}", "data.columns={colour: numeric}", "data.columns={day: text}",
    "data.positive=no",
    "data.columns={x: datetime}", "data.columns={day: image}", "data.columns={colour: audio}",
    "data.positive=1",
    "data.task=regression", "data.task=multi-class", "data.task=multi-label", "data.task=binary",
    "data.task=mask",
    "data.task=boxes", "data.task=forecast", "data.task=next-token", "data.task=sequence",
    "data.text.tokens=byte_pairs",
    "data.forecast.history=5", "data.forecast={history: 3, horizon: 2}", "data.forecast.horizon=1000",
    "data.test=x.csv",
    "data.text.length=5", "data.images.size=8", "data.encoding.rare=100", "evaluation.threshold=f1",
    "data.target=[x,y]",
    "data.read.limits={columns: 3}", "data.read.limits={columns: 0}", "data.read.limits={levels: 1}",
    "data.read.limits={unpacked: 1e-6}", "data.read.limits={unpacked: .inf, expansion: 1}",
    "data.read.limits={encoded: 1e-9, classes: 1}", "data.read.limits={classes: x}", "data.read.limits=5",
    "data.positive=yes", "data.positive=true", "data.positive=0.0", "data.positive=[yes]",
    "data.positive=nothing", "data.positive=.nan", "data.forecast.stride=3", "data.forecast.season=7",
    "data.forecast={history: 1, horizon: 1, season: 100000, stride: 100000}", "data.forecast.history=x",
    "data.forecast={horizon: 3, season: auto, history: 1000000000000}", "data.forecast.horizon=0",
    "tuning.choose=simplest", "tuning.choose=worst", "model={torch.nn:Linear: {in_features: 3}}",
    "model=nothing.here:Net", "model=os:getcwd",
    "data.validation=..", "data.source=null", "evaluation.confidence=0.999", "training.batch_size=1",
)  # fmt: skip


def make_grid(rng: Random, rows: int, target: str, *, more: bool = False) -> Grid:
    """A plain table: numbers, a whole number, a category, a day; with `more` perhaps words and gaps."""
    names = ["x", "y", "colour", "day", "label"]
    lines = []
    for row in range(rows):
        x, label = rng.gauss(0, 1), rng.random()
        cells = [f"{x:.3f}", str(rng.randrange(50)), rng.choice(("red", "green", "blue"))]
        cells.append(f"20{20 + row // 336 % 10:02d}-{row // 28 % 12 + 1:02d}-{row % 28 + 1:02d}")
        cells.append(
            {
                "yes/no": "yes" if label < 0.5 else "no",
                "three": "abc"[int(label * 3)],
                "zero/one": str(int(label < 0.3)),
                "two columns": str(int(label < 0.5)),
                "words": " ".join(rng.choice(("up", "down", "left")) for _ in range(3)),
            }.get(target, f"{x * 2 + label:.4f}")
        )
        lines.append(cells)
    grid = Grid(names, lines, ["label"])
    if target == "two columns":
        _add_column(grid, "second", lambda: rng.choice("01"))
        grid.target = ["label", "second"]
    if more and rng.random() < 0.2:
        _add_column(
            grid, "words", lambda: " ".join(rng.choice(("lorem", "ipsum", "dolor")) for _ in range(7))
        )
    if more and rng.random() < 0.2:
        _add_column(grid, "gaps", lambda: rng.choice(("", "1.5", "2")))
    return grid


def _add_column(grid: Grid, name: str, cell: Callable[[], str]) -> None:
    grid.names.append(name)
    for row in grid.rows:
        row.append(cell())


def _place(grid: Grid) -> int:
    """Of the target; another spoil may have renamed it."""
    return grid.names.index(grid.target[0]) if grid.target[0] in grid.names else 0


def _odd_cells(rng: Random, grid: Grid) -> None:
    for _ in range(rng.choice((1, 1, 3, 10))):
        row = rng.choice(grid.rows)
        row[rng.randrange(len(row))] = rng.choice(CELLS)


def _odd_column(rng: Random, grid: Grid) -> None:
    place, few = rng.randrange(grid.width()), rng.sample(CELLS, rng.choice((1, 2, 5, 20)))
    for row in grid.rows:
        row[place] = rng.choice(few)


def _odd_target(rng: Random, grid: Grid) -> None:
    place, few = _place(grid), rng.sample(CELLS, rng.choice((1, 2, 3, 30)))
    for row in grid.rows:
        row[place] = rng.choice(few) if rng.random() < rng.choice((0.1, 1)) else row[place]


def _odd_names(rng: Random, grid: Grid) -> None:
    for _ in range(rng.choice((1, 2, 5))):
        place = rng.randrange(grid.width())
        odd = rng.choice(NAMES)
        grid.target = [odd if name == grid.names[place] else name for name in grid.target]
        grid.names[place] = odd


def _same_names(rng: Random, grid: Grid) -> None:
    grid.names[rng.randrange(grid.width())] = rng.choice(grid.names)


def _ragged(rng: Random, grid: Grid) -> None:
    for _ in range(rng.choice((1, 1, 5))):
        row = rng.choice(grid.rows)
        if rng.random() < 0.5:
            del row[rng.randrange(len(row))]
        else:
            row.extend([rng.choice(CELLS)] * rng.choice((1, 1, 30)))
        if not row:
            row.append("")


def _missing_column(rng: Random, grid: Grid) -> None:
    place, mark = rng.randrange(grid.width()), rng.choice(("", "NA", "?", " "))
    for row in grid.rows:
        row[place] = mark


def _constant_column(rng: Random, grid: Grid) -> None:
    place, value = rng.randrange(grid.width()), rng.choice(CELLS)
    for row in grid.rows:
        row[place] = value


def _same_rows(rng: Random, grid: Grid) -> None:
    grid.rows = [list(rng.choice(grid.rows[:3])) for _ in grid.rows]


def _no_rows(_rng: Random, grid: Grid) -> None:
    grid.rows = []


def _one_column(_rng: Random, grid: Grid) -> None:
    place = _place(grid)
    grid.names = [grid.names[place]]
    grid.rows = [[row[place]] for row in grid.rows]


def _wide(rng: Random, grid: Grid) -> None:
    for number in range(rng.choice((30, 300))):
        _add_column(grid, f"w{number}", lambda: str(rng.randrange(9)))


def _unique_target(_rng: Random, grid: Grid) -> None:
    place = _place(grid)
    for number, row in enumerate(grid.rows):
        row[place] = f"id{number}"


def _huge_numbers(rng: Random, grid: Grid) -> None:
    place = rng.randrange(grid.width())
    for row in grid.rows:
        row[place] = rng.choice(
            (str(rng.getrandbits(70)), f"{rng.gauss(0, 1):.3f}e{rng.choice((300, 38, -310))}")
        )


def _no_columns(_rng: Random, grid: Grid) -> None:
    grid.names, grid.rows = [""], [[""] for _ in grid.rows]


GRID_SPOILS: tuple[Callable[[Random, Grid], None], ...] = (
    _odd_cells, _odd_cells, _odd_cells, _odd_column, _odd_column, _odd_target, _odd_target, _odd_names,
    _odd_names,
    _same_names, _missing_column, _constant_column, _same_rows, _no_rows, _one_column, _wide, _unique_target,
    _huge_numbers, _no_columns, _ragged,
)  # fmt: skip


def spoil_grid(case: Case, grid: Grid) -> None:
    """Up to three spoils; a ragged one is the last, for the others count on whole rows."""
    rng = case.rng
    for spoil in sorted(
        rng.sample(GRID_SPOILS, rng.choice((0, 1, 1, 1, 2, 3))), key=lambda each: each is _ragged
    ):
        if grid.rows:
            spoil(rng, grid)
            case.note(spoil.__name__)


def make_table(case: Case, *, target: str, rows: int, spoil: bool = True) -> tuple[Path, Grid, str]:
    """A table in a random format. Returns: its path, its content, its format."""
    rng = case.rng
    grid = make_grid(rng, rows, target, more=True)
    if spoil:
        spoil_grid(case, grid)
    kind = rng.choice([name for name, (_, share) in WRITERS.items() for _ in range(share)])
    path = WRITERS[kind][0](rng, grid, case.data)
    case.note(f"{kind}, {rows} rows, target {target}")
    if spoil and rng.random() < 0.2:
        spoil_on_disk(case, path)
    return path, grid, kind


def spoil_on_disk(case: Case, path: Path) -> None:
    """Bytes that are not what the format wants, or a wrong ending."""
    rng = case.rng
    how = rng.random()
    if how < 0.6 or path.suffix not in (".csv", ".json", ".jsonl"):
        data, note = spoil_bytes(rng, path.read_bytes())
        path.write_bytes(data)
    elif how < 0.9:
        text, note = spoil_text(rng, path.read_bytes().decode("latin-1"))
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    else:
        note = replace_file(rng, path)
    case.note(note)


def source_of(case: Case, path: Path) -> str:
    """How the command names the table: mostly by its path."""
    rng = case.rng
    if rng.random() < 0.06:
        ending = rng.choice(
            (".csv", ".json", ".parquet", ".arrow", ".npy", ".npz", ".db", ".pkl", ".png", ".xyz", "", ".gz")
        )
        other = path.with_name(f"other{ending}")
        if path.is_symlink() or path.exists():
            path.rename(other)
        case.note(f"renamed to {other.name}")
        return str(other)
    if rng.random() < 0.06:
        (case.data / f"more{path.suffix}").write_bytes(
            b"x,label\n1,2\n" if rng.random() < 0.5 else path.read_bytes() if path.is_file() else b""
        )
        return str(case.data / f"*{path.suffix}")
    if rng.random() < 0.04:
        return str(case.data)
    return str(path)


def target_of(case: Case, grid: Grid) -> list[str]:
    rng = case.rng
    if rng.random() < 0.9:
        names = grid.target
    else:
        names = rng.choice(
            (
                ["x"],
                ["1"],
                ["-1"],
                ["0"],
                ["99"],
                ["-99"],
                ["nothing"],
                ["x", "label"],
                [],
                ["label", "label"],
                [""],
                ["day"],
            )
        )
    return [f"--target={name}" for name in names]


def name_a_column(rng: Random, grid: Grid) -> list[str]:
    """Settings that name columns, which may be called anything."""
    name = rng.choice([*grid.names, *NAMES[:1], rng.choice(NAMES)])
    key = json.dumps(name)
    kind = rng.choice(("numeric", "category", "text", "datetime", "boolean", "ignore"))
    method = rng.choice(("group", "time", "column"))
    return rng.choice(
        (
            [f"data.drop=[{key}]"],
            [f"data.drop={json.dumps(rng.choices(grid.names, k=2))}"],
            [f"data.columns={{{key}: {kind}}}"],
            [f"data.split={{method: {method}, column: {key}}}"],
            [f"data.drop=[{key}]", "data.task=forecast", "data.forecast={history: 2, horizon: 1}"],
            [f"data.target={key}"],
        )
    )


def generate(case: Case) -> None:
    """A command on a table."""
    rng = case.rng
    rows = rng.choice((1, 3, 8, 10, 11, 12, 14, 20, 30, 30, 40, 40, 40, 60, 60, 90))
    path, grid, kind = make_table(case, target=rng.choice(TARGETS), rows=rows)
    source = source_of(case, path)
    reading = (
        [f"--read={option}" for option in rng.sample(READ, rng.choice((1, 1, 2)))]
        if rng.random() < 0.1
        else []
    )
    if kind == "pickle" and rng.random() < 0.5:
        reading = ["--allow-pickle"]
    changes = (
        [f"--set={change}" for change in rng.sample(SET, rng.choice((1, 1, 1, 2, 3)))]
        if rng.random() < 0.35
        else []
    )
    if rng.random() < 0.15:
        changes += [f"--set={change}" for change in name_a_column(rng, grid)]
    target = target_of(case, grid)
    if rng.random() < 0.06:
        changes.append("--trust")
    if rng.random() < 0.05:
        changes.append("--set=tuning.choose=simplest")
    command = rng.choice(
        ("check",) * 12 + ("fit",) * 3 + ("convert", "convert", "init", "predict", "predict", "tune")
    )
    tiny = [f"--set={change}" for change in TINY] + ["--set=model={mlp: {hidden: [4]}}"]
    if command == "check":
        case.arguments = ["check", *target, *reading, *changes, "--", source]
    elif command == "fit":
        case.arguments = [
            "fit",
            *target,
            *reading,
            *tiny,
            *changes,
            "-o",
            case.out("run"),
            "-q",
            "--",
            source,
        ]
    elif command == "tune":
        space = "--set=tuning.space={training.batch_size: [8, 16]}"
        case.arguments = [
            "tune",
            *target,
            *reading,
            *tiny,
            *changes,
            space,
            "-o",
            case.out("run"),
            "-q",
            "--",
            source,
        ]
    elif command == "convert":
        ending = rng.choice(
            (
                ".csv",
                ".parquet",
                ".json",
                ".jsonl",
                ".arrow",
                ".db",
                ".npz",
                ".npy",
                ".tsv",
                ".csv.gz",
                ".xyz",
                ".pkl",
            )
        )
        case.arguments = ["convert", *reading, "--", source, case.out(f"out{ending}")]
    elif command == "init":
        case.outputs.append(str(case.here / "recipe.yaml"))
        case.arguments = ["init", *target, "--", source]
    else:
        run = case.template("run")
        more = rng.choice(
            (
                [],
                ["--keep"],
                ["--strict"],
                ["--skip-bad"],
                ["--json"],
                ["-o", case.out("out.csv")],
                ["-o", case.out("out.parquet")],
            )
        )
        case.arguments = ["predict", *reading, *more, "--", str(run), source]
