"""Looks inside a network: what it writes, where it looks, what its first layer looks for."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from handrail.data.encoders.text import TextEncoder
from handrail.data.encoders.text_stream import StreamEncoder
from handrail.data.encoders.tokenizers.codes import PADDING
from handrail.data.part import Part
from handrail.data.rows import Windows, cut
from handrail.network import Network
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.report.samples.items import ItemColumn, find_item_column, picked
from handrail.shapes import ImageShape
from handrail.tasks.generation import sample
from handrail.training.seeds import derive

_TEMPERATURE = 0.8
_STEPS = {"characters": 400, "words": 100, "byte_pairs": 130}
_PROMPT = 60  # letters of the beginning that are shown
_TOKENS, _HEADS, _LAYERS = 24, 4, 2
_FILTERS = 64


def generation_section(pipeline: Pipeline, validation: Part) -> dict[str, Any]:
    """What a language model writes after the first window of the validation text."""
    shown = find_item_column(pipeline)
    if shown is None or not isinstance(shown.column, StreamEncoder) or pipeline.task.name != "next-token":
        return {}
    tokenizer, length = shown.column.tokenizer, shown.column.length
    start = _windows(pipeline, validation, 1)
    found = sample(
        first_of(pipeline.network),
        start.long().to(pipeline.device),
        steps=_STEPS[tokenizer.kind],
        context=length,
        generator=torch.Generator(pipeline.device).manual_seed(derive(0, "showcase", "text")),
        temperature=_TEMPERATURE,
    )[0].tolist()
    prompt, whole = tokenizer.decode(found[:length]), tokenizer.decode(found)
    return {"prompt": prompt[-_PROMPT:], "text": whole[len(prompt) :], "temperature": _TEMPERATURE}


def _windows(pipeline: Pipeline, part: Part, most: int) -> Tensor:
    rows = pipeline.rows(part)
    assert isinstance(rows, Windows)
    found = cut(rows, 0, most)
    assert isinstance(found, Tensor)
    return found


def attention_section(pipeline: Pipeline, shown: ItemColumn | None, validation: Part) -> dict[str, Any]:
    """Attention maps `[layers, heads, tokens, tokens]` of the first and the last layer for one validation row
    or window.
    """
    attentive: Any = next(
        (module for module in first_of(pipeline.network).modules() if hasattr(module, "attention_maps")), None
    )
    if attentive is None or shown is None or shown.place is not None:
        return {}
    if not isinstance(shown.column, TextEncoder | StreamEncoder):
        return {}
    codes = (
        _windows(pipeline, validation, 1)
        if isinstance(shown.column, StreamEncoder)
        else _telling(pipeline, validation)
    )
    there = int((codes[0] != PADDING).sum())
    tokens = min(there, _TOKENS)
    pipeline.eval()
    maps = attentive.attention_maps(_before(pipeline, codes.to(pipeline.device)))[0]
    layers = sorted({0, len(maps) - 1})[:_LAYERS]
    return {
        "weights": maps[layers, :_HEADS, :tokens, :tokens].float().cpu().numpy().astype(np.float16),
        "layers": [layer + 1 for layer in layers],
        "of": len(maps),
        "tokens": [shown.column.tokenizer.decode([code]) or "?" for code in codes[0, :tokens].tolist()],
        "there": there,
    }


def _telling(pipeline: Pipeline, validation: Part) -> Tensor:
    """The first text of some length: a dozen tokens or more, or the longest of the first hundred."""
    part = picked(validation, np.arange(min(len(validation), 100)))
    codes = pipeline.rows(part)
    assert isinstance(codes, Tensor)
    lengths = (codes != PADDING).sum(dim=1)
    suited = torch.nonzero((lengths >= _TOKENS // 3) & (lengths <= _TOKENS))[:1, 0]
    row = int(suited) if len(suited) else int(lengths.argmax())
    return codes[row : row + 1]


def _before(pipeline: Pipeline, rows: Tensor) -> Tensor:
    """Rows as the model gets them."""
    network = first_of(pipeline.network)
    return network.scale(network.front(rows)) if isinstance(network, Network) else rows


def filter_section(pipeline: Pipeline) -> dict[str, Any]:
    """The weights of the first convolution, where it stands on the image itself and its filters are more than
    points.
    """
    shape = pipeline.encoder.shape
    if not isinstance(shape, ImageShape) or item_kind(pipeline) != "image":
        return {}
    first = next(
        (module for module in first_of(pipeline.network).modules() if isinstance(module, nn.Conv2d)), None
    )
    if first is None or first.in_channels != shape.channels or min(first.kernel_size) < 3:
        return {}
    weights = first.weight.detach()[:_FILTERS].float().cpu().numpy()
    return {"weights": weights.astype(np.float16), "total": first.out_channels}


def item_kind(pipeline: Pipeline) -> str:
    """The kind of the items that rows hold alone; empty for tables and mixed rows."""
    shown = find_item_column(pipeline)
    return "" if shown is None or shown.place is not None else shown.kind
