"""Raw values in, answers out: encoder, network and decoder as one module, and its way to disk and back."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from handrail.components import build, is_object
from handrail.data.encoder import Raw, TableEncoder
from handrail.data.task import Task
from handrail.errors import RunError
from handrail.files import write_bytes, write_text
from handrail.layers.embedding import EmbedColumns
from handrail.training.seeds import seeded

FORMAT = 1
_ROWS = 16384


class ClassDecoder(nn.Module):
    """Scores to probabilities: softmax(scores / T), or σ(scores / T) for two classes and for labels.

    threshold: the probability from which a row counts as the second class (or a label as given).
    """

    temperature: Tensor
    threshold: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.kind = task.name
        self.register_buffer("temperature", torch.tensor(1.0, dtype=torch.float64))
        self.register_buffer("threshold", torch.tensor(0.5, dtype=torch.float64))

    def forward(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows classes"]:
        """Probabilities; for two classes both columns."""
        cooled = scores.double() / self.temperature
        if self.kind == "multi-class":
            return torch.softmax(cooled, dim=1)
        positive = torch.sigmoid(cooled)
        return torch.cat([1 - positive, positive], dim=1) if self.kind == "binary" else positive

    def decide(self, probabilities: Float[Tensor, "rows classes"]) -> Tensor:
        """Class codes `[rows]`; for several labels 0/1 `[rows, labels]`."""
        if self.kind == "multi-class":
            return probabilities.argmax(dim=1)
        if self.kind == "binary":
            return (probabilities[:, 1] >= self.threshold).long()
        return (probabilities >= self.threshold).long()


class ValueDecoder(nn.Module):
    """Scores to values in the target's own unit: y = mean + spread·score, with mean and spread of training rows."""

    mean: Tensor
    spread: Tensor

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(outputs, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(outputs, dtype=torch.float64))

    def fit(self, targets: Float[Tensor, "rows outputs"]) -> None:
        """Learn mean and standard deviation."""
        self.mean.copy_(targets.double().mean(dim=0))
        spread = targets.double().std(dim=0, correction=0)
        self.spread.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))

    def scaled(self, targets: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows outputs"]:
        """Targets as the network is to give them."""
        return ((targets.double() - self.mean) / self.spread).float()

    def forward(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows outputs"]:
        """Values."""
        return scores.double() * self.spread + self.mean


class Pipeline(nn.Module):
    """Encoder → network → decoder."""

    decoder: ClassDecoder | ValueDecoder

    def __init__(self, task: Task, encoder: TableEncoder, network: nn.Module, *, model: Any) -> None:
        super().__init__()
        self.task, self.model_spec = task, model
        self.encoder, self.network = encoder, network
        self.decoder = ValueDecoder(task.outputs) if task.name == "regression" else ClassDecoder(task)

    def forward(self, numbers: Tensor, codes: Tensor, moments: Tensor) -> Tensor:
        """Probabilities or values of raw rows."""
        return self.decoder(self.network(self.encoder(numbers, codes, moments)))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.network.parameters(), self.encoder.impute.fill).device

    def encode(self, features: pl.DataFrame) -> Float[Tensor, "rows width"]:
        """Typed features as encoded rows on the pipeline's device."""
        return self.encoder.encode(features)

    @torch.inference_mode()
    def answers(self, features: pl.DataFrame) -> np.ndarray:
        """Probabilities `[rows, classes]` or values `[rows, outputs]` of typed features, in parts."""
        self.eval()
        raw = self.encoder.prepare(features)
        found = []
        for start in range(0, len(features), _ROWS):
            part = Raw(*(tensor[start : start + _ROWS].to(self.device) for tensor in raw))
            found.append(self(*part).cpu().numpy())
        width = len(self.task.classes) or self.task.outputs
        return np.concatenate(found) if found else np.zeros((0, width))

    def decide(self, answers: np.ndarray) -> np.ndarray:
        """Class codes from probabilities."""
        assert isinstance(self.decoder, ClassDecoder)
        return self.decoder.decide(torch.from_numpy(answers).to(self.decoder.threshold.device)).cpu().numpy()

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `pipeline.json`."""
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in self.state_dict().items()}
        facts = {"format": FORMAT, "task": self.task.model_dump(), "encoder": self.encoder.facts(), "model": self.model_spec}
        write_bytes(folder / "weights.safetensors", save(tensors, {"format": "pt"}))
        write_text(folder / "pipeline.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: Path, *, network: nn.Module | None = None) -> "Pipeline":
        """The pipeline in a folder.

        Arguments:
            network: the module to load the weights into, where the model was given as an object.

        Raises: `RunError` when files are missing or damaged, or the module was given as an object and is not here.
        """
        facts = _read_facts(folder / "pipeline.json")
        task, encoder = Task.model_validate(facts["task"]), TableEncoder.from_facts(facts["encoder"])
        if network is not None:
            pipeline = cls(task, encoder, front(encoder, lambda _: copy.deepcopy(network)), model=facts["model"])
        elif isinstance(facts["model"], str) and facts["model"].startswith("<object"):
            raise RunError(f"the model was given as an object, {facts['model']}; load it with handrail.load(RUN, model=...).")
        else:
            pipeline = cls(task, encoder, make_network(facts["model"], encoder, task), model=facts["model"])
        try:
            pipeline.load_state_dict(load_file(folder / "weights.safetensors"))
        except (SafetensorError, RuntimeError, OSError) as error:
            first = str(error).splitlines()[0]
            raise RunError(f"'{folder / 'weights.safetensors'}' is damaged or does not fit the model ({first}).") from error
        return pipeline.eval()


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"there is no '{path}': the fit has not ended; `handrail resume` continues it.") from None
    except (ValueError, OSError) as error:
        raise RunError(f"'{path}' is damaged ({error}).") from error
    if facts.get("format") != FORMAT:
        raise RunError(f"'{path}' has format {facts.get('format')}, expected {FORMAT}; it was written by another version.")
    return facts


def make_network(model: Any, encoder: TableEncoder, task: Task, *, seed: int = 0) -> nn.Module:
    """The network of a recipe for what the encoder gives and the task needs; `seed` decides how weights begin."""
    if is_object(model) and not isinstance(model, nn.Module):
        raise RunError(f"model: found {type(model).__name__}, expected a name or a torch.nn.Module.")
    with seeded(seed, "initialise"):
        return front(encoder, lambda inputs: build("model", model, inputs, task.outputs))


def front(encoder: TableEncoder, make: Any) -> nn.Module:
    """The network `make(inputs)`, behind learned vectors where categories are embedded."""
    if not encoder.embedded:
        return make(encoder.width)
    vectors = EmbedColumns(encoder.embedded)
    return nn.Sequential(vectors, make(encoder.width + vectors.added))
