"""The page of a search: its result, how far to trust it, all trials, pictures."""

from collections.abc import Mapping
from typing import Any

from handrail.report import wording
from handrail.report.figures.search_plots import parallel_coordinates, slices
from handrail.report.search.text import headline, sentences, short_names, trial_rows, value
from handrail.report.sections.verdict import Tile
from handrail.report.template import load_template
from handrail.tools.words import list_some, plural


def render_search(summary: Mapping[str, Any], *, recipe: str) -> str:
    """The page as HTML text: the same for the same search, byte for byte.

    Arguments:
        summary: what `search.json` holds.
        recipe: the text of `search.yaml`.
    """
    sentence, look = headline(summary)
    names = list(summary["space"])
    return load_template("search.html.j2").render(
        name=summary["name"],
        headline=sentence,
        look=look,
        sentences=sentences(summary),
        facts=_facts(summary),
        tiles=_tiles(summary),
        names=[short_names(names)[name] for name in names],
        titles=names,
        rows=[_row(row, summary, names) for row in summary["table"]],
        metric=wording.capitalise(wording.metric_label(summary["metric"])),
        replicas=summary["replicas"],
        folds=summary["folds"],
        rungs=summary["method"] == "halving",
        parallel=parallel_coordinates(summary),
        slices=slices(summary),
        recipe=recipe,
    )


def _facts(summary: Mapping[str, Any]) -> dict[str, str]:
    rows, task = summary["rows"], summary["task"]
    sealed = f"{rows['test']:,} sealed test rows"
    return {
        "Source": str(summary["source"]),
        "Task": f"{task['name']}, target {list_some(task['targets'], most=6, last=' and ')}",
        "Rows": f"{rows['train']:,} training, {rows['validation']:,} validation, {sealed}",
        "Method": f"{summary['method']}, {plural(len(summary['table']), 'trial')}",
        "Measured on": trial_rows(summary["folds"]),
        "Replicas": plural(summary["replicas"], "network") + " a trial",
    }


def _tiles(summary: Mapping[str, Any]) -> list[Tile]:
    metric, best, within = summary["metric"], summary["table"][0], len(summary["within_noise"])
    tiles = [
        Tile(
            f"{wording.capitalise(wording.metric_label(metric))} of the best, trial {best['trial']}",
            wording.value_in_prose(metric, best["value"]),
            f"{wording.interval(metric, best, prose=True)}, flattered by the choice",
            "network",
        ),
        Tile(
            "Within noise of the best",
            f"{within:,} of {summary['compared']:,}",
            f"{summary['confidence']:.0%}, corrected for their number",
            "network",
        ),
    ]
    for name, baseline in summary["baselines"].items():
        label = f"Better than {name}, {wording.value_in_prose(metric, baseline['value'])}"
        better = len(baseline["better"])
        count, look = f"{better:,} of {len(summary['table']):,}", "better" if better else "even"
        tiles.append(Tile(label, count, "beyond noise, corrected for their number", look))
    return tiles


def _row(row: Mapping[str, Any], summary: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    metric = summary["metric"]
    shown = {
        "rank": row["rank"],
        "trial": row["trial"],
        "rung": row["rung"] + 1,
        "settings": [value(row["settings"][name]) for name in names],
        "failure": row["failure"],
    }
    if row["failure"]:
        return shown
    epochs = sorted(row["epochs"])
    return {
        **shown,
        "value": wording.metric_value(metric, row["value"]),
        "interval": wording.interval(metric, row),
        "loss": wording.number(row["loss"]),
        "epoch": epochs[len(epochs) // 2],
        "over_seeds": wording.number(row["over_seeds"]),
        "over_folds": wording.number(row["over_folds"]),
        "within": row["within_noise"],
    }
