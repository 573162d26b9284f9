"""What readers and checks have to say about a table, and how they name columns and shares."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from handrail.tools.words import list_some
from handrail.tools.yaml import parse_yaml

REMARKS = "handrail.remarks"  # where a file holds what its reader had to say
_MOST_NAMES = 5
_PLAIN = re.compile(r"[\w%+:,./@=\[\]-]*")  # no sign of these means something to a shell
Level = Literal["error", "warning", "note"]
Details = Mapping[str, str] | Mapping[str | None, str]


class Finding(BaseModel):
    """One finding: what was seen, why it matters, what handrail does about it.

    Errors stop a fit; warnings and notes stand in the report.

    Arguments:
        decided: whether handrail left something out, guessed it or set it aside. A fit prints that as it does
            warnings, with the setting that decides otherwise; other notes stand in `check` and the report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level
    name: str
    seen: str
    why: str
    action: str
    column: str | None = None
    decided: bool = False

    def __str__(self) -> str:
        return f"{self.seen} {self.why} {self.action}"


def pack_remarks(notes: Sequence[str], findings: Sequence[Finding]) -> str:
    """What a reader has to say, as text that can lie beside a table in a file."""
    return json.dumps({"notes": list(notes), "findings": [finding.model_dump() for finding in findings]})


def unpack_remarks(text: str | bytes) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Notes and findings of `pack_remarks`; none of any other text."""
    try:
        plain = json.loads(text)
        return tuple(map(str, plain["notes"])), tuple(Finding(**each) for each in plain["findings"])
    except (ValueError, TypeError, KeyError):
        return (), ()


def report_columns(
    level: Level, name: str, details: Details, *, seen: str, why: str, action: str, decided: bool = False
) -> list[Finding]:
    """One finding about all columns, `Column 'a' (detail): seen` or `7 columns: 'a' (detail), …: seen`.

    Arguments:
        details: what to say of each column, None for the target; where there are none, there is no finding.
    """
    if not details:
        return []
    column, several = next(iter(details)), len(details) > 1
    names = {each: "the target" if each is None else f"'{each}'" for each in details}
    items = [f"{names[each]} ({detail})" if detail else names[each] for each, detail in details.items()]
    if several:
        column, columns = None, f"{len(items):,} columns: {list_some(items)}"
    else:
        columns = items[0].replace("the", "The", 1) if column is None else f"Column {items[0]}"
    return [
        Finding(
            level=level,
            name=name,
            column=column,
            seen=f"{columns}: {seen}",
            why=why,
            action=action,
            decided=decided,
        )
    ]


def share(part: int, whole: int) -> str:
    """A percentage that says so when it is small but not nothing."""
    ratio = part / max(whole, 1)
    return "less than 0.1%" if 0 < ratio < 0.0005 else f"{ratio:.1%}"


def advise_drop(columns: Sequence[str], *, most: int = _MOST_NAMES) -> str:
    """The setting that leaves columns out, in full where they are not more than `most`."""
    if len(columns) > most:
        return "data.drop leaves them out."
    return f"{set_list('data.drop', columns)} leaves {'it' if len(columns) == 1 else 'them'} out."


def set_list(path: str, words: Iterable[str]) -> str:
    """`data.drop=[a]`, as it is pasted: words in quotes where YAML would not take them for one text each."""
    return as_pasted(f"{path}=[{', '.join(map(_in_yaml, words))}]")


def _in_yaml(word: str) -> str:
    try:
        plain = parse_yaml(f"[{word}]") == [word]
    except yaml.YAMLError:
        plain = False
    return word if plain else json.dumps(word, ensure_ascii=False)


def as_pasted(setting: str) -> str:
    """A setting in quotes where a shell would take it apart: `'data.columns.Unit price=category'`."""
    if _PLAIN.fullmatch(setting):
        return setting
    if "'" in setting and not re.search(r'["$`\\!]', setting):
        return f'"{setting}"'
    return shlex.quote(setting)
