"""Coding layers one above the other, and a model on the last code: deep belief networks and their kin."""

import copy
from collections.abc import Sequence
from typing import Annotated, Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components import Slot, available, build, component, find, is_object, parse
from handrail.components.arguments import Initialisation
from handrail.components.pictures import Picture, Tiles
from handrail.errors import RecipeError
from handrail.layers.back_projection import unit_pictures
from handrail.layers.initialisations import initialise
from handrail.layers.patches import PatchCodes
from handrail.recipe.alone import alone_of, takes_unit
from handrail.shapes import (
    ImageShape,
    InputShape,
    NoTarget,
    SeriesShape,
    VolumeShape,
    accepted_shapes,
    shape_name,
)
from handrail.tools.words import list_some

_SHOWN = 32  # filters of a stage


@component("model")
class Staged(nn.Module):
    """y = head(f_n(… f_1(x))), with f_k the coding layers of the k-th stage.

    A stage is a model that learns without a target, of which the layers that make a code are taken: of a
    restricted Boltzmann machine a dense layer with sigmoid units, of a convolutional one a convolution and
    its pooling. The weights begin at random, unless a recipe names the models as its `stages`: then each is
    trained first, on the codes of the one below. Where rows are reconstructed, the stages' decoding layers
    follow in reverse, with weights of their own: the network is unrolled.

    Arguments:
        inputs: as the first stage takes them.
        stages: the models in order.
        head: the model on the last code; by default linear output units, and nothing where rows are
            reconstructed.
        initialisation: how the weights of the stages' dense layers begin.

    Raises: `RecipeError` for a model that makes no code, or does not fit the stage before.

    Source: Hinton, Osindero & Teh 2006 (greedy training); Hinton & Salakhutdinov 2006 (unrolling)
    """

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: int | NoTarget,
        *,
        stages: Annotated[Any, Slot("model", many=True)] = ("rbm",),
        head: Annotated[Any, Slot("model")] = None,
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        self.shapes: list[InputShape] = [inputs]
        self.stages, self.back = nn.ModuleList(), nn.ModuleList()
        for number, spec in enumerate(stages):
            model = stage_of(spec, self.shapes[-1], where=f"stages[{number}]", below=self.stages)
            self.stages.append(model.coding_layers())
            self.shapes.append(_shape_after(self.stages[-1], self.shapes[-1]))
            if isinstance(outputs, NoTarget):
                self.back.insert(0, _decoding_layers(model, where=f"stages[{number}]"))
        initialise(self.stages, initialisation)
        initialise(self.back, initialisation)
        self.head = self._make_head(head, outputs)

    def _make_head(self, head: Any, outputs: int | NoTarget) -> nn.Module:
        if head is None and isinstance(outputs, NoTarget):
            return nn.Identity()
        head = "linear" if head is None else head
        _refuse_misfit(head, self.shapes[-1], where="model")
        return build("model", head, self.shapes[-1], outputs, where="model")

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows outputs"]:
        answer = self.head(self.codes(x))
        for layers in self.back:
            answer = layers(answer)
        return answer

    def codes(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows ..."]:
        """What the last stage makes of rows."""
        for layers in self.stages:
            x = layers(x)
        return x

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The code of each row: the head's, or that of the last stage."""
        codes, head = self.codes(x), self.head
        return cast(Any, head).encode(codes) if hasattr(head, "encode") else codes.flatten(1)

    def reconstruct(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows width"]:
        """Each row, encoded and decoded."""
        return self(x)

    def adopt(self, number: int, model: Any) -> None:
        """Begin the layers of a stage, counted from 0, with the weights of a trained model."""
        self.stages[number].load_state_dict(model.coding_layers().state_dict())
        if self.back:
            self.back[-1 - number].load_state_dict(model.decoding_layers().state_dict())

    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """What the units of each stage look for, where rows are pictures: weights, times those below.

        Of a first stage of patches the centres.
        """
        if not isinstance(shape, ImageShape):
            return []
        stages = copy.deepcopy(self.stages).cpu().float()
        shown = [
            _tiles(1, layer.unit_pictures(), "Centres of whitened patches, the strongest first.")
            for layer in cast(nn.Sequential, stages[0])
            if isinstance(layer, PatchCodes)
        ]
        for number, pictures in enumerate(unit_pictures(stages, shape), start=1):
            note = (
                "Weights, the strongest first." if number == 1 else "Weights times those of the stages below."
            )
            shown.append(_tiles(number, pictures, note))
        return shown


def _tiles(number: int, pictures: Float[Tensor, "units channels height width"], note: str) -> Tiles:
    """The strongest units of a stage, the means of their channels."""
    strongest = pictures.flatten(1).norm(dim=1).argsort(descending=True)[:_SHOWN]
    filters = pictures[strongest].mean(dim=1).numpy()
    return Tiles(f"What stage {number} looks for", filters, note=note, signed=True)


def stage_of(spec: Any, shape: InputShape, *, where: str, below: Any = ()) -> Any:
    """The model of a stage for rows of this shape.

    Arguments:
        below: the layers of the stages before, in order.

    Raises: `RecipeError` for a model that makes no code, or does not fit the stage before.
    """
    alone = alone_of(spec)
    target = None if is_object(spec) else find("model", parse(spec, "model")[0]).target
    if alone is None or not hasattr(target, "coding_layers"):
        name = type(spec).__name__ if is_object(spec) else parse(spec, "model")[0]
        known = [entry for entry, each in available("model").items() if hasattr(each.target, "coding_layers")]
        raise RecipeError(
            f"{where}: '{name}' makes no code without a target; expected {list_some(known, last=' or ')}."
        )
    _refuse_misfit(spec, shape, where=where)
    if len(below) and takes_unit(spec) and not _ends_between_0_and_1(below[-1]):
        raise RecipeError(
            f"{where}: its visible units are 0 or 1, but the codes of the stage before are any numbers; "
            f"{alone.real.replace('model.', '', 1)} takes them."
        )
    return build("model", spec, shape, NoTarget(alone.task), where=f"{where}.model")


def _refuse_misfit(spec: Any, shape: InputShape, *, where: str) -> None:
    """Raises: `RecipeError` for a registered model that takes rows of other shapes."""
    if is_object(spec):
        return
    name = parse(spec, "model")[0]
    kinds = accepted_shapes(find("model", name).target, "inputs")
    if not isinstance(shape, kinds):
        takes = list_some([shape_name(kind) for kind in kinds], last=" or ")
        given = shape_name(type(shape))
        raise RecipeError(f"{where}: '{name}' takes {takes}, but it is given {given} here; choose another.")


def _decoding_layers(model: Any, *, where: str) -> nn.Module:
    """Raises: `RecipeError` for a model whose codes cannot be decoded."""
    if not hasattr(model, "decoding_layers"):
        raise RecipeError(
            f"{where}: its codes cannot be decoded, which a model that reconstructs needs; choose another."
        )
    return model.decoding_layers()


def _ends_between_0_and_1(layers: Any) -> bool:
    return isinstance(list(layers)[-1], nn.Sigmoid)


@torch.no_grad()
def _shape_after(layers: nn.Module, shape: InputShape) -> InputShape:
    """The shape of what layers make of rows of this shape, found out on a row of zeros."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    given = layers(torch.zeros(1, *sizes)).shape[1:]
    return ImageShape(*given) if len(given) == 3 else int(given.numel())
