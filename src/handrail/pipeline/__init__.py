"""The pipeline: encoder, network and task as one module (raw values in, answers out), saved and loaded.

May import training, tasks and below; runs build on it. Here also: replicas that answer together (`ensemble`)
and the export to ONNX, beside which any other goes.
"""

import copy
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from handrail.components import build, is_object, resolve
from handrail.data.encoders.row_encoder import RowEncoder, encoder_from_facts
from handrail.data.encoders.table import TableEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.data.stores.store import Stores
from handrail.data.task import TaskSpec
from handrail.errors import RunError
from handrail.evaluation.outcomes import Outcome
from handrail.network import check_augmentation, check_shapes, whole_network
from handrail.pipeline.ensemble import Ensemble, join_replicas, replicas_of
from handrail.tasks import ClassTask, Task, make_task
from handrail.tasks.scoring import all_scores, device_of
from handrail.tools.files import explain_damage, write_bytes, write_text
from handrail.tools.trust import reading
from handrail.training.seeds import fix_seed

FORMAT = 2
_MEMBER = re.compile(r"network\.members\.(\d+)\.")


class Pipeline(nn.Module):
    """Encoder → network → decoder, where the decoder is the task (its name is in the keys of saved weights).

    Arguments:
        model: the recipe's model, as it is saved.
        precision: of the network.
    """

    encoder: RowEncoder
    decoder: Task

    def __init__(
        self,
        encoder: RowEncoder,
        decoder: Task,
        network: nn.Module,
        *,
        model: Any,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.model_spec, self.precision = model, precision
        self.encoder, self.network, self.decoder = encoder, network, decoder

    def forward(self, *raw: Tensor) -> Any:
        """Answers for raw rows: a table's numbers, codes and moments, or encoded rows of another kind."""
        network = self.decoder.in_use(self.network)
        if isinstance(self.encoder, TableEncoder):
            return self.decoder(network(self.encoder(*raw)))
        return self.decoder(network(raw[0] if len(raw) == 1 else raw))

    @property
    def task(self) -> TaskSpec:
        """Name, targets and classes."""
        return self.decoder.spec

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return device_of(self.network)

    def rows(self, part: Part) -> Rows:
        """The encoded rows of a part."""
        return part.encode_with(self.encoder)

    def answers(self, features: pl.DataFrame, stores: Stores | None = None) -> np.ndarray:
        """Probabilities `[rows, classes]` or values `[rows, outputs]` of typed features."""
        rows = self.encoder.rows(features, stores or {})
        return self.decoder(all_scores(self.decoder.in_use(self.network), rows)).cpu().numpy()

    def outcome(self, part: Part) -> Outcome:
        return self.decoder.outcome(self.network, self.rows(part), part)

    def decide(self, answers: np.ndarray) -> np.ndarray:
        """Class codes from probabilities."""
        assert isinstance(self.decoder, ClassTask)
        return self.decoder.decide(torch.from_numpy(answers).to(self.decoder.threshold.device)).cpu().numpy()

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `pipeline.json`."""
        state = self.state_dict().items()
        weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state}
        facts = {
            "format": FORMAT,
            "task": self.task.model_dump(),
            "encoder": self.encoder.facts(),
            "decoder": self.decoder.facts(),
            "model": self.model_spec,
            "precision": self.precision,
            "replicas": len(replicas_of(self.network)),
            "answering": list(self.network.answering) if isinstance(self.network, Ensemble) else [0],
        }
        write_bytes(folder / "weights.safetensors", save(weights, {"format": "pt"}))
        write_text(folder / "pipeline.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: Path, *, network: nn.Module | None = None, trust: bool = False) -> "Pipeline":
        """The pipeline in a folder.

        Arguments:
            network: the module to load the weights into, where the model was given as an object.
            trust: import what `pipeline.json` names by import path.

        Raises: `RunError` for missing or damaged files, or a model given as an object without `network`;
            `RecipeError` for import paths that are not trusted.
        """
        path = folder / "pipeline.json"
        facts = _read_facts(path)
        with explain_damage(path):
            model, precision = facts["model"], facts["precision"]
            encoder = encoder_from_facts(facts["encoder"])
            decoder = make_task(TaskSpec.model_validate(facts["task"]), encoder.shape)
            decoder.restore(facts["decoder"])
        if network is None and isinstance(model, str) and model.startswith("<object"):
            advice = "load it with handrail.load(RUN, model=...)"
            raise RunError(f"the model was given as an object, {model}; {advice}.")
        with explain_damage(path), reading(path, trust=trust):
            replicas = range(_count_replicas(facts, folder / "weights.safetensors"))
            specs = [model if network is None else copy.deepcopy(network) for _ in replicas]
            resolve("model", specs[0], "model")
            members = [make_network(spec, encoder, decoder, precision=precision) for spec in specs]
            whole = join_replicas(members, decoder.join_scores, answering=facts.get("answering"))
            pipeline = cls(encoder, decoder, whole, model=model, precision=precision)
        try:
            pipeline.load_state_dict(load_file(folder / "weights.safetensors"))
        except (SafetensorError, RuntimeError, OSError) as error:
            path, first = folder / "weights.safetensors", str(error).splitlines()[0]
            raise RunError(f"'{path}' is damaged or does not fit the model ({first}).") from error
        _refuse_infinite(pipeline.network, folder / "weights.safetensors")
        return pipeline.eval()


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        text = f"there is no '{path}': the fit has not finished; `handrail resume` continues it."
        raise RunError(text) from None
    except (ValueError, RecursionError, OSError) as error:
        raise RunError(f"'{path}' is damaged ({error}).") from error
    if not isinstance(facts, dict):
        raise RunError(f"'{path}' is damaged (it holds no object).")
    if facts.get("format") != FORMAT:
        found = f"'{path}' has format {facts.get('format')}, expected {FORMAT}"
        raise RunError(f"{found}; it was written by another version.")
    return facts


def _refuse_infinite(network: nn.Module, path: Path) -> None:
    """Raises: `RunError` for weights that are not finite, which no fit keeps in a network that answers."""
    several = isinstance(network, Ensemble)
    for each in [network.members[place] for place in network.answering] if several else [network]:
        for name, weights in each.named_parameters():
            if not bool(weights.isfinite().all()):
                raise RunError(f"'{path}' is damaged: '{name}' holds values that are not finite.")


def _count_replicas(facts: dict[str, Any], weights: Path) -> int:
    """The number of replicas, which the weights must hold: a file may claim any number of networks."""
    claimed = facts.get("replicas", 1)
    if claimed == 1:
        return 1
    try:
        with safe_open(weights, framework="pt") as file:
            members = {found[1] for name in file.keys() if (found := _MEMBER.match(name))}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(f"'{weights}' is damaged or does not fit the model ({error}).") from error
    if claimed != len(members):
        raise RunError(f"'{weights}' holds {len(members):,} replicas, and pipeline.json says {claimed:,}.")
    return len(members)


def make_network(
    model: Any,
    encoder: RowEncoder,
    decoder: Task,
    *,
    augment: Sequence[Any] = (),
    precision: str = "float32",
    seed: int = 0,
) -> nn.Module:
    """The network of a recipe between encoder and task, initialised from `seed`.

    It includes what precedes the model: standardising, augmentation in training, learned vectors.

    Raises: `RecipeError` when the model takes other inputs, or returns other outputs, than encoder and task;
        `RunError` when it is neither a name nor a module.
    """
    if is_object(model) and not isinstance(model, nn.Module):
        raise RunError(f"model: found {type(model).__name__}, expected a name or a torch.nn.Module.")
    check_shapes(model, encoder.shape, decoder.outputs, decoder.spec)
    check_augmentation(augment, encoder.shape, decoder.spec)
    with fix_seed(seed, "initialise"):
        front = encoder.front()
        module = build("model", model, encoder.shape, decoder.outputs)
        augmentation = [
            build("augmentation", spec, encoder.shape, where=f"data.augment[{index}]")
            for index, spec in enumerate(augment)
        ]
    return whole_network(front, augmentation, module, precision=precision)
