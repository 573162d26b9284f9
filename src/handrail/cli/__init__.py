"""The command line: a thin layer over the library. Everything heavy is imported inside the commands."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from handrail.cli.options import (
    AllowPickle,
    AsJson,
    Moved,
    Quiet,
    Reading,
    RunPath,
    Settings,
    Source,
    Target,
    changes_of,
    print_json,
    read_options_of,
    reading_of,
    say,
    target_of,
)
from handrail.cli.tune import resume_tuning, tune
from handrail.errors import HandrailError

app = typer.Typer(
    name="handrail",
    help="Deep learning with something to hold on to: from a table to a network whose figures can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def fit(
    source: Annotated[
        str,
        typer.Argument(help="A table or a folder to learn from, or a recipe (.yaml).", show_default=False),
    ],
    target: Target = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder; by default runs/NAME-TIME.")
    ] = None,
    settings: Settings = None,
    test: Annotated[
        bool, typer.Option("--test", help="Open the seal afterwards and measure on the test rows.")
    ] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="With --test: first train on training and validation rows.")
    ] = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on a table, pictures, series, sounds or text, and say honestly how good it is."""
    if refit and not test:
        raise HandrailError("--refit has no effect without --test.")
    reading = reading_of(read, allow_pickle)
    changes = changes_of(settings, reading)
    from handrail.fitting import fit as fit_table

    is_recipe = source.endswith((".yaml", ".yml"))
    run = fit_table(
        None if is_recipe else source,
        target_of(target),
        recipe=source if is_recipe else None,
        changes=changes,
        out=out,
        progress="none" if quiet else "auto",
    )
    _tell(run, as_json=as_json, quiet=quiet, test=test, refit=refit)


def _tell(run: Any, *, as_json: bool, quiet: bool, test: bool = False, refit: bool = False) -> None:
    """Print a run; with `test` open its seal, unless it was opened before."""
    from handrail.report.console.runs import openings_text, run_summary, test_summary

    before = run.openings() if test else []
    if test and not before:
        run.test(refit=refit, progress="none" if quiet else "auto")
    if as_json:
        print_json(as_plain(run))
        return
    say(run_summary(run), quiet)
    if run.tested:
        say(test_summary(run, run.tested), quiet)
    elif before:
        say(
            f"\n{openings_text(before)}\nIt was not opened now; to measure again, marked: handrail test {run.path} --again",
            quiet,
        )
    else:
        say(f"The test rows are sealed; open them once, at the end: handrail test {run.path}", quiet)
    say(f"report: {run.folder.report}", quiet)


def as_plain(run: Any) -> dict[str, Any]:
    """What `--json` prints of a run."""
    tested = run.tested
    parts = {"validation": run.summary, "test": tested or {}}
    replicas = {part: found["replicas"] for part, found in parts.items() if found.get("replicas")}
    plain = {"run": str(run.path), "task": run.summary["task"]["name"], "validation": run.validation}
    plain |= {"replicas": replicas} if replicas else {}
    if not tested:
        return plain
    shared = [
        {"recipe": opening["recipe"], "when": opening["when"], "share": share}
        for opening, share in tested["shared"]
    ]
    return plain | {
        "test": tested["metrics"],
        "opening": tested["opening"],
        "refit": tested["refit"],
        "shared": shared,
    }


@app.command()
def resume(
    run: RunPath,
    source: Moved = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Continue a fit or a search that was interrupted or killed."""
    if (run / "search.yaml").is_file():
        resume_tuning(run, source=source, as_json=as_json, quiet=quiet)
        return
    from handrail.fitting import resume as resume_run

    _tell(resume_run(run, source=source, progress="none" if quiet else "auto"), as_json=as_json, quiet=quiet)


app.command()(tune)


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
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Open the seal: measure once on the test rows."""
    from handrail.report.console.runs import test_summary
    from handrail.run import Run

    opened = Run(run)
    found = opened.test(again=again, refit=refit, source=source, progress="none" if quiet else "auto")
    if as_json:
        print_json(as_plain(opened))
        return
    say(test_summary(opened, found).lstrip("\n"), quiet)
    say(f"report: {opened.folder.report}", quiet)


@app.command()
def predict(
    run: RunPath,
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where answers go, by suffix (.csv, .parquet …); by default standard output."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Put the columns of the table before the answers.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse rows with categories that training did not have.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave the answers of rows that cannot be read empty.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Answers for new rows; columns are found by name, in any order."""
    given = reading_of(read, allow_pickle)
    from handrail.data.writers import convert as write
    from handrail.run import predict_into, predict_source
    from handrail.runs.predict import write_maps

    if out is not None and Path(source).exists() and Path(source).resolve() == out.resolve():
        raise HandrailError(f"'{out}' is the table itself; choose another --out.")
    how: dict[str, Any] = {
        "options": read_options_of(given),
        "keep": keep,
        "strict": strict,
        "skip_bad": skip_bad,
    }
    done = None if out is None else predict_into(run, source, out, overwrite=overwrite, **how)
    if done is not None:
        for warning in done[1]:
            typer.echo(f"warning: {warning}", err=True)
        say(f"{done[0]:,} rows written to {out}", quiet or as_json)
        if as_json:
            print_json({"rows": done[0], "warnings": done[1], "out": str(out)})
        return
    answers = predict_source(run, source, **how)
    for warning in answers.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if out is not None and answers.maps and not out.suffix:
        say(f"{len(write_maps(answers, out)):,} masks written to {out}", quiet or as_json)
    elif out is not None:
        write(answers.frame, out, overwrite=overwrite)
        say(f"{len(answers.frame):,} rows written to {out}", quiet or as_json)
    if as_json:
        print_json(
            {
                "rows": len(answers.frame),
                "warnings": answers.warnings,
                **({"out": str(out)} if out else {"answers": answers.frame.to_dicts()}),
            }
        )
    elif out is None:
        sys.stdout.write(answers.frame.write_csv())


@app.command()
def sample(
    run: RunPath,
    start: Annotated[
        str, typer.Option("--start", help="The text to go on from; by default a new line.")
    ] = "\n",
    length: Annotated[int, typer.Option("--length", min=1, help="Tokens to add.")] = 400,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", min=0, help="Below 1 bolder towards what is likely; 0 takes the likeliest."
        ),
    ] = 0.8,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of chance.")] = 0,
) -> None:
    """Let a language model write."""
    from handrail.run import load

    typer.echo(load(run).sample(start, length=length, temperature=temperature, seed=seed))


