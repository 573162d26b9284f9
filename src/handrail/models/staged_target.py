"""Pictures made from texts: a stage turns pictures into tokens, and a model writes tokens for a text."""

from typing import Annotated, Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import Slot, build, component, is_object, parse
from handrail.components.pictures import Picture
from handrail.errors import RecipeError
from handrail.models.staged import stage_of
from handrail.shapes import ImageShape, InputShape, PictureShape, StepShape, TokenShape

Texts = Int[Tensor, "rows length"]
Pictures = Int[Tensor, "rows channels height width"] | UInt8[Tensor, "rows channels height width"]
Codes = Int[Tensor, "rows steps"]

_FIRST, _NEVER = 2, (0, 1)  # the code of the first token; padding and the unknown token are none
_MIDDLE, _SPREAD = 0.5, 0.25  # by which pixels from 0 to 1 are standardised for the stage


@component("model")
class StagedTarget(nn.Module):
    """p(picture | text) by tokens: the stage codes a picture as z, the head gives Π_t p(z_t | z_{<t}, text).

    The stage is a model of pictures that learns without a target and has tokens (`dvae`). A recipe names it
    in `stages`: it is trained first, on the pictures of the training rows, and stays as it is; then the head,
    a model that reads one row of tokens and writes another, is trained on the tokens of these pictures. A
    picture's tokens stand row by row from the top left, as codes from 2 on.

    Arguments:
        inputs: tokens of the texts.
        outputs: shape of the pictures.
        stages: the one stage.
        head: what writes the tokens.

    Raises: `RecipeError` for several stages, a stage without tokens, and a head that does not read and write.

    Source: Ramesh et al. 2021
    """

    def __init__(
        self,
        inputs: TokenShape,
        outputs: PictureShape,
        *,
        stages: Annotated[Any, Slot("model", many=True)] = ("dvae",),
        head: Annotated[Any, Slot("model")] = "decoder_only",
    ) -> None:
        super().__init__()
        if len(stages) != 1:
            raise RecipeError(
                f"stages: found {len(stages)}, but where pictures are the target there is one, which makes "
                "tokens of them."
            )
        self.picture = ImageShape(*outputs)
        self.shapes: list[InputShape] = [self.picture]
        model = stage_of(stages[0], self.picture, where="stages[0]")
        if not hasattr(model, "tokens"):
            name = type(model).__name__ if is_object(stages[0]) else parse(stages[0], "model")[0]
            raise RecipeError(
                f"stages[0]: '{name}' makes no tokens of a picture, which is the target; expected dvae."
            )
        self.stages, self.back = nn.ModuleList([Tokens(model, self.picture)]), nn.ModuleList()
        self.steps = StepShape(model.size[0] * model.size[1], model.vocabulary + _FIRST, _NEVER)
        self.head: Any = build("model", head, inputs, self.steps, where="model")
        if not getattr(self.head, "reads_and_writes", False):
            raise RecipeError(
                "model: it does not read a text and write tokens, which a picture is made of here; expected "
                "decoder_only."
            )

    @property
    def tokens(self) -> "Tokens":
        """What makes tokens of pictures, and pictures of tokens."""
        return self.stages[0]  # pyright: ignore[reportReturnType]

    def forward(
        self, x: Texts | tuple[Texts, Pictures]
    ) -> tuple[Float[Tensor, " rows"], Float[Tensor, "rows channels height width"]] | Tensor:
        """Of (texts, pictures) −log p(z | text) in nats, and the pictures that z stands for, from 0 to 1.

        Of texts alone the picture of the likeliest tokens, each chosen after those before.
        """
        if not isinstance(x, tuple):
            return self.tokens.pictures_of(self.head.draw(x, temperature=0.0))
        texts, pictures = x
        codes = self.tokens(self.stage_rows(pictures))
        nats = functional.cross_entropy(self.head((texts, codes)).transpose(1, 2), codes, reduction="none")
        return nats.sum(dim=1), self.tokens.pictures_of(codes)

    def stage_rows(self, pictures: Pictures) -> Float[Tensor, "rows channels height width"]:
        """Bytes as the stage is given them."""
        return (pictures.float() / 255 - _MIDDLE) / _SPREAD

    def adopt(self, number: int, model: nn.Module) -> None:
        """Take over the weights of the trained stage."""
        self.tokens.model.load_state_dict(model.state_dict())

    @torch.no_grad()
    def draw(self, texts: Texts, *, temperature: float, generator: torch.Generator) -> Codes:
        """Tokens of a picture for each text, drawn one by one."""
        return self.head.draw(texts, temperature=temperature, generator=generator)

    def pictures(self, shape: InputShape) -> list[Picture]:
        """What the stage shows of itself."""
        model: Any = self.tokens.model
        return list(model.pictures(self.picture)) if hasattr(model, "pictures") else []


class Tokens(nn.Module):
    """Pictures as codes of tokens, from 2 on, and back.

    Arguments:
        model: of a stage, with `tokens` and `from_tokens`.
        picture: the shape of the pictures.
    """

    def __init__(self, model: Any, picture: ImageShape) -> None:
        super().__init__()
        self.model, self.picture = model, picture

    def forward(self, x: Float[Tensor, "rows channels height width"]) -> Codes:
        return self.model.tokens(x).flatten(1) + _FIRST

    def pictures_of(self, codes: Codes) -> Float[Tensor, "rows channels height width"]:
        """Pictures from 0 to 1."""
        maps = (codes - _FIRST).unflatten(1, self.model.size)
        flat = self.model.from_tokens(maps) * _SPREAD + _MIDDLE
        return flat.clamp(0, 1).unflatten(1, tuple(self.picture))
