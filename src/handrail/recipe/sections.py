"""The sections of a recipe: data, objective, transfer, training, evaluation. Every setting has a default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from handrail.components.arguments import Count, Fraction, Positive, Share
from handrail.recipe.encoding import Audio, Encoding, Forecast, Images, Series, Text
from handrail.recipe.reading import ReadOptions, Split


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty_parts(cls, values: Any) -> Any:
        """`training:` with nothing but comments below it says nothing, as does an empty list or mapping."""
        if not isinstance(values, Mapping):
            return values
        empty = {
            key
            for key, field in cls.model_fields.items()
            if isinstance(field.default, BaseModel | list | dict)
        }
        return {key: value for key, value in values.items() if value is not None or key not in empty}


class DataRecipe(Section):
    """Massage the data: what to read, what to predict, how to divide and encode.

    source: a file, a folder of pictures, sounds or texts, a glob, a list of files, a database URL,
    `bundled:NAME`, or an object in Python. target: one or several columns by name, or by position (1 is the
    first, −1 the last); folders say it themselves. augment: how training rows are changed at random; `auto`
    is what suits the data, an empty list nothing. validation, test: separate sources for those parts; what is
    not given is drawn from `source`. sample: train and validate on that many rows (or that share), class by
    class. duplicates: `drop` leaves out validation rows that repeat a training row, and test rows that repeat
    either. stream: read Parquet files block by block instead of whole; `auto` does from 128 MB on, at eight
    bytes a cell.
    """

    source: Any = None
    target: str | int | list[str | int] | None = None
    task: Literal[
        "auto",
        "binary",
        "multi-class",
        "multi-label",
        "regression",
        "mask",
        "boxes",
        "forecast",
        "next-token",
        "sequence",
    ] = "auto"
    positive: str | int | None = None
    read: ReadOptions = ReadOptions()
    columns: dict[str, str] = {}
    drop: list[str] = []
    validation: Any = None
    test: Any = None
    split: Split = Split()
    sample: Positive | None = None
    duplicates: Literal["keep", "drop"] = "keep"
    stream: Literal["auto"] | bool = "auto"
    balance: Literal["none", "class_weights", "oversample", "undersample"] = "none"
    encoding: Encoding = Encoding()
    images: Images = Images()
    text: Text = Text()
    series: Series = Series()
    audio: Audio = Audio()
    forecast: Forecast = Forecast()
    augment: Literal["auto"] | list[Any] = "auto"


class ObjectiveRecipe(Section):
    """Choose the objective: a loss (by default the task's usual one) and penalties."""

    loss: Any = "auto"
    penalties: list[Any] = []


class TrainingRecipe(Section):
    """Train: how often, how much at once, when to stop.

    epochs: passes over the training rows, at most; `auto` suits the kind of data. batch_size: rows a step;
    `auto` grows with the table. precision: `bfloat16` computes the network in half the bits; `auto` does
    where the processor has units for it. validate_every: epochs between validations. patience: validations
    without improvement before training stops (null: never; auto: 15, or never where the learning rate falls
    by a schedule); the best weights are kept. checkpoint_seconds: time between checkpoints. replicas: so many
    networks are trained, which differ in their seeds alone; keep: what answers afterwards, all of them
    together (their mean) or the one with the lowest validation loss. together: train replicas as one program;
    `auto` where that is quicker. compile: translate the steps of training into machine code; `auto` where the
    steps ahead repay it.
    """

    epochs: Count | Literal["auto"] = "auto"
    batch_size: Count | Literal["auto"] = "auto"
    validate_every: Count = 1
    patience: Count | Literal["auto"] | None = "auto"
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 5.0
    device: str = "auto"
    threads: Count | Literal["auto"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    replicas: Count = 1
    keep: Literal["ensemble", "best"] = "ensemble"
    together: Literal["auto"] | bool = "auto"
    compile: Literal["auto"] | bool = "auto"


class TransferRecipe(Section):
    """Transfer: begin with what another network has learned, and train all of it or a part.

    start: a run folder or a .safetensors file; tensors whose names and shapes fit are taken, the others begin
    anew. freeze: layers that stay as they are, by name or pattern, or so many first ones (−1: all but the
    head). thaw_after: epochs after which they learn, too. rate_decay: each layer learns so many times as fast
    as the one behind it (1: all alike). features: freeze all but the head, and compute what it is given once
    instead of in every epoch.
    """

    start: str | Path | None = None
    freeze: list[str] | Annotated[int, Field(strict=True)] = []
    thaw_after: Count | None = None
    rate_decay: Share = 1.0
    features: bool = False


class EvaluationRecipe(Section):
    """Test honestly: what is decided on validation rows, and how intervals are drawn.

    calibrate: divide scores by the temperature that suits the validation rows. threshold: for two classes,
    0.5, a number, or the metric that it should maximise on validation rows; `auto` is 0.5, or F1 where fewer
    than one row in five is of the rarer class.
    """

    calibrate: bool = True
    threshold: Fraction | Literal["auto", "accuracy", "f1", "balanced_accuracy"] = "auto"
    resamples: Annotated[int, Field(ge=100)] = 1000
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
