"""The engine: repeats a learning rule over training rows, watches validation rows, and can always resume.

The order of the rows and all random numbers of an epoch follow from the seed and the epoch's number, so a
training that was stopped anywhere, killed included, continues from its last checkpoint to the same bits.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handrail.data.rows import row_bytes
from handrail.errors import TrainingError
from handrail.learning.rule import Batch, BatchMetrics, RngState, Rule, TrainingPlan
from handrail.objectives.objective import Objective
from handrail.tasks.scoring import rows_at_once
from handrail.tools.files import explain_damage
from handrail.training.callbacks import Callback, Callbacks
from handrail.training.checkpoint import copy_state, load_state, save_state
from handrail.training.diagnosis import describe_validation_loss, explain_fault
from handrail.training.seeds import derive, fix_seed, generator, rng_states, set_rng_states
from handrail.training.signals import Interrupted, StopRequest
from handrail.training.stopping import BLOCK, Limits, Progress, rows_to_gather, weighted_mean
from handrail.training.transfer.features import feature_rows

_MOST_FEATURES = 2**28  # bytes of validation rows before the last layer that are kept


class Engine:
    """One training of one model by one rule.

    Arguments:
        model: on its device.
        rule: how a step changes it.
        train, validation: encoded rows on the device of the model; without validation rows the last weights
            count.
        plan: facts for the rule.
        limits: when to validate, save and stop.
        order: the rows of an epoch, drawn from a generator: `order(generator) -> Int64[n]`.
        losses: by epoch, what the rule observes in place of a validation, where there are no validation rows.
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
        losses: Mapping[int, float] | None = None,
        folder: Path | None = None,
        names: tuple[str, ...] = (),
        callbacks: tuple[Callback, ...] = (),
        stop_request: StopRequest | None = None,
    ) -> None:
        self.model, self.rule = model, rule
        self.train, self.validation = train, validation
        self._features: Batch | None = None  # of validation rows, before a last layer that alone changes
        self.plan, self.limits, self.order = plan, limits, order
        self.team, self.losses = plan.team, losses or {}
        self.folder, self.names = folder, names
        self.callbacks = Callbacks(callbacks)
        self.stop_request = StopRequest() if stop_request is None else stop_request
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self._saved_best: int | None = None
        self._saved_at = time.monotonic()
        self._row_bytes = row_bytes(train.inputs)  # once: it reads a row, perhaps from disk

    def run(self) -> Progress:
        """Train to the end and leave the best weights in the model.

        Raises: `TrainingError` when the loss is not a number or explodes, `Interrupted` when asked to stop;
        both after saving what is worth keeping.
        """
        self.team.check(
            type(self.rule).__name__,
            divides=getattr(self.rule, "divides", False),
            penalties=self.plan.objective.penalties,
            batch_size=self.limits.batch_size,
        )
        self.rule.start(self.model, self.plan)
        rng_state = self._resume()
        try:
            self.callbacks.notify("on_train_begin", self)
            with fix_seed(self.plan.seed, "train"), self.team.begin(self.model):
                while not self.progress.done:
                    self._epoch(rng_state)
                    rng_state = None
            self._save()
        finally:
            self.callbacks.notify("close")
        if self.best:
            self.model.load_state_dict(self.best)
        self.model.eval()
        self.callbacks.notify("on_train_end", self)
        return self.progress

    def _epoch(self, rng_state: RngState | None) -> None:
        progress = self.progress
        number = progress.epoch + 1
        began = time.perf_counter() - progress.seconds
        if rng_state is None:
            torch.manual_seed(derive(self.plan.seed, "epoch", number, *self.team.names))
        else:
            set_rng_states(rng_state)
        self.callbacks.notify("on_epoch_begin", self, number)
        order = self.order(generator(self.plan.seed, "order", number))
        self.model.train()
        size = self.limits.batch_size
        for start in range(progress.step * size, len(order), BLOCK * size):
            self._block(order[start : start + BLOCK * size])
            progress.seconds = time.perf_counter() - began
            due = time.monotonic() - self._saved_at > self.limits.checkpoint_seconds
            signal, due = self.team.agree(self.stop_request.number, due)
            if signal or due:
                self._save()
            if signal:
                raise Interrupted.in_epoch(number, progress.step, signal)
        self.rule.end_epoch(self.model)
        self._close_epoch(number, time.perf_counter() - began)

    def _block(self, rows: Tensor) -> None:
        """Up to 64 steps, then one look at their losses."""
        before = self._snapshot()
        measured: dict[str, list[Tensor]] = {}
        begun = self.progress.step
        for batch in self._batches(rows):
            if self.callbacks.listens_to_steps:
                self.callbacks.notify("on_batch_begin", self, self.progress.step + 1)
            for name, value in self.rule.step(self.model, batch).items():
                measured.setdefault(name, []).append(value)
            self.progress.step += 1
            if self.callbacks.listens_to_steps:
                self.callbacks.notify("on_batch_end", self, self.progress.step)
            if self.team.stops(self.stop_request.number):
                break
        numbers = {name: torch.stack(values).tolist() for name, values in measured.items()}
        self._judge(numbers["loss"], before, rows, begun)
        for name, values in numbers.items():
            self.progress.measured.setdefault(name, []).extend(values)

    def _batches(self, rows: Tensor) -> Iterator[Batch]:
        size = self.limits.batch_size
        for gathered in rows.split(rows_to_gather(size, self._row_bytes)):
            yield from self.team.batches(self.train, gathered, size)

    def _judge(self, losses: list[float], before: dict[str, Any], rows: Tensor, begun: int) -> None:
        """Stop when a loss is bad; the weights from before the block are the last good ones."""
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
        loss, names = losses[bad], self.names
        message = explain_fault(self.model, self.rule, batches, where=where, loss=loss, names=names)
        place = f" in {self.folder / 'best'}" if self.folder else ""
        self.model.load_state_dict(self.best)
        self.model.eval()
        raise TrainingError(f"{message} The weights of epoch {progress.best_epoch} are kept{place}.")

    def _close_epoch(self, number: int, seconds: float) -> None:
        """Validate, note, decide whether to go on."""
        progress, limits = self.progress, self.limits
        figures = {"step": float(progress.step), **progress.figures(), "seconds": seconds}
        if self.rule.learning_rate is not None:
            figures["learning_rate"] = self.rule.learning_rate
        if self.validation is not None and (limits.validates(number) or self.rule.finished):
            self.team.same_buffers(self.model)
            validation = self.team.from_first(self._validate)
            figures |= {f"val_{name}": value for name, value in validation.items()}
            self._compare(number, validation["loss"])
        if self.validation is None and number in self.losses:
            self.rule.observe(self.losses[number])
        finished = self.rule.ending if self.rule.finished else ""
        progress.close(number, seconds, limits, finished=finished, remark=self.rule.remark)
        self.callbacks.notify("on_epoch_end", self, number, figures)

    def _validate(self) -> dict[str, float]:
        assert self.validation is not None
        model, rows, last = self.model, self.validation, self.rule.changing
        if last is not None and len(rows) * last.weight[0].nbytes <= _MOST_FEATURES:
            self._features = self._features or self._before(last, rows)
            model, rows = last, self._features
        return validate(model, self.plan.objective, rows, self.plan.batch_metrics)

    def _before(self, last: nn.Linear, rows: Batch) -> Batch:
        """The rows as the last layer is given them."""
        name = next(name for name, module in self.model.named_modules() if module is last)
        features = feature_rows(self.model, rows.inputs, name, batch_size=rows_at_once(rows.inputs))
        return replace(rows, inputs=features)

    def _compare(self, number: int, loss: float) -> None:
        if not math.isfinite(loss):
            self._save_best()
            raise TrainingError(describe_validation_loss(loss, number, self.progress.best_epoch))
        self.rule.observe(loss)
        if self.progress.improves(number, loss, self.limits.min_delta):
            self.best = copy_state(self.model.state_dict())

    def _snapshot(self) -> dict[str, Any]:
        model, rule = copy_state(self.model.state_dict()), copy_state(self.rule.state_dict())
        return {"model": model, "rule": rule, "chance": rng_states()}

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.rule.load_state_dict(copy_state(state["rule"]))
        set_rng_states(state["chance"])

    def _save(self) -> None:
        """Write the best weights, then the whole state; a kill between the two does no harm."""
        self._saved_at = time.monotonic()
        if self.folder is None:
            return
        self._save_best()
        state = {"progress": self.progress.state(), **self._snapshot()}
        self._write("last", {**state, "others": self.team.other_rng_states(state["chance"])})

    def _save_best(self) -> None:
        if self.folder is None or not self.best or self._saved_best == self.progress.best_epoch:
            return
        self._write("best", {"epoch": self.progress.best_epoch, "model": self.best})
        self._saved_best = self.progress.best_epoch

    def _write(self, name: str, state: dict[str, Any]) -> None:
        if self.folder is not None and self.team.is_first:
            save_state(self.folder / name / "state.safetensors", state)

    def _resume(self) -> RngState | None:
        """Continue from the checkpoint, if there is one; returns the random state within an epoch."""
        if self.folder is None or not (self.folder / "last" / "state.safetensors").exists():
            return None
        path = self.folder / "last" / "state.safetensors"
        state = load_state(path)
        with explain_damage(path):
            self.progress = Progress.from_state(state["progress"])
            self.progress.reopen(self.limits)
            self._restore(state)
        if self.progress.best_epoch:
            path = self.folder / "best" / "state.safetensors"
            with explain_damage(path):
                best = load_state(path)
                self.best, self._saved_best = best["model"], best["epoch"]
        if not self.progress.step:
            return None
        return self.team.own_rng_state(state["chance"], state.get("others", []))


@torch.inference_mode()
def validate(
    model: nn.Module, objective: Objective, rows: Batch, batch_metrics: BatchMetrics
) -> dict[str, float]:
    """Mean loss over all rows, by their weights where they have weights, and the mean batch metrics."""
    model.eval()
    losses: list[float] = []
    weights: list[float] = []
    metrics: dict[str, list[tuple[float, float]]] = {}
    size = rows_at_once(rows.inputs)
    for start in range(0, len(rows), size):
        part = rows.cut(start, start + size)
        outputs = model(part.inputs)
        weights.append(part.weight)
        losses.append(float(objective.mean(outputs, part.targets, part.weights).double()) * weights[-1])
        for name, pair in batch_metrics(outputs, part.targets).items():
            metrics.setdefault(name, []).append(pair)
    loss = math.fsum(losses) / max(math.fsum(weights), 1e-300)
    return {"loss": loss} | {name: weighted_mean(pairs) for name, pairs in metrics.items()}
