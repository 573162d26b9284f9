"""Measure a step of training, and compile it where a compiler is there and the steps ahead repay it.

A compiler takes some seconds, and saves a few per cent up to a third of a step.
"""

import atexit
import contextlib
import copy
import functools
import getpass
import importlib.util
import json
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from handrail.components import build
from handrail.errors import RecipeError
from handrail.tools.files import explain_damage, write_text
from handrail.training.job import TrainingData, make_setup
from handrail.training.seeds import fix_seed

Answer = TypeVar("Answer")
_log = logging.getLogger("handrail")
_REPAYS = 60.0  # seconds of steps ahead
_QUICKER = 0.95
_TURNS = 5
_CACHE = "TORCHINDUCTOR_CACHE_DIR"  # set by torch itself if it is not set
_cache_is_chosen = _CACHE in os.environ


@dataclass(frozen=True)
class Compilation:
    """Whether steps are compiled, and why."""

    compiled: bool
    why: str


_refused: ContextVar[str] = ContextVar("refused", default="")


def refuse_compiling(why: str) -> None:
    """From now on `auto` does not compile in this process."""
    _refused.set(why)


def has_compiler(device: torch.device) -> bool:
    """Whether torch finds a C++ compiler for processors, or Triton for GPUs."""
    if device.type == "cuda":
        return importlib.util.find_spec("triton") is not None
    names = [os.environ.get("CXX", ""), "g++", "clang++", "cl"]
    return any(name and shutil.which(name.split()[0]) for name in names)


@functools.cache
def leave_no_empty_cache() -> None:
    """When this process ends, remove the folder that torch makes in the temporary folder, here and in
    workers, for what it compiles, if nothing was compiled.
    """
    if not _cache_is_chosen:
        atexit.register(_remove_empty_cache)


def _remove_empty_cache() -> None:
    with contextlib.suppress(OSError, KeyError, ImportError):  # it is not empty, or the user has no name
        Path(tempfile.gettempdir(), f"torchinductor_{getpass.getuser()}").rmdir()


def settle(
    setting: Literal["auto"] | bool,
    *,
    device: torch.device,
    steps: int,
    eager: Callable[[], object],
    compiled: Callable[[], object],
    note: Path | None,
) -> Compilation:
    """Whether to compile. `auto` measures: only long trainings try, and only what is quicker is kept.

    Arguments:
        setting: the recipe's `training.compile`.
        steps: how many are ahead.
        eager, compiled: a step, without any effect.
        note: where the choice is written, so that a training that goes on keeps to it.

    Raises: `RecipeError` where the recipe asks for a compiler and there is none.
    """
    if setting == "auto" and _refused.get():
        return record_choice(Compilation(False, _refused.get()), note)
    if note is not None and note.exists():
        with explain_damage(note):
            return Compilation(**json.loads(note.read_text(encoding="utf-8")))
    return record_choice(_choice(setting, device=device, steps=steps, eager=eager, compiled=compiled), note)


def record_choice(choice: Compilation, note: Path | None) -> Compilation:
    """The choice, logged and written down."""
    _log.info("steps are %s: %s", "compiled" if choice.compiled else "not compiled", choice.why)
    if note is not None:
        note.parent.mkdir(parents=True, exist_ok=True)
        write_text(note, json.dumps(asdict(choice), ensure_ascii=False) + "\n")
    return choice


def _choice(
    setting: Literal["auto"] | bool,
    *,
    device: torch.device,
    steps: int,
    eager: Callable[[], object],
    compiled: Callable[[], object],
) -> Compilation:
    if setting is False:
        return Compilation(False, "as the recipe says")
    if not has_compiler(device):
        if setting is True:
            text = "found true, but there is no compiler here (g++ or clang++); expected auto or false."
            raise RecipeError(f"training.compile: {text}")
        return Compilation(False, "there is no compiler here")
    each = best_of(eager, 2)
    ahead = each * steps
    if setting == "auto" and ahead < _REPAYS:
        return Compilation(False, f"the steps ahead take {ahead:.2g} s, which does not repay a compiler")
    try:
        quick = quietly(lambda: best_of(compiled))
    except Exception as error:  # a compiler may stumble over anybody's layers
        first = (str(error).splitlines() or [""])[0][:120]
        if setting is True:
            text = f"found true, but the compiler failed: {first} Expected auto or false."
            raise RecipeError(f"training.compile: {text}") from error
        return Compilation(False, f"the compiler failed ({first})")
    if setting is True:
        return Compilation(True, "as the recipe says")
    why = f"a step takes {quick * 1e3:.3g} ms compiled, and {each * 1e3:.3g} ms as it is"
    return Compilation(quick < _QUICKER * each, why)


def quietly(call: Callable[[], Answer]) -> Answer:
    """Call a function without torch's warnings about its own compiler's parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def best_of(step: Callable[[], object], turns: int = _TURNS) -> float:
    """Seconds of the quickest of a few turns, after one that counts for nothing."""
    step()
    seconds = []
    for _ in range(turns):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def lone_step(data: TrainingData, network: nn.Module) -> tuple[nn.Module, Callable[[], object]]:
    """A copy of the network, and a step of it with the first whole batch; network and random state stay."""
    copied, setup, rule = copy.deepcopy(network), make_setup(data), build("rule", data.recipe.learning)
    batch = setup.train.take(torch.arange(min(setup.limits.batch_size, len(setup.train))))
    with fix_seed(data.recipe.seed, "trial"):
        rule.start(copied, setup.plan)

    def step() -> object:
        copied.train()
        with fix_seed(data.recipe.seed, "trial"):
            return rule.step(copied, batch)

    return copied, step


def compile_function(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The function compiled; on a GPU its kernels are launched as one graph."""
    mode = "reduce-overhead" if device.type == "cuda" else None
    return torch.compile(function, dynamic=False, mode=mode)


def compile_training(network: nn.Module, rows: int, device: torch.device) -> None:
    """Let whole batches of training go through a compiled forward and backward pass, and nothing else."""
    quick = compile_function(network._call_impl, device)

    def call(inputs: Any) -> Any:
        whole = network.training and isinstance(inputs, torch.Tensor) and len(inputs) == rows
        return quick(inputs) if whole else network._call_impl(inputs)

    # The slot of `Module.compile`, which itself would compile anew for every other batch and for evaluation.
    network._compiled_call_impl = call


def undo_compilation(network: nn.Module) -> None:
    """Undo `compile_training`."""
    network._compiled_call_impl = None
