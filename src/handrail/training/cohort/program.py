"""One step of many networks as a flat list of tensor operations, traced once for each shape of a batch."""

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, functionalize, grad_and_value, vmap
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from handrail.learning.fast.graph import as_function, simplify
from handrail.learning.fast.stacked import Stack
from handrail.learning.rule import Batch
from handrail.objectives.objective import NetworkWithObjective, Objective
from handrail.training.cohort.layers import BatchNorm, Drawing, replace_layers, stand_in, stand_in_loss
from handrail.training.speed.compilation import compile_function

_INSIDE = "network."


class Program:
    """Networks with equal layers in one stack, and what is computed with all of them at once.

    Arguments:
        networks: at their beginning; their parameters and buffers are copied.
        objective: the first network's.
        numbers: in which the objectives of the others differ from it, by argument (see `differing`).
    """

    def __init__(
        self, networks: Sequence[nn.Module], objective: Objective, numbers: Sequence[dict[str, list[float]]]
    ) -> None:
        self.network = replace_layers(copy.deepcopy(networks[0]))
        self._whole = NetworkWithObjective(self.network, stand_in_loss(objective))
        learned = [name for name, parameter in networks[0].named_parameters() if parameter.requires_grad]
        held = [name for name in _names(self.network) if name not in learned]
        states = [network.state_dict() for network in networks]
        self.parameters: Stack = {name: torch.stack([state[name] for state in states]) for name in learned}
        held = [name for name in held if name in states[0]]
        self.buffers: Stack = {name: torch.stack([state[name] for state in states]) for name in held}
        like = self._like
        self.numbers = [{name: like.new_tensor(values) for name, values in part.items()} for part in numbers]
        for name, levels in _levels(networks).items():
            self._drawing(name).stand_for(levels, like)
        self.compiled_rows = 0
        self._traced: dict[Any, _Traced] = {}

    def __len__(self) -> int:
        return len(self._like)

    @property
    def _like(self) -> Tensor:
        """A stack of parameters, for its length, type and device."""
        return next(iter(self.parameters.values()))

    @torch.no_grad()
    def step(self, batch: Batch, generators: Sequence[Generator], *, each: bool) -> tuple[Tensor, Stack]:
        """Losses `[networks]` of a batch and gradients of each network's own loss; updates running averages.

        Arguments:
            generators: each network's own.
            each: whether every network has its own rows `[networks, rows, …]`, or all the same `[rows, …]`.
        """
        self._set_mode(training=True)
        tensors = _tensors(batch)
        key = (each, *(tensor.shape for tensor in tensors))
        traced = self._traced.get(key)
        if traced is None:
            traced = self._traced[key] = self._trace(tensors, each=each)
        drawn = [layer.draw(shape, generators) for layer, shape in traced.draws]
        losses, *rest = traced.run(
            *self.parameters.values(), *self.buffers.values(), *drawn, *self._all_numbers(), *tensors
        )
        if traced.updates:
            self.buffers.update(zip(traced.updates, rest[len(self.parameters) :], strict=True))
        return losses, dict(zip(self.parameters, rest, strict=False))

    @torch.no_grad()
    def look(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Losses `[networks]` and outputs `[networks, rows, …]` for validation rows, the same for all."""
        self._set_mode(training=False)
        tensors = _tensors(batch)
        key = (None, *(tensor.shape for tensor in tensors))
        if key not in self._traced:
            self._traced[key] = self._trace_look(tensors)
        losses, outputs = self._traced[key].run(*self.state.values(), *self._all_numbers(), *tensors)
        return losses, outputs

    def streams(self, position: int) -> tuple[Any, ...]:
        """The kinds of random numbers a network draws: equal seeds and streams give the same numbers."""
        return tuple(layer.draws_alike(layer.levels[position]) for layer in self._drawings())

    @property
    def state(self) -> Stack:
        """Parameters and buffers, under the names of a network's `state_dict`."""
        return {**self.parameters, **self.buffers}

    def keep(self, positions: list[int]) -> None:
        """Go on with some of the networks only."""
        rows = torch.tensor(positions, device=self._like.device)
        for stack in (self.parameters, self.buffers, *self.numbers):
            stack.update({name: value[rows].clone() for name, value in stack.items()})
        for layer in self._drawings():
            layer.stand_for([layer.levels[position] for position in positions], self._like)
        self._traced.clear()

    def _all_numbers(self) -> list[Tensor]:
        return [value for part in self.numbers for value in part.values()]

    def _drawing(self, name: str) -> Drawing:
        layer = self.network.get_submodule(name)
        assert isinstance(layer, Drawing)
        return layer

    def _drawings(self) -> list[Drawing]:
        return [layer for layer in self.network.modules() if isinstance(layer, Drawing)]

    def _trace(self, tensors: Sequence[Tensor], *, each: bool) -> "_Traced":
        draws = self._shapes_of_draws([tensor[0] for tensor in tensors] if each else tensors)
        names = [f"{name}.drawn" for name, _ in draws]
        like = self._like
        drawn = [torch.ones((len(self), *shape), dtype=like.dtype, device=like.device) for _, shape in draws]
        updates: list[str] = []

        def loss(
            parameters: Stack, rest: Stack, numbers: list[Stack], batch: list[Tensor]
        ) -> tuple[Tensor, list[Tensor]]:
            state = {_INSIDE + name: value for name, value in {**parameters, **rest}.items()}
            value = functional_call(self._whole, state, (batch, numbers))
            averages = _running_averages(self.network)
            updates[:] = averages
            return value, list(averages.values())

        def flat(*tensors: Tensor) -> tuple[Tensor, ...]:
            parts = iter(tensors)
            parameters = {name: next(parts) for name in self.parameters}
            rest = {name: next(parts) for name in (*self.buffers, *names)}
            numbers = [{name: next(parts) for name in part} for part in self.numbers]
            step = vmap(grad_and_value(loss, has_aux=True), in_dims=(0, 0, 0, 0 if each else None))
            gradients, (value, changed) = step(parameters, rest, numbers, list(parts))
            return (value, *gradients.values(), *changed)

        arguments = (
            *self.parameters.values(),
            *self.buffers.values(),
            *drawn,
            *self._all_numbers(),
            *tensors,
        )
        run = simplify(_graph(flat, arguments), lasting=list(self.parameters.values()))
        rows = tensors[0].shape[1 if each else 0]
        step = compile_function(run, like.device) if rows == self.compiled_rows else as_function(run.graph)
        return _Traced(step, [(self._drawing(name), shape) for name, shape in draws], tuple(updates))

    def compile(self, rows: int) -> None:
        """Compile steps with batches of so many rows from now on; 0 undoes it."""
        self.compiled_rows = rows
        self._traced.clear()

    def _trace_look(self, tensors: Sequence[Tensor]) -> "_Traced":
        def evaluate(
            state: Stack, numbers: list[Stack], inputs: Tensor, targets: Tensor, weights: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            outputs: Tensor = functional_call(self.network, state, (inputs,))
            return self._whole.objective.with_numbers(numbers).mean(outputs, targets, weights), outputs

        def flat(*tensors: Tensor) -> tuple[Tensor, Tensor]:
            parts = iter(tensors)
            state = {name: next(parts) for name in self.state}
            numbers = [{name: next(parts) for name in part} for part in self.numbers]
            batch = tuple(parts)
            return vmap(evaluate, in_dims=(0, 0, *(None for _ in batch)))(state, numbers, *batch)

        arguments = (*self.state.values(), *self._all_numbers(), *tensors)
        return _Traced(as_function(simplify(_graph(flat, arguments)).graph), [], ())

    def _set_mode(self, *, training: bool) -> None:
        """Only where it changes: going through all layers takes longer than many a step."""
        if self.network.training != training:
            self.network.train(training)

    @torch.no_grad()
    def _shapes_of_draws(self, tensors: Sequence[Tensor]) -> list[tuple[str, tuple[int, ...]]]:
        """The shapes that the layers draw for such a batch, in the order in which they run."""
        order: list[str] = []

        def note(name: str, *_ignored: Any) -> None:
            order.append(name)

        layers = {name: layer for name, layer in self.network.named_modules() if isinstance(layer, Drawing)}
        hooks = [layer.register_forward_hook(functools.partial(note, name)) for name, layer in layers.items()]
        try:
            self.network(tensors[0])
        finally:
            for hook in hooks:
                hook.remove()
        return [(name, layers[name].shape) for name in order]


class _Traced(NamedTuple):
    """A traced step, what has to be drawn for it, and which buffers it brings up to date."""

    run: Callable[..., Any]
    draws: list[tuple[Drawing, tuple[int, ...]]]
    updates: tuple[str, ...]


def _graph(function: Callable[..., Any], arguments: Sequence[Tensor]) -> GraphModule:
    """A function's operations, none in place; fake tensors save the computing, three quarters of the time."""
    return make_fx(functionalize(function), tracing_mode="fake", _allow_non_fake_inputs=True)(*arguments)


def _names(network: nn.Module) -> list[str]:
    """Of parameters and buffers, tied ones once."""
    return [name for name, _ in (*network.named_parameters(), *network.named_buffers())]


def _tensors(batch: Batch) -> list[Tensor]:
    return [part for part in (batch.inputs, batch.targets, batch.weights) if part is not None]


def _levels(networks: Sequence[nn.Module]) -> dict[str, list[float]]:
    """The settings of the layers that draw, by the layer's name: one for each network."""
    levels: dict[str, list[float]] = {}
    for network in networks:
        for name, layer in network.named_modules():
            kind = stand_in(layer)
            if kind is not None and issubclass(kind, Drawing):
                levels.setdefault(name, []).append(kind.level(layer))
    return levels


def _running_averages(network: nn.Module) -> Stack:
    """The new running averages, by the name of the buffer."""
    norms = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, BatchNorm)]
    return {f"{name}.{key}": value for name, layer in norms for key, value in layer.updated.items()}
