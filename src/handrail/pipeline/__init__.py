"""Raw values in, answers out: encoder, network and decoder as one module, and its way to disk and back."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from handrail.components import build, is_object
from handrail.data.dataset import Part
from handrail.data.encoders.row_encoder import RowEncoder, encoder_from_facts
from handrail.data.encoders.table import TableEncoder
from handrail.data.rows import Rows
from handrail.data.stores.store import Stores
from handrail.data.task import Task
from handrail.errors import RunError
from handrail.evaluation.outcomes import Outcome
from handrail.network import check_augmentation, check_shapes, whole_network
from handrail.pipeline.ensemble import Ensemble, replicas_of
from handrail.tasks import ClassDecoder, Decoder, make_decoder
from handrail.tasks.scoring import all_scores, device_of
from handrail.tools.files import write_bytes, write_text
from handrail.training.seeds import seeded

FORMAT = 2


class Pipeline(nn.Module):
    """Encoder → network → decoder."""

    encoder: RowEncoder
    decoder: Decoder

    def __init__(
        self,
        task: Task,
        encoder: RowEncoder,
        decoder: Decoder,
        network: nn.Module,
        *,
        model: Any,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.task, self.model_spec, self.precision = task, model, precision
        self.encoder, self.network, self.decoder = encoder, network, decoder

    def forward(self, *raw: Tensor) -> Any:
        """Answers for raw rows: what a table's encoder is given (numbers, codes, moments), or encoded rows of
        another kind.
        """
        inputs = (
            self.encoder(*raw) if isinstance(self.encoder, TableEncoder) else raw[0] if len(raw) == 1 else raw
        )
        return self.decoder(self.network(inputs))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return device_of(self.network)

    def rows(self, part: Part) -> Rows:
        """The encoded rows of a part."""
        return part.encoded(self.encoder)

    def answers(self, features: pl.DataFrame, stores: Stores | None = None) -> np.ndarray:
        """Probabilities `[rows, classes]` or values `[rows, outputs]` of typed features."""
        rows = self.encoder.rows(features, stores or {})
        return self.decoder(all_scores(self.network, rows)).cpu().numpy()

    def outcome(self, part: Part) -> Outcome:
        """The answers for a part beside the truth."""
        return self.decoder.outcome(self.network, self.rows(part), part)

    def decide(self, answers: np.ndarray) -> np.ndarray:
        """Class codes from probabilities."""
        assert isinstance(self.decoder, ClassDecoder)
        return self.decoder.decide(torch.from_numpy(answers).to(self.decoder.threshold.device)).cpu().numpy()

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `pipeline.json`."""
        tensors = {
            name: tensor.detach().cpu().contiguous().clone() for name, tensor in self.state_dict().items()
        }
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
        write_bytes(folder / "weights.safetensors", save(tensors, {"format": "pt"}))
        write_text(folder / "pipeline.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: Path, *, network: nn.Module | None = None) -> "Pipeline":
        """The pipeline in a folder.

        Arguments:
            network: the module to load the weights into, where the model was given as an object.

        Raises: `RunError` when files are missing or damaged, or the module was given as an object and is not
        here.
        """
        facts = _read_facts(folder / "pipeline.json")
        task, encoder, spec = (
            Task.model_validate(facts["task"]),
            encoder_from_facts(facts["encoder"]),
            facts["model"],
        )
        decoder = make_decoder(task, encoder.shape)
        decoder.restore(facts["decoder"])
        if network is None and isinstance(spec, str) and spec.startswith("<object"):
            raise RunError(
                f"the model was given as an object, {spec}; load it with handrail.load(RUN, model=...)."
            )
        models = [
            spec if network is None else copy.deepcopy(network) for _ in range(facts.get("replicas", 1))
        ]
        members = [make_network(model, encoder, decoder, precision=facts["precision"]) for model in models]
        made = (
            members[0]
            if len(members) == 1
            else Ensemble(members, decoder.joined, answering=facts["answering"])
        )
        pipeline = cls(task, encoder, decoder, made, model=spec, precision=facts["precision"])
        try:
            pipeline.load_state_dict(load_file(folder / "weights.safetensors"))
        except (SafetensorError, RuntimeError, OSError) as error:
            first = str(error).splitlines()[0]
            raise RunError(
                f"'{folder / 'weights.safetensors'}' is damaged or does not fit the model ({first})."
            ) from error
        return pipeline.eval()


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"there is no '{path}': the fit has not ended; `handrail resume` continues it."
        ) from None
    except (ValueError, OSError) as error:
        raise RunError(f"'{path}' is damaged ({error}).") from error
    if facts.get("format") != FORMAT:
        raise RunError(
            f"'{path}' has format {facts.get('format')}, expected {FORMAT}; it was written by another version."
        )
    return facts


def make_network(
    model: Any,
    encoder: RowEncoder,
    decoder: Decoder,
    *,
    augment: Sequence[Any] = (),
    precision: str = "float32",
    seed: int = 0,
) -> nn.Module:
    """The network of a recipe for what the encoder gives and the task needs; `seed` decides how weights
    begin.

    What stands before the model (standardising, augmentation in training, learned vectors) is part of the
    network.

    Raises: `RecipeError` when the model takes other inputs, or gives other outputs, than there are.
    """
    if is_object(model) and not isinstance(model, nn.Module):
        raise RunError(f"model: found {type(model).__name__}, expected a name or a torch.nn.Module.")
    check_shapes(model, encoder.shape, decoder.outputs, decoder.task)
    check_augmentation(augment, encoder.shape, decoder.task)
    with seeded(seed, "initialise"):
        front = encoder.front()
        made = build("model", model, encoder.shape, decoder.outputs)
        changes = [
            build("augmentation", item, encoder.shape, where=f"data.augment[{i}]")
            for i, item in enumerate(augment)
        ]
    return whole_network(front, changes, made, precision=precision)
