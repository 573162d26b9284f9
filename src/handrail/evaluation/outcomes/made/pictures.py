"""Pictures made from texts, beside the pictures that the texts belong to."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8, UInt64

from handrail.evaluation.forms import Form, NoInterval, Ratio, Share
from handrail.evaluation.metric_names import metric_names
from handrail.evaluation.outcomes import Outcome, Statistic

_RIGHT = "right_"
Made = tuple[UInt8[np.ndarray, "rows channels height width"], Int[np.ndarray, "rows high wide"]]


@dataclass(frozen=True, eq=False)
class PictureOutcome(Outcome):
    """How likely the true picture of each text was, and what the picture that was made shows rightly.

    bits_per_dim = Σ (pixel nats + token nats) / (rows · values · ln 2): of what makes pictures by tokens an
    upper bound on −log₂ p(picture | text), since another row of tokens might have given the picture, too.
    bits_per_token is the part of the tokens, for each of them: it tells how well the text is followed, and
    can be compared between networks with the same tokens alone.

    Arguments:
        pixel_nats: −log p(picture | tokens), or −log p(picture | text) where there are none.
        token_nats: −log p(tokens | text).
        values, tokens: how many a picture has.
        right: by what pictures show, the rows whose picture shows it rightly; empty where it cannot be read.
        texts: those that pictures were made from.
        pictures: a hash of each true picture.
        made: the pictures that were judged and the tokens that they are made of, where some were made.

    Source: Ramesh et al. 2021 (the bound); van den Oord, Kalchbrenner & Kavukcuoglu 2016 (bits a value)
    """

    pixel_nats: Float[np.ndarray, " rows"]
    token_nats: Float[np.ndarray, " rows"] | None
    values: int
    tokens: int
    texts: tuple[str, ...]
    pictures: UInt64[np.ndarray, " rows"]
    right: Mapping[str, Bool[np.ndarray, " rows"]] = field(default_factory=dict)
    made: Made | None = None
    remark: str = ""
    task: str = "text-to-image"

    @property
    def rows(self) -> int:
        return len(self.pixel_nats)

    @property
    def work(self) -> int:
        return 3 + len(self.right)

    def names(self) -> list[str]:
        known = metric_names(self.task)
        return [name for name in known if not name.startswith(_RIGHT) or name in self._shares]

    @cached_property
    def _shares(self) -> dict[str, Bool[np.ndarray, " rows"]]:
        if not self.right:
            return {}
        every = np.all(list(self.right.values()), axis=0)
        return {f"{_RIGHT}{name}": hits for name, hits in self.right.items()} | {f"{_RIGHT}all": every}

    @cached_property
    def _bits(self) -> Float[np.ndarray, " rows"]:
        nats = self.pixel_nats if self.token_nats is None else self.pixel_nats + self.token_nats
        return nats / math.log(2)

    @cached_property
    def _token_bits(self) -> Float[np.ndarray, " rows"]:
        nats = np.full(self.rows, np.nan) if self.token_nats is None else self.token_nats
        return nats / math.log(2)

    def why_undefined(self, name: str) -> str:
        return "it has no tokens" if name == "bits_per_token" and self.token_nats is None else ""

    def statistics(self, names: Iterable[str]) -> list[Statistic]:
        selected = set(names)

        def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
            rows = weights.sum(axis=0)
            metrics = {
                "bits_per_dim": self._bits @ weights / (rows * self.values),
                "bits_per_token": self._token_bits @ weights / (rows * max(1, self.tokens)),
            }
            metrics |= {name: hits @ weights / rows for name, hits in self._shares.items()}
            return {name: values for name, values in metrics.items() if name in selected}

        return [statistic]

    def forms(self, names: Iterable[str]) -> dict[str, Form]:
        every = np.ones(self.rows, dtype=bool)
        forms: dict[str, Form] = {
            "bits_per_dim": Ratio(self._bits, np.full(self.rows, float(self.values))),
            "bits_per_token": NoInterval("it has no tokens")
            if self.token_nats is None
            else Ratio(self._token_bits, np.full(self.rows, float(self.tokens))),
        }
        forms |= {name: Share(hits, every) for name, hits in self._shares.items()}
        return {name: forms[name] for name in names}

    def same_rows(self, other: Outcome) -> bool:
        return (
            isinstance(other, PictureOutcome)
            and np.array_equal(self.pictures, other.pictures)
            and self.texts == other.texts
        )

    def errors(self) -> np.ndarray:
        """Bits for each value of the picture."""
        return self._bits / self.values

    def describe(self, row: int, *, truth: bool) -> str:
        if truth:
            return self.texts[row]
        return ", ".join(filter(None, (f"{self.errors()[row]:.3f} bits a value", self.told(row))))

    def told(self, row: int) -> str:
        """What the picture that was made shows wrongly; empty where it cannot be read."""
        wrong = [name for name, hits in self.right.items() if not hits[row]]
        return f"wrong: {', '.join(wrong)}" if wrong else "all right" if self.right else ""

    def columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"text": list(self.texts), "bits_per_dim": self.errors()}
        if self.token_nats is not None:
            columns["bits_per_token"] = self._token_bits / max(1, self.tokens)
        return columns | {name: hits.astype(np.int64) for name, hits in self._shares.items()}
