"""Worlds to draw test rows from: a law of the data, a network fitted on it once, and fresh rows without end.

Laws are unchanged when their first two inputs change places. A network that is given them the other way
round is another network of exactly the same quality: what a comparison of equals needs.
"""

import functools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from handrail.data.encoders.tokenizers import Characters, Tokenizer
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.boxes import BoxOutcome, Objects
from handrail.evaluation.outcomes.masks import MaskOutcome, Tally
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.evaluation.outcomes.tokens import SequenceOutcome, TokenOutcome

Rng = np.random.Generator
INPUTS = 5
FITTED_ON = 400


class World(ABC):
    """Fresh rows with the answers of the network, its mirror image (an equal), and a simple baseline."""

    sizes: Sequence[int] = (30, 100, 300, 1000, 10_000)
    fresh = 1_000_000
    "How many fresh rows the truth is measured on at a time."

    @abstractmethod
    def draw(self, rng: Rng, rows: int, *, who: Sequence[str] = ("network",)) -> list[Outcome]:
        """The outcomes of network, equal or baseline on the same fresh rows."""


@dataclass(frozen=True)
class Classes(World):
    """Rows of one of several classes, log-odds with bends; probabilities of an MLP fitted once.

    Arguments:
        offsets: log-odds of each class where the inputs are 0; a rare class has a small one.
        threshold: of two classes, the probability from which the second is called.
    """

    offsets: tuple[float, ...]
    strength: float = 1.5
    threshold: float = 0.5
    fitted_on: int = FITTED_ON
    sizes: Sequence[int] = World.sizes
    fresh: int = World.fresh

    def inputs(self, rng: Rng, rows: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(rows, INPUTS))
        codes = np.arange(len(self.offsets))
        angle = 2 * np.pi * codes / max(len(codes), 3)
        signal = np.outer(x[:, 0] + x[:, 1], np.cos(angle)) + np.outer(1.4 * x[:, 2], np.sin(angle))
        signal += 0.3 * np.outer(x[:, 0] * x[:, 1], codes)
        scores = self.strength * signal + np.array(self.offsets) + rng.gumbel(size=(rows, len(codes)))
        return x, scores.argmax(axis=1)

    @functools.cached_property
    def networks(self) -> dict[str, Any]:
        x, y = self.inputs(np.random.default_rng(1), self.fitted_on)
        return fit(
            {
                "network": MLPClassifier((16,), random_state=0, max_iter=60, learning_rate_init=0.01),
                "baseline": LogisticRegression(),
            },
            x,
            y,
        )

    def draw(self, rng, rows, *, who=("network",)):
        x, truth = self.inputs(rng, rows)
        answers = []
        for name in who:
            network = self.networks["baseline" if name == "baseline" else "network"]
            chances = np.zeros((rows, len(self.offsets)))
            chances[:, network.classes_] = network.predict_proba(swap(x) if name == "equal" else x)
            labels = chances.argmax(axis=1)
            if len(self.offsets) == 2:
                labels = (chances[:, 1] >= self.threshold).astype(int)
            task = "binary" if len(self.offsets) == 2 else "multi-class"
            names = tuple(map(str, range(len(self.offsets))))
            answers.append(TableOutcome(task, truth, chances, labels=labels, classes=names))
        return answers


@dataclass(frozen=True)
class Labels(World):
    """Three labels a row that go together."""

    def inputs(self, rng: Rng, rows: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(rows, INPUTS))
        shared = (x[:, 0] + x[:, 1])[:, None] + 0.7 * rng.normal(size=(rows, 1))
        scores = 1.2 * shared + x[:, 2:5] + np.array([0.0, -0.6, 0.5]) + rng.logistic(size=(rows, 3))
        return x, (scores > 0).astype(int)

    @functools.cached_property
    def networks(self):
        x, y = self.inputs(np.random.default_rng(1), FITTED_ON)
        return fit(
            {
                "network": MLPClassifier((16,), random_state=0, max_iter=60, learning_rate_init=0.01),
                "baseline": MLPClassifier((2,), random_state=0, max_iter=20, learning_rate_init=0.01),
            },
            x,
            y,
        )

    def draw(self, rng, rows, *, who=("network",)):
        x, truth = self.inputs(rng, rows)
        answers = []
        for name in who:
            network = self.networks["baseline" if name == "baseline" else "network"]
            chances = np.asarray(network.predict_proba(swap(x) if name == "equal" else x))
            labels = (chances >= 0.5).astype(int)
            answers.append(
                TableOutcome("multi-label", truth, chances, labels=labels, classes=("a", "b", "c"))
            )
        return answers


