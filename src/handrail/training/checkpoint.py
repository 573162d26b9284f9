"""States on disk: nests of tensors, numbers and texts in one safetensors file, whole or not at all."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from handrail.errors import RunError
from handrail.tools.files import write_bytes


def save_state(path: Path, state: Any) -> None:
    """Write a nest of mappings, lists, tensors, numbers, texts and None.

    Raises: `HandrailError` when the file cannot be written; the file that was there before is then untouched.
    """
    tensors: dict[str, Tensor] = {}
    structure = json.dumps(_outline(state, tensors))
    metadata = {"structure": structure, "digest": _digest(structure, tensors)}
    write_bytes(path, save(tensors, metadata))


def load_state(path: Path) -> Any:
    """Read what `save_state` wrote.

    Raises: `RunError` when the file is missing, cut off or altered.
    """
    if not path.exists():
        raise RunError(f"there is no file '{path}'.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        if metadata["digest"] != _digest(metadata["structure"], tensors):
            raise ValueError("its content does not match its checksum")
        return _rebuild(json.loads(metadata["structure"]), tensors)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        text = f"the file '{path}' is damaged ({error}); delete it, or take it from a copy of the run."
        raise RunError(text) from error


def copy_state(state: Any) -> Any:
    """The same nest with every tensor cloned."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: copy_state(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(copy_state(item) for item in state)
    return state


def _outline(state: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(state, Tensor):
        key = str(len(tensors))
        tensors[key] = state.detach().cpu().contiguous().clone()
        return {"tensor": key}
    if isinstance(state, dict):
        return {"map": [[key, _outline(value, tensors)] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        return {"list": [_outline(item, tensors) for item in state]}
    return {"value": state}


def _rebuild(outline: Any, tensors: dict[str, Tensor]) -> Any:
    kind, content = next(iter(outline.items()))
    if kind == "tensor":
        return tensors[content]
    if kind == "map":
        return {key: _rebuild(value, tensors) for key, value in content}
    if kind == "list":
        return [_rebuild(item, tensors) for item in content]
    return content


def _digest(structure: str, tensors: dict[str, Tensor]) -> str:
    total = hashlib.blake2b(structure.encode(), digest_size=16)
    for key in sorted(tensors, key=int):
        total.update(tensors[key].reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
