"""The sections of a recipe, from data to tuning. Every setting has a default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from handrail.components.arguments import Count, Fraction, Positive, Share
from handrail.recipe.reading import ReadOptions, Split

Ignored = Annotated[int, Field(ge=0, le=65535)] | Annotated[str, Field(pattern=r"^#?[0-9a-fA-F]{6}$")]
_Side = Annotated[int, Field(ge=4)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Encoding(_Settings):
    """How columns become numbers.

    missing: what fills the gaps of numeric columns. indicator: whether a column with gaps in training rows
    also gets a 0/1 column that marks them. scaling: of numeric columns. categories: one column a level, or a
    learned vector. rare: levels with fewer training rows than this share one level with those never seen.
    fold_case: whether levels that differ in case and spaces alone (`New York`, `new york`) are one; `auto` is
    where they are words of which one spelling is the usual one.
    """

    missing: Literal["mean", "median", "constant"] = "median"
    fill: Annotated[float, Field(ge=-1e18, le=1e18)] | None = None
    indicator: bool = True
    scaling: Literal["standard", "minmax", "robust", "quantile", "none"] = "standard"
    categories: Literal["onehot", "embedding"] = "onehot"
    rare: Count = 5
    fold_case: Literal["auto"] | bool = "auto"

    def mistakes(self) -> list[str]:
        """Settings that would do nothing, or that lack what they need."""
        if self.missing == "constant" and self.fill is None:
            return ["data.encoding.missing: 'constant' needs a number in data.encoding.fill."]
        if self.missing != "constant" and self.fill is not None:
            problem = f"has no effect with missing: {self.missing}; expected missing: constant"
            return [f"data.encoding.fill: {problem}."]
        return []


class Dates(_Settings):
    """How columns of dates are written.

    order: of day, month and year where the values leave it open (04/05/2024); `auto` goes by other columns,
    by the order of the rows, else the month comes first. formats: by column, such as `%d/%m/%Y %H:%M`.
    """

    order: Literal["auto", "dmy", "mdy", "ymd"] = "auto"
    formats: dict[str, str] = {}


class Images(_Settings):
    """How pictures become pixels.

    size: [height, width] in pixels, or one number for both; `auto` is that of the training images where they
    are alike and not large. channels: `auto` is grey where all training images are grey. scaling: by the mean
    and deviation of each channel over training pixels, or `unit`, 0 for black to 1; `auto` is `unit` where
    the model takes numbers from 0 to 1 alone.
    """

    size: _Side | tuple[_Side, _Side] | Literal["auto"] = "auto"
    channels: Literal["auto", "grey", "colour"] = "auto"
    scaling: Literal["auto", "standard", "unit"] = "auto"


class Masks(_Settings):
    """How masks are read.

    ignore: the value of pixels that nobody has labelled, as the masks have it: a grey level, an index of a
    palette, or a colour as e0e0c0; several as a list. Such pixels count neither in the loss nor in any
    figure, and are never an answer. `auto` is 255 beside two or more small codes (0, 1, 2 …), and Pascal
    VOC's colour for void; `none` makes every value a class.
    """

    ignore: Literal["auto", "none"] | Ignored | list[Ignored] = "auto"

    @property
    def ignored(self) -> tuple[str, ...] | None:
        """The names of the values that are ignored; None where they are to be found."""
        if self.ignore == "auto":
            return None
        given = self.ignore if isinstance(self.ignore, list) else [self.ignore]
        names = [str(value) if isinstance(value, int) else f"#{value.strip('#').lower()}" for value in given]
        return tuple(name for name in names if name != "#none")


class Text(_Settings):
    """How text becomes tokens.

    tokens: `auto` is words for columns of a table and characters for one long text. Where the next token of a
    column is learned, `cells` takes each cell as a token and `bins` the bin of each number; `auto` does so
    where cells repeat and where they are numbers. bins: of numbers, at quantiles of the training rows.
    vocabulary: at most so many tokens. length: tokens a row, longer texts are cut; `auto` holds 95 % of the
    training texts whole; of one long text, tokens that the network sees at once (auto: 64; of a series of
    cells every 150th of the training rows, 4 to 64). lower: ignore case, but not there.
    """

    tokens: Literal["auto", "characters", "words", "byte_pairs", "cells", "bins"] = "auto"
    bins: Annotated[int, Field(ge=2, le=1000)] = 10
    vocabulary: Annotated[int, Field(ge=3)] = 8000
    length: Count | Literal["auto"] = "auto"
    lower: bool = True


class Series(_Settings):
    """How series become numbers. scaling: by the mean and deviation of each channel over training rows."""

    scaling: Literal["standard", "none"] = "standard"
    length: Annotated[int, Field(ge=2)] | Literal["auto"] = "auto"


class Audio(_Settings):
    """How sound becomes a picture: the logarithm of mel-filtered power over time.

    rate: samples a second; `auto` is that of the training files. seconds: longer sounds are cut, shorter ones
    end in silence; `auto` holds 95 % of the training sounds whole. window, hop: in seconds.
    """

    rate: Annotated[int, Field(ge=100)] | Literal["auto"] = "auto"
    seconds: Positive | Literal["auto"] = "auto"
    mels: Annotated[int, Field(ge=4)] = 64
    window: Positive = 0.025
    hop: Positive = 0.01


class Forecast(_Settings):
    """What a forecast sees and says, counted in rows of the table, which stand in the order of time.

    history: rows that the network sees. horizon: rows ahead that it predicts; in the task `dynamics` it says
    one row, and goes on from its own answers so far. season: rows after which the
    series repeats itself (24 for hours, 7 for days, 12 for months); `auto` finds it in the training rows.
    stride: rows between two training windows. gaps: `fill` puts a row without values in the place of each
    step that is missing between two dates; `auto` does where that leaves enough windows without one. Both let
    training pass over gaps of up to three rows in a target; `keep` takes the rows as they stand.
    """

    history: Count | Literal["auto"] = "auto"
    horizon: Count = 24
    season: Count | Literal["auto"] = "auto"
    stride: Count = 1
    gaps: Literal["auto", "fill", "keep"] = "auto"


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)

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
    `bundled:NAME`, `toy:NAME`, or an object in Python. target: one or several columns by name, or by position
    (1 is the first, −1 the last); folders and toys say it themselves. label: where the model learns without a
    target, a column that helps to judge what was learned, and that no rule sees unless the model is told its
    classes. factors: there, columns that say what varies from row to row (size, angle, place); codes are
    judged by them, and `inverse_graphics` learns from them. augment: how training rows
    are changed at random; `auto` is what suits the data, an empty list nothing. positive: of two classes the
    one that F1, precision, recall and the threshold are about; by default the second of 0/1, −1/+1, no/yes,
    false/true …, else the one that is rarer in training rows. labels: what becomes of classes that differ in
    case, white space or a final dot alone (Yes, yes): `fold` makes them one, `as_written` keeps them apart,
    and `auto` folds them unless case may be meaning, as in a and A. missing: by column, words and numbers
    that stand for missing there (`{bmi: [0]}`). validation, test: separate sources for those parts; what is
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
        "bit-sequence",
        "forecast",
        "dynamics",
        "next-token",
        "sequence",
        "text-to-image",
        "clusters",
        "density",
        "generation",
        "map",
        "memory",
        "reconstruction",
        "translation",
    ] = "auto"
    label: str | int | None = None
    factors: list[str | int] = []
    positive: str | bool | int | float | None = None
    labels: Literal["auto", "fold", "as_written"] = "auto"
    read: ReadOptions = ReadOptions()
    columns: dict[str, str] = {}
    missing: dict[str, list[str | int | float]] = {}
    dates: Dates = Dates()
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
    masks: Masks = Masks()
    text: Text = Text()
    series: Series = Series()
    audio: Audio = Audio()
    forecast: Forecast = Forecast()
    augment: Literal["auto"] | list[Any] = "auto"

    @property
    def is_forecast(self) -> bool:
        """Whether a row is a window on a series: the tasks `forecast` and `dynamics`."""
        return self.task in ("forecast", "dynamics")


class ObjectiveRecipe(Section):
    """Choose the objective: a loss (by default the task's usual one) and penalties."""

    loss: Any = "auto"
    penalties: list[Any] = []


class TrainingRecipe(Section):
    """Train: how often, how much at once, when to stop.

    epochs: passes over the training rows, at most; `auto` suits the kind of data. batch_size: rows a step;
    `auto` grows with the table. precision: `bfloat16` computes the network in half the bits; `auto` does
    where the processor has units for it. validate_every: epochs between validations. patience: validations
    without improvement before training stops (null: never; auto: 15, or never under a schedule that ends
    with the training); the best weights are kept. checkpoint_seconds: time between checkpoints. replicas:
    networks to train that differ in their seeds alone; keep: what answers afterwards, the mean of all or the
    one with the lowest validation loss; `auto` is the mean where answers have one. together: train replicas
    as one program; `auto` where it is quicker. compile: translate the steps into machine code; `auto` where
    the steps ahead repay it.
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
    keep: Literal["auto", "ensemble", "best"] = "auto"
    together: Literal["auto"] | bool = "auto"
    compile: Literal["auto"] | bool = "auto"


class StageRecipe(Section):
    """A stage: a model that learns without a target, on the codes of the stage before, and stays below.

    Where pictures are the target, the one stage learns from these, makes tokens of them, and is frozen.

    model: one that makes a code (`rbm`, `autoencoder`, `kmeans` …). learning: its rule. epochs, batch_size,
    patience: as in `training`; `auto` is what the model says of itself. frozen: whether its layers stay as
    they are when the model on top of all stages is trained.
    """

    model: Any
    learning: Any = "auto"
    epochs: Count | Literal["auto"] = "auto"
    batch_size: Count | Literal["auto"] = "auto"
    patience: Count | Literal["auto"] | None = "auto"
    frozen: bool = False


class TransferRecipe(Section):
    """Transfer: begin with what another network has learned, and train all of it or a part.

    start: a run folder or a .safetensors file; tensors are taken where names and shapes fit.
    freeze: layers that stay as they are, by name or pattern, or the number of first ones (−1: all but the
    head). thaw_after: epochs after which they learn, too. rate_decay: each layer learns so many times as fast
    as the one behind it (1: all alike). features: freeze all but the head, and compute its inputs only once.
    """

    start: str | Path | None = None
    freeze: list[str] | Annotated[int, Field(strict=True)] = []
    thaw_after: Count | None = None
    rate_decay: Share = 1.0
    features: bool = False


class EvaluationRecipe(Section):
    """Test honestly: what is decided on validation rows, and how intervals are drawn.

    calibrate: divide scores by the temperature that suits the validation rows. threshold: the probability
    above which a row counts as the positive of two classes, or the metric that it should maximise on
    validation rows; `auto` is 0.5, or F1 where fewer than one row in five is of the rarer class. For masks of
    two classes `auto` is the best Dice, for boxes (a number or `f1`) the best F1, for labels (a number) 0.5.
    """

    calibrate: bool = True
    threshold: Fraction | Literal["auto", "accuracy", "f1", "balanced_accuracy"] = "auto"
    resamples: Annotated[int, Field(ge=100)] = 1000
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class TuningRecipe(Section):
    """Tune: what is tried, how, and what it is judged by.

    space: dotted settings with the values to try: a list, `{low, high}`, perhaps with `log: true` or `step`,
    or `{choices: […]}`. method: `grid` tries every combination, `random` draws, `halving` begins many trials
    and lets the best third go on, three times as long; any other name is a sampler of Optuna's (tpe, gp, qmc,
    cma_es …). `auto` is grid where all values are listed, else random. trials: how many; a grid counts its
    own. folds: measure on folds of training and validation rows together. replicas: networks a trial and
    fold, which differ in their seeds alone. metric: `auto` is the task's main figure. workers: processes for
    trials that cannot be trained as one program. choose: which trial wins, the `best`, or the `simplest`,
    with the fewest parameters of those within noise of the best. cluster: a Ray cluster, `local` or an
    address.
    """

    space: dict[str, Any] = {}
    method: str = "auto"
    trials: Count | Literal["auto"] = "auto"
    folds: Annotated[int, Field(ge=2)] | None = None
    replicas: Count = 1
    metric: str = "auto"
    choose: Literal["best", "simplest"] = "best"
    workers: Count | Literal["auto"] = "auto"
    cluster: str | None = None
