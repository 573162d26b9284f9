"""The settings of the table encoder."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from handrail.components.arguments import Count, Positive


class Encoding(BaseModel):
    """How columns become numbers.

    missing: what fills the gaps of numeric columns. indicator: whether a column with gaps in training rows
    also gets a 0/1 column that marks them. scaling: of numeric columns. categories: one column a level, or a
    learned vector. rare: levels with fewer training rows than this share one level with those never seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    missing: Literal["mean", "median", "constant"] = "median"
    fill: Annotated[float, Field(ge=-1e18, le=1e18)] | None = None
    indicator: bool = True
    scaling: Literal["standard", "minmax", "robust", "quantile", "none"] = "standard"
    categories: Literal["onehot", "embedding"] = "onehot"
    rare: Count = 5

    def mistakes(self) -> list[str]:
        """Settings that would do nothing, or that lack what they need."""
        if self.missing == "constant" and self.fill is None:
            return ["data.encoding.missing: 'constant' needs a number in data.encoding.fill."]
        if self.missing != "constant" and self.fill is not None:
            return [
                f"data.encoding.fill: has no effect with missing: {self.missing}; expected missing: constant."
            ]
        return []


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Images(_Settings):
    """How pictures become pixels.

    size: [height, width] in pixels, or one number for both; `auto` is that of the training images where they
    are alike and not large. channels: `auto` is grey where all training images are grey.
    """

    size: (
        Annotated[int, Field(ge=4)]
        | tuple[Annotated[int, Field(ge=4)], Annotated[int, Field(ge=4)]]
        | Literal["auto"]
    ) = "auto"
    channels: Literal["auto", "grey", "colour"] = "auto"


class Text(_Settings):
    """How text becomes tokens.

    tokens: `auto` is words for columns of a table and characters for one long text. vocabulary: at most so
    many tokens. length: tokens a row, longer texts are cut; `auto` holds 95 % of the training texts whole.
    For one long text it is the number of tokens that the network sees at once (auto: 64). lower: capital
    letters count as small ones; not in one long text.
    """

    tokens: Literal["auto", "characters", "words", "byte_pairs"] = "auto"
    vocabulary: Annotated[int, Field(ge=3)] = 8000
    length: Count | Literal["auto"] = "auto"
    lower: bool = True


class Series(_Settings):
    """How series become numbers. scaling: `standard` by the mean and deviation of each channel over training
    rows.
    """

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

    history: rows that the network sees. horizon: rows ahead that it is to say. season: after so many rows the
    series repeats itself (24 for hours, 7 for days, 12 for months); `auto` finds it in the training rows.
    stride: rows between two training windows.
    """

    history: Count | Literal["auto"] = "auto"
    horizon: Count = 24
    season: Count | Literal["auto"] = "auto"
    stride: Count = 1
