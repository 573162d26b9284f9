"""The campaign: templates, cases, and the faults that their commands have shown."""

import collections
import json
import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.case import Case, family_of, make_case, snapshot
from fuzz.forks import BROKEN, Ending, run_forked

SECONDS, MEGABYTES = 60.0, 3 * 1024.0
CODES = (0, 1, 2, 130)


@dataclass(frozen=True)
class Result:
    """What a case has shown. faults: each a short text; none where all is well."""

    seed: int
    number: int
    family: str
    ending: Ending
    arguments: list[str]
    notes: list[str]
    said: str
    faults: list[str]

    def __str__(self) -> str:
        again = f"(cd tests && python -m fuzz --seed {self.seed} --case {self.number})"
        command = " ".join(f"{text!r:.200}" for text in self.arguments)
        return (
            f"{'; '.join(self.faults)}\n  again: {again}\n  handrail {command}\n"
            f"  {'; '.join(self.notes)}\n  {self.said[-1500:].strip()}"
        )


def run_campaign(seed: int, numbers: Sequence[int], folder: Path, *, keep: bool = False) -> Iterator[Result]:
    """Run these cases of a seed, each in a fork, in folders below `folder`; those with faults are kept."""
    templates = folder / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        place = folder / f"case-{seed}-{number}"
        result = run_case(seed, number, place, templates)
        if not (result.faults or keep):
            shutil.rmtree(place)
        yield result


def run_case(seed: int, number: int, folder: Path, templates: Path) -> Result:
    """Make a case in one fork, run its command in another, look at what is left."""
    folder.mkdir(parents=True)

    def build() -> int:
        make_case(seed, number, folder, templates)
        return 0

    ending = run_forked(build, output=folder, limit=SECONDS)
    if ending.code:
        said = (folder / "stderr").read_text(errors="replace")
        return Result(seed, number, family_of(number), ending, [], [], said, ["the case could not be made"])
    case = Case("", folder, templates, **json.loads((folder / "case.json").read_text()))
    before = snapshot(folder)
    ending = run_forked(lambda: run_command(case), output=folder, limit=SECONDS)
    said = (folder / "stderr").read_text(errors="replace")
    faults = find_faults(case, ending, said, (folder / "stdout").read_text(errors="replace"), before)
    if (folder / "traceback").exists():
        said += (folder / "traceback").read_text()
    return Result(seed, number, family_of(number), ending, case.arguments, case.notes, said, faults)


def run_command(case: Case) -> int:
    """The command of a case in this process, as a shell would run it. Returns: the exit code."""
    import handrail.cli
    import handrail.report.page

    os.chdir(case.here)
    os.environ |= {"HANDRAIL_HOME": str(case.folder / "home"), "TMPDIR": str(case.folder / "temporary")}
    os.environ.pop("HANDRAIL_DEBUG", None)
    fail = handrail.cli._fail

    def fail_and_tell(text: str, code: int) -> None:
        if code not in CODES:
            (case.folder / "traceback").write_text(traceback.format_exc())
        fail(text, code)

    handrail.cli._fail = fail_and_tell
    if not case.pictures:  # a report takes longer to draw than a tiny fit
        handrail.report.page.write_report = write_no_report
    sys.argv = ["handrail", *case.arguments]
    try:
        handrail.cli.main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    return 0


def write_no_report(run) -> Path:
    run.folder.report.write_text("not drawn")
    return run.folder.report


def find_faults(case: Case, ending: Ending, said: str, printed: str, before: dict) -> list[str]:
    """What must not be, after a command."""
    faults = []
    if ending.late:
        faults.append(f"still running after {SECONDS:.0f} s")
    elif ending.code not in CODES:
        faults.append(f"exit code {ending.code}")
    if ending.code == BROKEN or "Traceback (most recent call last)" in said + printed:
        faults.append("traceback")
    if ending.megabytes > MEGABYTES or "the memory is used up" in said:
        faults.append(f"{ending.megabytes:.0f} MB of memory")
    if ending.code == 2 and not ending.late and not (said + printed).strip():
        faults.append("no message")
    if ending.left_processes and not ending.late:
        faults.append("a process goes on")
    kept = ending.code == 2 and "; the search is in '" in said  # every trial failed, and it says where
    left = find_left(case, 0 if kept else ending.code, before)
    return faults + ([f"left: {', '.join(left[:5])}"] if left else [])


def find_left(case: Case, code: int, before: dict) -> list[str]:
    """Files that a command should not have made, or changed."""
    after = snapshot(case.folder)
    ours = {str(case.folder / name) for name in ("stdout", "stderr", "traceback", "case.json")}
    home, run = str(case.folder / "home"), _run_of(case)
    allowed = [home, *([run] if run else []), *(case.outputs if code in (0, 130) else ())]
    left = []
    for path, facts in after.items():
        if path in ours or before.get(path) == facts:
            continue
        name = Path(path).name
        is_temporary = name.startswith(".") and name[13:14] == "-"
        if is_temporary or not any(path == place or path.startswith(place + "/") for place in allowed):
            left.append(os.path.relpath(path, case.folder))
    lost = [
        f"{os.path.relpath(path, case.folder)} is gone"
        for path in before
        if path not in after and path not in ours
    ]
    return left + (lost if not run else [])


def _run_of(case: Case) -> str | None:
    """The run folder in which the command of a case may write."""
    if not case.arguments or case.arguments[0] not in ("resume", "test", "report", "tune", "export"):
        return None
    return next((each for each in case.arguments if each.startswith(str(case.data))), None)


def summarise(results: Sequence[Result]) -> str:
    """One line: cases by exit code, the slowest, the largest."""
    codes = collections.Counter(result.ending.code for result in results)
    slowest = max(results, key=lambda result: result.ending.seconds)
    largest = max(results, key=lambda result: result.ending.megabytes)
    faulty = [result for result in results if result.faults]
    counts = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
    seconds = sum(result.ending.seconds for result in results)
    return (
        f"{len(results)} cases in {seconds:.0f} s; by exit code {counts}; "
        f"slowest {slowest.ending.seconds:.1f} s (case {slowest.number}); largest "
        f"{largest.ending.megabytes:.0f} MB (case {largest.number}); "
        f"{len(faulty)} with faults"
    )
