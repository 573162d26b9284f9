"""Whom messages speak to: a program in Python, or somebody at the command line.

A message that says how to give an argument, or what to call next, takes the words from here, so that users
of Python read `overwrite=True` and those of the command line `--overwrite`. Settings of the recipe are named
alike in both (`data.target`).
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_by_command: ContextVar[bool] = ContextVar("messages speak to the command line", default=False)


@contextmanager
def command_line() -> Iterator[None]:
    """Within the context, messages name the options and commands of the command line."""
    token = _by_command.set(True)
    try:
        yield
    finally:
        _by_command.reset(token)


def argument(name: str, value: str | None = None) -> str:
    """How an argument is given: `overwrite=True` or `--overwrite`, `target='price'` or `--target price`.

    Arguments:
        name: in Python; the command line's option has dashes for its underscores.
        value: without one, the argument is a switch.
    """
    if not _by_command.get():
        return f"{name}={'True' if value is None else repr(value)}"
    option = f"--{name.replace('_', '-')}"
    return option if value is None else f"{option} {shlex.quote(value)}"


def argument_name(name: str) -> str:
    """The bare name of an argument: `keep` or `--keep`."""
    return f"--{name.replace('_', '-')}" if _by_command.get() else name


def setting_form() -> str:
    """How a setting of the recipe is given: `-s NAME=VALUE` or `changes={"NAME": VALUE}`."""
    return "-s NAME=VALUE" if _by_command.get() else 'changes={"NAME": VALUE}'


def call(command: str, *values: object, function: str | None = None) -> str:
    """What to call: `handrail resume runs/a` or `handrail.resume('runs/a')`.

    Arguments:
        command: of the command line, perhaps with options before the values: `tune --resume`.
        values: its arguments, such as the path of a run.
        function: what Python calls it, where that is another name.
    """
    if _by_command.get():
        return " ".join(["handrail", command, *(shlex.quote(str(value)) for value in values)])
    return f"handrail.{function or command}({', '.join(repr(str(value)) for value in values)})"