@dataclass(frozen=True)
class Values(World):
    """A number a row; noise is normal or Student's of `freedom` degrees, wider where the signal is large."""

    freedom: float = np.inf

    def inputs(self, rng, rows):
        x = rng.normal(size=(rows, INPUTS))
        signal = x[:, 0] + x[:, 1] + np.sin(2 * x[:, 2]) + 0.5 * x[:, 0] * x[:, 1]
        noise = rng.normal(size=rows) if np.isinf(self.freedom) else rng.standard_t(self.freedom, rows)
        return x, signal + 0.6 * noise * (1 + 0.5 * np.abs(x[:, 2]))

    @functools.cached_property
    def networks(self):
        x, y = self.inputs(np.random.default_rng(1), FITTED_ON)
        return fit(
            {
                "network": MLPRegressor(
                    hidden_layer_sizes=(16,), random_state=0, max_iter=200, learning_rate_init=0.01
                ),
                "baseline": LinearRegression(),
            },
            x,
            y,
        )

    def draw(self, rng, rows, *, who=("network",)):
        x, truth = self.inputs(rng, rows)
        answers = []
        for name in who:
            network = self.networks["baseline" if name == "baseline" else "network"]
            values = network.predict(swap(x) if name == "equal" else x)
            answers.append(TableOutcome("regression", truth[:, None], values=values[:, None]))
        return answers


@dataclass(frozen=True)
class Forecast(World):
    """Overlapping windows, one a step, on an autoregressive series; as many blocks as asked for.

    Arguments:
        memory: φ of y_t = φ y_{t-1} + noise.
        horizon: steps ahead, and rows of a block.
    """

    memory: float = 0.7
    horizon: int = 4
    history: int = 6
    fresh: int = 250_000  # blocks, so a million windows

    def series(self, rng, steps):
        from scipy.signal import lfilter

        noise = rng.normal(size=steps + 200)
        return np.asarray(lfilter([1.0], [1.0, -self.memory], noise))[200:]

    def windows(self, rng, rows):
        series = self.series(rng, rows + self.history + self.horizon - 1)
        views = np.lib.stride_tricks.sliding_window_view(series, self.history + self.horizon)
        return views[:, : self.history], views[:, self.history :]

    @functools.cached_property
    def networks(self):
        x, y = self.windows(np.random.default_rng(1), FITTED_ON)
        return fit(
            {
                "network": MLPRegressor(
                    hidden_layer_sizes=(16,), random_state=0, max_iter=200, learning_rate_init=0.01
                )
            },
            x,
            y,
        )

    def draw(self, rng, rows, *, who=("network",)):
        x, truth = self.windows(rng, rows * self.horizon)
        network = self.networks["network"]
        answers = []
        for name in who:
            # the law is unchanged when all signs change
            values = {
                "network": lambda: network.predict(x),
                "equal": lambda: -np.asarray(network.predict(-x)),
                "baseline": lambda: np.repeat(x[:, -1:], self.horizon, axis=1),
            }[name]()
            scale = np.full(self.horizon, 1.0)
            ahead = self.horizon
            outcome = TableOutcome(
                "regression", truth, values=values, scale=scale, block=ahead, free_run=ahead
            )
            answers.append(outcome)
        return answers


@dataclass(frozen=True)
class Masks(World):
    """Discs on 12 × 12 pixels with noise, every fifth image empty; answers by a blurred threshold."""

    side: int = 12
    fresh: int = 1_000_000

    def draw(self, rng, rows, *, who=("network",)):
        parts: dict[str, list[Tally]] = {name: [] for name in who}
        for start in range(0, rows, 20_000):
            for name, tally in self._tallies(rng, min(20_000, rows - start), who).items():
                parts[name].append(tally)
        return [MaskOutcome(("ground", "disc"), Tally.join(parts[name])) for name in who]

    def _tallies(self, rng, rows, who):
        size = self.side
        grid = np.arange(size) + 0.5
        x, y = rng.uniform(2, size - 2, (2, rows, 1, 1))
        radius = np.where(rng.uniform(size=(rows, 1, 1)) < 0.2, 0.0, rng.uniform(1, 5, (rows, 1, 1)))
        true = (grid[None, :, None] - x) ** 2 + (grid[None, None, :] - y) ** 2 < radius**2
        bright = true * rng.uniform(0.6, 1.4, (rows, 1, 1)) + 0.5 * rng.normal(size=true.shape)
        blurred = (
            bright + np.roll(bright, 1, 1) + np.roll(bright, 1, 2) + np.roll(bright, (1, 1), (1, 2))
        ) / 4
        # the mirror image of a world that knows no direction
        other = (
            bright + np.roll(bright, -1, 1) + np.roll(bright, -1, 2) + np.roll(bright, (-1, -1), (1, 2))
        ) / 4
        answers = {"network": blurred > 0.5, "equal": other > 0.5, "baseline": bright > 0.5}
        checksums = np.arange(rows)
        return {name: _tally(answers[name], true, checksums) for name in who}


def _tally(answer, true, checksums):
    both, a, t = ((mask.sum(axis=(1, 2))) for mask in (answer & true, answer, true))
    pixels = true.shape[1] * true.shape[2]
    neither = pixels - a - t + both
    return Tally(
        np.stack([neither, both], 1), np.stack([pixels - a, a], 1), np.stack([pixels - t, t], 1), checksums
    )


