"""A book of codes: the nearest one, gradients past it, and averages that follow."""

import numpy as np
import torch

from handrail.layers.quantiser import VectorQuantiser


def maps(rows: int = 6, width: int = 3) -> torch.Tensor:
    return torch.randn(rows, width, 4, 5, generator=torch.Generator().manual_seed(0))


def test_each_place_gets_the_nearest_code() -> None:
    """van den Oord, Vinyals & Kavukcuoglu 2017, equation 1, beside distances in NumPy."""
    torch.manual_seed(0)
    layer, z = VectorQuantiser(7, 3).eval(), maps()
    flat, codes = z.movedim(1, -1).reshape(-1, 3).numpy(), layer.vectors.numpy()
    expected = ((flat[:, None] - codes[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert np.array_equal(layer.tokens(z).flatten().numpy(), expected)
    np.testing.assert_allclose(layer(z).movedim(1, -1).reshape(-1, 3).numpy(), codes[expected], atol=1e-6)


def test_gradients_pass_as_if_nothing_were_there() -> None:
    """van den Oord, Vinyals & Kavukcuoglu 2017: ∇z is copied from q(z)."""
    torch.manual_seed(0)
    layer, z = VectorQuantiser(7, 3).eval(), maps().requires_grad_()
    direction = torch.randn(z.shape)
    (layer(z) * direction).sum().backward()
    torch.testing.assert_close(z.grad, direction)


def test_codes_are_the_averages_of_what_chose_them() -> None:
    """van den Oord, Vinyals & Kavukcuoglu 2017, appendix A.1: one step, beside the formula in NumPy."""
    torch.manual_seed(0)
    layer, z = VectorQuantiser(4, 3, decay=0.9), maps()
    layer.counts.fill_(30.0)
    layer.sums.copy_(layer.vectors * 30)
    flat, before = z.movedim(1, -1).reshape(-1, 3).numpy(), layer.vectors.numpy().copy()
    chosen = ((flat[:, None] - before[None]) ** 2).sum(axis=2).argmin(axis=1)
    counts = 0.9 * 30 + 0.1 * np.bincount(chosen, minlength=4)
    sums = 0.9 * 30 * before + 0.1 * np.stack([flat[chosen == code].sum(axis=0) for code in range(4)])
    layer.train()(z)
    np.testing.assert_allclose(layer.vectors.numpy(), sums / counts[:, None], rtol=1e-4)


def test_codes_that_nobody_chooses_begin_anew_where_something_is() -> None:
    """Dhariwal et al. 2020 (restarts): eight clusters, sixty codes that all begin far away."""
    torch.manual_seed(1)
    centres = torch.randn(8, 2) * 10
    layer = VectorQuantiser(60, 2, decay=0.9)
    layer.vectors.fill_(100.0)
    for _ in range(60):
        drawn = centres[torch.randint(8, (256,))] + 0.1 * torch.randn(256, 2)
        layer.train()(drawn.T.reshape(1, 2, 16, 16))
    nearest = torch.cdist(centres, layer.vectors).min(dim=1).values
    assert nearest.max() < 0.5
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    layer.eval()(centres.T.reshape(1, 2, 2, 4))
    assert all(torch.equal(value, layer.state_dict()[name]) for name, value in state.items())


def test_vectors_that_are_no_numbers_are_left_to_the_loss() -> None:
    """A training that diverges is told by its loss; nothing here fails before."""
    torch.manual_seed(0)
    layer, z = VectorQuantiser(7, 3), maps()
    for bad in (float("nan"), float("inf"), 1e30):
        z[0, 0, 0, 0] = bad
        assert layer(z).shape == z.shape
