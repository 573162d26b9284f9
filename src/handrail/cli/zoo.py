"""`handrail zoo`: the systems that there are, and a fit of any of them by its own recipe."""

from typing import Annotated, Any

import typer

from handrail.cli.options import (
    AsJson,
    OpenSeal,
    Quiet,
    ReplaceRun,
    RunOut,
    Settings,
    parse_changes,
    print_data,
    print_json,
    progress_style,
    say,
)
from handrail.cli.runs import print_run
from handrail.errors import HandrailError


def zoo(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A system to fit by its own recipe; by default all are listed.", show_default=False
        ),
    ] = None,
    recipe: Annotated[
        bool, typer.Option("--recipe", help="Print the system's recipe instead, to start from.")
    ] = False,
    out: RunOut = None,
    overwrite: ReplaceRun = False,
    settings: Settings = None,
    test: OpenSeal = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the systems of the zoo, or fit one of them on data that everybody has."""
    given: dict[str, Any] = {"--recipe": recipe, "--out": out, "--overwrite": overwrite}
    given |= {"--set": settings, "--test": test}
    if name is None:
        _refuse_idle(given, "without a NAME")
        _list(as_json=as_json, quiet=quiet)
        return
    from handrail.zoo import find_entry

    entry = find_entry(name)
    if recipe:
        _refuse_idle({**given, "--recipe": False, "--json": as_json}, "with --recipe")
        print_data(entry.recipe_text())
        return
    from handrail.cli.early import look_early

    changes = parse_changes(settings, {})
    asked = look_early(None, None, recipe=entry.recipe, changes=changes, trust=False)
    from handrail.fitting import fit

    where: Any = {"out": out, "overwrite": overwrite}
    run = fit(recipe=asked, **where, progress=progress_style(quiet))
    print_run(run, as_json=as_json, quiet=quiet, test=test)


def _list(*, as_json: bool, quiet: bool) -> None:
    from handrail.zoo import load_zoo, overview_text

    entries = load_zoo()
    if as_json:
        print_json([entry.facts() for entry in entries.values()])
    else:
        say(overview_text(entries.values()), quiet)


def _refuse_idle(given: dict[str, Any], where: str) -> None:
    """Raises: `HandrailError` for options that would be ignored."""
    ignored = [option for option, value in given.items() if value]
    if ignored:
        raise HandrailError(f"{', '.join(ignored)}: no effect {where}; leave it out.")
