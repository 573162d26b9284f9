"""Options that several commands share, how their values are read, and how results are printed."""

import datetime
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from handrail.errors import HandrailError, visible

Source = Annotated[
    str,
    typer.Argument(help="A file, folder, glob, database URL, bundled:NAME or toy:NAME.", show_default=False),
]


def _existing_run(path: Path) -> Path:
    """The path of a run or a search, looked at before anything heavy is imported."""
    from handrail.runs.folder import find_folder

    return path if (path / "search.yaml").is_file() else find_folder(path).path


RunPath = Annotated[Path, typer.Argument(help="A run folder.", show_default=False, callback=_existing_run)]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", "-t", help="Column to predict, by name or position (1 first, -1 last)."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="A setting of the recipe: NAME=VALUE, for example training.epochs=20."),
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label",
        help="Without a target: a column that helps to judge; a model may be told its classes (data.label).",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="The network, as -s model=NAME: mlp, or {mlp: {hidden: [64, 32]}}."),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="File for the result; for pictures a folder.")]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="An argument of the use: NAME=VALUE (handrail list use)."),
]
SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad", help="Leave the answers of rows that cannot be read empty."),
]
RunOut = Annotated[Path | None, typer.Option("--out", "-o", help="Run folder; by default runs/NAME-TIME.")]
ReplaceRun = Annotated[bool, typer.Option("--overwrite", help="Replace the run in this folder.")]
SearchOut = Annotated[
    Path | None, typer.Option("--out", "-o", help="Search folder; by default runs/NAME-search-TIME.")
]
ReplaceSearch = Annotated[bool, typer.Option("--overwrite", help="Replace the search in this folder.")]
OpenSeal = Annotated[
    bool, typer.Option("--test", help="Open the seal afterwards and measure on the test rows.")
]
Moved = Annotated[str | None, typer.Option("--source", help="Where the run's data is now, if it has moved.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]
Reading = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        "-r",
        help="How to read: NAME=VALUE with delimiter, header, skip, comment, rows, names, quote, encoding, "
        "decimal, missing, table or query; detected otherwise.",
    ),
]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Read a pickle although it can run any code.")
]

Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Import the classes and functions that a recipe or a folder names: whoever wrote it can run any "
        "code.",
    ),
]


def source_or_recipe(text: str) -> tuple[str | None, str | None]:
    """The argument of a command as a source, or as a recipe if it names a YAML file."""
    return (None, text) if text.endswith((".yaml", ".yml")) else (text, None)


def parse_reading(settings: list[str] | None, allow_pickle: bool) -> dict[str, Any]:
    """The settings of `data.read` from `--read` and `--allow-pickle`; lists are separated by commas."""
    from handrail.recipe.dotted import parse_setting

    values = dict(parse_setting(text, flag="--read") for text in settings or [])
    values |= {key: _split(values[key]) for key in ("names", "missing") if key in values}
    return {**values, "allow_pickle": True} if allow_pickle else values


def _split(value: Any) -> list[str]:
    words = value if isinstance(value, list) else str(value).split(",")
    return [str(word).strip() for word in words]


def make_read_options(reading: dict[str, Any]) -> Any:
    """The settings as `read` takes them."""
    from handrail.recipe import read_options

    return read_options(reading)


def parse_changes(
    settings: list[str] | None,
    reading: dict[str, Any],
    model: str | None = None,
    *,
    label: str | None = None,
) -> dict[str, Any]:
    """The dotted settings from `--set`, those of reading, the model from `--model`, the label from `--label`.

    Raises: `HandrailError` where `--model` and `--set` name different models.
    """
    from handrail.recipe.dotted import parse_setting, set_setting

    changes = {f"data.read.{key}": value for key, value in reading.items()}
    changes |= {} if label is None else {"data.label": label}
    given = dict(parse_setting(text) for text in settings or [])
    if model is None:
        return changes | given
    _, spec = parse_setting(f"model={model}")
    for path, value in given.items():
        within = path.partition(".")[0] == "model"
        if within and not _agree(spec, set_setting({"model": spec}, path, value)["model"]):
            raise HandrailError(
                f"--model {model} and --set {path}={value} name different models; leave one of them out."
            )
    return {"model": spec} | changes | given


def _agree(spec: Any, changed: Any) -> bool:
    """Whether a component says all that it said before, or more: `mlp`, then `{mlp: {hidden: [3]}}`."""
    if isinstance(spec, dict):
        rest = changed if isinstance(changed, dict) else {}
        return all(key in rest and _agree(value, rest[key]) for key, value in spec.items())
    return changed == spec or (isinstance(changed, dict) and list(changed) == [spec])


def parse_target(target: list[str] | None) -> Any:
    """One column, several, or None."""
    return None if not target else target[0] if len(target) == 1 else target


def progress_style(quiet: bool) -> str:
    """The `progress` argument of the library for `--quiet`."""
    return "none" if quiet else "auto"


def say(text: str, quiet: bool = False, *, error: bool = False) -> None:
    """Print a text as it may be shown, unless `quiet`; an `error` on standard error."""
    if not quiet:
        typer.echo(visible(text), err=error)


def print_data(text: str) -> None:
    """Print data byte for byte for another program, and as it may be shown on a terminal."""
    sys.stdout.write(visible(text) if sys.stdout.isatty() else text)


def print_json(values: Any) -> None:
    """Print plain data as JSON, dates by ISO 8601; what must not be shown stands there as `\\u009b`."""
    text = json.dumps(values, ensure_ascii=False, indent=1, default=_as_iso)
    typer.echo("".join(_escape(letter) if visible(letter) != letter else letter for letter in text))


def _as_iso(value: Any) -> str:
    if isinstance(value, datetime.date):  # datetimes are dates, too
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no plain data")


def _escape(letter: str) -> str:
    return f"\\u{ord(letter):04x}"
