"""A reservoir: units that are connected at random, remember what was put in, and are never taught."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from handrail.errors import RecipeError
from handrail.layers.sparse import sparse_matrix

_WATCHED = 1000  # steps within which states that began apart have to come together
_APART = 1e-6  # how far they may still be, as a share of how far they were
_FEWEST_WINDOWS = 16  # that are read in one pass
_OVERHEAD = 25_000
_SAME = 5e-11  # how far states, halved, may be apart that have heard more or less before a window
_LOOK = 16  # steps from one look at that to the next
_STEPS_AT_ONCE = 16
_DENSE = 300  # units, up to which all eigenvalues are found rather than the largest alone


class Reservoir(nn.Module):
    """x(t) = (1 − a)·x(t−1) + a·tanh(W_in·u(t) + W·x(t−1) + b), in double precision, from x = 0.

    Each unit hears `degree` others. W, W_in and b are uniform around 0; W is then scaled to its spectral
    radius, the size of its largest eigenvalue. Below 1 the states forget how they began, whatever was put in;
    above they may or may not (echo state property), so that it is tried: two states that begin apart have to
    come together under noise as input.

    Arguments:
        channels: numbers of an input step.
        leak: a; the smaller, the slower the units.
        input_scale, bias_scale: the largest weight from an input, and the largest bias.

    Raises: `RecipeError` for states that do not forget how they began.

    Source: Jaeger 2001; leaky units: Jaeger et al. 2007
    """

    input_weights: Tensor
    senders: Tensor
    weights: Tensor
    biases: Tensor

    def __init__(
        self,
        channels: int,
        units: int,
        *,
        spectral_radius: float,
        leak: float,
        input_scale: float,
        bias_scale: float,
        degree: int,
    ) -> None:
        super().__init__()
        self.units, self.leak = units, leak
        degree = min(degree, units)
        self.register_buffer("input_weights", _uniform(units, channels) * input_scale)
        self.register_buffer("biases", _uniform(units, 1) * bias_scale)
        self.register_buffer("senders", torch.rand(units, units).argsort(dim=1)[:, :degree].contiguous())
        self.register_buffer("weights", _uniform(units, degree))
        radius = largest_eigenvalue(self.matrix())
        self.weights.mul_(spectral_radius / radius if radius else 0.0)
        if spectral_radius >= 1:
            self._refuse_long_memory(spectral_radius)

    def forward(
        self, x: Float[Tensor, "rows channels steps"], state: Float[Tensor, "units rows"] | None = None
    ) -> Float[Tensor, "units rows"]:
        """The state after all steps; `state`: to begin with.

        Rows that are neighbouring windows of one series share their steps where they have forgotten, by the
        end of a window, what came before it (to 10⁻¹⁰, tried on some of them).
        """
        if state is None and (shared := self._in_one_pass(x)) is not None:
            return shared
        *_, last = self.states(x, state)
        return last

    def states(
        self, x: Float[Tensor, "rows channels steps"], state: Float[Tensor, "units rows"] | None = None
    ) -> Iterator[Float[Tensor, "units rows"]]:
        """The state after each step; `state`: to begin with."""
        halves = self._halves()
        half = (self._at_rest(x) if state is None else state).add(1).div(2)
        for some in x.split(_STEPS_AT_ONCE, dim=2):
            read = halves(some, half)
            half = read[-1]
            yield from (2 * each - 1 for each in read)

    def _at_rest(self, x: Float[Tensor, "rows channels steps"]) -> Float[Tensor, "units rows"]:
        return x.new_zeros(self.units, len(x), dtype=torch.float64)

    def _halves(self) -> Callable[[Tensor, Tensor], list[Float[Tensor, "units rows"]]]:
        """What gives q = (x + 1)/2 after each step of inputs, from one before the first.

        As tanh(z) = 2·σ(2z) − 1, q(t) = (1 − a)·q(t−1) + a·σ(2·(W_in·u(t) + W·(2q(t−1) − 1) + b)), and a σ
        takes less time than a tanh.
        """
        matrix, input_weights = self.matrix(), 2 * self.input_weights
        biases = 2 * (self.biases - matrix @ torch.ones_like(self.biases))
        matrix = 4 * matrix

        def halves(
            x: Float[Tensor, "rows channels steps"], half: Float[Tensor, "units rows"]
        ) -> list[Float[Tensor, "units rows"]]:
            read = []
            for heard in torch.matmul(input_weights, x.permute(2, 1, 0).double()) + biases:
                inner = torch.addmm(heard, matrix, half).sigmoid()
                half = inner if self.leak == 1 else torch.lerp(half, inner, self.leak)
                read.append(half)
            return read

        return halves

    def _in_one_pass(self, x: Float[Tensor, "rows channels steps"]) -> Float[Tensor, "units rows"] | None:
        """The states after windows that each begin one step after the one before; None for other rows.

        The series that they make up is cut into stretches, which are read side by side: first all from rest,
        then each from where the one before it ended, until that makes no difference any more. If it takes
        fewer steps than a window has, a window's state is that of the series; else the answer is None.
        """
        rows, _, length = x.shape
        if rows < _FEWEST_WINDOWS or length < 2 or not torch.equal(x[1:, :, :-1], x[:-1, :, 1:]):
            return None
        series = torch.cat([x[0], x[1:, :, -1].T], dim=1)
        steps, halves = series.shape[1], self._halves()
        stretch = min(steps // 2, max(length, round((steps * self.units / _OVERHEAD * length) ** 0.5)))
        series = torch.cat([series, series[:, -1:].expand(-1, -steps % stretch)], dim=1)
        stretches = series.unfold(1, stretch, stretch).transpose(0, 1)
        at_rest = self._at_rest(stretches) + 0.5
        read = halves(stretches, at_rest)
        half = torch.cat([at_rest[:, :1], read[-1][:, :-1]], dim=1)
        for begin in range(0, min(length, stretch) - _LOOK, _LOOK):
            again = halves(stretches[:, :, begin : begin + _LOOK], half)
            half = again[-1]
            forgotten = (half - read[begin + _LOOK - 1]).abs().max() < _SAME
            read[begin : begin + _LOOK] = again
            if forgotten:
                states = torch.stack([each.T for each in read], dim=1).flatten(0, 1)
                return states.mul_(2).sub_(1)[length - 1 : steps].T
        return None

    def matrix(self) -> Tensor:
        """W `[units, units]` as its few connections, by which a step is several times as quick."""
        order = self.senders.argsort(dim=1)  # a row's columns rise
        columns, values = (each.gather(1, order).flatten() for each in (self.senders, self.weights))
        counts = torch.full_like(order[:, 0], order.shape[1])
        return sparse_matrix(counts, columns, values)

    def eigenvalues(self) -> Complex[np.ndarray, " units"]:
        """Those of W."""
        return np.linalg.eigvals(self.matrix().to_dense().cpu().numpy()).astype(np.complex128)

    def remembers(self, steps: int) -> float:
        """How far two states are apart after so many steps of noise, as a share of their first distance."""
        units, channels = self.input_weights.shape
        noise = torch.randn(1, channels, steps, generator=torch.Generator().manual_seed(0))
        begun = torch.ones(units, 1, dtype=torch.float64, device=self.input_weights.device)
        noise = noise.to(begun.device)
        return float((self(noise, begun) - self(noise, -begun)).abs().max()) / 2

    def _refuse_long_memory(self, spectral_radius: float) -> None:
        apart = self.remembers(_WATCHED)
        if apart > _APART:
            raise RecipeError(
                f"model.echo_state.spectral_radius: found {spectral_radius:g}, at which the network does not "
                f"forget how it began: after {_WATCHED:,} steps of noise two states are still {apart:.2g} of "
                "their first distance apart. Expected less; below 1 is safe."
            )


def _uniform(*shape: int) -> Float[Tensor, "..."]:
    """Between −1 and 1."""
    return torch.rand(*shape, dtype=torch.float64) * 2 - 1


def largest_eigenvalue(matrix: Tensor) -> float:
    """The spectral radius: the absolute value of the largest eigenvalue of a sparse matrix."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import ArpackNoConvergence, eigs

    parts = (matrix.values(), matrix.col_indices(), matrix.crow_indices())
    sparse = csr_array(tuple(part.cpu().numpy() for part in parts), shape=tuple(matrix.shape))
    if matrix.shape[0] > _DENSE:
        try:
            start = np.random.default_rng(0).standard_normal(matrix.shape[0])
            return float(np.abs(eigs(sparse, k=1, v0=start, return_eigenvectors=False)).max())
        except ArpackNoConvergence:
            pass
    return float(np.abs(np.linalg.eigvals(sparse.toarray())).max())
