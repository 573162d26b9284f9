"""A look inside a network: generated text and rows, attention maps, filters of the first layer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handrail.components.pictures import Picture, Points, Tiles
from handrail.data.encoders.codes import PADDING
from handrail.data.encoders.text import StreamEncoder, TextEncoder
from handrail.data.part import Part
from handrail.data.rows import Windows, cut
from handrail.network import Network
from handrail.pipeline import Pipeline
from handrail.pipeline.ensemble import first_of
from handrail.report.samples.items import ItemColumn, find_item_column
from handrail.shapes import ImageShape, InputShape
from handrail.tasks.alone.points import as_pictures, is_pictured, main_plane
from handrail.tasks.next_token import sample
from handrail.training.seeds import derive

_TEMPERATURE = 0.8
_STEPS = {"characters": 400, "words": 100, "byte_pairs": 130, "cells": 60, "bins": 60}
_PROMPT = 60  # letters of the prompt's end that are shown
_TOKENS, _HEADS, _LAYERS = 24, 4, 2
_FILTERS = 64
_ACROSS, _PLANES = 8, 3  # pictures of an epoch, epochs with a plane


def generation_section(pipeline: Pipeline, validation: Part) -> dict[str, Any]:
    """The text that a language model generates after the first window of the validation text."""
    shown = find_item_column(pipeline)
    if shown is None or not isinstance(shown.column, StreamEncoder) or pipeline.task.name != "next-token":
        return {}
    tokenizer, length = shown.column.tokenizer, shown.column.length
    start = _first_window(pipeline, validation)
    tokens = sample(
        first_of(pipeline.network),
        start.long().to(pipeline.device),
        steps=_STEPS[tokenizer.kind],
        context=length,
        generator=torch.Generator(pipeline.device).manual_seed(derive(0, "showcase", "text")),
        temperature=_TEMPERATURE,
    )[0].tolist()
    prompt, whole = tokenizer.decode(tokens[:length]), tokenizer.decode(tokens)
    ends = (tokenizer.decode(tokens[begin:length]) for begin in range(length))  # whole tokens
    end = next((end for end in ends if len(end) <= _PROMPT), "")
    return {"prompt": end, "text": whole[len(prompt) :], "temperature": _TEMPERATURE}


def _first_window(pipeline: Pipeline, part: Part) -> Tensor:
    rows = pipeline.rows(part)
    assert isinstance(rows, Windows)
    windows = cut(rows, 0, 1)
    assert isinstance(windows, Tensor)
    return windows


def attention_section(pipeline: Pipeline, shown: ItemColumn | None, validation: Part) -> dict[str, Any]:
    """Attention maps `[layers, heads, tokens, tokens]` of the first and last layer for one validation row."""
    model: Any = next(
        (module for module in first_of(pipeline.network).modules() if hasattr(module, "attention_maps")), None
    )
    if model is None or shown is None or shown.place is not None:
        return {}
    if not isinstance(shown.column, TextEncoder | StreamEncoder):
        return {}
    is_stream = isinstance(shown.column, StreamEncoder)
    codes = _first_window(pipeline, validation) if is_stream else _typical_text(pipeline, validation)
    there = int((codes[0] != PADDING).sum())
    tokens = min(there, _TOKENS)
    pipeline.eval()
    network, inputs = first_of(pipeline.network), codes.to(pipeline.device)
    inputs = network.scale(network.front(inputs)) if isinstance(network, Network) else inputs
    maps = model.attention_maps(inputs)[0]
    layers = sorted({0, len(maps) - 1})[:_LAYERS]
    return {
        "weights": maps[layers, :_HEADS, :tokens, :tokens].float().cpu().numpy().astype(np.float16),
        "layers": [layer + 1 for layer in layers],
        "of": len(maps),
        "tokens": [shown.column.tokenizer.decode([code]) or "?" for code in codes[0, :tokens].tolist()],
        "there": there,
    }


def _typical_text(pipeline: Pipeline, validation: Part) -> Tensor:
    """The first text of 8 to 24 tokens, or the longest of the first hundred."""
    part = validation.pick(np.arange(min(len(validation), 100)))
    codes = pipeline.rows(part)
    assert isinstance(codes, Tensor)
    lengths = (codes != PADDING).sum(dim=1)
    suited = torch.nonzero((lengths >= _TOKENS // 3) & (lengths <= _TOKENS))[:1, 0]
    row = int(suited) if len(suited) else int(lengths.argmax())
    return codes[row : row + 1]


def filter_section(pipeline: Pipeline) -> dict[str, Any]:
    """The weights of the first convolution if it sees the image and its filters are larger than 1 × 1."""
    shape, shown = pipeline.encoder.shape, find_item_column(pipeline)
    if not isinstance(shape, ImageShape) or shown is None or shown.place is not None or shown.kind != "image":
        return {}
    modules = first_of(pipeline.network).modules()
    first = next((module for module in modules if isinstance(module, nn.Conv2d)), None)
    if first is None or first.in_channels != shape.channels or min(first.kernel_size) < 3:
        return {}
    weights = first.weight.detach()[:_FILTERS].float().cpu().numpy()
    return {"weights": weights.astype(np.float16), "total": first.out_channels}


def course_pictures(made: Mapping[int, Float[np.ndarray, "rows width"]], shape: InputShape) -> list[Picture]:
    """Rows that were made of the same noise in the course of training: a line of pictures for each epoch, or
    a plane for some of them, of the two columns or the main components of the last rows.
    """
    epochs = list(made)
    if len(epochs) < 2:
        return []
    if is_pictured(shape):
        rows = np.concatenate([rows[:_ACROSS] for rows in made.values()])
        captions = tuple(
            f"epoch {epoch}" if place == 0 else "" for epoch in epochs for place in range(_ACROSS)
        )
        note = "A line for an epoch; what stands below each other was made of the same noise."
        pictures = as_pictures(torch.from_numpy(np.where(np.isfinite(rows), rows, 0)), shape)
        return [Tiles("New rows in the course of training", pictures, note, _ACROSS, captions)]
    made = {epoch: rows[np.isfinite(rows).all(axis=1)] for epoch, rows in made.items()}
    epochs = [epoch for epoch, rows in made.items() if len(rows) > 1]
    if len(epochs) < 2:
        return []
    last = torch.from_numpy(made[epochs[-1]])
    chosen = np.unique(np.linspace(0, len(epochs) - 1, _PLANES).round().astype(int))
    planes = {epochs[place]: _in_plane(last, torch.from_numpy(made[epochs[place]])) for place in chosen}
    return [
        Points(f"New rows after epoch {epoch}", places, np.zeros(len(places), int), note="In encoded units.")
        for epoch, places in planes.items()
    ]


def _in_plane(
    last: Float[Tensor, "rows width"], rows: Float[Tensor, "rows width"]
) -> Float[np.ndarray, "rows 2"]:
    if last.shape[1] == 2:
        return rows.double().numpy()
    _, places = main_plane(last, rows)
    assert places is not None
    return places
