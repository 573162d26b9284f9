"""How a process finds the others that torchrun has started with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from handrail.errors import RecipeError, RunError, TrainingError
from handrail.learning.rule import Team
from handrail.recipe import Recipe
from handrail.tools.interface import call
from handrail.tools.machine import cores
from handrail.training.distributed.processes import LostError, Processes
from handrail.training.signals import Interrupted
from handrail.training.speed.threads import restore_threads
from handrail.training.train import choose_device

_PATIENCE = timedelta(minutes=30)  # the longest that one may be behind the others
_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # that torchrun sets in each process


@contextmanager
def join_processes(recipe: Recipe) -> Iterator[Team]:
    """While open, the processes that train this recipe together; a single one without torchrun.

    They use gloo, and NCCL for what lies on GPUs; each has a GPU of its own, or its share of the processors.

    Raises: `RecipeError` for settings that suit one process only, `RunError` when others cannot be reached.
    """
    if not all(name in os.environ for name in _VARIABLES) or os.environ["WORLD_SIZE"] == "1":
        yield Team()
        return
    _check(recipe)
    with restore_threads():
        torch.set_num_threads(_threads())
        backend = _backend(choose_device(recipe.training.device))
        try:
            dist.init_process_group(backend, timeout=_PATIENCE)
        except (RuntimeError, ValueError) as error:
            where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            text = f"the other processes cannot be reached at {where} ({str(error).splitlines()[0]})."
            raise RunError(text) from error
        try:
            yield Processes()
        finally:
            if dist.is_initialized():
                dist.destroy_process_group()


@contextmanager
def resumable(run: Path) -> Iterator[None]:
    """While open, errors after which the run can be resumed say how."""
    hint = f"Continue with: {call('resume', run)}"
    try:
        yield
    except Interrupted as stop:
        raise Interrupted(f"{stop} {hint}", stop.exit_code - 128) from None
    except LostError as stop:
        raise TrainingError(f"{stop} {hint}") from None


def _check(recipe: Recipe) -> None:
    problems = []
    if dist.is_initialized():
        raise RunError(
            "torch.distributed is in use already; fit joins the processes itself: leave init_process_group "
            "out."
        )
    if recipe.training.replicas > 1:
        problems.append(
            f"training.replicas: found {recipe.training.replicas} with {os.environ['WORLD_SIZE']} processes; "
            "several networks are trained by one process, without torchrun. Train one network here, or leave "
            "torchrun out."
        )
    if ":" in recipe.training.device:
        problems.append(
            f"training.device: '{recipe.training.device}' is one device for all processes; expected cuda, "
            "cpu or auto."
        )
    if problems:
        raise RecipeError(problems)


def _threads() -> int:
    """An equal share of the processors; torchrun itself allows one thread or OMP_NUM_THREADS."""
    set_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    return set_threads if set_threads > 1 else max(1, cores() // _local("WORLD_SIZE"))


def _backend(device: torch.device) -> str:
    if device.type != "cuda":
        return "gloo"
    if _local("WORLD_SIZE") > torch.cuda.device_count():
        raise RecipeError(
            f"training.device: found {_local('WORLD_SIZE')} processes and {torch.cuda.device_count()} GPUs "
            "on this machine; expected one process a GPU (--nproc-per-node), or training.device=cpu."
        )
    torch.cuda.set_device(_local("RANK"))
    return "cpu:gloo,cuda:nccl"


def _local(name: str) -> int:
    """A number on this machine; torchrun gives it beside that on all machines."""
    return int(os.environ.get(f"LOCAL_{name}", os.environ[name]))
