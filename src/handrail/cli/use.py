"""The commands that use a run or a source, registered by `handrail.cli`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from handrail.cli.options import (
    AllowPickle,
    Arguments,
    AsJson,
    Label,
    Model,
    Moved,
    Out,
    Overwrite,
    Quiet,
    Reading,
    RunPath,
    Settings,
    SkipBad,
    Source,
    Target,
    Trust,
    make_read_options,
    parse_changes,
    parse_reading,
    parse_target,
    print_data,
    print_json,
    say,
    source_or_recipe,
)
from handrail.errors import HandrailError
from handrail.tools.files import explain_damage


def predict(
    run: RunPath,
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File for the answers, by suffix (.csv, .parquet …); else standard output."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Put the columns of the table before the answers.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse rows with categories that training did not have.")
    ] = False,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Answers for new rows; columns are found by name, in any order."""
    from handrail.cli.early import look_at

    options = make_read_options(parse_reading(read, allow_pickle))
    look_at(source, options.limits)
    from handrail.run import load, predict_into, predict_source

    if out is not None and out.exists() and Path(source).exists() and out.samefile(source):
        raise HandrailError(f"'{out}' is the table itself; choose another --out.")
    how: Any = {"options": options, "keep": keep, "strict": strict, "skip_bad": skip_bad}
    ready = load(run, trust=trust)
    written = None if out is None else predict_into(ready, source, out, overwrite=overwrite, **how)
    if written is None:
        where: Any = {"overwrite": overwrite, "as_json": as_json, "quiet": quiet}
        print_answers(predict_source(ready, source, **how), out, **where, told=_decided(ready))
        return
    rows, warnings = written
    warn(warnings)
    say(f"{rows:,} rows written to {out}{_decided(ready)}", quiet or as_json)
    if as_json:
        print_json({"rows": rows, "warnings": warnings, "out": str(out)})


def warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        say(f"warning: {warning}", error=True)


def print_answers(
    answers: Any, out: Path | None, *, overwrite: bool, as_json: bool, quiet: bool, told: str = ""
) -> None:
    """Print answers, or write them into a file and say so.

    Arguments:
        told: what is said besides of what was written.
    """
    warn(answers.warnings)
    if out is not None:
        say(f"{_write_answers(answers, out, overwrite)} written to {out}{told}", quiet or as_json)
    if as_json:
        rest = {"out": str(out)} if out else {"answers": answers.frame.to_dicts()}
        print_json({"rows": len(answers.frame), "warnings": answers.warnings, **rest})
    elif out is None:
        print_data(answers.frame.write_csv())


def _decided(run: Any) -> str:
    """By which threshold classes were decided, where there is one."""
    from handrail.report.wording import decision

    pipeline = run.pipeline
    task = {"name": pipeline.task.name, "classes": list(pipeline.task.classes)}
    decided = decision(task, {"decisions": pipeline.decoder.decisions})
    return f"; decided: {decided}" if decided else ""


def _write_answers(answers: Any, out: Path, overwrite: bool) -> str:
    """Write a table, or masks, pictures and sounds into a folder. Returns: how much, for the message."""
    from handrail.data.stores.pixels.decode import SUFFIXES
    from handrail.data.writers import convert as write
    from handrail.data.writers.masks import describe_maps, write_maps
    from handrail.data.writers.picture_grid import are_pictures, write_grid
    from handrail.data.writers.sounds import write_sounds
    from handrail.recipe.reading import ReadOptions
    from handrail.tools.words import plural

    if answers.maps and hasattr(answers.maps[0], "rate"):
        return write_sounds(answers.maps, out, overwrite=overwrite)
    if out.suffix.lower() == ".png" and are_pictures(answers.maps):
        write_grid(answers.maps, out, overwrite=overwrite)
        return f"{plural(len(answers.maps), 'picture')} in one"
    if answers.maps and out.suffix.lower() in SUFFIXES:
        raise HandrailError(f"--out {out}: masks are written into a folder, which has no ending, a PNG each.")
    if answers.maps and not out.suffix:
        if overwrite:
            raise HandrailError("--overwrite has no effect on a folder of masks; choose a new --out.")
        return describe_maps(write_maps(answers, out), answers)
    as_kept = ReadOptions(numbers="plain")  # columns that are kept have been read
    write(answers.frame, out, options=as_kept, overwrite=overwrite)
    return f"{len(answers.frame):,} rows"


