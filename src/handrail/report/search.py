"""The report of a search: its page, and its text for the terminal.

It reads plain `search.json`, never `tuning`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from handrail.report import wording
from handrail.report.figures.search_plots import parallel_coordinates, slices
from handrail.report.page import fill_template
from handrail.report.sections.verdict import Tile
from handrail.report.wording import setting_value, short_names
from handrail.tools.words import list_some, plural

_SHOWN = 20
_SIMPLEST = "Chosen as the simplest of these (tuning.choose)"
_AMONG = (
    " Among these, choose by what else matters: size, speed, a simpler setting (tuning.choose=simplest takes "
    "the fewest parameters)."
)


def render_search(summary: Mapping[str, Any], *, recipe: str) -> str:
    """The page as HTML text, from `search.json` and the text of `search.yaml`; the same, byte for byte."""
    sentence, look = headline(summary)
    names = list(summary["space"])
    return fill_template(
        "search.html.j2",
        name=summary["name"],
        headline=sentence,
        look=look,
        sentences=sentences(summary),
        facts=_facts(summary),
        tiles=_tiles(summary),
        names=[short_names(names)[name] for name in names],
        titles=names,
        rows=[_page_row(row, summary, names) for row in summary["table"]],
        metric=wording.capitalise(_label(summary)),
        replicas=summary["replicas"],
        folds=summary["folds"],
        rungs=summary["method"] == "halving",
        parallel=parallel_coordinates(summary),
        slices=slices(summary),
        recipe=recipe,
    )


def _label(summary: Mapping[str, Any]) -> str:
    return wording.metric_label(summary["metric"], wording.positive_class(summary["task"]))


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
            f"{wording.capitalise(_label(summary))} of the best, trial {best['trial']}",
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


def _page_row(row: Mapping[str, Any], summary: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    metric = summary["metric"]
    shown = {name: row[name] for name in ("rank", "trial", "failure")}
    shown |= {"rung": row["rung"] + 1, "settings": [setting_value(row["settings"][name]) for name in names]}
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


def settings_text(settings: Mapping[str, Any]) -> str:
    """`learning_rate 0.01, dropout 0.2`."""
    short = short_names(list(settings))
    return ", ".join(f"{short[name]} {setting_value(setting)}" for name, setting in settings.items())


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """The result, and how far to trust it."""
    return [
        _best(summary),
        _alike(summary),
        *_choice(summary),
        *_baselines(summary),
        _caution(summary),
        *_failures(summary),
    ]


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
    name = _label(summary)
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
        f"Within noise of the best: {trials} ({sure}, corrected for the {compared:,} compared)."
        f"{_AMONG if summary.get('choose', 'best') == 'best' else ''}"
    )


def _choice(summary: Mapping[str, Any]) -> list[str]:
    """Which trial wins, where that need not be the best."""
    if summary.get("choose", "best") == "best":
        return []
    parameters = {int(number): count for number, count in summary["parameters"].items()}
    chosen, best = summary["chosen"], summary["best"]
    if chosen == best:
        return [f"{_SIMPLEST}: the best itself, with {parameters[best]:,} parameters."]
    settings = next(row["settings"] for row in summary["table"] if row["trial"] == chosen)
    return [
        f"{_SIMPLEST}: trial {chosen}, {settings_text(settings)}; "
        f"{parameters[chosen]:,} parameters, where the best has {parameters[best]:,}."
    ]


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
    replicas = summary["replicas"]
    networks = "" if replicas == 1 else f", {replicas} networks a trial"
    head = (
        f"{summary['name']}: {trials} by {summary['method']}; {rows['train']:,} training, "
        f"{rows['validation']:,} validation, {rows['test']:,} sealed test rows; "
        f"measured on {trial_rows(summary['folds'])}{networks}"
    )
    return "\n".join([head, "", *_table(summary), "", headline(summary)[0], *sentences(summary)])


def trial_rows(folds: int | None) -> str:
    """The rows that trials are measured on."""
    return "validation rows" if folds is None else f"{folds} folds of training and validation rows"


def _table(summary: Mapping[str, Any]) -> list[str]:
    metric, names = summary["metric"], list(summary["space"])
    short = short_names(names)
    spread = ["seeds ±"] if summary["replicas"] > 1 else []
    spread += ["folds ±"] if summary["folds"] else []
    rung = ["rung"] if summary["method"] == "halving" else []
    label = wording.of_positive(metric, metric.replace("_", " "), wording.positive_class(summary["task"]))
    head = ["rank", "trial", *rung, label, "interval", *spread, "loss", "epoch"]
    head += [*(short[name] for name in names), ""]
    rows = [
        _text_row(row, metric, names, rung=bool(rung), spread=spread) for row in summary["table"][:_SHOWN]
    ]
    if summary.get("choose", "best") != "best":
        for cells, row in zip(rows, summary["table"], strict=False):
            if row["trial"] == summary["chosen"]:
                cells[-1] = f"{cells[-1]}, chosen".removeprefix(", ")
    lines = wording.align([head, *rows])
    more = len(summary["table"]) - _SHOWN
    return [*lines, f"… {more:,} more in trials.csv"] if more > 0 else lines


def _text_row(
    row: Mapping[str, Any], metric: str, names: Sequence[str], *, rung: bool, spread: Sequence[str]
) -> list[str]:
    settings = [setting_value(row["settings"][name]) for name in names]
    place = [str(row["rank"]), str(row["trial"]), *([str(row["rung"] + 1)] if rung else [])]
    if row["failure"]:
        return [*place, "failed", *[""] * (3 + len(spread)), *settings, ""]
    deviations = {"seeds ±": row["over_seeds"], "folds ±": row["over_folds"]}
    figures = [wording.metric_value(metric, row["value"]), wording.interval(metric, row)]
    epochs = sorted(row["epochs"])
    figures += [*(wording.number(deviations[name]) for name in spread), wording.number(row["loss"])]
    remark = "= best" if row["within_noise"] and row["rank"] > 1 else ""
    return [*place, *figures, str(epochs[len(epochs) // 2]), *settings, remark]
