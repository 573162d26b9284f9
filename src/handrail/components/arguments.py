"""The types of settings, each under one name; pydantic checks them and says what it expected."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field


@dataclass(frozen=True)
class Slot:
    """Marks an argument that itself names a component: `Annotated[Any, Slot("optimizer")]`."""

    kind: str
    many: bool = False


Count = Annotated[int, Field(gt=0, lt=2**31)]
"A whole number from 1: units, channels, layers, steps."
Rate = Annotated[float, Field(ge=0, lt=1)]
"From 0 up to, but not, 1: dropout, label smoothing, momentum."
Share = Annotated[float, Field(gt=0, le=1)]
"A part of something, or all of it: the size of a crop."
Fraction = Annotated[float, Field(gt=0, lt=1)]
"A part of something, never all of it: the validation rows."
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"A number above 0: learning rates, standard deviations of weights."
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"A number from 0: penalties, noise."
Finite = Annotated[float, Field(allow_inf_nan=False)]
"Any number but infinity."
Activation = Annotated[Any, Slot("activation")]
"An activation by name, `{name: arguments}`, import path or object."
Initialisation = Annotated[Any, Slot("initialisation")]
"An initialisation in the same forms."
