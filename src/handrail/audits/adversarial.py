"""How small a change, made on purpose, is enough to change the answers: FGSM and PGD."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from handrail.audits.audited import Audited
from handrail.audits.result import AuditData, Figure
from handrail.audits.retraining import decided_by
from handrail.components import component
from handrail.components.arguments import Count, NonNegative
from handrail.components.pictures import Lines, Picture, Tiles
from handrail.data.encoders.table import TableEncoder
from handrail.data.rows import dense
from handrail.errors import DataError
from handrail.evaluation.proportions import wilson
from handrail.pipeline.ensemble import first_of
from handrail.shapes import ImageShape

_SEED, _AT_ONCE = 37, 256
_PIXELS = (2 / 255, 4 / 255, 8 / 255, 16 / 255, 32 / 255)
_DEVIATIONS = (0.05, 0.1, 0.25, 0.5, 1.0)
_MOST = {"pictures": 1.0, "a table": 10.0}
Rows = Float[Tensor, "rows ..."]
Codes = Int64[Tensor, " rows"]


class Room(NamedTuple):
    """Rows as they are attacked, and how far they may be changed.

    Arguments:
        rows: as the network takes them.
        unit: of a strength, in the rows' own numbers; 0 where a number is left alone.
        low, high: between which numbers stay.
        kind: pictures, or a table.
    """

    rows: Rows
    unit: Rows
    low: Rows
    high: Rows
    kind: str


@component("audit")
def adversarial(
    audited: Audited, *, strengths: list[NonNegative] | None = None, steps: Count = 20, rows: Count = 500
) -> AuditData:
    """Accuracy against the strength ε of changes that are made to raise the loss, and of chance ones as
    large.

    FGSM moves every number by ε in the direction in which the loss grows; PGD takes several smaller such
    steps and never leaves the cube of ±ε. Noise moves each by ε to either side at random: what it costs is
    how far the direction matters. Of pictures ε is in units of the range of pixels, 1; of tables numeric
    columns alone are changed, within what training rows have, and ε is in their encoded units (standard
    deviations by default).

    Arguments:
        strengths: ε; by default 2, 4, 8, 16 and 32 of 255 for pictures, 0.05 to 1 for tables.
        steps: of PGD, each of 2.5·ε/steps.
        rows: that are attacked, at most.

    Raises: `DataError` for tasks without classes, rows that are neither pictures nor a table with numeric
        columns, networks that have no gradient, and strengths out of range.

    Source: Goodfellow, Shlens & Szegedy 2015 (FGSM); Madry et al. 2018 (PGD)
    """
    truth, _, _ = audited.classes("adversarial")
    chosen = np.random.default_rng(_SEED).permutation(len(truth))[:rows]
    room, codes = room_of(audited, chosen), torch.from_numpy(truth[chosen]).long()
    tried = _strengths(strengths, room.kind)
    network = first_of(audited.run.pipeline.network).eval()
    plain = right_answers(audited, room.rows, codes)
    lines, shown = [], {}
    for name, attack in _attacks(steps).items():
        for strength in tried:
            changed = attack(network, room, codes, strength)
            right = right_answers(audited, changed, codes)
            lines.append(_line(name, strength, right, audited.quantile))
            shown[name, strength] = changed, right
    before = _line("none", 0.0, plain, audited.quantile)
    figures = {"accuracy": Figure(before["accuracy"], before["low"], before["high"])}
    for line in lines:
        name = f"accuracy: {line['attack']} {line['strength']:.3g}"
        figures[name] = Figure(line["accuracy"], line["low"], line["high"])
    unit = "of the range of pixels" if room.kind == "pictures" else "encoded units of numeric columns"
    return AuditData(
        title="Adversarial examples",
        verdict=_verdict(float(plain.mean()), lines, unit),
        figures=figures,
        table=pl.DataFrame([before, *lines]),
        pictures=(_curves(float(plain.mean()), lines, tried), *_first_failures(room, plain, shown, tried)),
        note=f"{len(codes):,} {audited.part_name}; strengths are {unit}, PGD has {steps} steps.",
        source="Goodfellow, Shlens & Szegedy 2015",
    )


def _strengths(given: list[float] | None, kind: str) -> list[float]:
    tried = sorted(given or (_PIXELS if kind == "pictures" else _DEVIATIONS))
    if tried[-1] > _MOST[kind]:
        raise DataError(
            f"adversarial: strengths: found {tried[-1]:g}, expected at most {_MOST[kind]:g} for {kind}."
        )
    return tried


def room_of(audited: Audited, chosen: np.ndarray) -> Room:
    """The rows and their limits. Raises: `DataError` for rows that cannot be attacked."""
    pipeline = audited.run.pipeline
    encoder: Any = pipeline.encoder
    encoded: Any = audited.part.pick(chosen).encode_with(encoder)
    if isinstance(encoder.shape, ImageShape):
        pixels = dense(encoded).float()
        return Room(pixels, torch.full((), 255.0), torch.zeros(()), torch.full((), 255.0), "pictures")
    numeric = (
        [
            place
            for place, column in enumerate(encoder.schema.of_kind("numeric", "boolean"))
            if column.kind == "numeric"
        ]
        if isinstance(encoder, TableEncoder)
        else []
    )
    if not numeric:
        raise audited.refuse("adversarial", "pictures, or a table with numeric columns")
    known: Any = audited.train.sample.encode_with(encoder)
    unit = torch.zeros(encoded.shape[1])
    unit[numeric] = 1.0
    return Room(encoded.float(), unit, known.amin(dim=0), known.amax(dim=0), "a table")


def _attacks(steps: int) -> dict[str, Callable[[nn.Module, Room, Codes, float], Rows]]:
    return {
        "noise": lambda _network, room, _codes, strength: noise(room, strength),
        "FGSM": lambda network, room, codes, strength: pgd(network, room, codes, strength, steps=1),
        "PGD": lambda network, room, codes, strength: pgd(network, room, codes, strength, steps=steps),
    }


def noise(room: Room, strength: float) -> Rows:
    """Every number moved by ε, to either side by chance."""
    rng = torch.Generator().manual_seed(_SEED)
    signs = 2.0 * torch.randint(2, room.rows.shape, generator=rng) - 1
    return torch.clamp(room.rows + strength * room.unit * signs, room.low, room.high).where(
        room.unit > 0, room.rows
    )


def pgd(network: nn.Module, room: Room, codes: Codes, strength: float, *, steps: int) -> Rows:
    """Rows after so many steps towards a larger loss; one step of ε is FGSM."""
    size = strength if steps == 1 else 2.5 * strength / steps
    parts = []
    for start in range(0, len(codes), _AT_ONCE):
        first, own = room.rows[start : start + _AT_ONCE], codes[start : start + _AT_ONCE]
        rows, reach = first, strength * room.unit
        for _ in range(steps):
            moved = rows + size * room.unit * _slope(network, rows, own).sign()
            kept = torch.minimum(torch.maximum(moved, first - reach), first + reach)
            rows = torch.clamp(kept, room.low, room.high).where(room.unit > 0, first)
        parts.append(rows)
    return torch.cat(parts)


def _slope(network: nn.Module, rows: Rows, codes: Codes) -> Rows:
    """∂L/∂x of the cross-entropy. Raises: `DataError` for networks without one."""
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        scores = network(rows).float()
        if scores.shape[1] == 1:
            loss = functional.binary_cross_entropy_with_logits(scores[:, 0], codes.float(), reduction="sum")
        else:
            loss = functional.cross_entropy(scores, codes, reduction="sum")
        if not loss.requires_grad:
            raise DataError(
                "adversarial: this network has no gradient by its inputs, and cannot be attacked."
            )
        return torch.autograd.grad(loss, rows)[0]


def right_answers(audited: Audited, rows: Rows, codes: Codes) -> Bool[np.ndarray, " rows"]:
    """Whether each row is answered rightly."""
    return decided_by(audited.run.pipeline, rows) == codes.numpy()


def _line(name: str, strength: float, right: Bool[np.ndarray, " rows"], quantile: float) -> dict[str, Any]:
    share = float(right.mean())
    low, high = wilson(share, len(right), quantile)
    return {"attack": name, "strength": float(strength), "accuracy": share, "low": low, "high": high}


def _verdict(before: float, lines: list[dict[str, Any]], unit: str) -> str:
    pgds = [line for line in lines if line["attack"] == "PGD"]
    broken = next((line for line in pgds if line["accuracy"] < before / 2), None)
    if broken is None:
        last = pgds[-1]
        return (
            f"PGD does not halve the accuracy of {before:.1%}: at {last['strength']:.3g} {unit} it is "
            f"{last['accuracy']:.1%}."
        )
    same = next(
        line for line in lines if line["attack"] == "noise" and line["strength"] == broken["strength"]
    )
    return (
        f"PGD of {broken['strength']:.3g} {unit} takes accuracy from {before:.1%} to "
        f"{broken['accuracy']:.1%}; noise as large leaves {same['accuracy']:.1%}."
    )


def _curves(before: float, lines: list[dict[str, Any]], tried: list[float]) -> Lines:
    names = dict.fromkeys(line["attack"] for line in lines)
    curves = {
        name: np.array([before, *(line["accuracy"] for line in lines if line["attack"] == name)])
        for name in names
    }
    return Lines("Accuracy by strength", np.array([0.0, *tried]), curves, "", ("strength", "accuracy"))


def _first_failures(
    room: Room,
    plain: Bool[np.ndarray, " rows"],
    shown: dict[tuple[str, float], tuple[Rows, Bool[np.ndarray, " rows"]]],
    tried: list[float],
) -> tuple[Picture, ...]:
    """Pictures that were right beside what PGD made of them, and the difference."""
    if room.kind != "pictures":
        return ()
    for strength in tried:
        changed, right = shown["PGD", strength]
        failed = np.flatnonzero(plain & ~right)[:4]
        if len(failed):
            trios = torch.stack(
                [room.rows[failed], changed[failed], changed[failed] - room.rows[failed] + 127], dim=1
            )
            stacked = trios.flatten(0, 1).numpy() / 255
            drawn = stacked if stacked.shape[1] == 3 else stacked.mean(axis=1)
            note = f"PGD of {strength:.3g}; grey in the difference is no change."
            title = "Right, wrong, and the difference"
            return (Tiles(title, drawn, note, 6, headings=("right", "wrong", "difference") * 2),)
    return ()
