"""Weights of another network: found in a run or a file, and taken over where names and shapes fit."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from handrail.errors import RunError, did_you_mean
from handrail.training.transfer.names import by_model_names, ends_of, within

BEGINNING = "start.safetensors"  # in the folder of the checkpoints
_RUN_PREFIX = "network."
_SHOWN = 4
_OTHER_INPUTS = "it was learned for other columns or tokens"
_OTHER_ANSWERS = "it was learned for other classes or targets"
_log = logging.getLogger("handrail")


@dataclass(frozen=True)
class Loaded:
    """What became of a file's weights.

    names: the network's tensors that were filled. left_out: tensors of the file that were not used, each with
    the reason. kept: the network's tensors that stay as they were.
    """

    names: tuple[str, ...]
    left_out: dict[str, str]
    kept: tuple[str, ...]

    @property
    def summary(self) -> str:
        """A sentence for the log."""
        left_out = "; ".join(f"{name} ({why})" for name, why in self.left_out.items())
        left = f"; left out: {left_out}" if left_out else ""
        kept = f"; begin anew: {', '.join(self.kept)}" if self.kept else ""
        return f"{len(self.names):,} of {len(self.names) + len(self.kept):,} tensors were filled{kept}{left}."


def load_weights(network: nn.Module, path: Path, *, first: bool = True, head: bool = True) -> Loaded:
    """Fill a network with the tensors of a file whose names and shapes fit; the others stay as they are.

    Names may differ by what stands before them (`network.`, `model.` …), if it is the same for all.

    Arguments:
        path: a run folder, its `model` folder, or any `.safetensors` file.
        first, head: whether the first and the last layer is taken, too, where it fits; else it begins anew.

    Raises: `RunError` when the file is missing, damaged or of another kind, holds a number that is not
    finite, or none of its tensors fits a layer before the head.
    """
    tensors, own = _read(weights_at(path)), by_model_names(network, network.state_dict())
    prefix = _prefix(tensors, own)
    names = {name: _rename(name, prefix, own) for name in tensors}
    begins, body, ends = ends_of(network)
    left_out = {name: why for name, mine in names.items() if (why := misfit(mine, tensors[name], own))}
    for taken, layer, why in ((first, begins, _OTHER_INPUTS), (head, ends, _OTHER_ANSWERS)):
        if not taken:
            fitting = [name for name, mine in names.items() if name not in left_out and within(mine, layer)]
            left_out |= dict.fromkeys(fitting, why)
    filled = {mine: tensors[name] for name, mine in names.items() if name not in left_out}
    # Biases often have the same size by chance.
    if not any(within(mine, body or ends) for mine, tensor in filled.items() if tensor.dim() > 1):
        raise RunError(_nothing_fits(path, tensors, own, left_out))
    return fill_from(own, filled, left_out)


def fill_from(own: Mapping[str, Tensor], filled: Mapping[str, Tensor], left_out: dict[str, str]) -> Loaded:
    """Copy tensors into a network's own, in place."""
    with torch.no_grad():
        for name, tensor in filled.items():
            own[name].copy_(tensor)
    return Loaded(tuple(filled), left_out, tuple(name for name in own if name not in filled))


def weights_at(path: Path) -> Path:
    """The file with the weights: the path itself, or the one in a run folder.

    Raises: `RunError` when there is none.
    """
    inside = [path / "model" / "weights.safetensors", path / "weights.safetensors"]
    for file in inside if path.is_dir() else [path]:
        if file.is_file():
            return file
    expected = "expected a run folder that has been trained, or a .safetensors file."
    raise RunError(f"there are no weights at '{path}'; {expected}")


def _read(file: Path) -> dict[str, Tensor]:
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"'{file}' is no safetensors file, or a damaged one ({error}). A .pt or .pth file may run any "
            "program when it is opened; have whom you trust write its tensors with "
            "safetensors.torch.save_file."
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            text = f"holds numbers that are not finite, in '{name}'; take a copy from before it went wrong."
            raise RunError(f"'{file}' {text}")
    inside = {name: tensor for name, tensor in tensors.items() if name.startswith(_RUN_PREFIX)}
    return inside or tensors  # beside the network, a run's file holds the encoder and the task


def _prefix(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> tuple[str, str]:
    """What to take off the file's names, and to put before them, so that most of them are the network's."""
    options = [
        ("", ""),
        *((start, "") for start in _starts(tensors)),
        *(("", start) for start in _starts(own)),
    ]
    options += [(_RUN_PREFIX, start) for start in _starts(own)]
    return max(options, key=lambda option: sum(_rename(name, option, {}) in own for name in tensors))


def _starts(names: dict[str, Tensor]) -> list[str]:
    """`a.b.weight` begins with `a.` and with `a.b.`."""
    modules = [name.split(".")[:-1] for name in names]
    starts = (".".join(parts[:depth]) + "." for parts in modules for depth in range(1, len(parts) + 1))
    return list(dict.fromkeys(starts))


def _rename(name: str, prefix: tuple[str, str], own: Mapping[str, Any]) -> str:
    off, on = prefix
    mine, outside = on + name.removeprefix(off), name.removeprefix(_RUN_PREFIX)
    # Learned vectors of columns stand before the model.
    return outside if mine not in own and outside in own else mine


def misfit(name: str, tensor: Tensor, own: dict[str, Tensor]) -> str:
    """Why a tensor does not fit a network's own of that name; empty where it does."""
    if name not in own:
        return f"the network has no '{name}'.{did_you_mean(name, own, listed=False)}".rstrip(".")
    if tensor.shape != own[name].shape:
        return f"its shape is {list(tensor.shape)}, the network's {list(own[name].shape)}"
    return ""


def _nothing_fits(
    path: Path, tensors: dict[str, Tensor], own: dict[str, Tensor], left_out: dict[str, str]
) -> str:
    meanings = (_OTHER_INPUTS, _OTHER_ANSWERS)
    others = [f" '{name}' was left out: {why}." for name, why in left_out.items() if why in meanings]
    hint = did_you_mean(next(iter(tensors), ""), own, listed=False)
    return (
        f"no tensor of '{path}' fits the network behind its head in name and shape. Found "
        f"{_shapes(tensors) or 'no tensors'}; expected {_shapes(own) or 'none'}.{hint}{''.join(others)} "
        "Choose the same model as in that run."
    )


def _shapes(tensors: dict[str, Tensor]) -> str:
    shapes = [f"'{name}' {list(tensor.shape)}" for name, tensor in list(tensors.items())[:_SHOWN]]
    return ", ".join(shapes) + (" …" if len(tensors) > _SHOWN else "")
