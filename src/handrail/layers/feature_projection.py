"""From a unit of a convolutional network back to the pixels that it answers to."""

from contextlib import ExitStack
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Tiles

Pictures = Float[Tensor, "rows channels height width"]
SHOWN = 6  # features of a row


@torch.no_grad()
def convolutions_used(model: nn.Module, x: Pictures) -> list[nn.Conv2d]:
    """The convolutions over pictures, in the order in which the model uses them."""
    used: list[Any] = []
    with ExitStack() as stack:
        for each in model.modules():
            if isinstance(each, nn.Conv2d):
                stack.callback(each.register_forward_hook(lambda layer, *_: used.append(layer)).remove)
        model(x)
    return used


def project_feature(model: nn.Module, layer: nn.Module, x: Pictures, feature: int) -> Pictures:
    """What the strongest unit of a feature map stands for in each picture, in its pixels.

    The unit's own value goes back alone: through convolutions by the transposed ones, through max pooling to
    where the maximum was, and through ReLU by another ReLU, which lets positive values through, whatever the
    unit was on the way up. Through anything else it goes back as a slope does.

    Arguments:
        layer: of the model; its maps are `[rows, features, height, width]`.
        feature: the map, counted from 0.

    Raises: `ValueError` for a layer that the model does not use.

    Source: Zeiler & Fergus 2014
    """
    features = torch.full((len(x), 1), feature, dtype=torch.int64, device=x.device)
    return _project(model, layer, x, lambda _maps: features)[:, 0]


def strongest_features(model: nn.Module, layer: nn.Module, x: Pictures, count: int) -> Tensor:
    """As `project_feature`, of the strongest features of each picture.

    Returns: `[rows, features, channels, height, width]`.
    """
    return _project(
        model, layer, x, lambda maps: maps.flatten(2).amax(2).argsort(1, descending=True)[:, :count]
    )


def feature_pictures(model: nn.Module, x: Pictures) -> list[Tiles]:
    """Some rows beside what the strongest features of the last convolution stand for in them.

    None of a model without convolutions, or where they are not of the rows.
    """
    used = convolutions_used(model, x)
    if not used:
        return []
    back = strongest_features(model, used[-1], x, SHOWN)
    what = "of the last convolution, alone, projected back to pixels by a deconvolutional network"
    return [projections_shown(x, back, what)] if back.any() else []


def projections_shown(x: Pictures, back: Float[Tensor, "rows features ..."], what: str) -> Tiles:
    """Rows beside what their strongest features stand for.

    Arguments:
        back: projections of each row's features, the strongest first.
        what: whose features they are, and how they came to be pixels.
    """
    beside = [_in_scale_of(each, x) for each in back.unbind(dim=1)]
    tiles = torch.stack([x.to(back), *beside], dim=1).mean(dim=2)
    columns = tiles.shape[1]
    headings = ("row", *(f"no. {place}" for place in range(1, columns)))
    note = f"The strongest unit of each of the strongest maps {what}; each in a scale of its own."
    pictures = tiles.flatten(0, 1).float().cpu().numpy()
    return Tiles("What features stand for", pictures, note, columns, headings=headings)


def _project(
    model: nn.Module, layer: nn.Module, x: Pictures, choose: Any
) -> Float[Tensor, "rows chosen ..."]:
    kept: list[Any] = []
    with ExitStack() as stack, torch.inference_mode(False), torch.enable_grad():
        stack.callback(layer.register_forward_hook(lambda _layer, _given, maps: kept.append(maps)).remove)
        for each in model.modules():
            if isinstance(each, nn.ReLU):
                stack.callback(each.register_full_backward_hook(_rectify).remove)
        pixels = x.detach().clone().requires_grad_(True)
        model(pixels)
        if not kept:
            raise ValueError("the model does not use this layer")
        maps: Tensor = kept[-1]
        features: Int64[Tensor, "rows chosen"] = choose(maps.detach())
        strongest = maps.flatten(2).amax(dim=2).gather(1, features)  # [rows, chosen]
        back = []
        for values in strongest.unbind(dim=1) if strongest.requires_grad else ():
            own = (values * values.detach()).sum()
            (slope,) = torch.autograd.grad(own, pixels, retain_graph=True, allow_unused=True)
            back.append(torch.zeros_like(pixels) if slope is None else slope)
        return torch.stack(back, dim=1) if back else x.new_zeros(len(x), features.shape[1], *x.shape[1:])


def _rectify(_layer: nn.Module, _given: Any, gave: Any) -> Any:
    return (gave[0].relu(),)


def _in_scale_of(x: Pictures, beside: Pictures) -> Pictures:
    """Pictures around 0, each stretched to the reach of those beside it, with 0 in their middle."""
    reach = x.flatten(1).abs().amax(dim=1).clamp_min(torch.finfo(x.dtype).tiny).view(-1, 1, 1, 1)
    low, high = beside.aminmax()
    return (low + high) / 2 + x / reach * (high - low) / 2
