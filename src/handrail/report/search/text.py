"""The result of a search in sentences and as a table for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from handrail.report import wording
from handrail.tools.words import list_some, plural

_SHOWN = 20


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The shortest unambiguous end of each dotted setting: `learning_rate`."""
    short: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        tails = (".".join(parts[-length:]) for length in range(1, len(parts) + 1))
        others = [other for other in names if other != name]
        short[name] = next(
            (tail for tail in tails if not any(f".{other}".endswith(f".{tail}") for other in others)), name
        )
    return short


def value(setting: Any) -> str:
    """A setting's value as short text."""
    if isinstance(setting, float):
        return f"{setting:.4g}"
    return wording.component(setting) if isinstance(setting, Mapping | list) else str(setting)


def settings_text(settings: Mapping[str, Any]) -> str:
    """`learning_rate 0.01, dropout 0.2`."""
    short = short_names(list(settings))
    return ", ".join(f"{short[name]} {value(setting)}" for name, setting in settings.items())


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """The result, and how far to trust it."""
    return [_best(summary), _alike(summary), *_baselines(summary), _caution(summary), *_failures(summary)]


def headline(summary: Mapping[str, Any]) -> tuple[str, str]:
    """The main result in a sentence, and its look: better or even."""
    many = plural(len(summary["table"]), "trial")
    if not summary["baselines"]:
        return f"{many}; there is no baseline to compare them with.", "even"
    if not summary["beat_all"]:
        unbeaten = [name for name, baseline in summary["baselines"].items() if not baseline["better"]]
        opponent = f"the {unbeaten[0]} baseline" if len(unbeaten) == 1 else "the baselines"
        return f"No trial of {len(summary['table']):,} beats {opponent} beyond noise.", "even"
    alike = len(summary["within_noise"])
    rest = "the best stands out" if alike == 1 else f"{alike:,} of all cannot be told from the best"
    return f"Of {many}, {len(summary['beat_all']):,} beat every baseline beyond noise; {rest}.", "better"


def _best(summary: Mapping[str, Any]) -> str:
    best, metric = summary["table"][0], summary["metric"]
    name = wording.metric_label(metric)
    figure = f"{wording.metric_value(metric, best['value'])} ({wording.interval(metric, best)})"
    return f"Best is trial {best['trial']}: {settings_text(best['settings'])}; {name} {figure}."


def _alike(summary: Mapping[str, Any]) -> str:
    numbers = [number for number in summary["within_noise"] if number != summary["best"]]
    compared, sure = summary["compared"], f"{summary['confidence']:.0%}"
    if compared == 1 and len(summary["table"]) > 1:
        return "Only this trial was trained to the end; others had fewer epochs and are not compared."
    if not numbers:
        others = f"Every other trial of the {compared:,} compared"
        return f"{others} is worse beyond noise ({sure}, corrected for their number)."
    trials = f"{'trial' if len(numbers) == 1 else 'trials'} {list_some(numbers, most=24, last=' and ')}"
    return (
        f"Within noise of the best: {trials} ({sure}, corrected for the {compared:,} compared). "
        "Among these, choose by what else matters: size, speed, a simpler setting."
    )


def _baselines(summary: Mapping[str, Any]) -> list[str]:
    metric, sure = summary["metric"], f"{summary['confidence']:.0%}"
    lines = []
    correction = f"({sure}, corrected for the number of trials)"
    for name, baseline in summary["baselines"].items():
        opponent = f"the {name} baseline ({wording.metric_value(metric, baseline['value'])}) beyond noise"
        if baseline["better"]:
            gap, least = (
                wording.difference(metric, baseline[key]).lstrip("+") for key in ("gap", "at_least")
            )
            count = f"{plural(len(baseline['better']), 'trial')} of {len(summary['table']):,}"
            margin = f"trial {baseline['surest']} by {gap}, at least {least}"
            lines.append(f"{count} beat {opponent}; {margin} {correction}.")
        else:
            lines.append(f"No trial beats {opponent} {correction}: what looks better may be luck.")
    return lines


def _caution(summary: Mapping[str, Any]) -> str:
    metric = summary["metric"]
    luck = wording.difference(metric, abs(summary["flattery"])).lstrip("+")
    seeds = (
        " Each trial was trained with one seed: intervals cover the choice of rows, not the luck of training."
    )
    return (
        f"The best of {len(summary['table']):,} figures was chosen on the same rows that measured it, "
        f"which flatters it by about {luck}. The test rows are still sealed."
        f"{'' if summary['replicas'] > 1 else seeds}"
    )


def _failures(summary: Mapping[str, Any]) -> list[str]:
    failed = [row for row in summary["table"] if row["failure"]]
    if not failed:
        return []
    first = failed[0]["failure"].split("\n")[0]
    return [f"{plural(len(failed), 'trial')} failed; trial {failed[0]['trial']}: {first}"]


def search_text(summary: Mapping[str, Any]) -> str:
    """What the command line prints: the table, then the sentences."""
    rows, trials = summary["rows"], plural(len(summary["table"]), "trial")
    head = (
        f"{summary['name']}: {trials} by {summary['method']}; {rows['train']:,} training, "
        f"{rows['validation']:,} validation, {rows['test']:,} sealed test rows; "
        f"measured on {_rows_text(summary)}"
    )
    return "\n".join([head, "", *_table(summary), "", headline(summary)[0], *sentences(summary)])


def trial_rows(folds: int | None) -> str:
    """The rows that trials are measured on."""
    return "validation rows" if folds is None else f"{folds} folds of training and validation rows"


def _rows_text(summary: Mapping[str, Any]) -> str:
    rows, replicas = trial_rows(summary["folds"]), summary["replicas"]
    return rows if replicas == 1 else f"{rows}, {replicas} networks a trial"


def _table(summary: Mapping[str, Any]) -> list[str]:
    metric, names = summary["metric"], list(summary["space"])
    short = short_names(names)
    spread = ["seeds ±"] if summary["replicas"] > 1 else []
    spread += ["folds ±"] if summary["folds"] else []
    rung = ["rung"] if summary["method"] == "halving" else []
    head = ["rank", "trial", *rung, metric.replace("_", " "), "interval", *spread, "loss", "epoch"]
    head += [*(short[name] for name in names), ""]
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
    deviations = {"seeds ±": row["over_seeds"], "folds ±": row["over_folds"]}
    figures = [wording.metric_value(metric, row["value"]), wording.interval(metric, row)]
    epochs = sorted(row["epochs"])
    return [
        *place,
        *figures,
        *(wording.number(deviations[name]) for name in spread),
        wording.number(row["loss"]),
        str(epochs[len(epochs) // 2]),
        *settings,
        "= best" if row["within_noise"] and row["rank"] > 1 else "",
    ]
