"""The engine of a cohort: many networks with equal layers trained as one program, each with its own progress.

It follows `handrail.training.engine` step by step: the same orders of rows, the same random numbers, the same
validations, so that a network comes out as it would alone but for rounding. One that stops early, or whose
loss is not a number, leaves; the others go on.
"""

import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from handrail.data.rows import row_bytes
from handrail.learning.fast.stacked import Stack, StackedGradient
from handrail.learning.rule import Batch
from handrail.learning.rules.gradient import Gradient
from handrail.tasks.scoring import rows_at_once
from handrail.training.callbacks import Callbacks
from handrail.training.checkpoint import load_state, save_state
from handrail.training.cohort.program import Program
from handrail.training.diagnosis import describe_loss, describe_validation_loss
from handrail.training.job import Setup
from handrail.training.seeds import derive, generator
from handrail.training.signals import Interrupted, StopRequest
from handrail.training.speed.threads import Threads
from handrail.training.stopping import BLOCK, Limits, Progress, rows_to_gather, weighted_mean

# The stack is made smaller once at most that share of it still learns: a new program has to be traced.
_LEAVE = 0.5


@dataclass(eq=False)
class Member:
    """One network of a cohort, as its listeners see it."""

    name: str
    model: nn.Module
    seed: int
    limits: Limits
    callbacks: Callbacks
    generator: Generator
    losses: Mapping[int, float] = field(default_factory=dict)
    "By epoch, what its schedule observes where there are no validation rows."
    progress: Progress = field(default_factory=Progress)
    ended: Stack = field(default_factory=dict)
    "Its weights once it has stopped: the best ones, where there are validation rows."
    failure: str = ""

    @property
    def learns(self) -> bool:
        """Whether it has not stopped yet."""
        return not self.progress.done and not self.failure


