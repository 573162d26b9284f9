"""What the commands that fit print of a run: its figures, and whether its seal is open."""

from typing import Any

from handrail.cli.options import print_json, progress_style, say


def print_run(run: Any, *, as_json: bool, quiet: bool, test: bool = False, refit: bool = False) -> None:
    """Print a run; with `test` open its seal, unless it was opened before."""
    from handrail.report.console import openings_text, run_summary, test_summary

    before = run.openings() if test and not run.is_whole else []
    if test and not before:
        run.test(refit=refit, progress=progress_style(quiet))
    if as_json:
        print_json(run_as_json(run))
        return
    say(run_summary(run), quiet)
    if run.tested:
        say(test_summary(run, run.tested), quiet)
    elif before:
        again = f"handrail test {run.path} --again"
        say(f"\n{openings_text(before)}\nIt was not opened now; to measure again, marked: {again}", quiet)
    elif run.is_whole:
        say(f"The test rows are the same truth table, so nothing is sealed: handrail test {run.path}", quiet)
    else:
        say(f"The test rows are sealed; open them once, at the end: handrail test {run.path}", quiet)
    say(f"report: {run.folder.report}", quiet)


def run_as_json(run: Any) -> dict[str, Any]:
    """What `--json` prints of a run."""
    from handrail.report.wording import positive_class

    tested = run.tested
    parts = {"validation": run.summary, "test": tested or {}}
    replicas = {part: figures["replicas"] for part, figures in parts.items() if figures.get("replicas")}
    plain = {"run": str(run.path), "task": run.summary["task"]["name"], "validation": run.validation}
    positive = positive_class(run.summary["task"])
    plain |= {} if positive is None else {"positive": positive}
    plain["decisions"] = (tested or {}).get("decisions", run.summary["decisions"])
    plain |= {"replicas": replicas} if replicas else {}
    if not tested:
        return plain
    shared = [
        {"recipe": opening["recipe"], "when": opening["when"], "share": share}
        for opening, share in tested["shared"]
    ]
    figures = {"test": tested["metrics"], "opening": tested["opening"], "refit": tested["refit"]}
    return plain | figures | {"shared": shared}
