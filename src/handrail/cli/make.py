"""The commands that let a network make something: new rows, texts, codes, reconstructions, ways."""

from collections.abc import Callable
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
    Source,
    Trust,
    parse_changes,
    print_data,
)
from handrail.cli.use import print_answers, use_network
from handrail.errors import HandrailError

WITH_ROWS = {
    "encode": "Write the code of each row.",
    "reconstruct": "Write each row as the network gives it back from its code.",
    "interpolate": "Write rows on the way from each row to the next, by their codes.",
    "score": "Write how likely each row is.",
}

_TOKENS = {"next-token": ("start", "length", "temperature"), "text-to-image": ("caption", "temperature")}


def generate(
    run: RunPath,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="How many; by default 16 rows, or one text.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed.")] = 0,
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
    texts = {"start": start, "length": length, "caption": caption, "temperature": temperature}
    given = {name: value for name, value in texts.items() if value is not None}
    task = ready.pipeline.task.name
    writes = task == "next-token"
    if idle := [name for name in given if name not in _TOKENS.get(task, ())]:
        makes = "makes no pictures from texts" if idle[0] == "caption" else "writes no text"
        raise HandrailError(f"--{idle[0]}: the network {makes}; leave it out.")
    more = parse_changes(arguments, {})
    answers = ready.generate(rows or (1 if writes else 16), seed=seed, **given, **more)
    if writes and out is None and not as_json:
        for text in answers.frame["text"]:
            print_data(text + "\n")
        return
    print_answers(answers, out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def with_rows(name: str) -> Callable[..., None]:
    """The command of a use that takes rows."""

    def command(
        run: RunPath,
        source: Source,
        arguments: Arguments = None,
        out: Out = None,
        overwrite: Overwrite = False,
        read: Reading = None,
        allow_pickle: AllowPickle = False,
        trust: Trust = False,
        as_json: AsJson = False,
        quiet: Quiet = False,
    ) -> None:
        how: Any = {"read": read, "allow_pickle": allow_pickle, "as_json": as_json, "quiet": quiet}
        use_network(run, name, source, arguments, out, overwrite, trust=trust, **how)

    command.__doc__ = WITH_ROWS[name]
    return command
