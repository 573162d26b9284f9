"""A process that trains groups of trials: `python -m handrail.tuning.executors.worker` answers requests on its standard
input.

The first line is the job: recipe, fingerprint of the rows, how to measure. Each further line is a group, and
is answered by one line with what came of it. Lines of JSON through plain pipes, as for pictures:
`multiprocessing` would run the user's main script once more. When the main process dies, the input ends, and
so does the worker, in the middle of a training if need be.
"""

import functools
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from handrail.data.prepare import prepare
from handrail.errors import HandrailError, RunError
from handrail.recipe import Recipe
from handrail.tuning.group import Group, Measuring, work_on
from handrail.tuning.trial import Result, Trial
from handrail.tuning.workspace import Workshop


def job_of(recipe: Recipe, fingerprint: str, measuring: Measuring, *, threads: int) -> str | None:
    """What a worker has to know, as JSON; nothing where the recipe holds objects, which cannot be sent.

    The recipe goes through a pipe as it is, with the password that a database's address may hold.
    """
    try:
        values = {"recipe": recipe.model_dump(mode="python"), "fingerprint": fingerprint, "threads": threads}
        return json.dumps({**values, "measuring": measuring.__dict__})
    except (TypeError, ValueError):
        return None


def request_of(group: Group, folder: Path | None) -> str:
    """A group as one line."""
    lists = {name: [trial.__dict__ for trial in getattr(group, name)] for name in ("trials", "members")}
    return json.dumps({**lists, "folder": None if folder is None else str(folder)})


def results_of(line: str) -> list[Result]:
    """What a worker's line says.

    Raises: `RunError` with what stopped the worker.
    """
    said = json.loads(line)
    if "error" in said:
        raise RunError(said["error"])
    return [Result.from_plain(plain) for plain in said["results"]]


def answer(job: str, request: str) -> str:
    """Train and measure a group."""
    try:
        workshop, measuring = _prepared(job)
    except HandrailError as error:
        return json.dumps({"error": str(error)})
    return answered(workshop, measuring, request)


def answered(workshop: Workshop, measuring: Measuring, request: str) -> str:
    """Train and measure a group of prepared rows, beside other processes that do the same."""
    asked = json.loads(request)
    group = Group(*(tuple(Trial(**values) for values in asked[name]) for name in ("trials", "members")))
    folder = None if asked["folder"] is None else Path(asked["folder"])
    try:
        results = work_on(workshop, group, measuring, folder=folder, cores=workshop.threads)
    except HandrailError as error:
        return json.dumps({"error": str(error)})
    return json.dumps({"results": [result.plain() for result in results]})


@functools.lru_cache(maxsize=1)
def _prepared(job: str) -> tuple[Workshop, Measuring]:
    """Read and divide the rows, once a process."""
    values: dict[str, Any] = json.loads(job)
    recipe = Recipe.parse(values["recipe"])
    data = prepare(recipe.data)
    if data.fingerprint != values["fingerprint"]:
        raise RunError(
            f"'{data.source}' is not the same for a worker as for the search: its rows, or their order, differ."
        )
    return Workshop(recipe, data, threads=values["threads"]), Measuring(**values["measuring"])


def serve(source: TextIO, sink: TextIO, *, end: Callable[[int], Any] = os._exit) -> None:
    """Answer until the requests end."""
    lines = _watched(source, end)
    job = next(lines)
    for line in lines:
        sink.write(answer(job, line) + "\n")
        sink.flush()


def _watched(source: TextIO, end: Callable[[int], Any]) -> Iterator[str]:
    """The lines of the source; when it ends, so does the process, whatever it does just then: two must not
    train in one folder.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in source:
            waiting.put(line)
        end(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield waiting.get()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which then ends this one
    serve(sys.stdin, sys.stdout)
