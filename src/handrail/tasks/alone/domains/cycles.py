"""Rows of two domains on their way to the other domain and back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int64

Cloud = Float[np.ndarray, "rows width"]
Codes = Int64[np.ndarray, " rows"]
Translate = Callable[[Cloud, Codes], Cloud]
"Rows and the codes of their domains, 1 or 2, to rows of the other; a row of no known domain becomes 0."


@dataclass(frozen=True, eq=False)
class Cycles:
    """Rows x, their translations G(x), and the way back F(G(x)).

    Arguments:
        codes: of each row the domain, 1 or 2, or 0 where it is not known.
        true: of each row the true partner; None where there is none.
    """

    rows: Cloud
    made: Cloud
    back: Cloud
    codes: Codes
    true: Cloud | None = None

    @classmethod
    def of(cls, translate: Translate, rows: Cloud, codes: Codes, true: Cloud | None = None) -> Self:
        """What a map makes of the rows."""
        made = translate(rows, codes)
        return cls(rows, made, translate(made, np.where(codes > 0, 3 - codes, 0)), codes, true)

    @property
    def known(self) -> np.ndarray:
        """The rows whose domain is known."""
        return self.codes > 0

    @property
    def errors(self) -> Float[np.ndarray, " rows"]:
        """‖F(G(x)) − x‖; 0 where the domain is not known."""
        return self._lengths(self.back - self.rows)

    @property
    def partner_errors(self) -> Float[np.ndarray, " rows"] | None:
        """‖G(x) − y‖ for the true partner y; None without partners."""
        return None if self.true is None else self._lengths(self.made - self.true)

    def _lengths(self, steps: Cloud) -> Float[np.ndarray, " rows"]:
        return np.where(self.known, np.linalg.norm(steps, axis=1), 0.0)


def by_model(model: Any) -> Translate:
    """The map of a model, with clouds in double precision."""

    @torch.inference_mode()
    def translate(rows: Cloud, codes: Codes) -> Cloud:
        like = model.references
        made = model.translate(torch.from_numpy(rows).to(like), torch.from_numpy(codes).to(like.device))
        return made.double().cpu().numpy()

    return translate


def by_maps(maps: Mapping[int, Callable[[Cloud], Cloud]]) -> Translate:
    """A map from each domain to the other, by code."""

    def translate(rows: Cloud, codes: Codes) -> Cloud:
        made = np.zeros_like(rows)
        for code, function in maps.items():
            made[codes == code] = function(rows[codes == code])
        return made

    return translate