def use_network(
    run: RunPath,
    name: Annotated[str | None, typer.Argument(help="What to do; by default what there is.")] = None,
    source: Annotated[str | None, typer.Argument(help="Rows, for a use that needs some.")] = None,
    arguments: Arguments = None,
    out: Out = None,
    overwrite: Overwrite = False,
    skip_bad: SkipBad = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Use a network otherwise than to predict: encode, reconstruct, generate, recall, score."""
    from handrail.cli.early import look_at

    options = make_read_options(parse_reading(read, allow_pickle))
    if source is not None:
        look_at(source, options.limits)
    from handrail.run import load

    ready = load(run, trust=trust)
    if name is None:
        _list_uses(ready, as_json=as_json)
        return
    how: Any = {"read_options": options, "skip_bad": skip_bad}
    answers = ready.use_with(name, source, parse_changes(arguments, {}), **how)
    print_answers(answers, out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def _list_uses(run: Any, *, as_json: bool) -> None:
    """What a run can do, with the arguments of each use."""
    from handrail.report.catalogue import catalogue, catalogue_text

    names = run.uses
    entries = {name: entry for name, entry in catalogue("use")["use"].items() if name in names}
    if as_json:
        print_json(entries)
    elif entries:
        say(catalogue_text({"use": entries}))
    else:
        say("Nothing but to predict: handrail predict RUN TABLE.")


def report(run: RunPath, trust: Trust = False, quiet: Quiet = False) -> None:
    """Write the report of a run again."""
    from handrail.run import Run

    record = Run(run, trust=trust)
    with explain_damage(record.folder.validation):
        say(str(record.report()), quiet)


def check(
    source: Source,
    target: Target = None,
    model: Model = None,
    label: Label = None,
    settings: Settings = None,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Check a source before anything is trained; exit code 1 if something would stop a fit."""
    table, recipe = source_or_recipe(source)
    reading = parse_reading(read, allow_pickle)
    from handrail.cli.early import look_early

    changes = parse_changes(settings, reading, model, label=label)
    asked = look_early(table, parse_target(target), recipe=recipe, changes=changes, trust=trust)
    from handrail.checking import check as check_source

    checked = check_source(recipe=asked, trust=trust)
    data, findings = checked
    if as_json:
        columns = [column.model_dump() for column in data.schema.columns]
        listed = [finding.model_dump() for finding in findings]
        print_json({"task": data.task.model_dump(), "columns": columns, "findings": listed})
    else:
        from handrail.report.console import findings_text

        say(findings_text(data, findings))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def init(
    source: Source,
    target: Target = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The recipe to write.")] = Path("recipe.yaml"),
    overwrite: Overwrite = False,
) -> None:
    """Write a commented recipe for a source."""
    from handrail.runs.template import write_starter

    write_starter(source, parse_target(target), out, overwrite=overwrite)
    say(f"{out} written; edit it, then: handrail fit {out}")


def convert(
    source: Source,
    destination: Annotated[
        str, typer.Argument(help="A file by suffix, or a database URL.", show_default=False)
    ],
    table: Annotated[str | None, typer.Option("--table", help="Table to write in a database.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file or table if it exists.")
    ] = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    quiet: Quiet = False,
) -> None:
    """Read a table and write it in another format."""
    reading = parse_reading(read, allow_pickle)
    from handrail.data.writers import convert_and_tell

    options = make_read_options(reading)
    written, remarks = convert_and_tell(
        source, destination, options=options, table=table, overwrite=overwrite
    )
    for remark in remarks:
        say(f"warning: {remark}", quiet, error=True)
    say(f"written: {written}", quiet)


class ListCommand(TyperCommand):
    """`handrail list`, whose help names the kinds of components; they are imported only for it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from handrail.components import KINDS

        name: Any = self.params[0]
        kinds = ", ".join(KINDS)
        name.help = f"A component, such as mlp or adam, or a kind: {kinds}. By default all."
        super().format_help(ctx, formatter)


def list_components(name: Annotated[str | None, typer.Argument()] = None, as_json: AsJson = False) -> None:
    """List components with their settings, defaults and sources; one of them in full."""
    from handrail.components import KINDS
    from handrail.report.catalogue import catalogue, catalogue_text

    entries = catalogue(name)
    if as_json:
        print_json(entries)
    else:
        say(catalogue_text(entries, full=name is not None and name not in KINDS))


def export(
    run: RunPath,
    onnx: Annotated[Path | None, typer.Option("--onnx", help="The ONNX file to write.")] = None,
    source: Moved = None,
    overwrite: Overwrite = False,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Write the whole pipeline as one ONNX file: raw values in, labels and probabilities out."""
    from handrail.run import export_onnx

    how: Any = {"trust": trust, "allow_pickle": allow_pickle}
    say(f"written: {export_onnx(run, onnx, source=source, overwrite=overwrite, **how)}", quiet)
