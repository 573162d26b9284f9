"""Items of rows (images, series, sounds, texts) for pictures: unchanged, but no finer than can be seen."""

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
from handrail.data.stores.series import WindowStore
from handrail.pipeline import Pipeline

SIDE = 88  # pixels of an image among many
LARGE = 240  # pixels of an image among few
_STEPS = 240  # most values of a series
_FRAMES = 128  # most frames of a spectrogram
_LETTERS = 1_000


@dataclass(frozen=True)
class ItemColumn:
    """The column whose items are shown: its encoder, and its place among several encoded inputs."""

    column: ColumnEncoder
    place: int | None

    @property
    def kind(self) -> str:
        """image, series, audio, text or stream."""
        return self.column.kind


def find_item_column(pipeline: Pipeline) -> ItemColumn | None:
    """The first column that holds items; None in a plain table."""
    encoder = pipeline.encoder
    if isinstance(encoder, OneColumn):
        return ItemColumn(encoder.column, None)
    if isinstance(encoder, Mixed):
        place = 0 if encoder.table is None else 1
        return ItemColumn(encoder.columns[0], place)  # pyright: ignore[reportArgumentType]
    return None


def encode(pipeline: Pipeline, part: Part) -> Values:
    """All rows of a small part, encoded."""
    rows = pipeline.rows(part)
    return cut(rows, 0, count(rows))


def items(pipeline: Pipeline, shown: ItemColumn, part: Part, *, side: int = SIDE) -> dict[str, Any]:
    """The items of a small part: `kind`, and `items` or `texts`."""
    if shown.kind == "text":
        texts = part.features[shown.column.name].fill_null("").to_list()
        return {"kind": "text", "texts": [str(text)[:_LETTERS] for text in texts]}
    if shown.kind == "series":
        return _series(part, shown)
    rows = encode(pipeline, part)
    values = rows if isinstance(rows, Tensor) else rows[shown.place or 0]
    return {"kind": shown.kind, "items": display(values, shown.kind, side=side)}


def _series(part: Part, shown: ItemColumn) -> dict[str, Any]:
    """Series in their own units: `items` `[rows, channels, length]`, NaN behind their ends."""
    store: Any = part.stores[shown.column.name]
    if isinstance(store, WindowStore):
        return {"kind": "windows"}
    places = part.features[shown.column.name].to_numpy()
    length = int(store.lengths[places].max(initial=1))
    values = store.values(places, length).numpy()
    behind = np.arange(length) >= store.lengths[places][:, None]
    values[np.broadcast_to(behind[:, None], values.shape)] = np.nan
    return {"kind": "series", "items": _thin_steps(values)}


def _thin_steps(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values[..., :: max(1, -(-values.shape[-1] // _STEPS))])


def display(values: Tensor, kind: str, *, side: int = SIDE) -> np.ndarray:
    """Encoded items: uint8 images, float16 spectrograms `[rows, mels, frames]`, or series."""
    if kind == "image":
        return smaller(values.cpu().numpy(), side)
    if kind == "audio":
        return _fewer_frames(values[:, 0].float().cpu().numpy()).astype(np.float16)
    return _thin_steps(values.float().cpu().numpy())


def fit_size(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Height and width of `[..., height, width]` shrunk so that neither is longer than `side`."""
    share = min(1.0, side / max(shape[-2:]))
    return max(1, round(shape[-2] * share)), max(1, round(shape[-1] * share))


def smaller(images: np.ndarray, side: int) -> np.ndarray:
    """uint8 images `[rows, channels, height, width]`, shrunk where they are larger than `side`."""
    size = fit_size(images.shape, side)
    if size == images.shape[-2:]:
        return np.ascontiguousarray(images)
    values = torch.tensor(images, dtype=torch.float32)
    resized = functional.interpolate(values, size, mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).to(torch.uint8).numpy()


def smaller_codes(masks: np.ndarray, side: int) -> np.ndarray:
    """Class codes `[rows, height, width]` shrunk like their images by `smaller`, from the nearest pixels."""
    sizes = zip(fit_size(masks.shape, side), masks.shape[-2:], strict=True)
    down, across = (((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in sizes)
    return np.ascontiguousarray(masks[:, down][:, :, across])


def _fewer_frames(values: np.ndarray) -> np.ndarray:
    step = max(1, -(-values.shape[-1] // _FRAMES))
    whole = values[..., : values.shape[-1] // step * step]
    return whole.reshape(*values.shape[:-1], -1, step).mean(axis=-1)
