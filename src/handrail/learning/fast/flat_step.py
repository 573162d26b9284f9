"""One step's forward and backward pass as a flat list of tensor operations, for small networks."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from handrail.learning.batch import Batch
from handrail.learning.fast.codegen import as_function
from handrail.learning.fast.graph import changes_something, simplify
from handrail.learning.rule import TrainingPlan
from handrail.learning.team import Team
from handrail.objectives.objective import Objective

Answer = tuple[Tensor, Sequence[Tensor]]
_REPAYS = 1000  # steps ahead: a list takes some 0.03 s to make, and saves 0.06 ms a step
_SETTLED = 8  # batches of one shape behind each other; the short last one of an epoch is none of them
_SMALL = 2e8  # operations a step: in larger ones, what stands around the products no longer counts
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class FlatSteps:
    """Loss and gradients of a batch without autograd's bookkeeping, to the same bits; nothing where it does
    not apply.

    The operations of one step are written down once, as they run (`make_fx`), without those that change
    nothing. It applies to networks and losses of this package and of torch whose layers draw no chance and
    keep no state, without penalties, in one process, on vectors of numbers. The list is used only after it
    has given the same bits as autograd for one batch.
    """

    def __init__(self, model: nn.Module, plan: TrainingPlan) -> None:
        self.whole = _Whole(model, plan.objective)
        self.model, self.parameters = model, list(model.parameters())
        self._listeners = [getattr(module, hooks) for module in model.modules() for hooks in _HOOKS]
        self._fits = plan.epochs * plan.steps >= _REPAYS and _is_plain(model, plan.objective, plan.team)
        self._shape: Any = None
        self._seen = 0
        self._step: Callable[..., Sequence[Tensor]] | None = None

    def __call__(self, batch: Batch) -> Answer | None:
        """The loss, and the gradient of each parameter; nothing where autograd has to do it."""
        if not self._fits:
            return None
        given = [part for part in (batch.inputs, batch.targets, batch.weights) if part is not None]
        shape = [(part.shape, part.dtype) for part in given if isinstance(part, Tensor)]
        if shape != self._shape:
            if self._step is None:
                self._shape, self._seen = shape, 0
            return None
        if self._is_watched():
            return None
        if self._step is None:
            self._seen += 1
            if self._seen < _SETTLED or not self._write(given):
                return None
        assert self._step is not None
        with torch.no_grad():
            loss, *gradients = self._step(*given, *self.parameters)
        return loss, gradients

    def _is_watched(self) -> bool:
        """Whether somebody listens to the layers, has compiled the network or frozen a part of it."""
        return (
            self.model._compiled_call_impl is not None
            or not all(parameter.requires_grad for parameter in self.parameters)
            or any(self._listeners)
        )

    def _write(self, given: list[Tensor]) -> bool:
        """Write the list and try it; whether it can be used."""
        rows, width = given[0].shape if given[0].ndim == 2 else (0, 0)
        large = 6 * rows * sum(parameter.numel() for parameter in self.parameters) >= _SMALL
        step = (
            None
            if large or not width or given[0].device.type != "cpu"
            else trace_operations(self._eager, [*given, *self.parameters])
        )
        if step is not None:
            with torch.no_grad():
                found, wanted = step(*given, *self.parameters), self._eager(*given, *self.parameters)
            self._step = step if all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True)) else None
        self._fits = self._step is not None
        return self._fits

    def _eager(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The loss and all gradients by autograd."""
        at = len(given) - len(self.parameters)
        leaves = [value.detach().requires_grad_() for value in given[at:]]
        state = dict(zip((name for name, _ in self.whole.named_parameters()), leaves, strict=True))
        with torch.enable_grad():
            loss = functional_call(self.whole, state, given[:at])
            return (loss.detach(), *torch.autograd.grad(loss, leaves))


class _Whole(nn.Module):
    """A network and its objective as one module."""

    def __init__(self, network: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, *batch: Tensor) -> Tensor:
        return self.objective(self.network, *batch)[0]


def _is_plain(model: nn.Module, objective: Objective, team: Team) -> bool:
    loss = getattr(objective.loss, "func", objective.loss)
    makers = [
        *(type(module) for module in model.modules()),
        loss if hasattr(loss, "__name__") else type(loss),
    ]
    homes = {str(maker.__module__).split(".")[0] for maker in makers}
    parameters = list(model.parameters())
    return (
        type(team) is Team
        # What others make may keep a state in Python, which no list would see.
        and homes <= {"torch", "handrail"}
        and not objective.penalties
        and not any(True for _ in model.buffers())
        and all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in parameters)
    )


def trace_operations(
    function: Callable[..., Sequence[Tensor]], given: Sequence[Tensor]
) -> Callable[..., Sequence[Tensor]] | None:
    """The operations that a function does with tensors of these shapes, one behind the other; nothing where
    they depend on values or on chance.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    try:
        # Layers that draw do so while they are traced, at a step that a resumed fit has elsewhere.
        with torch.random.fork_rng(devices=()):
            graph = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*given)
    except Exception:  # what a layer of somebody's own may do is unknown; autograd can do it
        return None
    operations: list[Any] = [node.target for node in graph.graph.nodes if node.op == "call_function"]
    if any(torch.Tag.nondeterministic_seeded in getattr(one, "tags", ()) for one in operations):
        return None
    return as_function(
        (graph if any(changes_something(one) for one in operations) else simplify(graph)).graph
    )
