"""A network in a cohort equals the same network alone: for every optimizer, schedule, layer that draws, and
end of training.

Tolerance: weights within 1e-5 after a few epochs (float32; products of stacked matrices are rounded in
another order).
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from handrail.components import available, build
from handrail.errors import RecipeError
from handrail.layers.normalisation import BatchNorm as OurBatchNorm
from handrail.learning.optimizers import ELEMENTWISE
from handrail.learning.rule import Batch
from handrail.recipe import Recipe
from handrail.training.callbacks import Callback, Training
from handrail.training.cohort import unlike
from handrail.training.job import Job, TrainingData
from handrail.training.seeds import fix_seed
from handrail.training.signals import Interrupted, StopRequest
from handrail.training.speed.compilation import has_compiler
from handrail.training.train_many import train_many

TOLERANCE = 1e-5
BASE = {
    "model": {"mlp": {"hidden": [16, 8]}},
    "training": {"epochs": 4, "patience": None, "batch_size": 32, "precision": "float32"},
    "learning": {"gradient": {"optimizer": "adamw"}},
}


class Task:
    def __init__(self, name: str) -> None:
        self.name, self.classes = name, ("a", "b", "c")


def _rows() -> tuple[torch.Tensor, torch.Tensor, Batch]:
    rng = torch.Generator().manual_seed(0)
    weights = torch.randn(12, 3, generator=rng)
    # Five whole batches of 32: each length of a batch is traced anew, which takes most of a test's time.
    inputs, held_out = torch.randn(160, 12, generator=rng), torch.randn(90, 12, generator=rng)
    return inputs, (inputs @ weights).argmax(1), Batch(held_out, (held_out @ weights).argmax(1))


INPUTS, TARGETS, HELD_OUT = _rows()


KINDS = {
    "multi-class": (3, TARGETS, HELD_OUT),
    "binary": (1, (TARGETS > 0).long(), Batch(HELD_OUT.inputs, (HELD_OUT.targets > 0).long())),
    "multi-label": (
        3,
        nn.functional.one_hot(TARGETS, 3).float(),
        Batch(HELD_OUT.inputs, nn.functional.one_hot(HELD_OUT.targets, 3).float()),
    ),
    "regression": (2, INPUTS[:, :2].cos(), Batch(HELD_OUT.inputs, HELD_OUT.inputs[:, :2].cos())),
}


def _metrics(scores: Any, targets: Any) -> dict[str, tuple[float, float]]:
    return {"accuracy": (float((scores.argmax(1) == targets).sum()), float(len(targets)))}


def make_job(
    number: int,
    changes: dict[str, Any],
    *,
    held_out: bool = True,
    epochs: int | None = None,
    kind: str = "multi-class",
) -> Job:
    recipe = Recipe.parse(BASE).with_values({"seed": number, **changes})
    outputs, targets, rows = KINDS[kind]
    with fix_seed(recipe.seed, "initialise"):
        network = build("model", recipe.model, 12, outputs)
    task: Any = Task(kind)
    metrics = _metrics if kind == "multi-class" else lambda _scores, _targets: {}
    data = TrainingData(
        recipe, task, INPUTS, targets, (), rows if held_out else None, metrics, torch.device("cpu")
    )
    return Job(f"p{number}", data, network, epochs)


def make_jobs(changes: list[dict[str, Any]], base: dict[str, Any], **more: Any) -> list[Job]:
    return [make_job(number, {**base, **own}, **more) for number, own in enumerate(changes)]


def distance(first: list[Job], second: list[Job]) -> float:
    pairs = [
        (a, b)
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    ]
    return max(float((a - b).abs().max()) for a, b in pairs)


def compare(changes: list[dict[str, Any]], base: dict[str, Any] | None = None, **more: Any) -> None:
    begun, alone, together = (make_jobs(changes, base or {}, **more) for _ in range(3))
    first, second = train_many(alone, together=False), train_many(together, together=True)
    for one, other in zip(first, second, strict=True):
        assert one.failure.split("step")[0] == other.failure.split("step")[0]
        if not one.failure:
            assert (one.progress.best_epoch, one.progress.epoch, one.progress.done) == (
                other.progress.best_epoch,
                other.progress.epoch,
                other.progress.done,
            )
    assert distance(alone, together) < TOLERANCE
    assert distance(begun, together) > 100 * TOLERANCE, "nothing was learned: the comparison says nothing"


RATES = (0.003, 0.01, 0.02)
LOSSES = {kind: [name for name, loss in available("loss").items() if kind in loss.tasks] for kind in KINDS}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_optimizer_with_rates_of_their_own(name: str) -> None:
    compare([{f"learning.gradient.optimizer.{name}.learning_rate": rate} for rate in RATES])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_optimizer_with_the_same_settings(name: str) -> None:
    compare([{}] * 3, {f"learning.gradient.optimizer.{name}.learning_rate": 0.02})


def test_every_optimizer_is_either_stacked_or_refused() -> None:
    for name in available("optimizer"):
        group = make_jobs([{}] * 2, {"learning.gradient.optimizer": name})
        assert bool(unlike(group)) == (name not in ELEMENTWISE), name


@pytest.mark.parametrize(
    "schedule", ["constant", "cosine", "one_cycle", "step", "on_plateau", "warm_up", "time_decay"]
)
def test_every_schedule(schedule: str) -> None:
    changes = [{"learning.gradient.optimizer.adamw.learning_rate": rate} for rate in RATES]
    compare(changes, {"learning.gradient.schedule": schedule})
    compare([{}] * 2, {"learning.gradient.schedule": schedule})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([{"model.mlp.dropout": share} for share in (0.1, 0.2, 0.5)], id="dropout"),
        pytest.param([{"model.mlp.input_noise": level} for level in (0.1, 0.2, 0.5)], id="input noise"),
        pytest.param([{"model.mlp.weight_noise": level} for level in (0.1, 0.2, 0.5)], id="weight noise"),
        pytest.param([{"model.mlp": {"dropout": 0.2, "input_noise": 0.1, "hidden": [8, 8]}}] * 3, id="both"),
        pytest.param(
            [{"objective.loss": {"cross_entropy": {"label_smoothing": s}}} for s in (0.0, 0.1, 0.3)],
            id="smoothing",
        ),
        pytest.param([{"objective.penalties": [{"l2": {"strength": s}}]} for s in (0.0, 0.01, 0.1)], id="l2"),
        pytest.param(
            [{"objective.penalties": [{"activity_l1": {"strength": s}}]} for s in (0.0, 0.01, 0.1)],
            id="activity",
        ),
        pytest.param(
            [{"learning.gradient.clip": {"by_norm": {"limit": s}}} for s in (0.01, 0.1, 1.0)],
            id="clip by norm",
        ),
        pytest.param(
            [{"learning.gradient.clip": {"by_value": {"limit": s}}} for s in (0.001, 0.1, 1.0)],
            id="clip by value",
        ),
        pytest.param(
            [{"learning.gradient.optimizer.adamw.weight_decay": s} for s in (0.0, 0.1, 1.0)], id="decay apart"
        ),
        pytest.param(
            [{"learning.gradient.optimizer.sgd.weight_decay": s} for s in (0.0, 0.1, 1.0)], id="decay inside"
        ),
        pytest.param(
            [{"learning.gradient.optimizer.momentum.momentum": s} for s in (0.5, 0.9, 0.5)], id="momentum"
        ),
        pytest.param(
            [{"learning.gradient.optimizer": s} for s in ("adam", "sgd", "adam", "rprop")], id="optimizers"
        ),
        pytest.param(
            [{"learning.gradient.schedule": s} for s in ("constant", "cosine", "on_plateau")], id="schedules"
        ),
        pytest.param([{"model.mlp.normalisation": "layer"}] * 3, id="layer normalisation"),
        pytest.param([{"data.balance": "class_weights"}] * 3, id="class weights"),
        pytest.param([{"training.batch_size": 27}] * 3, id="a shorter last batch"),
        pytest.param([{"data.balance": "oversample"}] * 3, id="oversample"),
        pytest.param(
            [{"seed": 5, "learning.gradient.optimizer.adam.learning_rate": rate} for rate in RATES],
            id="one seed",
        ),
    ],
)
def test_settings_of_their_own(changes: list[dict[str, Any]]) -> None:
    compare(changes)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("binary", "binary_cross_entropy"),
        ("multi-label", "binary_cross_entropy"),
        ("regression", "mse"),
        *((kind, loss) for kind in ("multi-class", "binary", "regression") for loss in LOSSES[kind]),
    ],
)
def test_every_kind_of_target_and_loss(kind: str, loss: str) -> None:
    compare([{}] * 3, {"objective.loss": loss}, kind=kind)


@pytest.mark.parametrize("size", [53, 19, 32], ids=["a last batch of one row", "19", "32"])
def test_batch_normalisation(size: int) -> None:
    # With Adam the biases before a normalisation, whose gradients are zero but for rounding, would go their
    # own ways.
    compare(
        [{}] * 3,
        {
            "model.mlp.normalisation": "batch",
            "training.batch_size": size,
            "learning.gradient.optimizer": "sgd",
        },
    )


def test_without_validation_rows_the_last_weights_count() -> None:
    compare([{}] * 3, held_out=False)
    alone = [make_job(number, {}, held_out=False, epochs=number + 1) for number in range(3)]
    together = [make_job(number, {}, held_out=False, epochs=number + 1) for number in range(3)]
    train_many(alone, together=False)
    train_many(together, together=True)
    assert distance(alone, together) < TOLERANCE


def test_each_stops_in_its_own_time() -> None:
    changes = [{"learning.gradient.optimizer.sgd.learning_rate": rate} for rate in (0.01, 3.0, 0.1, 2.0, 4.0)]
    base = {"training.patience": 2, "training.epochs": 15}
    compare(changes, base)
    ends = {ended.progress.epoch for ended in train_many(make_jobs(changes, base), together=True)}
    assert len(ends) > 1, "all stopped at once: nothing was tested"


def test_one_that_diverges_harms_nobody() -> None:
    rates = (0.01, 1e18, 0.1)
    changes = [{"learning.gradient.optimizer.sgd.learning_rate": rate} for rate in rates]
    group = make_jobs(changes, {})
    ended = train_many(group, together=True)
    assert [bool(one.failure) for one in ended] == [False, True, False]
    assert "is not a number in epoch 1" in ended[1].failure
    assert "1e+18" in ended[1].failure
    assert all(torch.isfinite(value).all() for value in group[1].network.state_dict().values())
    others = make_jobs(changes, {})
    train_many([others[0], others[2]], together=True)
    assert distance([group[0], group[2]], [others[0], others[2]]) < TOLERANCE


class Figures(Callback):
    def __init__(self) -> None:
        self.lines: list[dict[str, float]] = []

    def on_epoch_end(self, training: Training, epoch: int, figures: Any) -> None:
        self.lines.append({name: value for name, value in figures.items() if name != "seconds"})


def test_listeners_hear_the_same() -> None:
    heard: dict[bool, dict[str, Figures]] = {True: {}, False: {}}
    for together, figures in heard.items():

        def listen(name: str, figures: dict[str, Figures] = figures) -> tuple[Callback, ...]:
            return (figures.setdefault(name, Figures()),)

        train_many(make_jobs([{}] * 3, {}), together=together, listeners=listen)
    for name, alone in heard[False].items():
        for one, other in zip(alone.lines, heard[True][name].lines, strict=True):
            assert one.keys() == other.keys()
            assert all(other[key] == pytest.approx(value, rel=1e-4, abs=1e-6) for key, value in one.items())


class StopAt(Callback):
    def __init__(self, stop_request: StopRequest, epoch: int) -> None:
        self.stop_request, self.epoch = stop_request, epoch

    def on_epoch_end(self, training: Training, epoch: int, figures: Any) -> None:
        if epoch == self.epoch:
            self.stop_request.number = 15


@settings(max_examples=2, deadline=None)
@given(epoch=st.integers(1, 4), rates=st.sampled_from([(0.01, 0.5, 0.001, 0.7), (0.1, 0.1, 0.1)]))
def test_an_interrupted_cohort_goes_on_to_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, epoch: int, rates: tuple[float, ...]
) -> None:
    folder = tmp_path_factory.mktemp("cohort")
    base = {"training.epochs": 9, "training.patience": 4, "training.checkpoint_seconds": 0}
    base |= {"model.mlp": {"dropout": 0.2, "normalisation": "batch"}}
    changes = [{"learning.gradient.optimizer.adam.learning_rate": rate} for rate in rates]
    whole, parts = make_jobs(changes, base), make_jobs(changes, base)
    first = train_many(whole, together=True)
    stop_request = StopRequest()
    with pytest.raises(Interrupted):
        train_many(
            parts,
            together=True,
            folder=folder,
            stop_request=stop_request,
            listeners=lambda _name: (StopAt(stop_request, epoch),),
        )
    again = make_jobs(changes, base)
    second = train_many(again, together=True, folder=folder)
    assert distance(whole, again) == 0
    assert [(one.progress.epoch, one.progress.best_loss) for one in first] == [
        (one.progress.epoch, one.progress.best_loss) for one in second
    ]


@pytest.mark.parametrize("together", [True, False])
def test_more_epochs_for_some_go_on_where_they_stopped(tmp_path: Path, together: bool) -> None:
    whole = make_jobs([{}] * 4, {}, epochs=4)
    train_many(whole, together=together)
    train_many(make_jobs([{}] * 4, {}, epochs=2), together=together, folder=tmp_path)
    later = [make_job(number, {}, epochs=4 if number in (1, 2) else 2) for number in range(4)]
    ended = train_many(later, together=together, folder=tmp_path)
    assert [one.progress.epoch for one in ended] == [2, 4, 4, 2]
    assert distance(whole[1:3], later[1:3]) < TOLERANCE


class Odd(nn.Module):
    """A network whose forward pass depends on its values, which no program can hold."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.layer(x)
        return hidden * 2 if hidden.sum() > 0 else hidden


