"""What the figures of a run depend on besides its recipe: versions, device, threads, processes, rows."""

import logging
import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import torch

from handrail.data.dataset import Dataset
from handrail.errors import RunError
from handrail.recipe import SOURCES, Recipe
from handrail.runs.folder import Folder, read_json, write_json
from handrail.tools.files import explain_damage
from handrail.tools.interface import argument

_PACKAGES = ("handrail", "torch", "numpy", "polars", "scikit-learn", "scipy", "pyarrow", "safetensors")
_ELSEWHERE = ("packages", "device", "system", "python", "processes")
_log = logging.getLogger("handrail")


def describe_environment(device: str, threads: int) -> dict[str, Any]:
    """Versions and hardware, as `environment.json` holds them."""
    return {
        "python": sys.version.split()[0],
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "threads": threads,
        "device": device,
        "precision": "float32",
    }


def settle_environment(folder: Folder, data: Dataset, *, device: str, threads: int, processes: int) -> None:
    """Write `environment.json`, or continue as it says: a resumed fit needs the same rows and threads.

    Another number of threads would change the last digits, so a resumed fit keeps the one it began with.

    Raises: `RunError` when the rows, or their order, have changed.
    """
    now = {**describe_environment(device, threads), "processes": processes, "data": data.fingerprint}
    if not folder.environment.exists():
        write_json(folder.environment, now)
        torch.set_num_threads(threads)
        return
    with explain_damage(folder.environment):
        before = read_json(folder.environment)
        fingerprint, before_threads = before["data"], int(before["threads"])
        before.setdefault("processes", 1)
        changed = [name for name in _ELSEWHERE if before[name] != now[name]]
    if fingerprint != data.fingerprint:
        raise RunError(
            f"'{data.source}' has changed since the fit began: its rows, or their order, are not the same. "
            f"Restore it, name its new place ({argument('source', 'PATH')}), or fit again into another "
            "folder."
        )
    if changed:
        warning = "continued elsewhere (%s): the last digits may differ from those of one unbroken fit"
        _log.warning(warning, ", ".join(changed))
    torch.set_num_threads(threads if before["processes"] != processes else before_threads)


def record_choices(folder: Folder, recipe: Recipe) -> None:
    """Add what was chosen by measuring (compilation, training together) to `environment.json`."""
    environment = {**read_json(folder.environment), "precision": recipe.training.precision}
    for name in ("compile", "together"):
        environment[name] = [read_json(path) for path in sorted(folder.checkpoints.rglob(f"{name}.json"))]
    write_json(folder.environment, environment)


def check_same_recipe(folder: Folder, recipe: Recipe) -> None:
    """Refuse to continue a fit by another recipe; only the places of the sources may have changed.

    Raises: `RunError` with the settings that have changed, or for a damaged file.
    """
    if not folder.first_recipe.exists():
        return
    first = read_json(folder.first_recipe)
    with explain_damage(folder.first_recipe):
        first["data"]["read"]["allow_pickle"] = False  # as `Recipe.plain` writes it
    before, now = _flatten(first), _flatten(recipe.plain())
    may_move = {f"data.{name}" for name in SOURCES}
    changed = [name for name in now if now[name] != before.get(name) and name not in may_move]
    if changed:
        raise RunError(
            f"the recipe of '{folder.path}' has been changed since the fit began: {', '.join(changed)}. A "
            "fit is continued as it was begun; take the changes back, or fit again into another folder."
        )


def _flatten(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Sections and their settings as one mapping: `{"training.epochs": 20, …}`."""
    flat: dict[str, Any] = {}
    for section, value in plain.items():
        inside = value.items() if isinstance(value, dict) else ()
        flat |= {f"{section}.{name}": setting for name, setting in inside} or {section: value}
    return flat
