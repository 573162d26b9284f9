"""The commands of a search."""

from pathlib import Path
from typing import Annotated, Any

import typer

from handrail.cli.options import (
    AllowPickle,
    AsJson,
    Quiet,
    Reading,
    Settings,
    Target,
    parse_changes,
    parse_reading,
    parse_target,
    print_json,
    progress_style,
    say,
    source_or_recipe,
)
from handrail.errors import HandrailError


def tune(
    source: Annotated[
        str | None,
        typer.Argument(help="A table or a folder to learn from, or a recipe (.yaml).", show_default=False),
    ] = None,
    target: Target = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Search folder; by default runs/NAME-search-TIME.")
    ] = None,
    settings: Settings = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="Train the winner again, then on training and validation rows; the seal stays shut.",
        ),
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", help="Continue the search in this folder; finished trials are not repeated."
        ),
    ] = None,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Try settings (tuning.space) on validation rows and say which differences are within noise."""
    arguments = {
        "SOURCE": source,
        "--target": target,
        "--out": out,
        "--set": settings,
        "--read": read,
        "--allow-pickle": allow_pickle,
    }
    if resume is not None:
        idle = [name for name, value in arguments.items() if value]
        if idle:
            raise HandrailError(
                f"{', '.join(idle)}: no effect with --resume, which keeps what the search began with; "
                "leave it out."
            )
        resume_tuning(resume, refit=refit, as_json=as_json, quiet=quiet)
        return
    if source is None:
        raise HandrailError(
            "no source was given; expected a table, a folder or a recipe (.yaml), or --resume FOLDER."
        )
    table, recipe = source_or_recipe(source)
    changes = parse_changes(settings, parse_reading(read, allow_pickle))
    from handrail.tuning.search import tune as search

    result = search(
        table,
        parse_target(target),
        recipe=recipe,
        changes=changes,
        out=out,
        refit=refit,
        progress=progress_style(quiet),
    )
    _print_search(result, as_json=as_json, quiet=quiet)


def resume_tuning(
    folder: Path,
    *,
    source: str | None = None,
    refit: bool = False,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Continue a search and print it."""
    from handrail.tuning.search import resume_search

    result = resume_search(folder, source=source, refit=refit, progress=progress_style(quiet))
    _print_search(result, as_json=as_json, quiet=quiet)


def _print_search(search: Any, *, as_json: bool, quiet: bool) -> None:
    from handrail.report.search.text import search_text

    run = search.run
    if as_json:
        print_json({"search": str(search.path), **search.summary, **({"run": str(run.path)} if run else {})})
        return
    say(search_text(search.summary), quiet)
    if run is None:
        winner = search.folder.winner
        say(f"The winner's recipe: {winner}; train it with: handrail fit {winner}", quiet)
    else:
        measure = f"handrail test {run.path} --refit"
        say(f"The winner was trained again in {run.path}; measure it once, at the end: {measure}", quiet)
    say(f"report: {search.folder.report}", quiet)
