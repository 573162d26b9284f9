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
    changes_of,
    print_json,
    reading_of,
    say,
    target_of,
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
            help="Train the winner anew, in the end on training and validation rows; the seal stays shut.",
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
    """Try settings (tuning.space), judge them on validation rows, and say which differences are within noise."""
    given = {
        "SOURCE": source,
        "--target": target,
        "--out": out,
        "--set": settings,
        "--read": read,
        "--allow-pickle": allow_pickle,
    }
    if resume is not None:
        idle = [name for name, value in given.items() if value]
        if idle:
            raise HandrailError(
                f"{', '.join(idle)}: no effect with --resume, which goes on as the search was begun; leave it out."
            )
        resume_tuning(resume, refit=refit, as_json=as_json, quiet=quiet)
        return
    if source is None:
        raise HandrailError(
            "no source was given; expected a table, a folder or a recipe (.yaml), or --resume FOLDER."
        )
    changes = changes_of(settings, reading_of(read, allow_pickle))
    from handrail.tuning.search import tune as search

    is_recipe = source.endswith((".yaml", ".yml"))
    found = search(
        None if is_recipe else source,
        target_of(target),
        recipe=source if is_recipe else None,
        changes=changes,
        out=out,
        refit=refit,
        progress="none" if quiet else "auto",
    )
    _tell(found, as_json=as_json, quiet=quiet)


def resume_tuning(
    folder: Path,
    *,
    source: str | None = None,
    refit: bool = False,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Continue a search, and print it."""
    from handrail.tuning.search import resume_search

    found = resume_search(folder, source=source, refit=refit, progress="none" if quiet else "auto")
    _tell(found, as_json=as_json, quiet=quiet)


def _tell(search: Any, *, as_json: bool, quiet: bool) -> None:
    from handrail.report.search.text import search_text

    run = search.run
    if as_json:
        print_json({"search": str(search.path), **search.summary, **({"run": str(run.path)} if run else {})})
        return
    say(search_text(search.summary), quiet)
    if run is None:
        say(
            f"The winner's recipe: {search.folder.winner}; train it with: handrail fit {search.folder.winner}",
            quiet,
        )
    else:
        say(
            f"The winner was trained anew in {run.path}; measure it once, at the end: handrail test {run.path} --refit",
            quiet,
        )
    say(f"report: {search.folder.report}", quiet)
