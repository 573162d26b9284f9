"""What several commands of the command line share: options, and how they are read."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Source = Annotated[
    str, typer.Argument(help="A file, glob, database URL or bundled:NAME.", show_default=False)
]
RunPath = Annotated[Path, typer.Argument(help="A run folder.", show_default=False)]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", "-t", help="Column to predict, by name or position (1 first, -1 last)."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="A setting of the recipe: NAME=VALUE, for example training.epochs=20."),
]
Moved = Annotated[
    str | None, typer.Option("--source", help="Where the data of the run is now, if it has moved.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Reading = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        "-r",
        help="How to read: NAME=VALUE with delimiter, header, names, quote, encoding, decimal, missing, table or query; found out otherwise.",
    ),
]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Read a pickle although it can run any code.")
]


def reading_of(settings: list[str] | None, allow_pickle: bool) -> dict[str, Any]:
    """Settings of `data.read` that were given on the command line; names may be separated by commas."""
    from handrail.recipe.dotted import parse_setting

    given = dict(parse_setting(text, flag="--read") for text in settings or [])
    given |= {key: _words(given[key]) for key in ("names", "missing") if key in given}
    return {**given, "allow_pickle": True} if allow_pickle else given


def _words(value: Any) -> list[str]:
    words = value if isinstance(value, list) else str(value).split(",")
    return [str(word).strip() for word in words]


def read_options_of(given: dict[str, Any]) -> Any:
    """The settings as `read` takes them, or nothing where none was given."""
    from handrail.recipe import read_options

    return read_options(given) if given else None


def changes_of(settings: list[str] | None, reading: dict[str, Any]) -> dict[str, Any]:
    """Dotted settings that were given on the command line, those of reading included."""
    from handrail.recipe.dotted import parse_setting

    changes = {f"data.read.{key}": value for key, value in reading.items()}
    return changes | dict(parse_setting(text) for text in settings or [])


def target_of(target: list[str] | None) -> Any:
    """One column, several, or none."""
    return None if not target else target[0] if len(target) == 1 else target


def say(text: str, quiet: bool = False) -> None:
    """Print a text, unless nothing is to be printed."""
    if not quiet:
        typer.echo(text)


def print_json(values: Any) -> None:
    """Print plain data as JSON."""
    typer.echo(json.dumps(values, ensure_ascii=False, indent=1))
