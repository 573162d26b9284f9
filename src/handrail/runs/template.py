"""A commented recipe to start from: every section and the settings that people change first."""

from pathlib import Path
from typing import Any

import yaml

from handrail.data.columns.schema import TABLE_KINDS
from handrail.data.dataset import Dataset
from handrail.data.prepare import prepare
from handrail.errors import RunError
from handrail.recipe import compose
from handrail.tools.files import is_taken, write_text
from handrail.tools.interface import argument, argument_name
from handrail.tools.words import without_password


def write_starter(source: Any, target: Any, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write a commented recipe for a source.

    Raises: `DataError` as `fit`; `RunError` when the file already exists.
    """
    path = Path(out)
    if is_taken(path) and not overwrite:
        raise RunError(
            f"'{path}' already exists; choose another ({argument_name('out')}), or replace it with "
            f"{argument('overwrite')}."
        )
    asked = compose(source, target)
    write_text(path, starter(asked.name, asked.data.source, prepare(asked.data)))
    return path


def starter(name: str, source: Any, data: Dataset) -> str:
    """The text of the recipe."""
    targets = list(data.task.targets)
    rows = f"{len(data.train):,} training, {len(data.validation):,} validation"
    columns = "\n".join(
        f"  #   {_flow(column.name)}: {column.kind}  # {_line(column.why)}" for column in data.schema.columns
    )
    values = {
        "name": _flow(name),
        "source": _flow(_without_passwords(source)),
        "target": _flow(targets[0] if len(targets) == 1 else targets),
        "task": data.task.name,
        "why": _line(data.task.why),
        "rows": f"{rows}, {data.sealed.rows:,} sealed test rows",
        "columns": columns,
        **_by_kind({column.kind for column in data.schema.used}, balance=data.task.is_classification),
    }
    return _TEXT.format(**values)


def _by_kind(kinds: set[str], *, balance: bool) -> dict[str, str]:
    """The parts of the recipe that depend on the kinds of columns; sections without effect are left out."""
    in_cells = bool(kinds & set(TABLE_KINDS))
    shown = [text for of, text in _SECTIONS.items() if (of == "table" and in_cells) or of in kinds]
    shown += [_AUGMENT[kind] for kind in _AUGMENT if kinds == {kind}]
    alone = in_cells and kinds <= set(TABLE_KINDS)
    return {
        "sections": "".join([*shown, _BALANCE if balance else ""]),
        "model": _NETWORK if alone else _CHOSEN_NETWORK,
        "training": _TRAINING if alone else _CHOSEN_TRAINING,
    }


def _line(text: str) -> str:
    """Text from the data, kept within its comment."""
    return " ".join(text.split())


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.replace("\n...", "").strip()


_TEXT = """\
# A recipe for handrail. Every line that is commented out shows the default; \
`handrail list` names all components.
name: {name}
seed: 0                      # of all chance in training; the split has a seed of its own

# 1. Massage the data
data:
  source: {source}
  target: {target}
  task: {task}               # {why}
  # {rows}
  # split: {{method: auto, validation: 0.15, test: 0.15, seed: 0}}   # or \
random, stratified, group, time, column
  # drop: []                 # columns to leave out
  # columns:                 # kinds as found out from training rows; change them here
{columns}
{sections}
# 2. Choose the model
{model}
# 3. Choose the objective
# objective:
#   loss: auto               # the task's usual loss
#   penalties: []            # for example [{{l2: {{strength: 0.0001}}}}]

# 4. Train
{training}
# 5. Test honestly: decided on validation rows
# evaluation:
#   calibrate: true
#   threshold: auto          # a number, accuracy, f1, balanced_accuracy
#   resamples: 1000
#   confidence: 0.95
"""

_SECTIONS = {
    "table": """\
  # encoding:
  #   missing: median        # mean, median, constant (with fill: 0)
  #   indicator: true        # a 0/1 column beside each column with gaps
  #   scaling: standard      # standard, minmax, robust, quantile, none
  #   categories: onehot     # or embedding
  #   rare: 5                # levels with fewer training rows share one level with unseen ones
""",
    "image": """\
  # images:
  #   size: auto             # pixels a side, or [height, width]
  #   channels: auto         # grey, colour
  #   scaling: auto          # standard, or unit: 0 for black to 1
""",
    "text": """\
  # text:
  #   tokens: auto           # characters, words, byte_pairs
  #   vocabulary: 8000       # at most so many tokens
  #   length: auto           # tokens a row; longer texts are cut
  #   lower: true            # capital letters count as small ones
""",
    "series": """\
  # series:
  #   scaling: standard      # or none
  #   length: auto           # that of the longest training series
""",
    "audio": """\
  # audio:
  #   rate: auto             # samples a second
  #   seconds: auto          # longer sounds are cut
  #   mels: 64               # filters
""",
}
_LIST = "  # augment: auto            # or a list, for example"
_AUGMENT = {
    "image": f"{_LIST} [flip, {{rotation: {{degrees: 10}}}}]; [] for none\n",
    "audio": f"{_LIST} [{{shift: {{share: 0.1}}}}, noise]; [] for none\n",
    "series": "  # augment: auto            # which is none; or a list, for example [jitter, scaling]\n",
}
_BALANCE = "  # balance: none            # class_weights, oversample, undersample\n"
_NETWORK = """\
model:
  mlp:
    hidden: [128, 64]
    # activation: relu
    # dropout: 0.0
    # normalisation: none    # batch, layer
"""
_CHOSEN_NETWORK = """\
model: auto                  # what suits the data; `handrail fit` says which network, and why
"""
_TRAINING = """\
learning:
  gradient:
    optimizer: {adamw: {learning_rate: 0.001}}
    # schedule: constant     # cosine, one_cycle, warm_up, step, time_decay, on_plateau
    # clip: null             # by_norm, by_value
training:
  epochs: 100
  patience: 15               # validations without improvement before training stops; null: never
  # batch_size: auto
"""
_CHOSEN_TRAINING = """\
learning: auto               # or gradient with optimizer, schedule and clip
training:
  epochs: auto
  # patience: auto           # validations without improvement before training stops; null: never
  # batch_size: auto
  # precision: auto          # float32, bfloat16
"""


def _without_passwords(source: Any) -> Any:
    if isinstance(source, list):
        return [_without_passwords(item) for item in source]
    return without_password(source) if isinstance(source, str) else source
