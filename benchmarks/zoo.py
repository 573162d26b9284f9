"""Fit the systems of the zoo by their own recipes, and write docs/zoo.md with their figures and pictures.

What was measured is kept in results/zoo.json, so that one system can be run again alone; slow ones are run
only when they are named.

    python benchmarks/zoo.py [NAME ...]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import handrail
from _common import HERE, facts, write_result
from _report_figures import main_figure
from handrail.report.console import metrics_table
from handrail.report.wording import positive_class
from handrail.zoo import Entry, load_zoo

PAGE = HERE.parent / "docs" / "zoo.md"
PICTURES = HERE.parent / "docs" / "assets" / "zoo"
MOST_BYTES = 60_000  # of a picture
RESULTS = "zoo.json"
HEAD = """# The zoo

One recipe for each system, on data that everybody has: bundled with scikit-learn, or generated.
`handrail zoo` prints the table, `handrail zoo NAME` fits a system, and `handrail zoo NAME --recipe` prints
its recipe, to start from. The kinds of cells are those of the chart of neural networks (van Veen & Leijnen
2019).

`make zoo` runs the systems and writes this page. Figures are those of validation rows, with intervals of
95 %; seconds are of everything from reading to the report, on a machine with two cores.
"""


def measure(entry: Entry) -> dict[str, Any]:
    """Fit a system and keep its picture. Returns: what the page says of the run."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = handrail.fit(recipe=entry.recipe, out=Path(folder) / entry.name)
        seconds = time.perf_counter() - began
        summary = run.summary
        figure = main_figure(run.folder.report.read_text(encoding="utf-8"), most_bytes=MOST_BYTES)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{entry.name}.svg").write_text(figure.svg, encoding="utf-8")
    task = summary["task"]
    return {
        "task": task["name"],
        "rows": summary["rows"],
        "parameters": summary["training"]["parameters"],
        "epochs": summary["training"]["best_epoch"],
        "seconds": round(seconds, 1),
        "figure": figure.title,
        "figures": metrics_table("validation", task["name"], summary, positive_class(task)),
        "told": [each["seen"] for each in summary["findings"] if each["level"] == "warning"],
        "when": datetime.now(UTC).date().isoformat(),
        "where": facts("handrail", "torch"),
    }


def render(entries: Mapping[str, Entry], results: Mapping[str, Any]) -> str:
    """The page: a table of all, then a part for each."""
    return "\n".join([HEAD, *_table(entries.values()), *_parts(entries, results)])


def _table(entries: Any) -> Iterator[str]:
    yield "| family | system | year | rule | cells | what it is |"
    yield "|---|---|---|---|---|---|"
    for entry in entries:
        name = f"[{entry.title}](#{entry.name})"
        cells = ", ".join(entry.cells)
        yield f"| {entry.family} | {name} | {entry.year} | `{entry.rule}` | {cells} | {entry.line} |"
    yield ""


def _parts(entries: Mapping[str, Entry], results: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in entries.items():
        found = results[name]
        yield f"## {entry.title} {{: #{name} }}\n"
        yield f"{entry.line[0].upper()}{entry.line[1:]}. *{entry.source}*\n"
        if entry.needs:
            yield f"Needs {entry.needs}.\n"
        yield f"![{found['figure']}](assets/zoo/{name}.svg)\n"
        rows = found["rows"]
        yield (
            f"`handrail zoo {name}`: {found['task']}, {rows['train']:,} training and {rows['validation']:,} "
            f"validation rows, {found['parameters']:,} parameters, best epoch {found['epochs']}, "
            f"{found['seconds']:.0f} s.\n"
        )
        yield f"```yaml\n{entry.recipe_text()}```\n"
        yield "```text\n" + "\n".join(found["figures"]) + "\n```\n"
        yield f"<small>{found['when']}; {found['where']}</small>\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="systems to run; by default all but the slow ones")
    names = parser.parse_args().names
    entries = load_zoo()
    if unknown := set(names) - entries.keys():
        raise SystemExit(f"not in the zoo: {', '.join(sorted(unknown))}")
    path = HERE / "results" / RESULTS
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in names or [name for name, entry in entries.items() if not entry.slow]:
        results[name] = measure(entries[name])
        told = results[name].pop("told")
        print(f"{name}: {results[name]['seconds']} s {' '.join(told)}", file=sys.stderr)
        results = {name: results[name] for name in entries if name in results}
        write_result(RESULTS, json.dumps(results, indent=1, ensure_ascii=False) + "\n")  # nothing is lost
    if missing := entries.keys() - results.keys():
        raise SystemExit(f"not run yet: {', '.join(sorted(missing))}; name them")
    PAGE.write_text(render(entries, results), encoding="utf-8")


if __name__ == "__main__":
    main()
