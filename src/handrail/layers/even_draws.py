"""Normal numbers that are spread more evenly than by chance."""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

_EDGE = 1e-9  # of the uniform numbers, which have no normal number at 0 and 1


@functools.lru_cache(maxsize=8)
def even_normals(draws: int, width: int) -> Float[Tensor, "draws width"]:
    """Draws of N(0, I), always the same: Sobol points, scrambled, through the normal quantile function.

    Rows wider than Sobol points can be (21,201 numbers) are drawn as usual.

    Source: Sobol 1967; scrambled: Owen 1998
    """
    with torch.inference_mode(False):  # kept for whoever asks next, with slopes or without
        if width > torch.quasirandom.SobolEngine.MAXDIM:
            return torch.randn(draws, width, generator=torch.Generator().manual_seed(0)).double()
        engine = torch.quasirandom.SobolEngine(width, scramble=True, seed=0)
        uniform = engine.draw(draws, dtype=torch.float64)
        return torch.special.ndtri(uniform.clamp(_EDGE, 1 - _EDGE))
