"""A recipe to begin with: every section, the settings that people change first, and what they mean."""

from pathlib import Path
from typing import Any

import yaml

from handrail._urls import without_password
from handrail.data.dataset import Dataset, prepare
from handrail.errors import RunError
from handrail.files import write_text
from handrail.fitting import compose


def write_starter(source: Any, target: Any, out: str | Path, *, overwrite: bool = False) -> Path:
    """Look at a source and write a commented recipe for it.

    Raises: `DataError` as `fit`; `RunError` when the file is there already.
    """
    path = Path(out)
    if path.exists() and not overwrite:
        raise RunError(f"'{path}' is there already; choose another --out, or replace it with --overwrite.")
    asked = compose(source, target)
    write_text(path, starter(asked.name, asked.data.source, prepare(asked.data)))
    return path


def starter(name: str, source: Any, data: Dataset) -> str:
    """The text of the recipe."""
    targets = list(data.task.targets)
    columns = "\n".join(f"  #   {_flow(column.name)}: {column.kind}  # {_line(column.why)}" for column in data.schema.columns)
    values = {
        "name": _flow(name),
        "source": _flow(without_password(source) if isinstance(source, str) else source),
        "target": _flow(targets[0] if len(targets) == 1 else targets),
        "task": data.task.name,
        "why": _line(data.task.why),
        "rows": f"{len(data.train):,} training, {len(data.validation):,} validation, {data.sealed.rows:,} sealed test rows",
        "columns": columns,
    }
    return _TEXT.format(**values)


def _line(text: str) -> str:
    """Text from the data, kept within its comment."""
    return " ".join(text.split())


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).replace("\n...", "").strip()


_TEXT = """\
# A recipe for handrail. Every line that is commented out shows the default; `handrail list` names all components.
name: {name}
seed: 0                      # of all chance in training; the split has a seed of its own

# 1. Massage the data
data:
  source: {source}
  target: {target}
  task: {task}               # {why}
  # {rows}
  # split: {{method: auto, validation: 0.15, test: 0.15, seed: 0}}   # or random, stratified, group, time, column
  # drop: []                 # columns to leave out
  # columns:                 # kinds as found out from training rows; change them here
{columns}
  # encoding:
  #   missing: median        # mean, median, constant (with fill: 0)
  #   indicator: true        # a 0/1 column beside each column with gaps
  #   scaling: standard      # standard, minmax, robust, quantile, none
  #   categories: onehot     # or embedding
  #   rare: 5                # levels with fewer training rows share one level with unseen ones
  # balance: none            # class_weights, oversample, undersample

# 2. Choose the model
model:
  mlp:
    hidden: [128, 64]
    # activation: relu
    # dropout: 0.0
    # normalisation: none    # batch, layer

# 3. Choose the objective
# objective:
#   loss: auto               # the task's usual loss
#   penalties: []            # for example [{{l2: {{strength: 0.0001}}}}]

# 4. Train
learning:
  gradient:
    optimizer: {{adamw: {{learning_rate: 0.001}}}}
    # schedule: constant     # cosine, one_cycle, warm_up, step, time_decay, on_plateau
    # clip: null             # by_norm, by_value
training:
  epochs: 100
  patience: 15               # validations without improvement before training stops; null: never
  # batch_size: auto

# 5. Test honestly: decided on validation rows
# evaluation:
#   calibrate: true
#   threshold: auto          # two classes: 0.5, a number, accuracy, f1, balanced_accuracy
#   resamples: 1000
#   confidence: 0.95
"""
