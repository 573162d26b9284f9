"""Learning by gradient for many networks stacked in one tensor, each with settings of its own.

Calling a step costs a small network more than the step; a program of 64 took 0.84 ms a step (decision 0017).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from handrail.components import build, is_object, parse
from handrail.learning.fast.fused_adam import Stepping
from handrail.learning.optimizers import DECAY_APART, ELEMENTWISE, RATE_INSIDE, by_norm, by_value
from handrail.learning.rules.gradient import Gradient

Stack = dict[str, Tensor]
_CLIPS = {by_norm: "norm", by_value: "value"}


def why_not_stackable(rule: Gradient) -> str:
    """Why a rule cannot learn for a whole stack; empty where it can."""
    spec = rule.specs[0]
    name = "" if is_object(spec) else parse(spec, "optimizer")[0]
    if name not in ELEMENTWISE:
        return f"the optimizer {name or type(spec).__name__} looks at a network as a whole"
    if is_object(rule.specs[1]):
        return "their schedule is an object"
    if rule.clip is not None and getattr(rule.clip, "func", rule.clip) not in _CLIPS:
        return "their clipping has no stacked form"
    return ""


@dataclass(frozen=True)
class _Settings:
    """One network's optimizer, by its name and all arguments."""

    name: str
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, rule: Gradient) -> "_Settings":
        return cls(*parse(rule.specs[0], "optimizer"))

    @property
    def rate(self) -> float:
        return float(self.arguments["learning_rate"])

    @property
    def decay(self) -> float:
        return float(self.arguments.get("weight_decay", 0.0))

    @property
    def forgets(self) -> bool:
        """Whether a decay of 1 leaves the step alone: θ ← (1 − 1·1)·θ + Δ."""
        return self.name in DECAY_APART

    @property
    def bare(self) -> "_Settings":
        """For steps of rate 1 without decay, which networks can share that differ in these alone."""
        if self.name in RATE_INSIDE:
            return self
        decay = {"weight_decay": float(self.forgets)} if "weight_decay" in self.arguments else {}
        return _Settings(self.name, {**self.arguments, "learning_rate": 1.0, **decay})

    def build(self, tensors: list[Tensor]) -> torch.optim.Optimizer:
        return build("optimizer", {self.name: dict(self.arguments)}, tensors)


@dataclass(frozen=True)
class _Group:
    """Neighbours in the stack that share one of torch's optimizers, and the tensors that it changes."""

    part: slice
    optimizer: torch.optim.Optimizer
    slots: list[Tensor]
    stepping: Stepping


