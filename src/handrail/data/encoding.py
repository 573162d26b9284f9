"""The settings of the table encoder."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Encoding(BaseModel):
    """How columns become numbers.

    missing: what fills the gaps of numeric columns. indicator: whether a column with gaps in training rows also gets
    a 0/1 column that marks them. scaling: of numeric columns. categories: one column a level, or a learned vector.
    rare: levels with fewer training rows than this share one level with those never seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    missing: Literal["mean", "median", "constant"] = "median"
    fill: Annotated[float, Field(ge=-1e18, le=1e18)] | None = None
    indicator: bool = True
    scaling: Literal["standard", "minmax", "robust", "quantile", "none"] = "standard"
    categories: Literal["onehot", "embedding"] = "onehot"
    rare: Annotated[int, Field(ge=1)] = 5

    def mistakes(self) -> list[str]:
        """Settings that would do nothing, or that lack what they need."""
        if self.missing == "constant" and self.fill is None:
            return ["data.encoding.missing: 'constant' needs a number in data.encoding.fill."]
        if self.missing != "constant" and self.fill is not None:
            return [f"data.encoding.fill: has no effect with missing: {self.missing}; expected missing: constant."]
        return []