@app.command()
def report(run: RunPath, quiet: Quiet = False) -> None:
    """Write the report of a run anew."""
    from handrail.run import Run

    say(str(Run(run).report()), quiet)


@app.command()
def check(
    source: Source,
    target: Target = None,
    settings: Settings = None,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Look a table over before anything is trained; exit code 1 if something would stop a fit."""
    reading = reading_of(read, allow_pickle)
    from handrail.fitting import check_source

    is_recipe = source.endswith((".yaml", ".yml"))
    data, findings = check_source(
        None if is_recipe else source,
        target_of(target),
        recipe=source if is_recipe else None,
        changes=changes_of(settings, reading),
    )
    if as_json:
        print_json(
            {
                "task": data.task.model_dump(),
                "columns": [c.model_dump() for c in data.schema.columns],
                "findings": [f.model_dump() for f in findings],
            }
        )
    else:
        from handrail.report.console.findings import findings_text

        typer.echo(findings_text(data, findings))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def init(
    source: Source,
    target: Target = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The recipe to write.")] = Path("recipe.yaml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a commented recipe for a table."""
    from handrail.runs.template import write_starter

    write_starter(source, target_of(target), out, overwrite=overwrite)
    say(f"{out} written; edit it, then: handrail fit {out}")


@app.command()
def convert(
    source: Source,
    destination: Annotated[
        str, typer.Argument(help="A file by suffix, or a database URL.", show_default=False)
    ],
    table: Annotated[str | None, typer.Option("--table", help="Table to write in a database.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    quiet: Quiet = False,
) -> None:
    """Read a table and write it in another format."""
    given = reading_of(read, allow_pickle)
    from handrail.data.writers import convert as convert_table

    written = convert_table(
        source, destination, options=read_options_of(given), table=table, overwrite=overwrite
    )
    say(f"written: {written}", quiet)


@app.command(name="list")
def list_components(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="model, loss, penalty, rule, optimizer, schedule, clip, activation or initialisation."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """All components with their settings, defaults and sources."""
    from handrail.report.console.catalogue import catalogue, catalogue_text

    found = catalogue(kind)
    if as_json:
        print_json(found)
    else:
        typer.echo(catalogue_text(found))


@app.command()
def export(
    run: RunPath,
    onnx: Annotated[Path | None, typer.Option("--onnx", help="The ONNX file to write.")] = None,
    source: Moved = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write the whole pipeline as one ONNX file: raw values in, labels and probabilities out."""
    from handrail.run import export_onnx

    say(f"written: {export_onnx(run, onnx, source=source, overwrite=overwrite)}", quiet)


def main() -> None:
    """Run a command; mistakes end with one message and exit code 2, never with a traceback.

    Exit codes: 0 done; 1 `check` found errors; 2 a mistake that the message explains; 130 and 143
    interrupted; 70 a fault of handrail itself (HANDRAIL_DEBUG=1 shows where).
    """
    signal.signal(signal.SIGTERM, _ended)
    sys.path.append(str(Path.cwd()))  # `model: mynets:Tree` finds mynets.py where the command is given
    try:
        app()
    except HandrailError as error:
        _fail(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        _fail("interrupted.", 130)
    except MemoryError:
        _fail("the memory is used up; take a sample (--set data.sample=100000) or smaller batches.", 2)
    except Exception as error:
        if os.environ.get("HANDRAIL_DEBUG"):
            raise
        if type(error).__name__ == "Interrupted":
            _fail(str(error), getattr(error, "exit_code", 130))
        first = (str(error).splitlines() or [""])[0]
        _fail(
            f"this should not happen, and is a fault of handrail: {type(error).__name__}: {first} (HANDRAIL_DEBUG=1 shows where.)",
            70,
        )


def _ended(_number: int, _frame: object) -> None:
    """SIGTERM outside of training, which has its own way to stop."""
    _fail("ended by SIGTERM; a fit that has begun goes on with: handrail resume RUN", 143)


def _fail(text: str, code: int) -> None:
    typer.echo(f"handrail: {text}", err=True)
    sys.exit(code)
