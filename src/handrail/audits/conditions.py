"""Pictures as they would be under other conditions: moved, turned, farther off, in other light, half hidden.

Each condition is a function of pictures `[rows, channels, height, width]` from 0 to 1, a strength and random
numbers, of which each row has its own: a direction, a sign, a place. What comes in from outside repeats the
    edge.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Pictures = Float[Tensor, "rows channels height width"]
Angles = Float[Tensor, " rows"]
_BUMPS = 4  # on each side, of a deformation


@dataclass(frozen=True)
class Condition:
    """A way in which pictures change.

    Arguments:
        apply: changes pictures by a strength.
        unit: of the strength.
        strengths: that are tried, the weakest first.
        most: the largest strength that makes sense.
    """

    apply: Callable[[Pictures, float, torch.Generator], Pictures]
    unit: str
    strengths: tuple[float, ...]
    most: float


def translation(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """Moved by so much of a side, in any direction."""
    angles = _angles(pictures, rng)
    move = 2 * strength * torch.stack([angles.cos(), angles.sin()], dim=1)
    return _warped(pictures, _identity(len(pictures)), move)


def rotation(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """Turned by so many degrees, to either side."""
    turn = _signs(pictures, rng) * math.radians(strength)
    lines = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], dim=1).view(-1, 2, 2)
    return _warped(pictures, lines)


def scale(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """Larger or smaller by the factor 1 + strength."""
    factor = (1 + strength) ** _signs(pictures, rng)
    return _warped(pictures, factor.view(-1, 1, 1) * _identity(len(pictures)))


def viewpoint(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """Seen from the side: one edge, whichever, comes nearer by this strength."""
    angles = _angles(pictures, rng)
    places = _grid(pictures)
    tilt = strength * (places * torch.stack([angles.cos(), angles.sin()], dim=1)[:, None, None]).sum(dim=-1)
    return _sampled(pictures, places / (1 + tilt).clamp_min(0.1)[..., None])


def illumination(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """Lit from one side: brighter there by this share, and darker on the other."""
    angles = _angles(pictures, rng)
    along = (_grid(pictures) * torch.stack([angles.cos(), angles.sin()], dim=1)[:, None, None]).sum(dim=-1)
    return (pictures * (1 + strength * along)[:, None]).clamp(0, 1)


def deformation(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """Every place moved a little, by so much of a side on average, neighbours alike."""
    bumps = torch.randn(len(pictures), 2, _BUMPS, _BUMPS, generator=rng)
    size = tuple(pictures.shape[-2:])
    smooth = functional.interpolate(bumps, size=size, mode="bicubic", align_corners=True)
    moves = smooth / smooth.norm(dim=1).mean(dim=(1, 2)).view(-1, 1, 1, 1) * 2 * strength
    return _sampled(pictures, _grid(pictures) + moves.permute(0, 2, 3, 1))


def occlusion(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """A grey square over this share of the area, anywhere."""
    height, width = pictures.shape[-2:]
    high, wide = (round(side * math.sqrt(strength)) for side in (height, width))
    top, left = (
        (torch.rand(len(pictures), generator=rng) * (side - part + 1)).floor().view(-1, 1, 1)
        for side, part in ((height, high), (width, wide))
    )
    down, right = torch.arange(height).view(1, -1, 1), torch.arange(width).view(1, 1, -1)
    hidden = (down >= top) & (down < top + high) & (right >= left) & (right < left + wide)
    return torch.where(hidden[:, None], 0.5, pictures)


def noise(pictures: Pictures, strength: float, rng: torch.Generator) -> Pictures:
    """Normal noise of this standard deviation on every number."""
    return (pictures + strength * torch.randn(pictures.shape, generator=rng)).clamp(0, 1)


CONDITIONS: dict[str, Condition] = {
    "translation": Condition(translation, "of a side", (0.05, 0.1, 0.2, 0.3), 1.0),
    "rotation": Condition(rotation, "degrees", (10, 25, 45, 90), 180.0),
    "scale": Condition(scale, "larger or smaller", (0.1, 0.25, 0.5, 1.0), 9.0),
    "viewpoint": Condition(viewpoint, "nearer at one edge", (0.1, 0.25, 0.5, 0.75), 0.9),
    "illumination": Condition(illumination, "brighter at one edge", (0.25, 0.5, 0.75, 1.0), 1.0),
    "deformation": Condition(deformation, "of a side", (0.01, 0.03, 0.06, 0.1), 0.5),
    "occlusion": Condition(occlusion, "of the area", (0.05, 0.1, 0.25, 0.5), 1.0),
    "noise": Condition(noise, "standard deviation", (0.05, 0.1, 0.25, 0.5), 10.0),
}


def _angles(pictures: Pictures, rng: torch.Generator) -> Angles:
    return 2 * math.pi * torch.rand(len(pictures), generator=rng)


def _signs(pictures: Pictures, rng: torch.Generator) -> Float[Tensor, " rows"]:
    return 2.0 * torch.randint(2, (len(pictures),), generator=rng) - 1


def _identity(rows: int) -> Float[Tensor, "rows 2 2"]:
    return torch.eye(2).expand(rows, 2, 2)


def _grid(pictures: Pictures) -> Float[Tensor, "rows height width 2"]:
    """Every place, from −1 to 1 in both directions."""
    lines = torch.eye(2, 3).expand(len(pictures), 2, 3)
    return functional.affine_grid(lines, list(pictures.shape), align_corners=False)


def _warped(
    pictures: Pictures, lines: Float[Tensor, "rows 2 2"], move: Float[Tensor, "rows 2"] | None = None
) -> Pictures:
    """Pixels that look where the lines, and then the move, lead; of pictures that are not square, in
    pixels."""
    height, width = pictures.shape[-2:]
    sides = torch.tensor([float(width), float(height)])
    places = _grid(pictures) * sides
    turned = torch.einsum("rij,rhwj->rhwi", lines, places) / sides
    return _sampled(pictures, turned if move is None else turned + move[:, None, None])


def _sampled(pictures: Pictures, places: Float[Tensor, "rows height width 2"]) -> Pictures:
    return functional.grid_sample(pictures, places, padding_mode="border", align_corners=False)
