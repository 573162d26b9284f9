"""The commands that let a network make something: new rows, texts, codes, reconstructions, ways."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from handrail.cli.options import (
    AllowPickle,
    Arguments,
    AsJson,
    Out,
    Overwrite,
    Quiet,
    Reading,
    RunPath,
    SkipBad,
    Source,
    Trust,
    parse_changes,
    print_data,
    print_json,
    say,
)
from handrail.cli.use import print_answers, use_network, warn
from handrail.errors import HandrailError

WITH_ROWS = {
    "encode": "Write the code of each row.",
    "reconstruct": "Write each row as the network gives it back from its code.",
    "interpolate": "Write rows on the way from each row to the next, by their codes.",
    "fill": "Write the table with its gaps filled.",
    "score": "Write how usual each row is, and which are anomalies.",
}

_TOKENS = {"next-token": ("start", "length", "temperature"), "text-to-image": ("caption", "temperature")}


def generate(
    run: RunPath,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="How many; by default 16 rows, or one text.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Random seed (0).")] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", help="Of a language model: the text to continue; by default a new line."),
    ] = None,
    length: Annotated[
        int | None, typer.Option("--length", min=1, help="Of a language model: tokens to add (400).")
    ] = None,
    caption: Annotated[
        str | None, typer.Option("--caption", help="Of a network for text to image: what to show.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0, help="Of drawn tokens: 0 is greedy (texts 0.8, pictures 1)."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--given", help="The class of the rows, of a network that was told it: COLUMN=VALUE."),
    ] = None,
    arguments: Arguments = None,
    out: Out = None,
    overwrite: Overwrite = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Let a network make new rows or pictures of a caption, or a language model write."""
    from handrail.run import load

    ready = load(run, trust=trust)
    task = ready.pipeline.task.name
    tokens = {"start": start, "length": length, "caption": caption, "temperature": temperature}
    options = {"rows": rows, "seed": seed, "given": _parse_given(given), **tokens}
    asked = {name: value for name, value in options.items() if value is not None}
    _refuse_other_tokens(task, [name for name in tokens if name in asked])
    how = ready.resolve_generation(_with_settings(asked, arguments))
    where: Any = {"overwrite": overwrite, "as_json": as_json, "quiet": quiet}
    writes = task == "next-token"
    if (count := how.pop("rows")) > ready.at_once and not writes:
        _write_blocks(ready.generate_blocks(count, **how), count, out, **where)
        return
    answers = ready.generate(count, **how)
    if writes and out is None and not as_json:
        print_data("".join(f"{text}\n" for text in answers.frame["text"]))
        return
    print_answers(answers, out, **where)


def _refuse_other_tokens(task: str, given: list[str]) -> None:
    """Raises: `HandrailError` for options of drawn tokens that are those of another task."""
    if idle := [name for name in given if name not in _TOKENS.get(task, ())]:
        makes = "makes no pictures from texts" if idle[0] == "caption" else "writes no text"
        raise HandrailError(f"--{idle[0]}: the network {makes}; leave it out.")


def _with_settings(given: dict[str, Any], settings: list[str] | None) -> dict[str, Any]:
    """Options that were given, and settings. Raises: `HandrailError` for what is given as both."""
    more = parse_changes(settings, {})
    if twice := [name for name in given if name in more]:
        name = twice[0]
        raise HandrailError(
            f"--{name}: found {given[name]!r}, and {more[name]!r} as --set {name}; leave one of them out."
        )
    return given | more


def _write_blocks(
    blocks: Any, rows: int, out: Path | None, *, overwrite: bool, as_json: bool, quiet: bool
) -> None:
    """Write more rows than are made at once, a block at a time.

    Raises: `HandrailError` for a file that cannot be written so, and for JSON without a file.
    """
    from handrail.data.writers.blocks import ENDINGS, write_blocks, writes_blocks

    def frames() -> Iterator[Any]:
        for number, answers in enumerate(blocks):
            if not number:
                warn(answers.warnings)
            yield answers.frame

    if out is None and as_json:
        raise HandrailError(
            f"--json: found {rows:,} rows, which are written a block at a time; add --out FILE."
        )
    if out is None:
        for number, frame in enumerate(frames()):
            print_data(frame.write_csv(include_header=not number))
        return
    if not writes_blocks(out):
        raise HandrailError(
            f"--out {out}: found {rows:,} rows, which are written a block at a time; expected a file that "
            f"ends in {', '.join(ENDINGS)}."
        )
    written = write_blocks(out, frames(), overwrite=overwrite)
    say(f"{written:,} rows written to {out}", quiet or as_json)
    if as_json:
        print_json({"rows": written, "out": str(out)})


def translate(
    run: RunPath,
    source: Source,
    to: Annotated[str | None, typer.Option("--to", help="The domain that the rows are to become.")] = None,
    out: Out = None,
    overwrite: Overwrite = False,
    skip_bad: SkipBad = False,
    read: Reading = None,
    allow_pickle: AllowPickle = False,
    trust: Trust = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write each row of one domain as a row of the other."""
    how: Any = {"skip_bad": skip_bad, "read": read, "allow_pickle": allow_pickle, "trust": trust}
    arguments = [] if to is None else [f"to={to}"]
    use_network(run, "translate", source, arguments, out, overwrite, as_json=as_json, quiet=quiet, **how)


def _parse_given(given: list[str] | None) -> dict[str, str] | None:
    """Raises: `HandrailError` for what is no COLUMN=VALUE, and for a column that is given twice."""
    told: dict[str, str] = {}
    for text in given or []:
        column, sign, value = text.partition("=")
        if not (column and sign and value):
            raise HandrailError(f"--given: found '{text}', expected COLUMN=VALUE, as in --given kind=setosa.")
        if column in told:
            raise HandrailError(f"--given: '{column}' is given twice; leave one of them out.")
        told[column] = value
    return told or None


def with_rows(name: str) -> Callable[..., None]:
    """The command of a use that takes rows."""

    def command(
        run: RunPath,
        source: Source,
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
        how: Any = {"skip_bad": skip_bad, "read": read, "allow_pickle": allow_pickle, "trust": trust}
        use_network(run, name, source, arguments, out, overwrite, as_json=as_json, quiet=quiet, **how)

    command.__doc__ = WITH_ROWS[name]
    return command