class StackedGradient:
    """θₖ ← θₖ + ηₖ·Δ(gₖ), for networks k with their own learning rates, decays, schedules and clipping.

    The steps Δ for η = 1 are torch's own optimizers': they change zeros that stand beside the parameters.
    Networks whose settings differ in more than learning rate and decay (momentum, another optimizer) have a
    torch optimizer each for their slice of the stack; `order` brings equal ones together. Where all are
    equal, one torch optimizer changes the parameters themselves.

    Arguments:
        rules: a `Gradient` for each network, in the order of the stack.
        parameters: `[networks, ...]` each; changed in place by `step`.
        steps: of the whole training.
    """

    def __init__(self, rules: Sequence[Gradient], parameters: Stack, *, steps: int) -> None:
        self.rules = list(rules)
        self.settings = [_Settings.of(rule) for rule in rules]
        pairs = zip(rules, self.settings, strict=True)
        self.schedules = [_Schedule(rule, settings.rate, steps) for rule, settings in pairs]
        self.alike = len({repr(rule.specs) for rule in rules}) == 1 and self.schedules[0].is_formula
        self.taken = 0
        self._lay_out(parameters)

    @staticmethod
    def order(rules: Sequence[Gradient]) -> list[int]:
        """Positions of the rules with those that can share an optimizer beside each other."""
        keys = [repr(_Settings.of(rule).bare) for rule in rules]
        return sorted(range(len(keys)), key=lambda index: (keys.index(keys[index]), index))

    def _lay_out(self, parameters: Stack) -> None:
        self.parameters = parameters
        first = next(iter(parameters.values()))
        self._like = {"dtype": first.dtype, "device": first.device}
        changed = {} if self.alike else parameters
        self.changes = {name: torch.zeros_like(value) for name, value in changed.items()}
        self.groups = list(self._group())
        decays = [0.0 if self._is_direct(settings) else settings.decay for settings in self.settings]
        pairs = zip(decays, self.settings, strict=True)
        through = [decay * (settings.name not in DECAY_APART) for decay, settings in pairs]
        self.decay_through = self._vector(through) if any(through) else None
        self.decay_apart = [decay - inside for decay, inside in zip(decays, through, strict=True)]
        self._rates: tuple[list[float], list[Tensor], list[Tensor]] | None = None
        self._forget = all(settings.forgets for settings in self.settings)
        self._unclipped = all(rule.clip is None for rule in self.rules)
        still = all(schedule.is_constant for schedule in self.schedules)
        self._still = [settings.rate for settings in self.settings] if still else None

    def _is_direct(self, settings: _Settings) -> bool:
        """Whether torch's optimizer changes the parameters themselves."""
        return self.alike or settings.name in RATE_INSIDE

    def _group(self) -> Iterator[_Group]:
        bare = [settings.bare for settings in self.settings]
        start = 0
        for stop in range(1, len(bare) + 1):
            if stop == len(bare) or bare[stop] != bare[start]:
                settings = self.settings[start]
                direct = self._is_direct(settings)
                stack = self.parameters if direct else self.changes
                slots = [value[start:stop] for value in stack.values()]
                optimizer = (settings if direct else bare[start]).build(slots)
                yield _Group(slice(start, stop), optimizer, slots, Stepping(optimizer))
                start = stop

    def _vector(self, numbers: Sequence[float]) -> Float[Tensor, " networks"]:
        return torch.tensor(numbers, dtype=torch.float64).to(**self._like)

    def rates(self) -> list[float]:
        """The learning rate of each network at the step to come."""
        if self.alike:
            return [self.schedules[0].rate(self.taken)] * len(self.schedules)
        if self._still is not None:
            return self._still
        return [schedule.rate(self.taken) for schedule in self.schedules]

    @torch.no_grad()
    def step(self, gradients: Stack) -> None:
        """Change the parameters once, and the gradients too."""
        self._clip(gradients)
        if self.decay_through is not None:
            for name, gradient in gradients.items():
                gradient.addcmul_(self.parameters[name], wide(self.decay_through, gradient))
        rates = self.rates()
        one = len(self.groups) == 1
        for group in self.groups:
            for slot, gradient in zip(group.slots, gradients.values(), strict=True):
                slot.grad = (gradient if one else gradient[group.part]).contiguous()
            if self._is_direct(self.settings[group.part.start]):
                group.optimizer.param_groups[0]["lr"] = rates[group.part.start]
            group.stepping.step()
        if self.changes:
            self._take_changes(rates)
        self.taken += 1

    def _take_changes(self, rates: list[float]) -> None:
        """Add what torch's optimizers made of the zeros, by each network's learning rate."""
        parameters, changes = list(self.parameters.values()), list(self.changes.values())
        if self._rates is None or self._rates[0] != rates:
            left = [1 - rate * decay for rate, decay in zip(rates, self.decay_apart, strict=True)]
            factor, shrink = self._vector(rates), self._vector(left)
            shrinks = [wide(shrink, change) for change in changes] if any(self.decay_apart) else []
            self._rates = (rates, [wide(factor, change) for change in changes], shrinks)
        _, factors, shrinks = self._rates
        if shrinks:
            torch._foreach_mul_(parameters, shrinks)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_addcmul_(parameters, changes, factors)  # pyright: ignore[reportPrivateImportUsage]
        if not self._forget:
            torch._foreach_zero_(changes)  # pyright: ignore[reportPrivateImportUsage]

    def _clip(self, gradients: Stack) -> None:
        if self._unclipped:
            return
        clips = [rule.clip for rule in self.rules]
        limits = {kind: self._vector([_limit(clip, kind) for clip in clips]) for kind in _CLIPS.values()}
        squares = [gradient.flatten(1).square().sum(1) for gradient in gradients.values()]
        norms = torch.stack(squares).sum(0).sqrt()
        shorter = (limits["norm"] / (norms + 1e-6)).clamp(max=1.0)  # torch's own clipping adds the same
        for gradient in gradients.values():
            largest = wide(limits["value"], gradient)
            gradient.mul_(wide(shorter, gradient)).clamp_(-largest, largest)

    def observe(self, losses: Mapping[int, float]) -> None:
        """Plateau schedules follow the validation loss of their network."""
        for position, loss in losses.items():
            self.schedules[position].observe(loss)

    def keep(self, positions: list[int], parameters: Stack) -> None:
        """Go on with some of the networks only, on new parameters."""
        before, places = self.groups, torch.tensor(positions)
        self.rules = [self.rules[position] for position in positions]
        self.settings = [self.settings[position] for position in positions]
        self.schedules = [self.schedules[position] for position in positions]
        self._lay_out(parameters)
        for group in self.groups:
            rows = places[group.part]
            old = next(other for other in before if other.part.start <= int(rows[0]) < other.part.stop)
            for slot, old_slot in zip(group.slots, old.slots, strict=True):
                state = old.optimizer.state[old_slot]
                group.optimizer.state[slot] = {
                    key: value[rows - old.part.start].clone() if _is_like(value, old_slot) else value
                    for key, value in state.items()
                }

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on exactly."""
        optimizers = [group.optimizer.state_dict()["state"] for group in self.groups]
        schedules = [schedule.state() for schedule in self.schedules]
        return {"taken": self.taken, "optimizers": optimizers, "schedules": schedules}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`, with the same networks in the same order."""
        self.taken = state["taken"]
        for group, saved in zip(self.groups, state["optimizers"], strict=True):
            group.optimizer.load_state_dict({**group.optimizer.state_dict(), "state": saved})
            group.stepping.forget()
        for schedule, saved in zip(self.schedules, state["schedules"], strict=True):
            schedule.load(saved)