def test_what_cannot_be_stacked_is_trained_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="handrail")
    odd = {"model": f"{__name__}:Odd"}
    alone, auto = make_jobs([{}] * 2, odd), make_jobs([{}] * 2, odd)
    train_many(alone, together=False)
    train_many(auto)
    assert distance(alone, auto) == 0
    assert "one after another: they cannot be stacked" in caplog.text
    with pytest.raises(
        RecipeError, match=r"training\.together: these networks cannot be trained as one program"
    ):
        train_many(make_jobs([{}] * 2, odd), together=True)


def test_different_shapes_go_into_programs_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="handrail")
    changes = [{"model.mlp.hidden": hidden} for hidden in ([8], [4], [8], [4], [8, 8])]
    alone, auto = make_jobs(changes, {}), make_jobs(changes, {})
    train_many(alone, together=False)
    train_many(auto)
    assert distance(alone, auto) < TOLERANCE
    assert caplog.text.count("2 networks are trained as one program") == 2


def test_a_compiled_cohort_equals_the_others(tmp_path: Path) -> None:
    changes = [{"learning.gradient.optimizer.adam.learning_rate": rate} for rate in RATES]
    base = {"training.compile": True, "model.mlp.dropout": 0.2}
    if not has_compiler(torch.device("cpu")):
        pytest.skip("there is no C++ compiler")
    alone, together = make_jobs(changes, {**base, "training.compile": False}), make_jobs(changes, base)
    train_many(alone, together=False)
    train_many(together, together=True, folder=tmp_path)
    assert distance(alone, together) < TOLERANCE
    assert '"compiled": true' in (tmp_path / "group-1" / "compile.json").read_text()


