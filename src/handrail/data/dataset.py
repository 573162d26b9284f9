"""What `prepare` returns: training and validation rows, and of the sealed test rows their hashes alone."""

from dataclasses import dataclass, field

import numpy as np

from handrail.data.checks.finding import Finding
from handrail.data.columns.schema import Schema
from handrail.data.part import Part
from handrail.data.task import TaskSpec
from handrail.tools.moved import forward


@dataclass(frozen=True)
class Sealed:
    """What is known of the test rows before the seal is opened: how many, and their hashes."""

    rows: int
    hashes: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Training and validation rows, what was found out about them, and the sealed part's hashes."""

    source: str
    task: TaskSpec
    schema: Schema
    train: Part
    validation: Part
    sealed: Sealed
    parts: np.ndarray
    fingerprint: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = field(default=())


__getattr__ = forward(__name__)
