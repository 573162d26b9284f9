"""The parts of the table encoder, each a small module: fill, scale, one-hot, time."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

LARGEST = (
    1e18  # larger values count as this: its square, and a layer's sum of products, stay finite in float32
)
_KNOTS = 65
_ALL = slice(None)
_PHASES = (("year", 365.2425 * 86400), ("week", 7 * 86400.0), ("day", 86400.0))


def bound(values: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
    """Values beyond ±10¹⁸ put there; NaN stays."""
    return values.clamp(-LARGEST, LARGEST)


def usable_spread(spread: Float[Tensor, " n"], size: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The spread of each column, or 1 where it is no more than the rounding of values of that size."""
    rounding = 16 * torch.finfo(torch.float64).eps * size
    return torch.where(spread > rounding, spread, torch.ones_like(spread))


class Impute(nn.Module):
    """Fills gaps (NaN) with one value a column and marks them for the columns named in `flagged`."""

    fill: Tensor
    flagged: Tensor

    def __init__(self, width: int, flagged: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("fill", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("flagged", torch.tensor(list(flagged), dtype=torch.int64))

    def fit(
        self,
        numbers: Float[Tensor, "rows n"],
        how: str,
        constant: float | None,
        *,
        columns: slice = _ALL,
    ) -> None:
        """Mean, median (of an even count: the lower middle) or a constant, over the values that are there.

        Arguments:
            columns: which of its columns `numbers` are.
        """
        if how == "constant":
            self.fill.fill_(constant or 0.0)
        elif numbers.shape[1]:
            mean = how == "mean"
            values = torch.nanmean(numbers, dim=0) if mean else torch.nanmedian(numbers, dim=0).values
            self.fill[columns] = torch.nan_to_num(values)

    def fill_gaps(
        self, numbers: Float[Tensor, "rows n"], *, columns: slice = _ALL
    ) -> Float[Tensor, "rows n"]:
        """The columns (all, or those named) without gaps."""
        return torch.where(torch.isnan(numbers), self.fill[columns], numbers)

    def forward(
        self, numbers: Float[Tensor, "rows n"]
    ) -> tuple[Float[Tensor, "rows n"], Float[Tensor, "rows flags"]]:
        """The columns without gaps, and the 0/1 columns that mark the gaps."""
        filled = torch.where(torch.isnan(numbers), self.fill, numbers)
        return filled, torch.isnan(numbers).index_select(1, self.flagged).double()


class AffineScale(nn.Module):
    """(x − shift) / spread for each column.

    standard: mean and standard deviation (dividing by n). minmax: least value and range, so that training
    rows lie in 0…1. robust: median and interquartile range; where half of the values are one and the same,
    the standard deviation.
    """

    shift: Tensor
    spread: Tensor

    def __init__(self, how: str, width: int, scaled: Sequence[bool]) -> None:
        super().__init__()
        self.how = how
        self.scaled: Bool[Tensor, " n"] = torch.tensor(list(scaled), dtype=torch.bool)
        self.register_buffer("shift", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(width, dtype=torch.float64))

    def fit(self, numbers: Float[Tensor, "rows n"], *, columns: slice = _ALL) -> None:
        """Learn shift and spread; a column without spread is only shifted, and 0/1 columns are left alone."""
        if self.how == "none" or not numbers.shape[1]:
            return
        deviation, size = numbers.std(dim=0, correction=0), numbers.abs().amax(dim=0)
        if self.how == "standard":
            shift, spread = numbers.mean(dim=0), deviation
        elif self.how == "minmax":
            shift, spread = numbers.amin(dim=0), numbers.amax(dim=0) - numbers.amin(dim=0)
        else:
            low, shift, high = column_quantiles(numbers, torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64))
            spread = torch.where(high > low, high - low, deviation)
        scaled = self.scaled[columns]
        self.shift[columns] = torch.where(scaled, shift, torch.zeros_like(shift))
        self.spread[columns] = torch.where(scaled, usable_spread(spread, size), torch.ones_like(spread))

    def forward(self, numbers: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        return (numbers - self.shift) / self.spread

    def undo(self, scaled: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        """x = scaled · spread + shift."""
        return scaled * self.spread + self.shift


class QuantileScale(nn.Module):
    """Each column through its own training distribution, to −1…1, linear between 65 quantiles.

    x ↦ 2·F(x) − 1 with F piecewise linear; values beyond the training range end at −1 and 1.
    """

    knots: Tensor

    def __init__(self, width: int, scaled: Sequence[bool]) -> None:
        super().__init__()
        self.scaled = list(scaled)
        self.register_buffer("knots", torch.zeros(_KNOTS, width, dtype=torch.float64))

    def fit(self, numbers: Float[Tensor, "rows n"], *, columns: slice = _ALL) -> None:
        if numbers.shape[1]:
            shares = torch.linspace(0, 1, _KNOTS, dtype=torch.float64)
            self.knots[:, columns] = column_quantiles(numbers, shares)

    def forward(self, numbers: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        """Scaled columns: the mean over the steps between knots of how much of each step lies below x."""
        columns = []
        for index, scaled in enumerate(self.scaled):
            x = numbers[:, index : index + 1]
            if not scaled:
                columns.append(x)
                continue
            low, high = self.knots[:-1, index], self.knots[1:, index]
            step = high - low
            share = torch.where(
                step > 0,
                (x - low) / torch.where(step > 0, step, 1.0),
                (x > low).double() / 2 + (x >= low).double() / 2,
            )
            columns.append(2 * share.clamp(0, 1).mean(dim=1, keepdim=True) - 1)
        return torch.cat(columns, dim=1) if columns else numbers

    def undo(self, scaled: Float[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
        """The value between two knots whose shares lie around (scaled + 1) / 2."""
        columns = []
        for index, is_scaled in enumerate(self.scaled):
            y = scaled[:, index : index + 1]
            place = ((y + 1) / 2).clamp(0, 1) * (_KNOTS - 1)
            below = place.floor().long().clamp(max=_KNOTS - 2)
            knots = self.knots[:, index]
            between = knots[below] + (place - below) * (knots[below + 1] - knots[below])
            columns.append(between if is_scaled else y)
        return torch.cat(columns, dim=1) if columns else scaled


def column_quantiles(numbers: Float[Tensor, "rows n"], shares: Float[Tensor, " q"]) -> Float[Tensor, "q n"]:
    """Linear quantiles of each column; unlike `torch.quantile` for any number of rows."""
    ordered = numbers.sort(dim=0).values
    place = shares * (len(ordered) - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=len(ordered) - 1)
    weight = (place - below).unsqueeze(1)
    return ordered[below] * (1 - weight) + ordered[above] * weight


class OneHot(nn.Module):
    """One 0/1 column a level; code 0 (rare or unseen) has one only where training rows were rare."""

    base: Tensor
    spare: Tensor

    def __init__(self, sizes: Sequence[int], rare: Sequence[bool]) -> None:
        super().__init__()
        self.widths = [size + bool(few) for size, few in zip(sizes, rare, strict=True)]
        starts = [sum(self.widths[:index]) for index in range(len(self.widths))]
        self.width = sum(self.widths)
        ends = [start + size for start, size in zip(starts, sizes, strict=True)]
        spare = [end if few else self.width for end, few in zip(ends, rare, strict=True)]
        self.register_buffer("base", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.register_buffer("spare", torch.tensor(spare, dtype=torch.int64), persistent=False)

    def forward(self, codes: Int[Tensor, "rows c"]) -> Float[Tensor, "rows width"]:
        """The 0/1 columns; a code 0 without a column falls into one behind the last, which is cut off."""
        columns = codes.new_zeros(codes.shape[0], self.width + 1, dtype=torch.float64)
        if not self.width:
            return columns[:, :0]
        places = torch.where(codes > 0, self.base + codes - 1, self.spare)
        ones = (codes >= 0).double()  # a constant would be exported with the number of rows at hand
        return columns.scatter(1, places, ones)[:, : self.width]


class CyclicTime(nn.Module):
    """Moments as elapsed time (standardised), and sine and cosine of year, week and, if given, day."""

    middle: Tensor
    spread: Tensor

    def __init__(self, daytime: Sequence[bool]) -> None:
        super().__init__()
        self.daytime = list(daytime)
        self.register_buffer("middle", torch.zeros(len(self.daytime), dtype=torch.float64))
        self.register_buffer("spread", torch.ones(len(self.daytime), dtype=torch.float64))

    @staticmethod
    def parts(daytime: bool) -> list[str]:
        """What the encoded columns of one moment are."""
        phases = [name for name, _ in CyclicTime._phases(daytime)]
        return ["elapsed", *(f"{wave} of {phase}" for phase in phases for wave in ("sine", "cosine"))]

    @staticmethod
    def _phases(daytime: bool) -> tuple[tuple[str, float], ...]:
        """The periods that a moment has phases of, the longest first."""
        return _PHASES if daytime else _PHASES[:-1]

    def fit(self, moments: Float[Tensor, "rows t"]) -> None:
        if moments.shape[1]:
            self.middle.copy_(torch.nan_to_num(torch.nanmean(moments, dim=0)))
            deviation = torch.nan_to_num(torch.nanmean((moments - self.middle) ** 2, dim=0)).sqrt()
            self.spread.copy_(usable_spread(deviation, torch.nan_to_num(moments).abs().amax(dim=0)))

    def forward(self, moments: Float[Tensor, "rows t"]) -> Float[Tensor, "rows width"]:
        """Encoded moments; a missing one is put at the mean and has no phase (zeros)."""
        known = ~torch.isnan(moments)
        filled = torch.where(known, moments, self.middle)
        columns = []
        for index, daytime in enumerate(self.daytime):
            moment = filled[:, index : index + 1]
            there = known[:, index : index + 1].double()
            columns.append((moment - self.middle[index]) / self.spread[index])
            for _, period in self._phases(daytime):
                angle = (moment / period - torch.floor(moment / period)) * (2 * math.pi)
                columns += [torch.sin(angle) * there, torch.cos(angle) * there]
        return torch.cat(columns, dim=1) if columns else moments

    def undo(self, columns: Float[Tensor, "rows width"]) -> Float[Tensor, "rows t"]:
        """The moments that encoded columns are nearest to.

        The elapsed time says when about, and each phase, from the year to the day, moves that to the nearest
        moment of such a phase: as far as the phase tells moments apart more sharply than what came before.
        """
        moments, at = [], 0
        for index, daytime in enumerate(self.daytime):
            moment = columns[:, at] * self.spread[index] + self.middle[index]
            sharpness = self.spread[index] ** -2  # curvature of the squared distance, per second squared
            at += 1
            for _, period in self._phases(daytime):
                sine, cosine = columns[:, at], columns[:, at + 1]
                turn = (torch.atan2(sine, cosine) / (2 * math.pi) - moment / period + 0.5) % 1 - 0.5
                more = torch.hypot(sine, cosine) * (2 * math.pi / period) ** 2
                sharpness = sharpness + more
                moment = moment + turn * period * more / sharpness
                at += 2
            moments.append(moment)
        return torch.stack(moments, dim=1) if moments else columns[:, :0]
