"""The discrete variational autoencoder: pictures as a few tokens of a learned vocabulary."""

import copy
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from handrail.components import build, component
from handrail.components.arguments import Activation, Count, Initialisation, NonNegative
from handrail.components.pictures import Picture, Tiles
from handrail.layers.coding import Codes, doubling_steps, halved_sizes, halving_steps
from handrail.layers.initialisations import initialise
from handrail.layers.quantiser import VectorQuantiser
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, InputShape, NoTarget

_MOST_SHOWN = 256  # codes


@component("model", name="dvae")
class DVAE(Codes):
    """x̂ = g(e_k) with k = argmin_j ‖f(x) − e_j‖ at each place of a map: a picture as tokens k.

    f is convolutions that halve the size, then 1×1; g begins with 3×3, so that neighbouring tokens agree on
    what lies between them, and doubles the size as often. The loss is that of the reconstruction and, in
    training alone, commitment·‖f(x) − sg(e_k)‖². In DALL·E the tokens are drawn (Gumbel-softmax) and their
    law is pulled to the even one; here the nearest code is taken, which trains in fewer steps.

    Arguments:
        inputs: shape of the pictures.
        codes: size of the vocabulary.
        code_width: numbers in a code vector.
        channels: of the convolutions, each of which halves the size.
        commitment: how strongly a map is pulled to its codes.

    Raises: `RecipeError` for more convolutions than the pictures have room for.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017; Ramesh et al. 2021
    """

    alone: ClassVar[Alone] = Alone("reconstruction", epochs=30, batch_size=64, patience=8)
    rules: ClassVar[tuple[str, ...]] = ("gradient",)
    uses: ClassVar[tuple[str, ...]] = ("encode", "reconstruct")  # between two tokens there is nothing
    added_loss_from: ClassVar[tuple[str, ...]] = ("encoder", "quantiser")

    def __init__(
        self,
        inputs: ImageShape,
        outputs: NoTarget,
        *,
        codes: Annotated[int, Field(ge=2, le=8192)] = 64,
        code_width: Count = 8,
        channels: Annotated[list[Count], Field(min_length=1)] = [32, 48],  # noqa: B006 - never changed
        commitment: NonNegative = 0.25,
        activation: Activation = "relu",
        initialisation: Initialisation = "he",
    ) -> None:
        super().__init__()
        sizes = halved_sizes(inputs, channels, "model.dvae.channels")
        self.vocabulary, self.commitment = codes, commitment
        self.size: tuple[int, int] = (sizes[-1][0], sizes[-1][1])
        "Height and width of the map of tokens."
        self.picture, self.code = inputs, sizes[-1][0] * sizes[-1][1]
        layers: list[nn.Module] = []
        for step, after in zip(halving_steps(inputs, channels), channels, strict=True):
            layers += [step, build("activation", activation, after)]
        self.encoder = nn.Sequential(*layers, nn.Conv2d(channels[-1], code_width, 1))
        self.quantiser = VectorQuantiser(codes, code_width)
        layers = [nn.Conv2d(code_width, channels[-1], 3, padding=1)]
        steps = doubling_steps(inputs, channels, sizes)
        for before, step in zip(reversed(channels), steps, strict=True):
            layers += [build("activation", activation, before), step]
        self.decoder = nn.Sequential(*layers, nn.Flatten())
        initialise(self, initialisation)

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows flat"]:
        return self.decoder(self.quantiser(self.encoder(x)))

    def added_loss(
        self, inputs: Tensor, outputs: Tensor, targets: Tensor, before: Tensor, after: Tensor
    ) -> Float[Tensor, " rows"]:
        """What pulls the encoder's map to the codes."""
        return self.commitment * (before - after.detach()).square().flatten(1).mean(dim=1)

    def tokens(self, x: Float[Tensor, "rows ..."]) -> Int[Tensor, "rows high wide"]:
        """The tokens of pictures, flat or not, from 0."""
        return self.quantiser.tokens(self.encoder(x.reshape(len(x), *self.picture)))

    def from_tokens(self, tokens: Int[Tensor, "rows high wide"]) -> Float[Tensor, "rows flat"]:
        """The pictures of tokens, flat, in encoded units."""
        return self.decoder(self.quantiser.look_up(tokens))

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The tokens of each picture as numbers, row by row from the top left."""
        return self.tokens(x).flatten(1).float()

    def decode(self, code: Float[Tensor, "rows code"]) -> Float[Tensor, "rows flat"]:
        """The picture of such tokens; a number between two is taken for the nearer one."""
        tokens = code.round().long().clamp(0, self.vocabulary - 1)
        return self.from_tokens(tokens.unflatten(1, self.size))

    def coding_layers(self) -> nn.Sequential:
        """Encoder and codes, with weights of their own."""
        return nn.Sequential(copy.deepcopy(self.encoder), copy.deepcopy(self.quantiser))

    def decoding_layers(self) -> nn.Sequential:
        """The decoder, with weights of its own."""
        return nn.Sequential(copy.deepcopy(self.decoder))

    @torch.no_grad()
    def pictures(self, shape: InputShape) -> Sequence[Picture]:
        """What each code stands for: a picture of it alone, cut to what lies within one token."""
        assert isinstance(shape, ImageShape)
        codes = min(self.vocabulary, _MOST_SHOWN)
        device = next(self.parameters()).device
        alone = torch.arange(codes, device=device)[:, None, None].expand(-1, *self.size)
        made = self.from_tokens(alone).unflatten(1, tuple(shape)).float().cpu()
        high, wide = (max(1, side // tokens) for side, tokens in zip(shape[1:], self.size, strict=True))
        top, left = high * (self.size[0] // 2), wide * (self.size[1] // 2)
        patches = made[:, :, top : top + high, left : left + wide].numpy()
        used = int((self.quantiser.counts > 0).sum())
        note = f"{used:,} of {self.vocabulary:,} codes in use; each as it looks among its like."
        return [Tiles("The codes of the discrete VAE", patches, note, columns=16)]