class CohortEngine:
    """Several trainings at once.

    Arguments:
        members: the networks, in the order of the stack.
        program: their stack.
        rules: of each.
        setup: what a training follows, the same for all: rows, order, validation.
        file: where the checkpoint is kept; without one there is none.
    """

    def __init__(
        self,
        members: Sequence[Member],
        program: Program,
        rules: Sequence[Gradient],
        *,
        setup: Setup,
        file: Path | None,
        stop_request: StopRequest,
    ) -> None:
        self.members, self.program, self.setup = list(members), program, setup
        self.rule = StackedGradient(rules, program.parameters, steps=setup.plan.epochs * setup.plan.steps)
        self.stacked = self.members[:]  # those in the stack, in its order
        self.best: Stack = {name: value.clone() for name, value in program.state.items()}
        self.file, self.stop_request = file, stop_request
        self.threads = Threads(self.prepare, operations=0, free=False)
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self._row_bytes = row_bytes(setup.train.inputs)
        self._saved_at = time.monotonic()

    def prepare(self) -> None:
        """Trace a step of a whole batch and take it, without any effect.

        Raises: whatever a layer raises that cannot be stacked, and a warning where torch would run one
        network after another.
        """
        buffers = dict(self.program.buffers)
        rows = torch.arange(min(self.setup.limits.batch_size, len(self.setup.train)))
        each = len({member.seed for member in self.members}) > 1
        rows = rows.unsqueeze(1).expand(-1, len(self.members)) if each else rows
        generators = [member.generator for member in self.members]
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="There is a performance drop")
            self.program.step(next(self._batches(rows)), generators, each=each)
        self.program.buffers = buffers

    def run(self) -> None:
        """Train all to their ends, and leave the best weights in their models."""
        within = self._resume()
        for member in self.members:
            member.callbacks.notify("on_train_begin", member)
        try:
            while any(member.learns for member in self.stacked):
                self._epoch(within)
                within = False
            self._save()
        finally:
            for member in self.members:
                member.callbacks.notify("close")
        for member in self.members:
            _load_into(member.model, member.ended)
            member.callbacks.notify("on_train_end", member)

    def _epoch(self, within: bool) -> None:
        number = self.epoch + 1
        if not within:
            self._make_smaller()
            for member in self.stacked:
                member.generator.manual_seed(derive(member.seed, "epoch", number))
        for member in self.stacked:
            if member.learns:
                member.callbacks.notify("on_epoch_begin", member, number)
        began = time.perf_counter() - self.seconds
        orders = self._orders(number)
        size = self.setup.limits.batch_size
        for start in range(self.step * size, len(orders), BLOCK * size):
            self._block(orders[start : start + BLOCK * size])
            self.seconds = time.perf_counter() - began
            if self.stop_request or time.monotonic() - self._saved_at > self.setup.limits.checkpoint_seconds:
                self._save()
                if self.stop_request:
                    raise Interrupted.in_epoch(number, self.step, self.stop_request.number)
        self._close_epoch(number, time.perf_counter() - began)

    def _orders(self, number: int) -> Tensor:
        """The rows of an epoch `[rows, networks]`, or `[rows]` where all networks have the same seed."""
        seeds = dict.fromkeys(member.seed for member in self.stacked)
        orders = {seed: self.setup.order(generator(seed, "order", number)) for seed in seeds}
        if len(seeds) == 1:
            return next(iter(orders.values()))
        return torch.stack([orders[member.seed] for member in self.stacked], dim=1)

    def _block(self, rows: Tensor) -> None:
        """Up to 64 steps, then one look at their losses."""
        before = {name: value.clone() for name, value in self.program.state.items()}
        begun, losses = self.step, []
        self.threads.begin()
        generators = [member.generator for member in self.stacked]
        for batch in self._batches(rows):
            loss, gradients = self.program.step(batch, generators, each=rows.ndim == 2)
            self.rule.step(gradients)
            losses.append(loss)
            self.step += 1
            if self.stop_request:
                break
        losses_by_member = torch.stack(losses).T.tolist()
        self.threads.end(len(losses))
        for position, (member, own) in enumerate(zip(self.stacked, losses_by_member, strict=True)):
            if member.learns:
                self._judge(member, position, own, before, begun)

    def _batches(self, rows: Tensor) -> Iterator[Batch]:
        """The batches of a block: gathered many at once where all networks see the same."""
        size, train = self.setup.limits.batch_size, self.setup.train
        if rows.ndim == 2:
            yield from (_divide(train.take(part.T.reshape(-1)), part.shape[1]) for part in rows.split(size))
            return
        for gathered in (train.take(part) for part in rows.split(rows_to_gather(size, self._row_bytes))):
            yield from (gathered.cut(start, start + size) for start in range(0, len(gathered), size))

    def _judge(self, member: Member, position: int, losses: list[float], before: Stack, begun: int) -> None:
        """A network whose loss is not a number, or has exploded, stops with its last good weights."""
        progress = member.progress
        bad = progress.first_fault(losses)
        if bad is None:
            progress.measured.setdefault("loss", []).extend(losses)
            progress.step = self.step
            return
        if not progress.best_epoch:
            self._note_best([position], before)
            progress.best_epoch = self.epoch
        member.ended = _slice(self.best, position)
        rate = self.rule.rates()[position]
        fault = describe_loss(losses[bad], f"epoch {self.epoch + 1}, step {begun + bad + 1}")
        member.failure = (
            f"{fault} Try a smaller learning rate (it is {rate:g}). The weights of epoch "
            f"{progress.best_epoch} are kept."
        )

    def _close_epoch(self, number: int, seconds: float) -> None:
        """Validate, note, decide for each network whether it goes on."""
        rates = self.rule.rates()
        learning = [(place, member) for place, member in enumerate(self.stacked) if member.learns]
        seconds /= max(1, len(learning))  # each its share, so that the sum is the time that has passed
        validation = self._validate([member for _, member in learning if member.limits.validates(number)])
        losses: dict[int, float] = {}
        improved: list[int] = []
        for position, member in learning:
            progress = member.progress
            figures = {"step": float(self.step), **progress.figures()}
            figures |= {"seconds": seconds, "learning_rate": rates[position]}
            if member.name in validation:
                own = validation[member.name]
                figures |= {f"val_{name}": value for name, value in own.items()}
                losses[position] = own["loss"]
                improved += [position] if self._compare(member, number, own["loss"]) else []
            elif self.setup.validation is None and number in member.losses:
                losses[position] = member.losses[number]
            if not member.failure:
                progress.close(number, seconds, member.limits)
                member.callbacks.notify("on_epoch_end", member, number, figures)
        self._note_best(improved, self.program.state)
        self.rule.observe(losses)
        self.epoch, self.step, self.seconds = number, 0, 0.0
        for position, member in enumerate(self.stacked):
            if not member.learns and not member.ended:
                has_best = member.progress.best_epoch or member.failure
                member.ended = _slice(self.best if has_best else self.program.state, position)

    def _compare(self, member: Member, number: int, loss: float) -> bool:
        """Whether this is the best of a network so far; one without a loss stops."""
        if math.isfinite(loss):
            return member.progress.improves(number, loss, member.limits.min_delta)
        member.failure = describe_validation_loss(loss, number, member.progress.best_epoch)
        return False

    def _note_best(self, positions: list[int], state: Stack) -> None:
        """Keep the weights of some networks as their best ones."""
        if positions:
            rows = torch.tensor(positions, device=next(iter(state.values())).device)
            for name, value in state.items():
                self.best[name][rows] = value[rows]

    def _validate(self, members: Sequence[Member]) -> dict[str, dict[str, float]]:
        """Figures on validation rows of each of these networks."""
        rows = self.setup.validation
        if rows is None or not members:
            return {}
        sums: dict[str, dict[str, list[tuple[float, float]]]] = {member.name: {} for member in members}
        size = max(256, rows_at_once(rows.inputs) // len(self.stacked))
        for start in range(0, len(rows), size):
            part = rows.cut(start, start + size)
            weight = part.weight
            losses, outputs = self.program.look(part)
            for position, (member, loss) in enumerate(zip(self.stacked, losses.tolist(), strict=True)):
                if member.name in sums:
                    figures = {"loss": (loss * weight, weight)}
                    if member.callbacks.members:
                        figures |= self.setup.plan.batch_metrics(outputs[position], part.targets)
                    for name, value in figures.items():
                        sums[member.name].setdefault(name, []).append(value)
        return {
            name: {key: weighted_mean(values) for key, values in figures.items()}
            for name, figures in sums.items()
        }

    def _make_smaller(self) -> None:
        """Leave out those that have stopped, once there are enough of them to repay a new program."""
        learning = [position for position, member in enumerate(self.stacked) if member.learns]
        if len(learning) <= _LEAVE * len(self.stacked):
            self._keep(learning)

    def _keep(self, positions: list[int]) -> None:
        self.program.keep(positions)
        self.rule.keep(positions, self.program.parameters)
        self.best = {name: value[positions].clone() for name, value in self.best.items()}
        self.stacked = [self.stacked[position] for position in positions]

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if self.file is None:
            return
        members = {
            member.name: {
                "progress": member.progress.state(),
                "ended": member.ended,
                "failure": member.failure,
                "chance": member.generator.get_state(),
            }
            for member in self.members
        }
        state = {
            "seats": members,
            "standing": [member.name for member in self.stacked],
            "parameters": self.program.parameters,
            "buffers": self.program.buffers,
            "best": self.best,
            "rule": self.rule.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
        }
        save_state(self.file, state)

    def _resume(self) -> bool:
        """Continue from the checkpoint, if there is one; whether that is within an epoch."""
        if self.file is None or not self.file.exists():
            return False
        state: dict[str, Any] = load_state(self.file)
        for member in self.members:
            own = state["seats"][member.name]
            member.progress = Progress.from_state(own["progress"])
            member.failure = own["failure"]
            member.progress.reopen(member.limits)
            member.ended = {} if member.learns else own["ended"]
            member.generator.set_state(own["chance"])
        places = {member.name: position for position, member in enumerate(self.stacked)}
        self._keep([places[name] for name in state["standing"]])
        for stack, saved in (
            (self.program.parameters, state["parameters"]),
            (self.program.buffers, state["buffers"]),
            (self.best, state["best"]),
        ):
            for name, value in saved.items():
                stack[name].copy_(value)  # in place: optimizers hold views of them
        self.rule.load_state_dict(state["rule"])
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        return self.step > 0


def _slice(stack: Stack, position: int) -> Stack:
    """One network's copy of its part of a stack."""
    return {name: value[position].clone() for name, value in stack.items()}


def _load_into(network: nn.Module, state: Stack) -> None:
    """Copy a state into a network; of tied parameters it may hold one name only."""
    own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)
    network.eval()


def _divide(batch: Batch, networks: int) -> Batch:
    """Rows of all networks behind each other as `[networks, rows, ...]`."""

    def divide(values: Tensor) -> Tensor:
        return values.view(networks, -1, *values.shape[1:])

    weights = None if batch.weights is None else divide(batch.weights)
    return Batch(divide(batch.inputs), divide(batch.targets), weights, batch.device)
