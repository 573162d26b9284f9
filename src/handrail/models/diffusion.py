"""Diffusion: a density of rows, by a network that takes noise away step by step."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from handrail.components import component
from handrail.components.arguments import Count, Rate
from handrail.components.pictures import Picture
from handrail.layers.denoisers import DenseDenoiser, step_waves
from handrail.layers.dense_or_deep import pictures_of
from handrail.layers.even_draws import even_normals
from handrail.layers.initialisations import initialise
from handrail.layers.likelihoods import LEAST_SPREAD
from handrail.layers.noising import Noising, Schedule
from handrail.layers.real_rows import refuse_other_kinds
from handrail.layers.weight_average import WeightAverage
from handrail.models.diffusion_pictures import way_pictures
from handrail.models.unet import UNet
from handrail.recipe.alone import Alone
from handrail.shapes import ImageShape, MapShape, NoTarget, SeriesShape, VolumeShape, numbers_in

Rows = Float[Tensor, "rows width"]
Steps = Annotated[int, Field(ge=2, le=10_000)]
_HIDDEN, _MAPS, _DEPTH = (128, 128, 128), 32, 2
_FOLLOWED = 32  # draws by which validation follows the training
_REMEMBERED = 0.999  # of what the errors were, at each step of training
_AT_ONCE = 1024  # rows whose noise is predicted together
_WAY = 4  # rows whose way from noise is shown


class PictureDenoiser(nn.Module):
    """A U-Net that is given the step as maps beside those of the noisy picture. Rows are flat.

    Source: Ho, Jain & Abbeel 2020; U-Net: Ronneberger, Fischer & Brox 2015
    """

    def __init__(self, shape: ImageShape, maps: int) -> None:
        super().__init__()
        waves = step_waves(torch.zeros(1)).shape[1]
        given = ImageShape(shape.channels + waves, shape.height, shape.width)
        self.shape = shape
        self.network = UNet(given, MapShape(*shape), depth=_DEPTH, width=maps, normalisation="none")

    def forward(self, x: Rows, place: Float[Tensor, " rows"]) -> Rows:
        pictures = x.unflatten(1, tuple(self.shape))
        waves = step_waves(place)[:, :, None, None].expand(-1, -1, *self.shape[1:])
        return self.network(torch.cat([pictures, waves], dim=1)).flatten(1)


@component("model")
class Diffusion(nn.Module):
    """p(x) = ∫ N(x_T; 0, I)·p(x_{T−1} | x_T) ⋯ p(x | x_1): noise that a network turns into a row in T steps.

    x_t = √ᾱ_t·x + √(1 − ᾱ_t)·ε is the row after t steps towards noise. The network is given x_t and t and
    predicts ε; training makes the mean of ‖ε − ε(x_t, t)‖²/width over evenly spread steps t small. By

        ε(x_t, t) = √(1 − ᾱ_t)·x_t + √ᾱ_t·F(x_t, t)

    the network F has nothing to do where rows are standard normal. A step back is normal, around the mean of
    x_{t−1} given x_t and the row that the prediction stands for. Its variance is that of x_{t−1} given both
    and, beside it, what the prediction leaves open, by the errors seen in training.

    A row is judged by the variational bound on log p(x), which is never above it but by chance:

        −KL(q(x_T | x) ‖ N(0, I)) − Σ_{t=2…T} KL(q(x_{t−1} | x_t, x) ‖ p(x_{t−1} | x_t)) + log p(x | x_1)

    summed over all T steps, with one draw of the noise for each, the same for all rows and evenly spread
    (Sobol): it does not hang on chance. Figures and new rows are those of averaged weights.

    New rows are drawn in T steps or, where fewer are asked for (`steps`), on a way without noise (DDIM).

    Arguments:
        inputs: real numbers; series and volumes are flattened, and images where the network is dense.
        steps: T.
        schedule: of ᾱ.
        convolutional: a small U-Net in place of dense layers; `auto` is for images.
        hidden: units of each hidden layer of a dense network, with SiLU; None is 128, 128 and 128.
        maps: of the U-Net at full size, doubled by each of two halvings; None is 32.
        average: how much of the average of the weights is kept at each step, at most.

    Raises: `RecipeError` for columns of zeros and ones, categories and gaps, which have no density of this
    kind, for convolutions without pictures, and for settings of the other kind of network.

    Source: Ho, Jain & Abbeel 2020; Nichol & Dhariwal 2021 (cosine); Song, Meng & Ermon 2021 (DDIM); Bao
    et al. 2022 (variance); Salimans & Ho 2022 (F)
    """

    alone: ClassVar[Alone] = Alone("density", epochs=200, batch_size=128, patience=None)
    rules: ClassVar[tuple[str, ...]] = ("gradient",)
    usual: ClassVar[dict[str, Any]] = {
        "gradient": {"optimizer": {"adamw": {"learning_rate": 0.005}}, "schedule": "cosine"}
    }
    visible: ClassVar[str] = "gaussian"
    compiles: ClassVar[bool] = False
    "The average of the weights moves while the network answers."
    settled: Tensor
    errors: Tensor
    seen: Tensor

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        steps: Steps = 200,
        schedule: Schedule = "cosine",
        convolutional: bool | Literal["auto"] = "auto",
        hidden: list[Count] | None = None,
        maps: Count | None = None,
        average: Rate = 0.999,
    ) -> None:
        super().__init__()
        refuse_other_kinds("diffusion", inputs)
        self.width, self.shape = numbers_in(inputs), inputs
        self.noising = Noising(steps, schedule)
        own: Any = {"dense": {"hidden": hidden}, "deep": {"maps": maps}, "what": "a {} network"}
        pictures = pictures_of(inputs, "model.diffusion", convolutional, **own)
        if pictures is None:
            self.network = DenseDenoiser(numbers_in(inputs), list(_HIDDEN) if hidden is None else hidden)
        else:
            self.network = PictureDenoiser(pictures, _MAPS if maps is None else maps)
        initialise(self.network, "xavier" if pictures is None else "he")
        self.average = WeightAverage(self.network, average)
        self.register_buffer("errors", torch.ones(steps, self.width))
        self.register_buffer("seen", torch.ones(steps, 1))
        self.register_buffer("settled", torch.zeros((), dtype=torch.bool))

    def settle(self) -> None:
        """From now on rows are judged by the bound, which takes T steps."""
        self.settled.fill_(True)

    @property
    def told(self) -> str:
        """What the log-densities are."""
        return f"a lower bound: variational, over {self.noising.steps:,} steps of noise"

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 2"]:
        flat = x.flatten(1)
        if self.training:
            figure = self._learn(flat)
            return torch.stack([figure, figure], dim=1)
        figure = self._figure(flat)
        return torch.stack([self.score(x) if self.settled else figure, figure], dim=1)

    def _learn(self, x: Rows) -> Float[Tensor, " rows"]:
        """−‖ε − ε(x_t, t)‖²/width at a step for each row, these evenly spread; average and errors follow."""
        if torch.is_grad_enabled():
            self.average.follow(self.network)
        count, noise = len(x), torch.randn_like(x)
        place = (torch.rand((), device=x.device) + torch.arange(count, device=x.device) / count) % 1
        t = 1 + (place * self.noising.steps).long().clamp_max(self.noising.steps - 1)
        error = (noise - self.predict(self.noising.add(x, noise, t), t, self.network)).square()
        with torch.no_grad():
            at = functional.one_hot(t - 1, self.noising.steps).to(error).T
            self.errors.mul_(_REMEMBERED).add_(at @ error.detach())
            self.seen.mul_(_REMEMBERED).add_(at.sum(dim=1, keepdim=True))
        return -error.mean(dim=1)

    def predict(
        self, noisy: Rows, t: Float[Tensor, " rows"] | Tensor, network: nn.Module | None = None
    ) -> Rows:
        """ε(x_t, t), by the averaged weights unless others are given."""
        network = self.average if network is None else network
        answer = network(noisy, t.to(noisy) / self.noising.steps)
        return self.noising.noise(t) * noisy + self.noising.signal(t) * answer

    def _figure(self, x: Rows) -> Float[Tensor, " rows"]:
        """As in training, at steps and with noise that are the same for all rows."""
        total, usual = x.new_zeros(len(x)), self.open_errors()
        for draw, noise in enumerate(even_normals(_FOLLOWED, self.width).to(x)):
            step = self.noising.steps * (2 * draw + 1) // (2 * _FOLLOWED)
            total = total - self._error(x, step, noise, usual[step]).mean(dim=1).to(x)
        return total / _FOLLOWED

    def _error(
        self, x: Rows, step: int, noise: Float[Tensor, " width"], usual: Float[Tensor, " width"]
    ) -> Rows:
        """(ε − ε(x_t, t))² of all rows, where so many steps come before this one.

        It hangs on the draw ε most where next to nothing of ε can be predicted. As E ε² = 1 is known,
        e²·(ε² − 1) is taken off, with e the usual error of the step (a control variate).
        """
        t = torch.full((len(x),), step + 1, device=x.device)
        drawn = noise.expand_as(x)
        error = (drawn - self.predict(self.noising.add(x, drawn, t), t)).double()
        return error.square() - usual.square() * (noise.double().square() - 1)

    def open_errors(self) -> Float[Tensor, "steps width"]:
        """E(ε − ε(x_t, t))² of each number, for t = 1 … T, as it was in training."""
        return (self.errors / self.seen).double()

    def variances(self) -> Float[Tensor, "steps width"]:
        """Of each step back, for t = 1 … T: β̃_t + w_t·E(ε − ε(x_t, t))².

        The last is at least 0.01²: a number that repeats itself would have a density without bound.
        """
        open_ = self.noising.weight().unsqueeze(1) * self.open_errors()
        variance = self.noising.back_variance().unsqueeze(1) + open_
        variance[0] = variance[0].clamp_min(LEAST_SPREAD**2)
        return variance

    def score(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, " rows"]:
        """The variational bound on log p(x), in nats."""
        flat, steps = x.flatten(1), self.noising.steps
        left = self.noising.kept[steps]
        total = (left * flat.double().square() - left - torch.log1p(-left)).sum(dim=1) / 2
        given, weights, usual = self.noising.back_variance(), self.noising.weight(), self.open_errors()
        draws, variances = even_normals(steps, self.width).to(x), self.variances()
        for step in range(steps):
            variance, error = variances[step], self._error(flat, step, draws[step], usual[step])
            more = given[step] / variance - 1 - given[step].log() if step else math.log(2 * math.pi)
            total = total + (variance.log() + more + weights[step] * error / variance).sum(dim=1) / 2
        return -total.to(x)

    @torch.no_grad()
    def generate(
        self, rows: int, *, steps: int = 1000, means: bool = False, generator: torch.Generator
    ) -> Rows:
        """Rows made of noise, in T steps, or without noise on the way in as many as are asked for, if fewer.

        Arguments:
            means: what is expected at the last step, in place of what is drawn.
        """
        made = self.way(rows, steps=steps, means=means, generator=generator)
        return deque(made, maxlen=1).pop()

    @torch.no_grad()
    def way(self, rows: int, *, steps: int, means: bool, generator: torch.Generator) -> Iterator[Rows]:
        """The noise that new rows are made of, and what it is after each step."""
        x = torch.randn(rows, self.width, generator=generator).to(self.errors)
        total, spreads = self.noising.steps, self.variances().sqrt().to(x)
        drawn = steps >= total
        times = torch.linspace(total, 0, 1 + min(steps, total)).round().long().tolist()
        yield x
        for now, after in pairwise(times):
            t = torch.full((rows,), now, device=x.device)
            noise = torch.cat([self.predict(some, t[: len(some)]) for some in x.split(_AT_ONCE)])
            row = self.noising.remove(x, noise, t)
            if drawn:
                fresh = torch.randn(rows, self.width, generator=generator).to(x)
                x = self.noising.back(row, x, t) + spreads[after] * fresh * (after > 0 or not means)
            else:
                x = self.noising.add(row, noise, torch.full_like(t, after))
            yield x

    def activity(self, x: Float[Tensor, "rows ..."]) -> Sequence[Picture]:
        """The way from noise to new rows."""
        generator = torch.Generator().manual_seed(0)
        rows = _WAY if isinstance(self.shape, ImageShape) else 500
        passed = self.way(rows, steps=self.noising.steps, means=True, generator=generator)
        return way_pictures([each.cpu() for each in passed], self.shape)
