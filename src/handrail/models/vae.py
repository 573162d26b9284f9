"""The variational autoencoder: a density of rows by way of codes that are drawn."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from handrail.components import component
from handrail.components.arguments import Activation, Count, Initialisation, NonNegative
from handrail.components.pictures import Tiles
from handrail.errors import RecipeError
from handrail.layers.coding import Codes, coding_layers, decoding_layers
from handrail.layers.even_draws import even_normals
from handrail.layers.initialisations import initialise
from handrail.layers.likelihoods import Likelihood
from handrail.recipe.alone import Alone
from handrail.shapes import (
    ImageShape,
    InputShape,
    NoTarget,
    SeriesShape,
    TableShape,
    VolumeShape,
    numbers_in,
)

_USUAL_CODE = 16  # numbers, at most
_LOG_SPREAD = 8.0  # of a code, at most, either way
_COMPONENTS = 5  # normal laws of a column of numbers
_FOLLOWED = 4  # draws by which validation follows the training
_AT_ONCE = 1 << 22  # numbers that are decoded at once
_WALKS, _STEPS, _REACH = 8, 9, 2.0  # numbers of the code that are shown, and their values

OfRows = Float[Tensor, "rows code"]
Draws = Float[Tensor, "draws rows code"]


def takes_unit_values(arguments: Mapping[str, Any]) -> bool:
    """Whether the arguments say that numbers lie between 0 and 1."""
    return arguments["likelihood"] == "bernoulli"


@component("model")
class VAE(Codes):
    """p(x) = ∫ p(x | z)·N(z; 0, I) dz, with p(x | z) by a decoder and q(z | x) = N(μ(x), σ(x)²) by an
    encoder.

    A row gets two bounds on log p(x), in nats, neither of which lies above it but by chance. That which the
    row is judged by has K draws zₖ of q; that which training follows is the evidence lower bound:

        log (1/K)·Σₖ p(x | zₖ)·N(zₖ; 0, I)/q(zₖ | x)          (importance-weighted)
        E_q log p(x | z) − β·Σⱼ max(KLⱼ, free bits)           (ELBO, for β = 1 without free bits)

    KLⱼ = ½·(μⱼ² + σⱼ² − 1) − log σⱼ. With more than one draw in training, the first is followed there too.
    For figures the draws are the same for all rows and evenly spread (Sobol): they do not hang on chance.

    p(x | z) is Bernoulli for numbers that are 0 or 1, and categorical for categories. A column of numbers is
    a mixture of normal laws, and of values that many training rows repeat, which have probabilities; the
    encoder is told which of these a row has. Numbers of other rows are normal. Each law has a spread that is
    learned. Numbers that are missing say nothing.

    Arguments:
        inputs: images and series are flattened, unless there are `channels`; volumes are.
        code: numbers in z; None is as many as a row has, at most 16. What is not needed stays N(0, 1).
        hidden: units of each dense hidden layer of the encoder; the decoder has the same in reverse.
        channels: of convolutions before them, each of which halves the size of images or series.
        likelihood: `auto` by the kind of each column; `bernoulli` takes all numbers for 0 and 1, or
            probabilities; `gaussian` for real, each with one normal law.
        components: normal laws of a column of numbers; None is 5.
        beta: β, how much the codes count.
        free_bits: nats of each number of the code, the mean over a batch, that cost nothing.
        samples: draws of a row's code in training.
        bound_samples: K.
        binarise: whether values between 0 and 1 become 0 or 1, drawn anew at each step of training.

    Raises: `RecipeError` for more convolutions than the rows have room for, for components where a number has
    one law, for `binarise` where numbers are not from 0 to 1, and for settings without effect.

    Source: Kingma & Welling 2014; Rezende, Mohamed & Wierstra 2014; importance-weighted: Burda, Grosse &
    Salakhutdinov 2016; β: Higgins et al. 2017; free bits: Kingma et al. 2016; mixtures:
    Xu et al. 2019
    """

    alone: ClassVar[Alone] = Alone(
        "density", epochs=200, patience=20, unit=takes_unit_values, real="model.vae.likelihood=gaussian"
    )
    name: ClassVar[str] = "vae"
    rules: ClassVar[tuple[str, ...]] = ("gradient",)
    settled: Tensor

    def __init__(
        self,
        inputs: int | ImageShape | SeriesShape | VolumeShape,
        outputs: NoTarget,
        *,
        code: Count | None = None,
        hidden: list[Count] = [128],  # noqa: B006 - never changed; shown as the default
        channels: list[Count] = [],  # noqa: B006
        activation: Activation = "relu",
        likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto",
        components: Count | None = None,
        beta: NonNegative = 1.0,
        free_bits: NonNegative = 0.0,
        samples: Count = 1,
        bound_samples: Count = 64,
        binarise: bool = False,
        initialisation: Initialisation = "xavier",
    ) -> None:
        super().__init__()
        width = numbers_in(inputs)
        self._refuse_idle(samples, {"beta": (beta, 1.0), "free_bits": (free_bits, 0.0)})
        self.code = min(_USUAL_CODE, width) if code is None else code
        how: Any = {"channels": channels, "hidden": hidden, "activation": activation}
        how["where"] = f"model.{self.name}.channels"
        self.likelihood = Likelihood(inputs, likelihood, _components(inputs, likelihood, components))
        if binarise and self.visible != "binary":
            raise RecipeError(
                f"model.{self.name}.binarise: needs numbers from 0 to 1, whose likelihood is that of bits; "
                f"leave it out, or set model.{self.name}.likelihood to bernoulli."
            )
        given = inputs if channels else width + self.likelihood.marks
        made = inputs if channels else self.likelihood.scores
        self.encoder = coding_layers(given, 2 * self.code, **how)
        self.decoder = decoding_layers(made, self.code, **how)
        self.beta, self.free_bits, self.binarise = beta, free_bits, binarise
        self.samples, self.bound_samples = samples, bound_samples
        self.widest = max(width, *hidden, max([0, *channels]) * width // 4)  # numbers in a layer
        self.register_buffer("settled", torch.zeros((), dtype=torch.bool))
        initialise(self, initialisation)

    @classmethod
    def _refuse_idle(cls, samples: int, settings: dict[str, tuple[float, float]]) -> None:
        """Raises: `RecipeError` for settings of the divergence where training follows a bound without one."""
        idle = [name for name, (value, usual) in settings.items() if value != usual]
        if samples > 1 and idle:
            text = f"has no effect with samples={samples}: the importance-weighted bound has no divergence"
            raise RecipeError([f"model.{cls.name}.{name}: {text}; leave it out." for name in idle])

    def settle(self) -> None:
        """From now on rows are judged by the importance-weighted bound, which takes many draws of each."""
        self.settled.fill_(True)

    @property
    def visible(self) -> str:
        """What kind of numbers the density is of."""
        return self.likelihood.visible

    @property
    def told(self) -> str:
        """What the log-densities are."""
        bound = f"a lower bound: importance-weighted, by {self.bound_samples:,} draws of each row's code"
        return (
            f"{bound}; values that many rows repeat count as probabilities"
            if self.likelihood.marks
            else bound
        )

    def forward(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows 2"]:
        if not self.training:
            return self.bounds(x, int(self.settled) * self.bound_samples)
        if self.binarise:
            x = torch.bernoulli(x.clamp(0, 1))
        mean, log_spread = self._posterior(x)
        noise = torch.randn(self.samples, *mean.shape, device=mean.device, dtype=mean.dtype)
        figure = self._figure(x.flatten(1), mean, log_spread, noise)
        return torch.stack([figure, figure], dim=1)

    def bounds(self, x: Float[Tensor, "rows ..."], samples: int) -> Float[Tensor, "rows 2"]:
        """The importance-weighted bound of so many draws, and what training follows, which without draws
        stands in both places. They are the same for a row in whatever company it comes.
        """
        few = self.samples if self.samples > 1 else _FOLLOWED
        draws = even_normals(max(samples, few), self.code).to(x)
        rows = max(1, _AT_ONCE // (len(draws) * self.widest))
        parts = []
        for some in x.split(rows):
            mean, log_spread = self._posterior(some)
            noise = draws[:, None].expand(-1, len(some), -1)
            flat = some.flatten(1)
            figure = self._figure(flat, mean, log_spread, noise[:few])
            weighted = self._weighted(flat, mean, log_spread, noise[:samples]) if samples else figure
            parts.append(torch.stack([weighted, figure], dim=1))
        return torch.cat(parts)

    def _figure(
        self, x: Float[Tensor, "rows width"], mean: OfRows, log_spread: OfRows, noise: Draws
    ) -> Float[Tensor, " rows"]:
        """What training follows."""
        if self.samples > 1:
            return self._weighted(x, mean, log_spread, noise)
        divergence = (mean.square() + (2 * log_spread).exp() - 1) / 2 - log_spread
        if self.free_bits and self.training:
            # The mean over the batch decides; a number that costs nothing has no slope.
            divergence = torch.where(divergence.mean(dim=0) > self.free_bits, divergence, self.free_bits)
        given = self._given(x, mean + log_spread.exp() * noise).mean(dim=0)
        return given - self.beta * divergence.sum(dim=1)

    def _given(self, x: Float[Tensor, "rows width"], codes: Draws) -> Float[Tensor, "draws rows"]:
        """log p(x | z)."""
        return self.likelihood(self.decoder(codes.flatten(0, 1)).unflatten(0, codes.shape[:2]), x)

    def _weighted(
        self, x: Float[Tensor, "rows width"], mean: OfRows, log_spread: OfRows, noise: Draws
    ) -> Float[Tensor, " rows"]:
        """log of the mean over draws of p(x | z)·p(z)/q(z | x)."""
        codes = mean + log_spread.exp() * noise
        ratio = (noise.square() - codes.square()).sum(dim=-1) / 2 + log_spread.sum(dim=-1)
        beta = self.beta if self.training else 1.0
        return torch.logsumexp(self._given(x, codes) + beta * ratio, dim=0) - math.log(len(noise))

    def _posterior(self, x: Float[Tensor, "rows ..."]) -> tuple[OfRows, OfRows]:
        mean, log_spread = self.encoder(self.likelihood.marked(x)).chunk(2, dim=1)
        return mean, log_spread.clamp(-_LOG_SPREAD, _LOG_SPREAD)

    def score(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, " rows"]:
        """The importance-weighted bound on log p(x), in nats."""
        return self.bounds(x, self.bound_samples)[:, 0]

    def encode(self, x: Float[Tensor, "rows ..."]) -> Float[Tensor, "rows code"]:
        """The mean of each row's code, μ(x)."""
        return self._posterior(x)[0]

    def decode(self, code: Float[Tensor, "rows code"]) -> Float[Tensor, "rows width"]:
        """The expected row of each code, flat, in encoded units."""
        return self.likelihood.mean(self.decoder(code))

    @torch.no_grad()
    def fill(
        self, x: Float[Tensor, "rows width"], *, steps: int, generator: torch.Generator
    ) -> Float[Tensor, "rows width"]:
        """Rows with what is expected in place of what is not a number, by a chain of codes.

        A new code z′ is drawn from q(z | x) with what was filled in before, and taken in place of z with the
        probability min(1, p(x, z′)·q(z | x)/(p(x, z)·q(z′ | x))); then what is missing is drawn from
        p(x | z). So rows and codes come to be drawn from their joint law given what is there, as far as q,
        which has never seen rows with gaps, proposes them. The first tenth of the codes are all taken, and
        the decoder's means of the second half of the steps averaged.

        Source: Mattei & Frellsen 2018
        """
        gaps, known = x.isnan(), self.likelihood.as_known(x.clone()).nan_to_num()
        filled, total, counted = known, torch.zeros_like(x), 0
        code = scores = torch.empty(0)
        for step in range(steps):
            law = self._posterior(filled)
            new = law[0] + law[1].exp() * torch.randn(law[0].shape, generator=generator).to(x)
            new_scores = self.decoder(new)
            if 10 * step < steps:
                code, scores = new, new_scores
            else:
                odds = self._odds(filled, new, new_scores, law) - self._odds(filled, code, scores, law)
                taken = torch.rand(len(x), 1, generator=generator).log().to(x) < odds[:, None]
                code, scores = torch.where(taken, new, code), torch.where(taken, new_scores, scores)
            filled = torch.where(gaps, self.likelihood.draw(scores, generator), known)
            if 2 * step >= steps - 1:
                total, counted = total + self.likelihood.mean(scores), counted + 1
        return torch.where(gaps, total / counted, x)

    def _odds(
        self, x: Float[Tensor, "rows width"], code: OfRows, scores: Tensor, law: tuple[OfRows, OfRows]
    ) -> Float[Tensor, " rows"]:
        """log p(x, z) − log q(z | x), but for what is the same for all codes."""
        noise = (code - law[0]) / law[1].exp()
        ratio = (noise.square() - code.square()).sum(dim=1) / 2 + law[1].sum(dim=1)
        return self.likelihood(scores, x) + ratio

    @torch.no_grad()
    def activity(self, x: Float[Tensor, "rows ..."]) -> list[Tiles]:
        """The first row where one number of its code is changed; of pictures alone."""
        if x.ndim != 4:
            return []
        shown = min(self.code, _WALKS)
        steps = torch.linspace(-_REACH, _REACH, _STEPS, device=x.device, dtype=x.dtype)
        codes = self.encode(x[:1]).repeat(shown, _STEPS, 1)  # [numbers, steps, code]
        for number in range(shown):
            codes[number, :, number] = steps
        pictures = self.decode(codes.flatten(0, 1)).unflatten(1, tuple(x.shape[1:])).mean(dim=1)
        which = f"The first {shown} of {self.code}" if shown < self.code else f"All {shown}"
        note = f"{which} numbers of the code of one row, a line each, from −{_REACH:g} to {_REACH:g}."
        return [Tiles("What one number of the code changes", pictures.cpu().numpy(), note, _STEPS)]

    def generate(
        self, rows: int, *, steps: int = 0, means: bool = False, generator: torch.Generator
    ) -> Float[Tensor, "rows width"]:
        """Rows of codes that are drawn from N(0, I).

        Arguments:
            steps: none are needed.
            means: the expected rows of the codes, in place of what is drawn.
        """
        code = torch.randn(rows, self.code, generator=generator)
        scores = self.decoder(code.to(next(self.decoder.parameters())))
        return self.likelihood.mean(scores) if means else self.likelihood.draw(scores, generator)


def _components(inputs: InputShape, likelihood: str, asked: int | None) -> int:
    """Normal laws of each real number.

    Raises: `RecipeError` where they are asked for and there is one.
    """
    if isinstance(inputs, TableShape) and likelihood == "auto":
        return _COMPONENTS if asked is None else asked
    if asked is not None:
        rows = "rows that are no table" if likelihood == "auto" else f"likelihood={likelihood}"
        raise RecipeError(f"model.vae.components: has no effect on {rows}; leave it out.")
    return 1
