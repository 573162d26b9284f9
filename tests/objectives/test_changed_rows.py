"""Where augmentation changes rows in a way that their targets have to follow, the objective follows."""

import torch
from torch import Tensor, nn

from handrail.augmentation.flip import Flip
from handrail.augmentation.mixup import Mixup
from handrail.network import Network
from handrail.objectives.objective import Objective
from handrail.shapes import ImageShape

SHAPE = ImageShape(1, 6, 8)


def pixels(rows: int = 16) -> Tensor:
    return torch.rand(rows, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_mixed_rows_are_measured_against_both_targets_in_training_alone() -> None:
    torch.manual_seed(0)
    mixup = Mixup(SHAPE, alpha=1.0)
    network = Network(None, [mixup], nn.Sequential(nn.Flatten(), nn.Linear(48, 3)))
    targets, objective = torch.arange(16) % 3, Objective("cross_entropy")
    total, outputs = objective(network.train(), pixels(), targets)
    assert mixup.mixture is not None
    share, order = mixup.mixture
    of = nn.functional.cross_entropy
    expected = share * of(outputs, targets, reduction="none") + (1 - share) * of(
        outputs, targets[order], reduction="none"
    )
    torch.testing.assert_close(total, expected.mean())
    assert not torch.isclose(total, of(outputs, targets))
    total, outputs = objective(network.eval(), pixels(), targets)
    torch.testing.assert_close(total, of(outputs, targets))


def test_masks_are_mirrored_with_their_pictures_in_training_alone() -> None:
    """A network that answers with the picture itself is right about its mask, however both are turned."""
    masks = (pixels()[:, 0] > 0.5).to(torch.uint8)
    network = Network(None, [Flip(SHAPE, direction="both")], nn.Identity())
    objective = Objective("pixel_cross_entropy")
    inputs = masks.unsqueeze(1).float() * 40 - 20
    torch.manual_seed(0)
    total, outputs = objective(network.train(), inputs, masks)
    assert not torch.equal(outputs, inputs), "nothing was turned"
    assert total < 1e-6
    assert objective.mean(outputs, masks) > 1, "the masks did not have to follow"
    assert objective(network.eval(), inputs, masks)[0] < 1e-6
