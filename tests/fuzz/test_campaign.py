"""Malformed inputs through the command line: no traceback, no exit code but 0, 1, 2, 130, nothing left.

The campaign runs in a process of its own, which has imported everything and forks for each case.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SECONDS, MEGABYTES = 60.0, 3 * 1024.0


def run_campaign(folder: Path, *arguments: str, check: bool = True) -> tuple[list[dict], str]:
    """The result of each case, and what was printed; fails with the command that repeats each fault."""
    lines = folder / "results.jsonl"
    command = [
        sys.executable,
        "-m",
        "fuzz",
        "--folder",
        str(folder / "cases"),
        "--results",
        str(lines),
        *arguments,
    ]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=900, check=False)
    assert not check or done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-5_000:]}"
    return [json.loads(line) for line in lines.read_text().splitlines()], done.stdout


def check_figures(results: list[dict], *, cases: int) -> None:
    """Each figure that the campaign is for, by itself."""
    assert len(results) == cases
    codes = Counter(result["ending"]["code"] for result in results)
    assert set(codes) <= {0, 1, 2, 130}
    assert codes[0] >= cases // 10, "hardly anything succeeds: the templates themselves are wrong"
    assert codes[2] >= cases // 10, "hardly anything is refused: nothing is malformed"
    assert max(result["ending"]["seconds"] for result in results) < SECONDS
    assert max(result["ending"]["megabytes"] for result in results) < MEGABYTES
    assert [result["faults"] for result in results if result["faults"]] == []


def test_a_few_malformed_inputs_of_each_family(tmp_path: Path) -> None:
    results, _ = run_campaign(tmp_path, "--seed", "0", "--cases", "12", "--quick")
    check_figures(results, cases=12)
    assert set(Counter(result["family"] for result in results)) == {
        "table",
        "media",
        "recipe",
        "run",
        "command",
    }


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1])
def test_a_campaign_of_malformed_inputs(tmp_path: Path, first: int) -> None:
    results, _ = run_campaign(tmp_path, "--seed", "1", "--cases", "800", "--first", str(first), "--step", "2")
    check_figures(results, cases=800)


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("raise", "exit code 70"),
        ("panic", "traceback"),
        ("leave", "left: temporary/litter"),
        ("change", "left: data/litter"),
        ("hang", "still running"),
    ],
)
@pytest.mark.slow
def test_the_campaign_sees_each_kind_of_fault(tmp_path: Path, fault: str, word: str) -> None:
    """A command that does what none may do."""
    _, printed = run_campaign(tmp_path, "--seed", "0", "--cases", "1", "--break", fault, check=False)
    assert word in printed
    assert "python -m fuzz --seed 0 --case 0" in printed