class Counting(nn.Module):
    """A layer with a state that no stand-in knows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen += x.detach().abs().mean()  # pyright: ignore
        return x + 0.01 * self.seen  # pyright: ignore


def _with_layer(layer: Callable[[], nn.Module]) -> list[Job]:
    jobs = []
    for number in range(3):
        with fix_seed(number):
            network = nn.Sequential(nn.Linear(12, 16, bias=False), layer(), nn.Tanh(), nn.Linear(16, 3))
        jobs.append(replace(make_job(number, {}), network=network))
    return jobs


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda: nn.BatchNorm1d(16, momentum=None), id="cumulative"),
        pytest.param(lambda: nn.BatchNorm1d(16, momentum=0.0), id="no momentum"),
        pytest.param(lambda: nn.BatchNorm1d(16, track_running_stats=False), id="no averages"),
        pytest.param(lambda: nn.BatchNorm1d(16, affine=False), id="no scale"),
        pytest.param(lambda: OurBatchNorm(16, momentum=None), id="ours"),
    ],
)
def test_every_kind_of_batch_normalisation(layer: Callable[[], nn.Module]) -> None:
    alone, together = _with_layer(layer), _with_layer(layer)
    train_many(alone, together=False)
    train_many(together, together=True)
    assert distance(alone, together) < 1e-6
    buffers = dict(alone[0].network.named_buffers())
    if "1.running_mean" in buffers and layer().momentum != 0:
        assert float(buffers["1.running_mean"].abs().max()) > 1e-3


@pytest.mark.parametrize(
    "layer",
    [
        Counting,
        lambda: nn.Sequential(
            nn.Unflatten(1, (4, 4)), nn.InstanceNorm1d(4, track_running_stats=True), nn.Flatten()
        ),
    ],
)
def test_a_layer_with_a_state_of_its_own_is_trained_alone(layer: Callable[[], nn.Module]) -> None:
    assert "keeps a state of its own" in unlike(_with_layer(layer))
    alone, either = _with_layer(layer), _with_layer(layer)
    train_many(alone, together=False)
    train_many(either)
    assert distance(alone, either) == 0
