"""How a network for pictures fares where these are moved, turned, lit otherwise or half hidden."""

from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Int

from handrail.audits.audited import Audited
from handrail.audits.conditions import CONDITIONS, Condition, Pictures
from handrail.audits.result import AuditData, Figure
from handrail.audits.retraining import decided_by
from handrail.components import component
from handrail.components.arguments import Count, NonNegative
from handrail.components.pictures import Lines, Picture, Tiles
from handrail.data.rows import dense
from handrail.errors import DataError
from handrail.evaluation.proportions import wilson
from handrail.shapes import ImageShape

_SEED, _LEVELS = 29, 255.0
Name = Literal[
    "translation", "rotation", "scale", "viewpoint", "illumination", "deformation", "occlusion", "noise"
]
Codes = Int[np.ndarray, " rows"]


class Asked(NamedTuple):
    """One strength of one condition: what the network decided for the changed pictures."""

    name: str
    strength: float
    right: Bool[np.ndarray, " rows"]
    pictures: Pictures


@component("audit")
def invariances(
    audited: Audited,
    *,
    conditions: list[Name] | None = None,
    strengths: list[NonNegative] | None = None,
    rows: Count = 500,
) -> AuditData:
    """Accuracy against the strength of each condition under which people still see what a picture shows.

    Translation, rotation, scale, viewpoint (perspective), illumination, deformation, occlusion, and noise.
    Each row has its own direction, sign or place, the same at each strength.

    Arguments:
        conditions: that are tried; by default all.
        strengths: of the condition, where one is named; by default four of each.
        rows: pictures that are looked at, at most.

    Raises: `DataError` for networks that take no pictures or tell no classes, strengths without one condition
        that they are of, and strengths out of its range.

    Source: Hendrycks & Dietterich 2019; Simard, Steinkraus & Platt 2003 (deformation)
    """
    truth, _, _ = audited.classes("invariances")
    if not isinstance(audited.run.pipeline.encoder.shape, ImageShape):
        raise audited.refuse("invariances", "pictures")
    tried = _tried(conditions, strengths)
    chosen = np.random.default_rng(_SEED).permutation(len(truth))[:rows]
    pictures, truth = _pictures(audited, chosen), truth[chosen]
    plain = _decided(audited, pictures) == truth
    asked = [
        Asked(name, strength, _decided(audited, changed) == truth, changed)
        for name, (condition, some) in tried.items()
        for strength in some
        for changed in [_changed(condition, pictures, strength)]
    ]
    before = _line("none", 0.0, plain, audited.quantile)
    lines = [before, *(_line(each.name, each.strength, each.right, audited.quantile) for each in asked)]
    figures = {"accuracy": Figure(before["accuracy"], before["low"], before["high"])}
    for line in lines[1:]:
        name = f"accuracy: {line['condition']} {line['strength']:g}"
        figures[name] = Figure(line["accuracy"], line["low"], line["high"])
    units = "; ".join(f"{name}: {condition.unit}" for name, (condition, _) in tried.items())
    return AuditData(
        title="Invariances",
        verdict=_verdict(float(plain.mean()), asked),
        figures=figures,
        table=pl.DataFrame(lines),
        pictures=(_curves(float(plain.mean()), asked), *_failures(plain, pictures, asked)),
        note=f"{len(truth):,} {audited.part_name}. Strengths: {units}.",
        source="Hendrycks & Dietterich 2019",
    )


def _tried(
    conditions: list[Name] | None, strengths: list[float] | None
) -> dict[str, tuple[Condition, tuple[float, ...]]]:
    names = list(dict.fromkeys(conditions or CONDITIONS))
    if strengths is not None and len(names) != 1:
        raise DataError(
            "invariances: strengths: name the one condition that they are of (conditions=[rotation])."
        )
    found = {}
    for name in names:
        condition = CONDITIONS[name]
        some = tuple(sorted(strengths)) if strengths else condition.strengths
        wrong = [strength for strength in some if strength > condition.most]
        if wrong:
            raise DataError(
                f"invariances: strengths: found {wrong[0]:g}, expected at most {condition.most:g} "
                f"({name}: {condition.unit})."
            )
        found[name] = condition, some
    return found


def _pictures(audited: Audited, chosen: Codes) -> Pictures:
    """The rows as numbers from 0 to 1."""
    part = audited.part.pick(chosen)
    return dense(part.encode_with(audited.run.pipeline.encoder)).float() / _LEVELS


def _changed(condition: Condition, pictures: Pictures, strength: float) -> Pictures:
    return condition.apply(pictures, strength, torch.Generator().manual_seed(_SEED)) if strength else pictures


def _decided(audited: Audited, pictures: Pictures) -> Codes:
    """The classes that the network decides for."""
    return decided_by(audited.run.pipeline, pictures * _LEVELS)


def _line(name: str, strength: float, right: Bool[np.ndarray, " rows"], quantile: float) -> dict[str, Any]:
    share = float(right.mean())
    low, high = wilson(share, len(right), quantile)
    return {"condition": name, "strength": float(strength), "accuracy": share, "low": low, "high": high}


def _verdict(before: float, asked: list[Asked]) -> str:
    worst = min(asked, key=lambda each: each.right.mean())
    broken: dict[str, float] = {}
    for each in asked:
        if each.right.mean() < before / 2:
            broken.setdefault(each.name, each.strength)
    told = ", ".join(f"{name} {strength:g}" for name, strength in broken.items())
    half = f" Half of it is lost from {told} on." if told else " No condition costs half of it."
    return (
        f"Accuracy is {before:.1%} on the pictures as they are, and least, {worst.right.mean():.1%}, under "
        f"{worst.name} {worst.strength:g}.{half}"
    )


def _curves(before: float, asked: list[Asked]) -> Lines:
    names = list(dict.fromkeys(each.name for each in asked))
    found = {name: [before, *(each.right.mean() for each in asked if each.name == name)] for name in names}
    longest = max(map(len, found.values()))
    curves = {name: np.array(some + [np.nan] * (longest - len(some))) for name, some in found.items()}
    note = "Step 0 is the pictures as they are; the strengths of the steps stand in the table."
    return Lines("Accuracy by strength", np.arange(longest, dtype=float), curves, note, ("step", "accuracy"))


def _failures(
    plain: Bool[np.ndarray, " rows"], pictures: Pictures, asked: list[Asked]
) -> tuple[Picture, ...]:
    """For each condition a picture that was right, and as it is where it first is wrong."""
    shown, captions = [], []
    for name in dict.fromkeys(each.name for each in asked):
        first = next((each for each in asked if each.name == name and (plain & ~each.right).any()), None)
        if first is None:
            continue
        row = int(np.flatnonzero(plain & ~first.right)[0])
        shown += [pictures[row], first.pictures[row]]
        captions += ["", f"{name} {first.strength:g}"]
    if not shown:
        return ()
    stacked = torch.stack(shown).numpy()
    drawn = stacked if stacked.shape[1] == 3 else stacked.mean(axis=1)
    note = "Left a picture that is answered rightly, right of it the same one where it first is not."
    headings = ("right", "wrong") * 3
    return (Tiles("Where it first fails", drawn, note, len(headings), tuple(captions), headings),)