class _Schedule:
    """One network's learning rate: a formula of the step, or by its validation losses."""

    def __init__(self, rule: Gradient, rate: float, steps: int) -> None:
        own = torch.optim.SGD([torch.zeros(1)], lr=rate)
        self._follower: Any = build("schedule", rule.specs[1], own, steps, where="learning.gradient.schedule")
        self._optimizer, self._rate = own, rate
        self.is_constant = parse(rule.specs[1], "schedule")[0] == "constant"
        self._factor = self._follower.lr_lambdas[0] if isinstance(self._follower, LambdaLR) else None
        self.is_formula = self._factor is not None

    def rate(self, step: int) -> float:
        """At a step, counted from 0."""
        if self._factor is None:
            return self._optimizer.param_groups[0]["lr"]
        return self._rate * self._factor(step)

    def observe(self, loss: float) -> None:
        if self._factor is None:
            self._follower.step(loss)

    def state(self) -> dict[str, Any]:
        """Plain numbers."""
        if self._factor is not None:
            return {}
        state = self._follower.state_dict().items()
        plain = {key: value for key, value in state if isinstance(value, int | float | str)}
        return {"follower": plain, "rate": self.rate(0)}

    def load(self, state: dict[str, Any]) -> None:
        if state:
            self._follower.load_state_dict(state["follower"])
            self._optimizer.param_groups[0]["lr"] = state["rate"]


def _is_like(value: Any, slot: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == slot.shape


def _limit(clip: Any, kind: str) -> float:
    if clip is None or _CLIPS[getattr(clip, "func", clip)] != kind:
        return torch.inf
    return float(getattr(clip, "keywords", {}).get("limit", 1.0))


def wide(vector: Tensor, like: Tensor) -> Tensor:
    """A number for each network, to be multiplied with tensors of all of them."""
    return vector.view(-1, *(1 for _ in like.shape[1:]))