@dataclass(frozen=True)
class Boxes(World):
    """One to four objects of two classes an image; answers are shifted boxes, misses and false alarms."""

    sizes: Sequence[int] = (30, 100, 300, 1000)
    fresh: int = 200_000

    def draw(self, rng, rows, *, who=("network",)):
        counts = rng.integers(1, 5, rows)
        images = np.repeat(np.arange(rows), counts)
        corner = rng.uniform(0, 80, (len(images), 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 20, (len(images), 2))], axis=1)
        codes = (rng.uniform(size=len(images)) < 0.35).astype(int)
        truth = Objects(images, boxes, codes, np.ones(len(images)))
        hard = rng.normal(size=rows)  # images differ in difficulty
        noise = {"network": 1.6, "equal": 1.6, "baseline": 2.6}
        return [
            BoxOutcome(("a", "b"), rows, truth, self._answers(rng, truth, hard, noise[name])) for name in who
        ]

    @staticmethod
    def _answers(rng, truth, hard, noise):
        ease = -hard[truth.images] + rng.normal(size=len(truth))
        found = ease > -1.6
        shift = noise * np.exp(0.3 * hard[truth.images])[:, None] * rng.normal(size=(len(truth), 4))
        score = 1 / (1 + np.exp(-(1.0 + 0.8 * ease)))
        alarms = rng.poisson(0.5, len(hard))
        places = np.repeat(np.arange(len(hard)), alarms)
        corner = rng.uniform(0, 80, (len(places), 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 20, (len(places), 2))], axis=1)
        alarm_score = 1 / (1 + np.exp(-rng.normal(-0.7, 1.0, len(places))))
        return Objects(
            np.concatenate([truth.images[found], places]),
            np.concatenate([(truth.boxes + shift)[found], boxes]),
            np.concatenate([truth.codes[found], rng.integers(0, 2, len(places))]),
            np.concatenate([score[found], alarm_score]),
        )


@dataclass(frozen=True)
class Tokens(World):
    """Windows of 32 tokens, passages easy and hard; losses and hits of a language model."""

    length: int = 32

    def draw(self, rng, rows, *, who=("network",)):
        passage = rng.gamma(6.0, 1 / 6.0, (rows, 1))
        truth = torch.zeros(rows, 1, dtype=torch.int64)
        counts = np.full(rows, self.length)
        answers = []
        for name in who:
            worse = 1.1 if name == "baseline" else 1.0
            loss = rng.exponential(1.5 * worse * passage, (rows, self.length)).astype(np.float32)
            right = (loss < 0.6).sum(axis=1)
            answers.append(TokenOutcome(loss.sum(axis=1).astype(float), counts, right, truth, truth))
        return answers


@dataclass(frozen=True)
class Texts(World):
    """Words of four letters, two to five a text, written with single wrong letters; hard and easy texts."""

    sizes: Sequence[int] = (30, 100, 300, 1000)
    fresh: int = 100_000

    @functools.cached_property
    def words(self):
        return np.random.default_rng(3).integers(97, 123, (40, 4))

    def draw(self, rng, rows, *, who=("network",)):
        tokenizer = Tokenizer("characters", Characters("abcdefghijklmnopqrstuvwxyz "), lower=False)
        counts = rng.integers(4, 8, rows)
        truth, ease = [self.words[rng.integers(0, 40, count)] for count in counts], rng.beta(1, 12, rows)
        texts = [_text(words) for words in truth]
        answers = []
        for name in who:
            rate = ease * (1.5 if name == "baseline" else 1.0)
            wrong = [_text(self._misspell(rng, words, r)) for words, r in zip(truth, rate, strict=True)]
            answers.append(SequenceOutcome(texts, wrong, tokenizer))
        return answers

    @staticmethod
    def _misspell(rng, words, rate):
        return np.where(rng.uniform(size=words.shape) < rate, rng.integers(97, 123, words.shape), words)


def _text(words):
    return " ".join(bytes(word.tolist()).decode() for word in words)


def swap(x):
    """The first two inputs in each other's place."""
    return x[:, [1, 0, *range(2, x.shape[1])]]


def fit(networks, x, y):
    """Fit each, without complaint that few epochs are few."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: network.fit(x, y) for name, network in networks.items()}


WORLDS: dict[str, World] = {
    "binary": Classes((0.0, 0.0)),
    "rare binary": Classes((0.0, -6.5), threshold=0.25),
    "multi-class": Classes((0.3, 0.0, 0.0, -0.3)),
    "ten classes": Classes((0.0,) * 10, strength=3.0),
    "multi-label": Labels(),
    "regression": Values(),
    "heavy-tailed regression": Values(freedom=5.0),
    "forecast": Forecast(),
    "forecast, long memory": Forecast(memory=0.95),
    "masks": Masks(),
    "boxes": Boxes(),
    "tokens": Tokens(),
    "sequence": Texts(),
    "very rare, large": Classes(
        (0.0, -15.0), fitted_on=40_000, sizes=(600_000,), fresh=10_000_000, threshold=0.25
    ),
}
