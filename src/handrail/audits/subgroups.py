"""Whether a network is worse for some groups of rows than for others."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from handrail.audits.audited import Audited
from handrail.audits.groups import Grouping, groupings
from handrail.audits.result import AuditData, Figure
from handrail.components import component
from handrail.components.arguments import Count
from handrail.errors import DataError
from handrail.evaluation.proportions import wilson
from handrail.tools.words import plural

_DRAWS, _SEED = 4999, 41
_LEVEL = 0.05
_METRICS = ("error", "PPV", "TPR", "FPR")
Codes = Int[np.ndarray, " rows"]


class Share(NamedTuple):
    """Hits among the rows that count, for one metric."""

    hits: Bool[np.ndarray, " rows"]
    among: Bool[np.ndarray, " rows"]


class Difference(NamedTuple):
    """How a metric differs between the groups of a column, and how often chance alone differs as much."""

    grouping: str
    metric: str
    low: tuple[str, float]
    high: tuple[str, float]
    p_value: float


@component("audit")
def subgroups(audited: Audited, *, columns: list[str] = [], fewest: Count = 20) -> AuditData:  # noqa: B006
    """PPV, error, TPR and FPR in each group of rows, and in the groups of several columns at once.

    The columns need not be among those that the network uses. For each class c within a group: PPV = P(c | c
    decided), TPR = P(c decided | c), FPR = P(c decided | another class), and two errors, which are not the
    same: 1 − PPV, which Gender Shades prints as error rate, and error = 1 − accuracy. The line of a whole
        group
    is over its rows whatever their class: there PPV and TPR are the accuracy, and FPR the error, for two
    classes.

    Whether the differences are more than chance is asked once for each column, or all together, and metric:
        how
    often groups as large, drawn at random from the rows that the metric is about, differ as much (by χ²,
    4,999 draws). The p-values are corrected for their number, so that where there is no difference a false
    alarm comes in one audit of twenty.

    Arguments:
        columns: whose values are groups; numbers of more than twelve values are divided at their quartiles.
        fewest: rows of a group; smaller ones are named and left out.

    Raises: `DataError` for tasks without classes, columns that there are not, and fewer than two groups.

    Source: Buolamwini & Gebru 2018; permutation: Fisher 1935; several comparisons: Holm 1979
    """
    truth, decided, classes = audited.classes("subgroups")
    every = groupings(audited.frame, columns)
    kept, told = zip(*(each.with_at_least(fewest) for each in every), strict=True)
    for each in kept[: len(set(columns))]:
        if len(each.names) < 2:
            raise DataError(
                f"subgroups: columns: '{each.name}' has {plural(len(each.names), 'group')} with {fewest} "
                f"rows or more among {audited.part_name}, expected two; take other columns, or a smaller "
                "fewest."
            )
    found = [each for each in kept if len(each.names) > 1]
    lines = [
        line
        for each in (_everybody(len(truth)), *found)
        for line in lines_of(each, truth, decided, classes, audited.quantile)
    ]
    differences = corrected(
        [each for grouping in found for each in differences_between(grouping, truth, decided)]
    )
    table = pl.DataFrame(lines, infer_schema_length=None)
    said = " ".join(itertools.chain(*told))
    note = f"{len(truth):,} {audited.part_name}. Intervals are for each figure by itself. {said}".strip()
    figures = {
        f"p: {each.metric} between groups of {each.grouping}": Figure(each.p_value) for each in differences
    }
    return AuditData(
        title="Subgroups",
        verdict=verdict_on(differences),
        figures=figures,
        table=table,
        pictures=(),
        note=note,
        source="Buolamwini & Gebru 2018",
    )


def _everybody(rows: int) -> Grouping:
    return Grouping("", ["all"], np.zeros(rows, dtype=np.int64))


def lines_of(
    grouping: Grouping, truth: Codes, decided: Codes, classes: Sequence[str], quantile: float
) -> Iterator[dict[str, Any]]:
    """For each group a line over all classes, and one for each class."""
    for place, name in enumerate(grouping.names):
        own = grouping.codes == place
        right = float((truth[own] == decided[own]).mean())
        bounds = wilson(right, int(own.sum()), quantile)
        whole = {"PPV": right, "PPV low": bounds.low, "PPV high": bounds.high, "1 − PPV": 1 - right}
        whole |= {"TPR": right, "FPR": 1 - right if len(classes) == 2 else None, "error": 1 - right}
        whole |= {"error low": 1 - bounds.high, "error high": 1 - bounds.low}
        yield {"group": name, "class": "all", "rows": int(own.sum()), **whole}
        for code, label in enumerate(classes):
            yield {
                "group": name,
                "class": label,
                **_of_class(truth[own], decided[own], code, quantile),
            }


def _of_class(truth: Codes, decided: Codes, code: int, quantile: float) -> dict[str, Any]:
    true, called = truth == code, decided == code
    line: dict[str, Any] = {"rows": int(true.sum())}
    for name, share in _shares(true, called).items():
        if name != "error":
            line |= _with_bounds(name, share, quantile)
    line["1 − PPV"] = None if line["PPV"] is None else 1 - line["PPV"]
    return line


def _shares(true: Bool[np.ndarray, " rows"], called: Bool[np.ndarray, " rows"]) -> dict[str, Share]:
    """Each metric as hits among the rows that it is about."""
    return {
        "error": Share(true != called, np.ones_like(true)),
        "PPV": Share(true & called, called),
        "TPR": Share(true & called, true),
        "FPR": Share(~true & called, ~true),
    }


def _with_bounds(name: str, share: Share, quantile: float) -> dict[str, float | None]:
    total = int(share.among.sum())
    if not total:
        return {name: None, f"{name} low": None, f"{name} high": None}
    value = float(share.hits[share.among].mean())
    low, high = wilson(value, total, quantile)
    return {name: value, f"{name} low": low, f"{name} high": high}


def differences_between(grouping: Grouping, truth: Codes, decided: Codes) -> Iterator[Difference]:
    """For each metric, and class where there are more than two, how far the groups are apart."""
    member = grouping.codes >= 0
    codes, truth, decided = grouping.codes[member], truth[member], decided[member]
    classes = [1] if truth.max(initial=1) < 2 and decided.max(initial=1) < 2 else range(int(truth.max()) + 1)
    yield from _between(grouping, codes, "error", Share(truth != decided, np.ones(len(truth), dtype=bool)))
    for code in classes:
        shares = _shares(truth == code, decided == code)
        for metric in _METRICS[1:]:
            name = metric if len(classes) == 1 else f"{metric} of class {code}"
            yield from _between(grouping, codes, name, shares[metric])


def _between(grouping: Grouping, codes: Codes, metric: str, share: Share) -> Iterator[Difference]:
    """Nothing where fewer than two groups have rows that the metric is about."""
    groups = len(grouping.names)
    totals = np.bincount(codes[share.among], minlength=groups)
    hits = np.bincount(codes[share.among & share.hits], minlength=groups)
    there = np.flatnonzero(totals)
    if len(there) < 2:
        return
    shares = hits[there] / totals[there]
    least, most = there[shares.argmin()], there[shares.argmax()]
    yield Difference(
        grouping.name,
        metric,
        (grouping.names[least], float(shares.min())),
        (grouping.names[most], float(shares.max())),
        permuted(hits[there], totals[there]),
    )


def permuted(hits: Int[np.ndarray, " groups"], totals: Int[np.ndarray, " groups"]) -> float:
    """How often hits that fall on rows at random differ as much between groups: (1 + n≥)/(1 + draws).

    Source: Fisher 1935
    """
    rng = np.random.default_rng([_SEED, *hits.tolist(), *totals.tolist()])
    drawn = rng.multivariate_hypergeometric(totals, int(hits.sum()), size=_DRAWS, method="marginals")
    overall = hits.sum() / totals.sum()

    def distance(some: np.ndarray) -> np.ndarray:
        return (np.square(some - overall * totals) / totals).sum(axis=-1)

    as_far = distance(drawn) >= distance(hits) * (1 - 1e-12)
    return float((1 + as_far.sum()) / (1 + _DRAWS))


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """With the p-values of Holm, from the smallest."""
    order = sorted(differences, key=lambda each: each.p_value)
    corrected, so_far = [], 0.0
    for place, each in enumerate(order):
        so_far = max(so_far, min(1.0, (len(order) - place) * each.p_value))
        corrected.append(each._replace(p_value=so_far))
    return corrected


def verdict_on(differences: Sequence[Difference]) -> str:
    """The surest differences, or that there is none beyond chance."""
    sure = [each for each in differences if each.p_value <= _LEVEL]
    if not sure:
        return (
            f"No difference between groups that is more than chance, in {len(differences)} comparisons; few "
            "rows may hide one."
        )
    first = sure[0]
    (least, low), (most, high) = first.low, first.high
    more = f", and {len(sure) - 1} of the other comparisons differ" if len(sure) > 1 else ""
    return (
        f"Groups of '{first.grouping}' differ: {first.metric} goes from {low:.1%} ({least}) to {high:.1%} "
        f"({most}), p = {first.p_value:.2g} after correction for {len(differences)} comparisons{more}."
    )
