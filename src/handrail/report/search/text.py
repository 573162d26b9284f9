"""What a search says, in sentences and as a table for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from handrail.report import wording
from handrail.tools.words import list_some, plural

_SHOWN = 20


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Dotted settings by as few of their last parts as tell them apart: `learning_rate`."""
    found: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        tails = (".".join(parts[-length:]) for length in range(1, len(parts) + 1))
        others = [other for other in names if other != name]
        found[name] = next(
            (tail for tail in tails if not any(f".{other}".endswith(f".{tail}") for other in others)), name
        )
    return found


def value(setting: Any) -> str:
    """A setting's value in a few characters."""
    if isinstance(setting, float):
        return f"{setting:.4g}"
    return wording.component(setting) if isinstance(setting, Mapping | list) else str(setting)


def settings_text(settings: Mapping[str, Any]) -> str:
    """`learning_rate 0.01, dropout 0.2`."""
    short = short_names(list(settings))
    return ", ".join(f"{short[name]} {value(found)}" for name, found in settings.items())


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """What the search found, and how far it can be believed."""
    return [_best(summary), _alike(summary), *_baselines(summary), _caution(summary), *_failures(summary)]


def headline(summary: Mapping[str, Any]) -> tuple[str, str]:
    """The one sentence that matters most, and its look: better, or even."""
    many = plural(len(summary["table"]), "trial")
    if not summary["baselines"]:
        return f"{many}; there is no baseline to compare them with.", "even"
    if not summary["beat_all"]:
        unbeaten = [name for name, found in summary["baselines"].items() if not found["better"]]
        rival = f"the {unbeaten[0]} baseline" if len(unbeaten) == 1 else "the baselines"
        return f"No trial of {len(summary['table']):,} beats {rival} beyond noise.", "even"
    alike = len(summary["within_noise"])
    told = "the best stands out" if alike == 1 else f"{alike:,} of all cannot be told from the best"
    return f"Of {many}, {len(summary['beat_all']):,} beat every baseline beyond noise; {told}.", "better"


def _best(summary: Mapping[str, Any]) -> str:
    best, metric = summary["table"][0], summary["metric"]
    name = wording.metric_label(metric)
    figure = f"{wording.metric_value(metric, best['value'])} ({wording.interval(metric, best)})"
    return f"Best is trial {best['trial']}: {settings_text(best['settings'])}; {name} {figure}."


def _alike(summary: Mapping[str, Any]) -> str:
    numbers = [number for number in summary["within_noise"] if number != summary["best"]]
    compared, sure = summary["compared"], f"{summary['confidence']:.0%}"
    if compared == 1 and len(summary["table"]) > 1:
        return "It alone was trained to the end; those that were dropped before had fewer epochs, and are not compared with it."
    if not numbers:
        return f"Every other trial of the {compared:,} compared is worse beyond noise ({sure}, corrected for their number)."
    told = "trial" if len(numbers) == 1 else "trials"
    return (
        f"Within noise of the best: {told} {list_some(numbers, most=24, last=' and ')} ({sure}, corrected for the {compared:,} compared). "
        "Among these, choose by what else matters: size, speed, a simpler setting."
    )


def _baselines(summary: Mapping[str, Any]) -> list[str]:
    metric, sure = summary["metric"], f"{summary['confidence']:.0%}"
    lines = []
    for name, found in summary["baselines"].items():
        figure = wording.metric_value(metric, found["value"])
        if found["better"]:
            gap, least = (wording.difference(metric, found[key]).lstrip("+") for key in ("gap", "at_least"))
            lines.append(
                f"{plural(len(found['better']), 'trial')} of {len(summary['table']):,} beat the {name} baseline ({figure}) beyond "
                f"noise; trial {found['surest']} by {gap}, at least {least} ({sure}, corrected for the number of trials)."
            )
        else:
            lines.append(
                f"No trial beats the {name} baseline ({figure}) beyond noise ({sure}, corrected for the number of trials): what looks "
                "better may be luck."
            )
    return lines


def _caution(summary: Mapping[str, Any]) -> str:
    metric = summary["metric"]
    luck = wording.difference(metric, abs(summary["flattery"])).lstrip("+")
    chance = (
        ""
        if summary["replicas"] > 1
        else " Each trial was trained with one seed: intervals hold the chance of the rows, not that of training."
    )
    return (
        f"The best figure was chosen among {len(summary['table']):,} on the rows that it is measured on, which flatters it, by about {luck} "
        f"by itself. Test rows are sealed still and will tell.{chance}"
    )


def _failures(summary: Mapping[str, Any]) -> list[str]:
    failed = [row for row in summary["table"] if row["failure"]]
    if not failed:
        return []
    first = failed[0]["failure"].split("\n")[0]
    return [f"{plural(len(failed), 'trial')} failed; trial {failed[0]['trial']}: {first}"]


def search_text(summary: Mapping[str, Any]) -> str:
    """What the command line prints: the table, then the sentences."""
    rows, judged = summary["rows"], _rows_text(summary)
    head = (
        f"{summary['name']}: {plural(len(summary['table']), 'trial')} by {summary['method']}; {rows['train']:,} training, "
        f"{rows['validation']:,} validation, {rows['test']:,} sealed test rows; judged on {judged}"
    )
    return "\n".join([head, "", *_table(summary), "", headline(summary)[0], *sentences(summary)])


def _rows_text(summary: Mapping[str, Any]) -> str:
    folds, replicas = summary["folds"], summary["replicas"]
    rows = "validation rows" if folds is None else f"{folds} folds of training and validation rows"
    return rows if replicas == 1 else f"{rows}, {replicas} networks a trial"


def _table(summary: Mapping[str, Any]) -> list[str]:
    metric, names = summary["metric"], list(summary["space"])
    short = short_names(names)
    spread = ["seeds ±"] if summary["replicas"] > 1 else []
    spread += ["folds ±"] if summary["folds"] else []
    rung = ["rung"] if summary["method"] == "halving" else []
    head = [
        "rank",
        "trial",
        *rung,
        metric.replace("_", " "),
        "interval",
        *spread,
        "loss",
        "epoch",
        *(short[name] for name in names),
        "",
    ]
    rows = [_cells(row, metric, names, rung=bool(rung), spread=spread) for row in summary["table"][:_SHOWN]]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    more = len(summary["table"]) - _SHOWN
    return [*lines, f"… {more:,} more in trials.csv"] if more > 0 else lines


def _cells(
    row: Mapping[str, Any], metric: str, names: Sequence[str], *, rung: bool, spread: Sequence[str]
) -> list[str]:
    settings = [value(row["settings"][name]) for name in names]
    place = [str(row["rank"]), str(row["trial"]), *([str(row["rung"] + 1)] if rung else [])]
    if row["failure"]:
        return [*place, "failed", *[""] * (3 + len(spread)), *settings, ""]
    found = {"seeds ±": row["over_seeds"], "folds ±": row["over_folds"]}
    figures = [wording.metric_value(metric, row["value"]), wording.interval(metric, row)]
    epochs = sorted(row["epochs"])
    return [
        *place,
        *figures,
        *(wording.number(found[name]) for name in spread),
        wording.number(row["loss"]),
        str(epochs[len(epochs) // 2]),
        *settings,
        "= best" if row["within_noise"] and row["rank"] > 1 else "",
    ]
