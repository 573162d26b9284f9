"""The engine of a cohort: many networks with equal layers trained as one program, each with a standing of its
own.

It follows `handrail.training.engine` step by step: the same orders of rows, the same chance, the same
validations, so that a network comes out as it would alone but for rounding. One that stops early, or whose
loss is not a number, leaves; the others go on.
"""

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from handrail.data.rows import row_bytes
from handrail.learning.batch import Batch
from handrail.learning.fast.stacked import Stack, StackedGradient
from handrail.learning.rules.gradient import Gradient
from handrail.tasks.scoring import rows_at_once
from handrail.training.callbacks import Callbacks
from handrail.training.checkpoint import load_state, save_state
from handrail.training.cohort.program import Program
from handrail.training.job import Setup
from handrail.training.seeds import derive, generator
from handrail.training.signals import Interrupted, StopRequest
from handrail.training.speed.threads import Threads
from handrail.training.state import BLOCK, GATHERED, Limits, Progress

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
    progress: Progress = field(default_factory=Progress)
    ended: Stack = field(default_factory=dict)
    "Its weights once it has stopped: the best ones, where there are validation rows."
    failure: str = ""

    @property
    def learns(self) -> bool:
        """Whether there is more for it to do."""
        return not self.progress.done and not self.failure


class CohortEngine:
    """Several trainings at once.

    Arguments:
        seats: the networks, in the order of the stack.
        program: their stack.
        rules: of each.
        terms: what a training follows, the same for all: rows, order, validation.
        file: where the checkpoint is kept; without one there is none.
    """

    def __init__(
        self,
        seats: Sequence[Member],
        program: Program,
        rules: Sequence[Gradient],
        *,
        terms: Setup,
        file: Path | None,
        wish: StopRequest,
    ) -> None:
        self.seats, self.program, self.terms = list(seats), program, terms
        self.rule = StackedGradient(rules, program.parameters, steps=terms.plan.epochs * terms.plan.steps)
        self.standing = self.seats[:]  # those in the stack, in its order
        self.best: Stack = {name: value.clone() for name, value in program.state.items()}
        self.file, self.wish = file, wish
        self.threads = Threads(self.prepare, operations=0.0, free=False)
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self._row_bytes = row_bytes(terms.train.inputs)
        self._saved_at = time.monotonic()

    def prepare(self) -> None:
        """Trace a step of a whole batch and take it, without any effect.

        Raises: whatever a layer raises that cannot be stacked, and a warning where torch would run one
        network after another.
        """
        buffers = dict(self.program.buffers)
        rows = torch.arange(min(self.terms.limits.batch_size, len(self.terms.train)))
        each = len({seat.seed for seat in self.seats}) > 1
        rows = rows.unsqueeze(1).expand(-1, len(self.seats)) if each else rows
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="There is a performance drop")
            self.program.step(next(self._batches(rows)), [seat.generator for seat in self.seats], each=each)
        self.program.buffers = buffers

    def run(self) -> None:
        """Train all to their ends, and leave the best weights in their models."""
        within = self._resume()
        for seat in self.seats:
            seat.callbacks.on_train_begin(seat)
        try:
            while any(seat.learns for seat in self.standing):
                self._epoch(within)
                within = False
            self._save()
        finally:
            for seat in self.seats:
                seat.callbacks.close()
        for seat in self.seats:
            load_into(seat.model, seat.ended)
            seat.callbacks.on_train_end(seat)

    def _epoch(self, within: bool) -> None:
        number = self.epoch + 1
        if not within:
            self._make_smaller()
            for seat in self.standing:
                seat.generator.manual_seed(derive(seat.seed, "epoch", number))
        for seat in self.standing:
            if seat.learns:
                seat.callbacks.on_epoch_begin(seat, number)
        began = time.perf_counter() - self.seconds
        orders = self._orders(number)
        size = self.terms.limits.batch_size
        for start in range(self.step * size, len(orders), BLOCK * size):
            self._block(orders[start : start + BLOCK * size])
            self.seconds = time.perf_counter() - began
            if self.wish or time.monotonic() - self._saved_at > self.terms.limits.checkpoint_seconds:
                self._save()
                if self.wish:
                    raise Interrupted(
                        f"stopped in epoch {number}, after step {self.step}; everything is saved.",
                        self.wish.number,
                    )
        self._close_epoch(number, time.perf_counter() - began)

    def _orders(self, number: int) -> Tensor:
        """The rows of an epoch `[rows, networks]`, or `[rows]` where all networks have the same seed."""
        seeds = dict.fromkeys(seat.seed for seat in self.standing)
        drawn = {seed: self.terms.order(generator(seed, "order", number)) for seed in seeds}
        if len(seeds) == 1:
            return next(iter(drawn.values()))
        return torch.stack([drawn[seat.seed] for seat in self.standing], dim=1)

    def _block(self, rows: Tensor) -> None:
        """Up to 64 steps, then one look at their losses."""
        before = {name: value.clone() for name, value in self.program.state.items()}
        begun, losses = self.step, []
        self.threads.begin()
        generators = [seat.generator for seat in self.standing]
        for batch in self._batches(rows):
            loss, gradients = self.program.step(batch, generators, each=rows.ndim == 2)
            self.rule.step(gradients)
            losses.append(loss)
            self.step += 1
            if self.wish:
                break
        every = torch.stack(losses).T.tolist()
        self.threads.end(len(losses))
        for seat, found, position in zip(self.standing, every, range(len(self.standing)), strict=True):
            if seat.learns:
                self._judge(seat, position, found, before, begun)

    def _batches(self, rows: Tensor) -> Iterator[Batch]:
        """One step's rows behind the other: gathered many at once where all networks see the same."""
        size, train = self.terms.limits.batch_size, self.terms.train
        if rows.ndim == 2:
            yield from (_divide(train.take(part.T.reshape(-1)), part.shape[1]) for part in rows.split(size))
            return
        many = max(1, min(BLOCK, GATHERED // max(1, self._row_bytes * size))) * size
        for gathered in (train.take(part) for part in rows.split(many)):
            yield from (gathered.cut(start, start + size) for start in range(0, len(gathered), size))

    def _judge(self, seat: Member, position: int, losses: list[float], before: Stack, begun: int) -> None:
        """A network whose loss is not a number, or has exploded, stops with its last good weights."""
        progress = seat.progress
        bad = progress.first_fault(losses)
        if bad is None:
            progress.measured.setdefault("loss", []).extend(losses)
            progress.step = self.step
            return
        if not progress.best_epoch:
            self._note_best([position], before)
            progress.best_epoch = self.epoch
        seat.ended = self._at(position, self.best)
        rate = self.rule.rates()[position]
        what = "is not a number" if math.isnan(losses[bad]) else f"has exploded to {losses[bad]:.3g}"
        seat.failure = (
            f"the loss {what} in epoch {self.epoch + 1}, step {begun + bad + 1}. Try a smaller learning rate "
            f"(it is {rate:g}). The "
            f"weights of epoch {progress.best_epoch} are kept."
        )

    def _close_epoch(self, number: int, seconds: float) -> None:
        """Validate, note, decide for each network whether it goes on."""
        rates = self.rule.rates()
        learning = [seat for seat in self.standing if seat.learns]
        seconds /= max(1, len(learning))  # each its share, so that the sum is the time that has passed
        found = self._validate(number, learning)
        losses: dict[int, float] = {}
        improved: list[int] = []
        for position, seat in enumerate(self.standing):
            if seat not in learning:
                continue
            progress = seat.progress
            figures = {
                "step": float(self.step),
                **progress.figures(),
                "seconds": seconds,
                "learning_rate": rates[position],
            }
            if seat.name in found:
                figures |= {f"val_{name}": value for name, value in found[seat.name].items()}
                losses[position] = found[seat.name]["loss"]
                improved += [position] if self._compare(seat, number, losses[position]) else []
            if not seat.failure:
                progress.close(number, seconds, seat.limits)
                seat.callbacks.on_epoch_end(seat, number, figures)
        self._note_best(improved, self.program.state)
        self.rule.observe(losses)
        self.epoch, self.step, self.seconds = number, 0, 0.0
        for position, seat in enumerate(self.standing):
            if not seat.learns and not seat.ended:
                seat.ended = self._at(
                    position, self.best if seat.progress.best_epoch or seat.failure else self.program.state
                )

    def _compare(self, seat: Member, number: int, loss: float) -> bool:
        """Whether this is the best of a network so far; one without a loss stops."""
        if math.isfinite(loss):
            return seat.progress.improves(number, loss, seat.limits.min_delta)
        kept = (
            f" The weights of epoch {seat.progress.best_epoch} are kept." if seat.progress.best_epoch else ""
        )
        seat.failure = (
            f"the validation loss is {loss} after epoch {number}. Try a smaller learning rate.{kept}"
        )
        return False

    def _note_best(self, positions: list[int], state: Stack) -> None:
        """Keep the weights of some networks as their best ones."""
        if positions:
            rows = torch.tensor(positions, device=next(iter(state.values())).device)
            for name, value in state.items():
                self.best[name][rows] = value[rows]

    @staticmethod
    def _at(position: int, stack: Stack) -> Stack:
        return {name: value[position].clone() for name, value in stack.items()}

    def _validate(self, number: int, learning: Sequence[Member]) -> dict[str, dict[str, float]]:
        """Figures on validation rows of each network that looks at them after this epoch."""
        rows = self.terms.validation
        looking = [seat for seat in learning if seat.limits.validates(number)]
        if rows is None or not looking:
            return {}
        sums: dict[str, dict[str, list[tuple[float, float]]]] = {seat.name: {} for seat in looking}
        size = max(256, rows_at_once(rows.inputs) // len(self.standing))
        for start in range(0, len(rows), size):
            part = rows.cut(start, start + size)
            weight = len(part) if part.weights is None else float(part.weights.double().sum())
            losses, outputs = self.program.look(part)
            for position, (seat, loss) in enumerate(zip(self.standing, losses.tolist(), strict=True)):
                if seat.name in sums:
                    figures = {"loss": (loss * weight, weight)}
                    if seat.callbacks.members:
                        figures |= self.terms.plan.credit(outputs[position], part.targets)
                    for name, value in figures.items():
                        sums[seat.name].setdefault(name, []).append(value)
        return {
            name: {key: _mean(values) for key, values in figures.items()} for name, figures in sums.items()
        }

    def _make_smaller(self) -> None:
        """Leave out those that have stopped, once there are enough of them to repay a new program."""
        learning = [position for position, seat in enumerate(self.standing) if seat.learns]
        if len(learning) > _LEAVE * len(self.standing):
            return
        self._keep(learning)

    def _keep(self, positions: list[int]) -> None:
        self.program.keep(positions)
        self.rule.keep(positions, self.program.parameters)
        self.best = {name: value[positions].clone() for name, value in self.best.items()}
        self.standing = [self.standing[position] for position in positions]

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if self.file is None:
            return
        seats = {
            seat.name: {
                "progress": seat.progress.state(),
                "ended": seat.ended,
                "failure": seat.failure,
                "chance": seat.generator.get_state(),
            }
            for seat in self.seats
        }
        state = {
            "seats": seats,
            "standing": [seat.name for seat in self.standing],
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
        state = load_state(self.file)
        before: dict[str, Any] = state["seats"]
        for seat in self.seats:
            kept = before[seat.name]
            seat.progress, seat.ended, seat.failure = (
                Progress.from_state(kept["progress"]),
                kept["ended"],
                kept["failure"],
            )
            seat.progress.reopen(seat.limits)
            seat.ended = {} if seat.learns else seat.ended
            seat.generator.set_state(kept["chance"])
        self._stand_as(state["standing"])
        for stack, kept in (
            (self.program.parameters, state["parameters"]),
            (self.program.buffers, state["buffers"]),
            (self.best, state["best"]),
        ):
            for name, value in kept.items():
                stack[name].copy_(value)  # in place: optimizers hold views of them
        self.rule.load_state_dict(state["rule"])
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        return self.step > 0

    def _stand_as(self, names: list[str]) -> None:
        """The stack with the networks of a checkpoint, in its order."""
        places = {seat.name: position for position, seat in enumerate(self.standing)}
        self._keep([places[name] for name in names])


def load_into(network: nn.Module, state: Stack) -> None:
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


def _mean(values: list[tuple[float, float]]) -> float:
    total = math.fsum(weight for _, weight in values)
    return math.fsum(value for value, _ in values) / total if total else math.nan
