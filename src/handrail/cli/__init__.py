"""The command line: a thin layer over the library. Here are the commands that train and test.

May import everything, but heavy modules only inside commands: `handrail --help` must not load torch. A new
command is a function here or in `use`, registered with `app`.
"""

import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from handrail.cli import look, make, use, zoo
from handrail.cli.options import (
    AllowPickle,
    AsJson,
    Label,
    Model,
    Moved,
    OpenSeal,
    Quiet,
    Reading,
    ReplaceRun,
    ReplaceSearch,
    RunOut,
    RunPath,
    SearchOut,
    Settings,
    Target,
    Trust,
    parse_changes,
    parse_reading,
    parse_target,
    print_json,
    progress_style,
    say,
    source_or_recipe,
)
from handrail.cli.runs import print_run, run_as_json
from handrail.errors import HandrailError, VisibleFormatter, visible
from handrail.tools.files import explain_damage
from handrail.tools.interface import command_line
from handrail.tools.trust import only_named

_SOURCE = typer.Argument(help="A table or a folder to learn from, or a recipe (.yaml).", show_default=False)

_NO_MEMORY = (
    "the memory is used up; take a sample (--set data.sample=100000), smaller batches or a smaller model."
)
_TOO_LARGE = ("can't allocate memory", "Storage size calculation overflowed", "out of memory")  # by torch

app = typer.Typer(
    name="handrail",
    help="Deep learning with something to hold on to: from a table to a network whose figures can be "
    "trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def fit(
    source: Annotated[str, _SOURCE],
    target: Target = None,
    model: Model = None,
    label: Label = None,
    out: RunOut = None,
    overwrite: ReplaceRun = False,
    settings: Settings = None,
    test: OpenSeal = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="With --test: first train on training and validation rows.")
    ] = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on a table, pictures, series, sounds or text, and say honestly how good it is."""
    if refit and not test:
        raise HandrailError("--refit has no effect without --test.")
    table, recipe = source_or_recipe(source)
    changes = parse_changes(settings, parse_reading(read, allow_pickle), model, label=label)
    from handrail.cli.early import look_early

    asked = look_early(table, parse_target(target), recipe=recipe, changes=changes, trust=trust)
    from handrail.fitting import fit as fit_table

    where: Any = {"out": out, "overwrite": overwrite}
    run = fit_table(recipe=asked, **where, trust=trust, progress=progress_style(quiet))
    print_run(run, as_json=as_json, quiet=quiet, test=test, refit=refit)


@app.command()
def resume(
    run: RunPath,
    source: Moved = None,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Continue a fit or a search that was interrupted or killed."""
    how: Any = {"source": source, "allow_pickle": allow_pickle, "trust": trust}
    if (run / "search.yaml").is_file():
        _resume_search(run, as_json=as_json, quiet=quiet, **how)
        return
    from handrail.fitting import resume as resume_run

    resumed = resume_run(run, progress=progress_style(quiet), **how)
    with explain_damage(resumed.folder.validation):
        print_run(resumed, as_json=as_json, quiet=quiet)


