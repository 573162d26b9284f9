"""What a fit says of its data: what is wrong, what was left out or guessed, how the source was read."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from handrail.report.folding import fold
from handrail.report.wording import LEVELS
from handrail.tools.interface import setting_form
from handrail.tools.words import plural

_MOST = {"error": 50, "warning": 12, "note": 8}
_SETTING = re.compile(r"\b(?:data|model|objective|learning|transfer|training|evaluation)\.[a-z_]\w*")


def findings_of_a_fit(summary: Mapping[str, Any]) -> list[str]:
    """Errors, warnings, then notes: what handrail decided, and how the source was read. Each stands once.

    What is no more than a note in the report, because nothing was decided, is left to the report.
    """
    lines: list[str] = []
    hidden: dict[str, int] = {}
    for level in LEVELS:
        texts = _texts(summary, level)
        for text in texts[: _MOST[level]]:
            lines += fold(f"{level}: {text}")
        if len(texts) > _MOST[level]:
            hidden[level] = len(texts) - _MOST[level]
    if hidden:
        more = " and ".join(plural(count, f"more {level}") for level, count in hidden.items())
        lines += fold(f"and {more}: the report lists all of them, and so does handrail check.")
    return [*lines, *setting_hint(lines)]


def setting_hint(lines: Sequence[str]) -> list[str]:
    """How a setting is given, where one is named."""
    named = any(_SETTING.search(line) for line in lines)
    return [f"Settings are given as {setting_form()}."] if named else []


def _texts(summary: Mapping[str, Any], level: str) -> list[str]:
    """The findings of a level in a line each; an advice that was given already is not given again."""
    findings = [each for each in summary["findings"] if each["level"] == level and _is_told(each)]
    texts, advised = [], set()
    for each in sorted(findings, key=lambda finding: not finding.get("decided")):
        action = "" if each["action"] in advised else each["action"]
        advised.add(each["action"])
        texts.append(f"{each['seen']} {action}".strip())
    seen = {each["seen"] for each in summary["findings"]}
    read = [note for note in summary["notes"] if note not in seen] if level == "note" else ()
    return list(dict.fromkeys([*texts, *read]))


def _is_told(finding: Mapping[str, Any]) -> bool:
    return finding["level"] != "note" or finding.get("decided", False)
