"""A process that trains groups of trials: `python -m handrail.tuning.executors.worker`.

A request is one line of JSON, the job (recipe, fingerprint of the rows, how to measure) and a group; the
answer one line with its results. A worker ends with its parent: two processes must not train in one folder.
"""

import functools
import json
from pathlib import Path
from typing import Any

from handrail.data.prepare import prepare
from handrail.errors import HandrailError, RunError
from handrail.recipe import Recipe
from handrail.recipe.dotted import component_sections
from handrail.tools.trust import import_folder, inherit, only_named
from handrail.tools.workers import serve
from handrail.tuning.comparison import Measurement
from handrail.tuning.group import Group, GroupTrainer
from handrail.tuning.trial import Result, Trial
from handrail.tuning.workspace import Workspace


def make_job(workspace: Workspace, measurement: Measurement) -> str | None:
    """What a worker has to know, as JSON; None where the recipe holds objects, which cannot be sent.

    The recipe goes through a pipe as it is, with the password that a database's address may hold. Its import
    paths have been checked here, so that the worker may import them, from the same places.
    """
    try:
        values = {"recipe": workspace.recipe.model_dump(mode="python"), "measurement": measurement.__dict__}
        values |= {
            "fingerprint": workspace.data.fingerprint,
            "threads": workspace.threads,
            "folder": import_folder(),
        }
        return json.dumps(values)
    except (TypeError, ValueError):
        return None


def make_request(group: Group, folder: Path | None) -> str:
    """A group as one line of JSON."""
    lists = {name: [trial.__dict__ for trial in getattr(group, name)] for name in ("trials", "members")}
    return json.dumps({**lists, "folder": None if folder is None else str(folder)})


def read_results(line: str) -> list[Result]:
    """The results in a worker's answer. Raises: `RunError` with the error that stopped the worker."""
    reply = json.loads(line)
    if "error" in reply:
        raise RunError(reply["error"])
    return [Result.from_plain(plain) for plain in reply["results"]]


def answer(job: str, group: str) -> str:
    """Train and measure a group, given as `make_request` writes it."""
    try:
        workspace, measurement = _prepare(job)
    except HandrailError as error:
        return json.dumps({"error": str(error)})
    return answer_group(workspace, measurement, group)


def answer_group(workspace: Workspace, measurement: Measurement, request: str) -> str:
    """Train and measure a group whose rows are prepared, beside other processes that do the same."""
    values = json.loads(request)
    group = Group(*(tuple(Trial(**trial) for trial in values[name]) for name in ("trials", "members")))
    folder = None if values["folder"] is None else Path(values["folder"])
    try:
        results = GroupTrainer(workspace, measurement, cores=workspace.threads).train(group, folder)
    except HandrailError as error:
        return json.dumps({"error": str(error)})
    return json.dumps({"results": [result.plain() for result in results]})


@functools.lru_cache(maxsize=1)
def _prepare(job: str) -> tuple[Workspace, Measurement]:
    """Read and split the rows, once a process."""
    values: dict[str, Any] = json.loads(job)
    inherit(component_sections(values["recipe"]), values["folder"])
    recipe = Recipe.parse(values["recipe"])
    data = prepare(recipe.data)
    if data.fingerprint != values["fingerprint"]:
        problem = "is not the same for a worker as for the search: its rows, or their order, differ"
        raise RunError(f"'{data.source}' {problem}.")
    return Workspace(recipe, data, threads=values["threads"]), Measurement(**values["measurement"])


def _answer_line(line: str) -> tuple[str, bytes]:
    return answer(**json.loads(line)), b""


if __name__ == "__main__":
    with only_named(None):
        serve(_answer_line)
