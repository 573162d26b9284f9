"""Text to image: a picture made from each text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.encoders.image import ImageEncoder
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, Values, count, cut, take, to_device
from handrail.data.stores.images import ImageStore
from handrail.data.task import TaskSpec
from handrail.errors import DataError
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.made.pictures import PictureOutcome
from handrail.evaluation.points.picture_density import best_spread, picture_nats
from handrail.network import model_in, model_inputs
from handrail.recipe.sections import Images
from handrail.shapes import InputShape, PictureShape, TokenShape, describe
from handrail.tasks.baselines.nearest_texts import nearest_texts
from handrail.tasks.from_text.pictures import shown_rows, token_maps, true_and_made
from handrail.tasks.next_token import token_accuracy
from handrail.tasks.scoring import device_of, scores_of
from handrail.tasks.task import Answered, Baselines, Choice, Task

_LARGEST = 64  # pixels a side
_NEAREST = 5  # training rows of a baseline
_SEED = 0  # of the pictures that are judged
_TEXTS = 256  # pictures made at once
_FIRST = 2  # the code of the first token

Pixels = UInt8[Tensor, "rows channels height width"]


class TextToImageTask(Task):
    """Pictures from texts, by a network that gives p(picture | text) and draws from it.

    The true picture of a text is judged by the nats of its tokens, from one pass with the true tokens before
    each, and by those of its bytes about the picture that the tokens stand for, with a `spread` that is
    chosen on validation rows. Where it is known how to read what pictures show, one picture is drawn for each
    text, always with the same seed, and read.

    Baselines: the pictures of the five training rows with the most similar texts, and the mean training
    picture, with spreads chosen as the network's; the first of the five, or the mean, is what they make.

    Raises: `DataError` for inputs that are no text.
    """

    spread: Tensor

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        if not isinstance(shape, TokenShape):
            raise DataError(
                f"a picture is made from one column of text; found {describe(shape)}. Drop the other columns "
                "(data.drop), or name the column of texts: data.columns.NAME=text."
            )
        super().__init__(spec, shape)
        self.picture, self.source = PictureShape(3, 0, 0), ""
        self.register_buffer("spread", torch.tensor(1.0, dtype=torch.float64))

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        """Learn size and channels of the training pictures; sides beyond 64 pixels are scaled down."""
        name = self.spec.targets[0]
        found = ImageEncoder.fit(part.raw[name], part.stores[name], Images())
        share = min(1.0, _LARGEST / max(found.size))
        height, width = (max(4, round(side * share)) for side in found.size)
        self.picture = PictureShape(found.channels, height, width)
        self.source = encoder.schema.used[0].name

    @property
    def outputs(self) -> PictureShape:
        return self.picture

    def targets(self, part: Part) -> Pixels:
        """The pictures, as bytes."""
        name = self.spec.targets[0]
        store = part.stores[name]
        assert isinstance(store, ImageStore)
        places = part.raw[name].to_list()
        return store.pixels(self.picture[1:], self.picture.channels, places).contiguous()

    def training_data(self, rows: Rows, part: Part, encoder: RowEncoder) -> tuple[Rows, Rows]:
        targets = self.targets(part)
        return _beside(rows, targets), targets

    def forward(self, scores: Float[Tensor, "rows channels height width"]) -> Pixels:
        return _bytes(scores)

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        assert isinstance(targets, Tensor)
        return token_accuracy(scores, targets)

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        """Choose the spread of bytes about the network's pictures on validation rows."""
        targets = self.targets(part)
        _, middles = self._judged(network, rows, targets)
        self.spread.fill_(best_spread(targets.flatten(1), middles))

    @property
    def decisions(self) -> dict[str, float]:
        return {"spread": float(self.spread)}

    def take_decisions(self, other: Task) -> None:
        super().take_decisions(other)
        assert isinstance(other, TextToImageTask)
        self.spread.copy_(other.spread)

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        targets = self.targets(part)
        nats, middles = self._judged(network, rows, targets)
        pixels = picture_nats(targets.flatten(1), middles, float(self.spread))
        tokens = {"token_nats": nats.numpy(), "tokens": model_steps(network)}
        if self._reader(part) is None:
            return self._outcome(part, pixels, made=None, **tokens)
        made, maps = self.draw(network, rows)
        outcome = self._outcome(part, pixels, made=made, **tokens)
        return replace(outcome, made=(made.numpy(), maps.numpy()))

    def _judged(
        self, network: nn.Module, rows: Rows, targets: Pixels
    ) -> tuple[Float[Tensor, " rows"], Float[Tensor, "rows 1 width"]]:
        """The nats of each true picture's tokens, and what these stand for, from 0 to 255."""
        batches = list(scores_of(network, _beside(rows, targets)))
        nats = torch.cat([tokens.cpu().double() for tokens, _ in batches])
        return nats, torch.cat([(255 * middles).cpu().flatten(1)[:, None] for _, middles in batches])

    @torch.inference_mode()
    def draw(
        self, network: nn.Module, rows: Rows, *, temperature: float = 1.0, seed: int = _SEED
    ) -> tuple[Pixels, Int[Tensor, "rows high wide"]]:
        """A picture for each text, and its tokens from 0, drawn token by token.

        Arguments:
            temperature: scores are divided by it; 0 takes the likeliest token.
        """
        model: Any = model_in(network).eval()
        device, generator = device_of(network), torch.Generator().manual_seed(seed)
        pictures: list[Tensor] = []
        maps: list[Tensor] = []
        for start in range(0, count(rows), _TEXTS):
            texts = model_inputs(network, to_device(cut(rows, start, start + _TEXTS), device))
            codes = model.draw(texts, temperature=temperature, generator=generator)
            pictures.append(_bytes(model.tokens.pictures_of(codes)).cpu())
            maps.append((codes - _FIRST).unflatten(1, model.tokens.model.size).cpu())
        return torch.cat(pictures), torch.cat(maps)

    def _reader(self, part: Part) -> Any:
        return getattr(part.stores[self.spec.targets[0]], "reader", None)

    def _outcome(
        self,
        part: Part,
        pixel_nats: Tensor,
        *,
        made: Pixels | None,
        token_nats: np.ndarray | None = None,
        tokens: int = 0,
    ) -> PictureOutcome:
        name = self.spec.targets[0]
        return PictureOutcome(
            pixel_nats.numpy(),
            token_nats,
            values=int(np.prod(self.picture)),
            tokens=tokens,
            texts=tuple(part.features[self.source].fill_null("").to_list()),
            pictures=part.stores[name].hashes[part.raw[name].to_numpy()],
            right={} if made is None else self._right(part, made),
        )

    def _right(self, part: Part, made: Pixels) -> dict[str, np.ndarray]:
        """What pictures show as the true ones do: as a column of that name says, else as it is read there."""
        reader = self._reader(part)
        if reader is None:
            return {}
        truth: Mapping[str, np.ndarray] = reader(self.targets(part).numpy())
        return {
            name: values == (part.raw[name].to_numpy() if name in part.raw.columns else truth[name])
            for name, values in reader(made.numpy()).items()
        }

    def judge(
        self, outcome: Outcome, network: nn.Module, *, train: Part, part: Part, encoder: RowEncoder
    ) -> Outcome:
        """With what reads right by chance, on the true pictures, and on what their tokens stand for."""
        assert isinstance(outcome, PictureOutcome)
        if not outcome.right:
            return outcome
        targets = self.targets(part)
        _, middles = self._judged(network, part.encode_with(encoder), targets)
        made = middles.round().to(torch.uint8).view_as(targets)
        shown = np.random.default_rng(_SEED).permutation(len(train))[: len(part)]
        drawn = self.targets(train.pick(np.resize(shown, len(part))))
        told = {
            "the true pictures": self._right(part, targets),
            "the pictures that their tokens stand for": self._right(part, made),
            "training pictures drawn by chance": self._right(part, drawn),
        }
        sentences = (f"of {who}, {_shares(right)}" for who, right in told.items())
        how = "One picture was made for each text, and read from its pixels. To compare, what is read right"
        return replace(outcome, remark=f"{how}: {'; '.join(sentences)}.")

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        judged = part if choice is None else choice.validation
        known = self.targets(train.sample)
        bags = encoder.simple(train.sample.encode_with(encoder))
        mean = known.float().mean(dim=0).flatten()
        pictures = known.flatten(1)

        def nearest(rows: Part) -> Tensor:
            asked = encoder.simple(rows.encode_with(encoder))
            return pictures[nearest_texts(bags, asked, count=_NEAREST)]

        def average(rows: Part) -> Tensor:
            return mean.expand(len(rows), 1, -1)

        outcomes: dict[str, Outcome] = {}
        for name, middles_of in {"nearest texts": nearest, "mean picture": average}.items():
            spread = best_spread(self.targets(judged).flatten(1), middles_of(judged))
            middles, targets = middles_of(part), self.targets(part)
            nats = picture_nats(targets.flatten(1), middles, spread)
            made = middles[:, 0].round().to(torch.uint8).reshape(targets.shape)
            outcomes[name] = self._outcome(part, nats, made=made)
        return Baselines(outcomes)

    def pictures(self, answered: Answered) -> list[Picture]:
        """True pictures beside those that were made for their texts, and the maps of tokens of these."""
        outcome = answered.outcome
        assert isinstance(outcome, PictureOutcome)
        rows = shown_rows(outcome)
        if outcome.made is None:
            some = take(answered.rows, torch.from_numpy(rows))
            made, maps = (each.numpy() for each in self.draw(answered.network, some))
        else:
            made, maps = (each[rows] for each in outcome.made)
        truth = self.targets(answered.part.pick(rows)).numpy()
        return [true_and_made(truth, made, outcome, rows), token_maps(maps, outcome, rows)]

    def facts(self) -> dict[str, Any]:
        return {"picture": list(self.picture), "source": self.source}

    def restore(self, facts: dict[str, Any]) -> None:
        self.picture, self.source = PictureShape(*facts["picture"]), facts["source"]


def model_steps(network: nn.Module) -> int:
    """How many tokens a picture has."""
    model: Any = model_in(network)
    return model.steps.length


def _beside(rows: Rows, targets: Pixels) -> Rows:
    assert not isinstance(rows, tuple), "a single column of text is the source"
    return rows, targets


def _bytes(pictures: Float[Tensor, "rows channels height width"]) -> Pixels:
    return (255 * pictures).round().clamp(0, 255).to(torch.uint8)


def _shares(right: Mapping[str, np.ndarray]) -> str:
    every = np.all(list(right.values()), axis=0)
    shares: Sequence[str] = [f"{name} {hits.mean():.1%}" for name, hits in right.items()]
    return f"{', '.join(shares)}, all at once {every.mean():.1%}"
