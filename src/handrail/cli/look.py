"""The commands that look inside: traces of algorithms, views and audits of networks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from handrail.cli.options import (
    AsJson,
    Moved,
    Out,
    Overwrite,
    Quiet,
    RunPath,
    Trust,
    parse_changes,
    print_data,
    print_json,
    say,
)
from handrail.errors import HandrailError


def trace(
    name: Annotated[
        str,
        typer.Argument(help="A trace (handrail list trace): perceptron, convolution …", show_default=False),
    ],
    run: Annotated[
        Path | None,
        typer.Option("--run", help="A run folder, whose network is followed in place of the usual example."),
    ] = None,
    rows: Annotated[
        str | None, typer.Option("--rows", help="Rows for that network; by default its validation rows.")
    ] = None,
    row: Annotated[int, typer.Option("--row", min=0, help="Which of the rows, from 0.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A setting of the trace: NAME=VALUE (handrail list NAME)."),
    ] = None,
    blank: Annotated[
        bool, typer.Option("--blank", help="Leave the answers of a worksheet out, for a class.")
    ] = False,
    out: Out = None,
    overwrite: Overwrite = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Follow an algorithm step by step, in the terminal or as a worksheet (-o NAME.html)."""
    if blank and out is None:
        raise HandrailError("--blank: answers are left out of worksheets alone; add -o NAME.html.")
    changes = _settings(settings, "name", "run", "rows", "row")
    from handrail.run import load
    from handrail.traces import trace as follow

    ready = None if run is None else load(run, trust=trust)
    found = follow(name, run=ready, rows=rows, row=row, **changes)
    if as_json:
        print_json(found.to_dict())
    if out is not None:
        found.save(out, blank=blank, overwrite=overwrite)
        say(f"{found.title} written to {out}", quiet or as_json)
    elif not (as_json or quiet):
        from rich.console import Console

        from handrail.traces.terminal import renderable

        console = Console()
        if console.is_terminal:
            console.print(renderable(found, width=console.width))
        else:
            print_data(f"{found}\n")


def view(
    run: RunPath,
    name: Annotated[
        str | None,
        typer.Argument(help="A view: weights, probes …; by default all are named.", show_default=False),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A setting of the view: NAME=VALUE (handrail list NAME)."),
    ] = None,
    out: Out = None,
    overwrite: Overwrite = False,
    source: Moved = None,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look inside a trained network, in the terminal or on a page (-o NAME.html)."""
    if name is None:
        _list("view", quiet)
        return
    changes = _settings(settings, "name", "source")
    from handrail.run import load

    found = load(run, trust=trust).view(name, source=source, **changes)
    _print(found, out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def audit(
    run: RunPath,
    name: Annotated[
        str | None,
        typer.Argument(help="An audit: subgroups …; by default all are named.", show_default=False),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A setting of the audit: NAME=VALUE (handrail list NAME)."),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Look at test rows, whose seal has to be open already.")
    ] = False,
    out: Out = None,
    overwrite: Overwrite = False,
    source: Moved = None,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure where a trained network breaks, in the terminal or on a page (-o NAME.html)."""
    if name is None:
        _list("audit", quiet)
        return
    changes = _settings(settings, "name", "run", "test", "source", "say")
    from handrail.audits.audit import audit as measure
    from handrail.run import load

    how: Any = {"test": test, "source": source, "say": lambda text: say(text, quiet, error=True)}
    found = measure(load(run, trust=trust), name, **how, **changes)
    _print(found, out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def _settings(given: list[str] | None, *taken: str) -> dict[str, Any]:
    """What `--set` gives. Raises: `HandrailError` for what no setting is called, being an option."""
    changes = parse_changes(given, {})
    if wrong := [name for name in taken if name in changes]:
        raise HandrailError(f"--set {wrong[0]}: there is no such setting; see --help for the options.")
    return changes


def _list(kind: str, quiet: bool) -> None:
    from handrail.components import available

    lines = (f"{name:<14}{entry.summary}" for name, entry in available(kind).items())
    say("\n".join(lines), quiet)


def _print(found: Any, out: Path | None, *, overwrite: bool, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json(found.to_dict())
    if out is not None:
        found.save(out, overwrite=overwrite)
        say(f"{found.title} written to {out}", quiet or as_json)
    elif not as_json:
        say(str(found), quiet)
