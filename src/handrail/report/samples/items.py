"""Items of rows (images, series, sounds, texts) as a picture shows them: as they are, but no finer than is
seen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from handrail.data.encoders.column import ColumnEncoder
from handrail.data.encoders.row_encoder import Mixed, OneColumn
from handrail.data.part import Part
from handrail.data.rows import Values, count, cut
from handrail.data.stores.windows import WindowStore
from handrail.pipeline import Pipeline

SIDE = 88  # pixels of an image among many
LARGE = 240  # of one among few
_STEPS = 240  # of a series
_FRAMES = 128  # of a spectrogram
_LETTERS = 1_000


@dataclass(frozen=True)
class ItemColumn:
    """The column whose items are shown: its encoder, and which of the encoded inputs it is, where there are
    several.
    """

    column: ColumnEncoder
    place: int | None

    @property
    def kind(self) -> str:
        """image, series, audio, text or stream."""
        return self.column.kind


def find_item_column(pipeline: Pipeline) -> ItemColumn | None:
    """The first column that holds items; none in a plain table."""
    encoder = pipeline.encoder
    if isinstance(encoder, OneColumn):
        return ItemColumn(encoder.column, None)
    if isinstance(encoder, Mixed):
        return ItemColumn(encoder.columns[0], 0 if encoder.table is None else 1)  # pyright: ignore[reportArgumentType]
    return None


def picked(part: Part, places: np.ndarray) -> Part:
    """Some rows of a part."""
    return part.picked(places)


def encode(pipeline: Pipeline, part: Part) -> Values:
    """All rows of a small part."""
    rows = pipeline.rows(part)
    return cut(rows, 0, count(rows))


def items(pipeline: Pipeline, shown: ItemColumn, part: Part, *, side: int = SIDE) -> dict[str, Any]:
    """The items of a small part: `kind`, and `items` or `texts`."""
    if shown.kind == "text":
        texts = part.features[shown.column.name].fill_null("").to_list()
        return {"kind": "text", "texts": [str(text)[:_LETTERS] for text in texts]}
    if shown.kind == "series":
        return series(part, shown)
    rows = encode(pipeline, part)
    values = rows if isinstance(rows, Tensor) else rows[shown.place or 0]
    return {"kind": shown.kind, "items": display(values, shown.kind, side=side)}


def series(part: Part, shown: ItemColumn) -> dict[str, Any]:
    """Series in their own units: `items` `[rows, channels, length]`, not a number behind their ends."""
    store: Any = part.stores[shown.column.name]
    if isinstance(store, WindowStore):
        return {"kind": "windows"}
    places = part.features[shown.column.name].to_numpy()
    length = int(store.lengths[places].max(initial=1))
    values = store.values(places, length).numpy()
    values[np.broadcast_to((np.arange(length) >= store.lengths[places][:, None])[:, None], values.shape)] = (
        np.nan
    )
    return {"kind": "series", "items": thin_steps(values)}


def thin_steps(values: np.ndarray) -> np.ndarray:
    """Every nth value of long series."""
    return np.ascontiguousarray(values[..., :: max(1, -(-values.shape[-1] // _STEPS))])


def display(values: Tensor, kind: str, *, side: int = SIDE) -> np.ndarray:
    """Encoded items: bytes of images, half-precision spectrograms `[rows, mels, frames]`, series as they are."""
    if kind == "image":
        return smaller(values.cpu().numpy(), side)
    if kind == "audio":
        return _fewer_frames(values[:, 0].float().cpu().numpy()).astype(np.float16)
    return thin_steps(values.float().cpu().numpy())


def fit_size(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Height and width of what `[..., height, width]` becomes, so that neither side is longer than `side`."""
    share = min(1.0, side / max(shape[-2:]))
    return max(1, round(shape[-2] * share)), max(1, round(shape[-1] * share))


def smaller(images: np.ndarray, side: int) -> np.ndarray:
    """Images `[rows, channels, height, width]` in bytes, made smaller where they are larger than `side`."""
    size = fit_size(images.shape, side)
    if size == images.shape[-2:]:
        return np.ascontiguousarray(images)
    found = functional.interpolate(
        torch.tensor(images, dtype=torch.float32), size, mode="bilinear", antialias=True
    )
    return found.round().clamp(0, 255).to(torch.uint8).numpy()


def smaller_codes(masks: np.ndarray, side: int) -> np.ndarray:
    """Class codes `[rows, height, width]` that lie on what `smaller` makes of their images: those of the
    nearest pixels.
    """
    places = [
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(fit_size(masks.shape, side), masks.shape[-2:], strict=True)
    ]
    return np.ascontiguousarray(masks[:, places[0]][:, :, places[1]])


def _fewer_frames(values: np.ndarray) -> np.ndarray:
    step = max(1, -(-values.shape[-1] // _FRAMES))
    whole = values[..., : values.shape[-1] // step * step]
    return whole.reshape(*values.shape[:-1], -1, step).mean(axis=-1)
