"""The engine: repeats a learning rule over the training rows, watches the validation rows, and can always go
on.

The order of the rows and all chance in an epoch follow from the seed and the epoch's number, so a training
that was stopped anywhere, killed included, continues from its last checkpoint to the same bits.
"""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handrail.data.rows import row_bytes
from handrail.errors import TrainingError
from handrail.learning.batch import Batch
from handrail.learning.rule import Rule, TrainingPlan
from handrail.training.callbacks import Callback, Callbacks
from handrail.training.checkpoint import copy_state, load_state, save_state
from handrail.training.diagnosis import explain_fault
from handrail.training.seeds import derive, fix_seed, generator, set_chance, state_of_chance
from handrail.training.signals import Interrupted, StopRequest
from handrail.training.state import BLOCK, GATHERED, Limits, Progress
from handrail.training.validation import validate


class Engine:
    """One training of one model by one rule.

    Arguments:
        model: on its device.
        rule: how a step changes it.
        train, validation: encoded rows on the device of the model; without validation rows the last weights
            count.
        plan: what the rule may know.
        limits: when to validate, save and stop.
        order: the rows of an epoch, drawn from a generator: `order(generator) -> Int64[n]`.
        folder: where checkpoints go; without one there are none.
        names: of the input columns, for the message when the loss is not a number.
    """

    def __init__(
        self,
        model: nn.Module,
        rule: Rule,
        *,
        train: Batch,
        validation: Batch | None,
        plan: TrainingPlan,
        limits: Limits,
        order: Callable[[torch.Generator], Tensor],
        folder: Path | None = None,
        names: tuple[str, ...] = (),
        callbacks: tuple[Callback, ...] = (),
        wish: StopRequest | None = None,
    ) -> None:
        self.model, self.rule = model, rule
        self.train, self.validation = train, validation
        self.plan, self.limits, self.order = plan, limits, order
        self.team = plan.team
        self.folder, self.names = folder, names
        self.callbacks = Callbacks(list(callbacks))
        self.wish = StopRequest() if wish is None else wish
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self._saved_best: int | None = None
        self._saved_at = time.monotonic()
        self._row_bytes = row_bytes(train.inputs)  # once: it reads a row, which may lie on disk

    def run(self) -> Progress:
        """Train to the end and leave the best weights in the model.

        Raises: `TrainingError` when the loss is not a number or explodes, `Interrupted` when asked to stop;
        both after saving what is worth keeping.
        """
        self.team.check(
            type(self.rule).__name__,
            divides=self.rule.divides,
            penalties=self.plan.objective.penalties,
            batch_size=self.limits.batch_size,
        )
        self.rule.start(self.model, self.plan)
        chance = self._resume()
        try:
            self.callbacks.on_train_begin(self)
            with fix_seed(self.plan.seed, "train"), self.team.begin(self.model):
                while not self.progress.done:
                    self._epoch(chance)
                    chance = None
            self._save()
        finally:
            self.callbacks.close()
        if self.best:
            self.model.load_state_dict(self.best)
        self.model.eval()
        self.callbacks.on_train_end(self)
        return self.progress

    def _epoch(self, chance: list[Tensor] | None) -> None:
        progress = self.progress
        number = progress.epoch + 1
        began = time.perf_counter() - progress.seconds
        if chance is None:
            torch.manual_seed(derive(self.plan.seed, "epoch", number, *self.team.names))
        else:
            set_chance(chance)
        self.callbacks.on_epoch_begin(self, number)
        order = self.order(generator(self.plan.seed, "order", number))
        self.model.train()
        size = self.limits.batch_size
        for start in range(progress.step * size, len(order), BLOCK * size):
            self._block(order[start : start + BLOCK * size])
            progress.seconds = time.perf_counter() - began
            due = time.monotonic() - self._saved_at > self.limits.checkpoint_seconds
            wish, due = self.team.agree(self.wish.number, due)
            if wish or due:
                self._save()
            if wish:
                raise Interrupted(
                    f"stopped in epoch {number}, after step {progress.step}; everything is saved.", wish
                )
        self.rule.end_epoch(self.model)
        self._close_epoch(number, time.perf_counter() - began)

    def _block(self, rows: Tensor) -> None:
        """Up to 64 steps, then one look at their losses."""
        before = self._snapshot()
        measured: dict[str, list[Tensor]] = {}
        begun = self.progress.step
        for batch in self._batches(rows):
            if self.callbacks.listens_to_steps:
                self.callbacks.on_batch_begin(self, self.progress.step + 1)
            for name, value in self.rule.step(self.model, batch).items():
                measured.setdefault(name, []).append(value)
            self.progress.step += 1
            if self.callbacks.listens_to_steps:
                self.callbacks.on_batch_end(self, self.progress.step)
            if self.team.stops(self.wish.number):
                break
        numbers = {name: torch.stack(values).tolist() for name, values in measured.items()}
        self._judge(numbers["loss"], before, rows, begun)
        for name, values in numbers.items():
            self.progress.measured.setdefault(name, []).extend(values)

    def _batches(self, rows: Tensor) -> Iterator[Batch]:
        """The batches of some rows: gathered many at once where they are small, so that little is held at any
        time.
        """
        size = self.limits.batch_size
        many = max(1, min(BLOCK, GATHERED // max(1, size * self._row_bytes))) * size
        for first in range(0, len(rows), many):
            yield from self.team.batches(self.train, rows[first : first + many], size)

    def _judge(self, losses: list[float], before: dict[str, Any], rows: Tensor, begun: int) -> None:
        """Stop when a loss is not a number or has exploded; the weights from before the block are the last
        good ones.
        """
        progress = self.progress
        bad = progress.first_fault(losses)
        if bad is None:
            return
        self._restore(before)
        if not self.best:
            self.best, progress.best_epoch = before["model"], progress.epoch
        self._save_best()
        size = self.limits.batch_size
        batches = [self.train.take(rows[index * size : (index + 1) * size]) for index in range(bad + 1)]
        where = f"epoch {progress.epoch + 1}, step {begun + bad + 1}"
        message = explain_fault(
            self.model, self.rule, batches, where=where, loss=losses[bad], names=self.names
        )
        kept = f"The weights of epoch {progress.best_epoch} are kept" + (
            f" in {self.folder / 'best'}." if self.folder else "."
        )
        self.model.load_state_dict(self.best)
        self.model.eval()
        raise TrainingError(f"{message} {kept}")

    def _close_epoch(self, number: int, seconds: float) -> None:
        """Validate, note, decide whether to go on."""
        progress, limits = self.progress, self.limits
        figures = {"step": float(progress.step), **progress.figures(), "seconds": seconds}
        if self.rule.learning_rate is not None:
            figures["learning_rate"] = self.rule.learning_rate
        if self.validation is not None and (limits.validates(number) or self.rule.finished):
            self.team.same_buffers(self.model)
            found = self.team.from_first(self._validate)
            figures |= {f"val_{name}": value for name, value in found.items()}
            self._compare(number, found["loss"])
        finished = "the rule has nothing left to change" if self.rule.finished else ""
        progress.close(number, seconds, limits, finished=finished, remark=self.rule.remark())
        self.callbacks.on_epoch_end(self, number, figures)

    def _validate(self) -> dict[str, float]:
        assert self.validation is not None
        return validate(self.model, self.plan.objective, self.validation, self.plan.credit)

    def _compare(self, number: int, loss: float) -> None:
        progress = self.progress
        if not math.isfinite(loss):
            kept = f" The weights of epoch {progress.best_epoch} are kept." if self.best else ""
            self._save_best()
            raise TrainingError(
                f"the validation loss is {loss} after epoch {number}. Try a smaller learning rate.{kept}"
            )
        self.rule.observe(loss)
        if progress.improves(number, loss, self.limits.min_delta):
            self.best = copy_state(self.model.state_dict())

    def _snapshot(self) -> dict[str, Any]:
        return {
            "model": copy_state(self.model.state_dict()),
            "rule": copy_state(self.rule.state_dict()),
            "chance": state_of_chance(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.rule.load_state_dict(copy_state(state["rule"]))
        set_chance(state["chance"])

    def _save(self) -> None:
        """Write the best weights, then the whole state; a kill between the two does no harm."""
        self._saved_at = time.monotonic()
        if self.folder is None:
            return
        self._save_best()
        state = {"progress": self.progress.state(), **self._snapshot()}
        self._write("last", {**state, "others": self.team.others(state["chance"])})

    def _save_best(self) -> None:
        if self.folder is None or not self.best or self._saved_best == self.progress.best_epoch:
            return
        state = {"epoch": self.progress.best_epoch, "model": self.best}
        self._write("best", state)
        self._saved_best = self.progress.best_epoch

    def _write(self, name: str, state: dict[str, Any]) -> None:
        if self.folder is not None and self.team.is_first:
            save_state(self.folder / name / "state.safetensors", state)

    def _resume(self) -> list[Tensor] | None:
        """Continue from the checkpoint, if there is one; the answer is the state of chance within an epoch."""
        if self.folder is None or not (self.folder / "last" / "state.safetensors").exists():
            return None
        state = load_state(self.folder / "last" / "state.safetensors")
        self.progress = Progress.from_state(state["progress"])
        self.progress.reopen(self.limits)
        self._restore(state)
        if self.progress.best_epoch:
            best = load_state(self.folder / "best" / "state.safetensors")
            self.best, self._saved_best = best["model"], best["epoch"]
        return self.team.own_chance(state["chance"], state.get("others", [])) if self.progress.step else None