@app.command()
def tune(
    source: Annotated[str | None, _SOURCE] = None,
    target: Target = None,
    model: Model = None,
    label: Label = None,
    out: SearchOut = None,
    overwrite: ReplaceSearch = False,
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
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Try settings (tuning.space) on validation rows and say which differences are within noise."""
    if resume is not None:
        names = ("SOURCE", "--target", "--model", "--label", "--out", "--overwrite", "--set", "--read")
        given = (source, target, model, label, out, overwrite, settings, read)
        _check_resumed(dict(zip(names, given, strict=True)))
        how: Any = {"refit": refit, "allow_pickle": allow_pickle, "trust": trust}
        _resume_search(resume, as_json=as_json, quiet=quiet, **how)
        return
    if source is None:
        raise HandrailError(
            "no source was given; expected a table, a folder or a recipe (.yaml), or --resume FOLDER."
        )
    table, recipe = source_or_recipe(source)
    changes = parse_changes(settings, parse_reading(read, allow_pickle), model, label=label)
    from handrail.cli.early import look_early

    asked = look_early(table, parse_target(target), recipe=recipe, changes=changes, trust=trust)
    from handrail.tuning.search import tune as search

    where: Any = {"out": out, "overwrite": overwrite}
    result = search(recipe=asked, **where, refit=refit, trust=trust, progress=progress_style(quiet))
    _print_search(result, as_json=as_json, quiet=quiet)


def _check_resumed(arguments: dict[str, Any]) -> None:
    """Raises: `HandrailError` for arguments that a resumed search would ignore."""
    ignored = [name for name, value in arguments.items() if value]
    if ignored:
        raise HandrailError(
            f"{', '.join(ignored)}: no effect with --resume, which keeps what the search began with; "
            "leave it out."
        )


def _resume_search(folder: Path, *, as_json: bool, quiet: bool, **options: Any) -> None:
    from handrail.tuning.search import resume_search

    search = resume_search(folder, progress=progress_style(quiet), **options)
    with explain_damage(search.folder.summary):
        _print_search(search, as_json=as_json, quiet=quiet)


def _print_search(search: Any, *, as_json: bool, quiet: bool) -> None:
    from handrail.report.search import search_text

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


@app.command(name="test")
def open_seal(
    run: RunPath,
    again: Annotated[
        bool,
        typer.Option("--again", help="Measure again on rows that were opened before; figures are marked."),
    ] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="First train on training and validation rows together.")
    ] = False,
    source: Moved = None,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Open the seal: measure once on the test rows."""
    from handrail.report.console import test_summary
    from handrail.run import Run

    opened = Run(run, trust=trust, allow_pickle=allow_pickle)
    tested = opened.test(again=again, refit=refit, source=source, progress=progress_style(quiet))
    if as_json:
        print_json(run_as_json(opened))
        return
    say(test_summary(opened, tested).lstrip("\n"), quiet)
    say(f"report: {opened.folder.report}", quiet)


for _command in (use.predict, make.generate, make.translate, use.report, use.check, use.init, use.convert):
    app.command()(_command)
app.command(name="sample", help="The same as generate, by its old name.")(make.generate)
for _name in make.WITH_ROWS:
    app.command(name=_name)(make.with_rows(_name))
app.command(name="use")(use.use_network)
app.command(name="list", cls=use.ListCommand)(use.list_components)
app.command()(use.export)
app.command(name="zoo")(zoo.zoo)
app.command()(look.trace)
app.command()(look.view)
app.command()(look.audit)


def main() -> None:
    """Run a command; mistakes end with one message and exit code 2, never with a traceback.

    Exit codes: 0 done; 1 `check` found errors; 2 a mistake that the message explains; 130, 143 interrupted;
    70 internal error (HANDRAIL_DEBUG=1 shows where).
    """
    signal.signal(signal.SIGTERM, _on_sigterm)
    _show_visibly()
    try:
        # `-s model=mynets:Tree` finds mynets.py in the current folder
        with command_line(), only_named(_current_folder()):
            app()
    except HandrailError as error:
        _fail(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a name that is too long, a circle of links, a disk that goes away
        _fail(_explain_system(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted.", 130)
    except MemoryError:
        _fail(_NO_MEMORY, 2)
    except BaseException as error:
        is_panic = type(error).__name__ == "PanicException"  # of a library in Rust, outside of `Exception`
        if os.environ.get("HANDRAIL_DEBUG") or not (isinstance(error, Exception) or is_panic):
            raise
        if isinstance(error, RuntimeError) and any(words in str(error) for words in _TOO_LARGE):
            _fail(_NO_MEMORY, 2)
        if type(error).__name__ == "Interrupted":
            _fail(str(error), getattr(error, "exit_code", 130))
        first = (str(error).splitlines() or [""])[0]
        what = f"{type(error).__name__}: {first} (HANDRAIL_DEBUG=1 shows where.)"
        _fail(f"internal error; please report it: {what}", 70)


def _show_visibly() -> None:
    """Warnings, of libraries too, go to standard error as they may be shown: they may quote data."""
    plain = warnings.formatwarning
    warnings.formatwarning = lambda *facts, **rest: visible(plain(*facts, **rest))
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(VisibleFormatter())


def _explain_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename!r:.300}: {reason}; correct the path." if error.filename else f"{reason}."


def _current_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it has been removed
        return None


def _on_sigterm(_number: int, _frame: object) -> None:
    """SIGTERM outside of training, which stops in its own way."""
    _fail("ended by SIGTERM; a fit that has begun goes on with: handrail resume RUN", 143)


def _fail(text: str, code: int) -> None:
    say(f"handrail: {text}", error=True)
    sys.exit(code)
