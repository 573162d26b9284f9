"""What every component of every kind promises. A new component is covered by being registered."""

import copy
import functools
import inspect
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from handrail.components import KINDS, Component, available, build, resolve, settings
from handrail.errors import RecipeError
from handrail.layers.activations import Heaviside
from handrail.learning.optimizers import needs_closure
from handrail.learning.rule import Batch, Rule, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.learning.schedules import steps_each_batch
from handrail.objectives.objective import Objective
from handrail.objectives.penalties import wants_activity
from handrail.recipe.alone import LONE_TASKS
from handrail.shapes import (
    BoxShape,
    ImageShape,
    MapShape,
    NoTarget,
    PictureShape,
    SeriesShape,
    StepShape,
    TokenShape,
    VolumeShape,
    accepted_shapes,
)
from handrail.training.job import USUAL_LOSS

ROWS, INPUTS = 12, 5
SHAPES = {  # a small one of each kind that a network may take
    int: INPUTS,
    ImageShape: ImageShape(3, 12, 12),
    VolumeShape: VolumeShape(1, 6, 8, 8),
    SeriesShape: SeriesShape(2, 16),
    TokenShape: TokenShape(9, 13),
}
LARGER = ImageShape(3, 32, 32)  # a detector halves it five times
LARGE = 3_000_000  # parameters: sixty steps of such a network are no quick test
OUTPUTS = {"binary": 1, "multi-class": 3, "multi-label": 3, "regression": 2}
# Too plain for anybody to have found first.
NO_SOURCE = {("activation", "linear"), ("schedule", "constant"), ("layer", "flatten"), ("layer", "repeat")}
BY_FACTORS = {"factor_pairs"}  # rules that learn from what varies from row to row
NO_GRADIENT = {"heaviside"}  # says so in its docstring; the rule `gradient` refuses it
LOGICAL = {"truth_table"}  # rules whose inputs have two values each, and equal answers to equal inputs


def entries(*kinds: str) -> Any:
    components = [entry for kind in kinds or KINDS for entry in available(kind).values()]
    return pytest.mark.parametrize(
        "entry", components, ids=[f"{entry.kind}-{entry.name}" for entry in components]
    )


def networks() -> Any:
    """Every model with every kind of inputs and outputs that its annotations name, but for pairs that it
    refuses.
    """
    cases = [
        (entry, kind, given)
        for entry in available("model").values()
        for kind in accepted_shapes(entry.target, "inputs")
        for given in accepted_shapes(entry.target, "outputs")
        if not refuses(entry, kind, given)
    ]
    assert {entry.name for entry, _, _ in cases} == set(available("model"))
    names = [f"{entry.name}-{kind.__name__}-{given.__name__}" for entry, kind, given in cases]
    return pytest.mark.parametrize(("entry", "kind", "given"), cases, ids=names)


def refuses(entry: Component, kind: type, given: type) -> bool:
    try:
        network(entry, kind, given)
    except RecipeError:
        return True
    return False


def outputs_for(entry: Component, kind: type, given: type) -> Any:
    """What a network is asked for, which its inputs allow."""
    if given is NoTarget:
        alone = getattr(entry.target, "alone", None)
        return NoTarget("reconstruction" if alone is None else alone.task)
    length = {SeriesShape: 16, TokenShape: 9}.get(kind, 7)
    shapes = (MapShape(3, 12, 12), StepShape(length, 13), BoxShape(2), PictureShape(3, 12, 12))
    return {int: 3, **{type(shape): shape for shape in shapes}}[given]


def rows_for(kind: type, given: type = int, rows: int = ROWS, *, seed: int = 1) -> Tensor:
    shape = LARGER if given is BoxShape else SHAPES[kind]
    if isinstance(shape, TokenShape):
        codes = torch.randint(2, shape.vocabulary, (rows, shape.length), generator=generator(seed))
        ends = torch.randint(1, shape.length + 1, (rows, 1), generator=generator(seed + 1))
        return torch.where(torch.arange(shape.length) < ends, codes, 0)
    return torch.randn(rows, *(shape if isinstance(shape, tuple) else (shape,)), generator=generator(seed))


def network(entry: Component, kind: type, given: type, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(
        "model", entry.name, LARGER if given is BoxShape else SHAPES[kind], outputs_for(entry, kind, given)
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs_of(rows: int = ROWS, *, seed: int = 1) -> Tensor:
    return torch.randn(rows, INPUTS, generator=generator(seed))


def targets_of(task: str, rows: int = ROWS) -> Tensor:
    """Targets that no scores fit exactly; every class occurs."""
    if task == "mask":
        return ((torch.arange(rows * 16) // 3) % 2).reshape(rows, 4, 4).to(torch.uint8)
    if task == "bit-sequence":
        return (torch.arange(rows * 12) // 3 % 2).reshape(rows, 4, 3).to(torch.uint8)
    if task in ("next-token", "sequence", "text-to-image"):
        return (torch.arange(rows * 4) % 4 + 1).reshape(rows, 4)
    if task in ("binary", "multi-class"):
        return torch.arange(rows) % (2 if task == "binary" else OUTPUTS[task])
    values = torch.randn(rows, OUTPUTS[task], generator=generator(2))
    return (values > 0).float() if task == "multi-label" else values


def better(task: str, targets: Tensor) -> Tensor:
    """Scores that answer rightly and with confidence."""
    if task == "binary":
        return (targets.float() * 2 - 1).unsqueeze(1) * 4
    if task == "multi-class":
        return nn.functional.one_hot(targets, OUTPUTS[task]).float() * 4
    if task == "mask":
        return (targets.float() * 8 - 4).unsqueeze(1)
    if task == "bit-sequence":
        return targets.float() * 8 - 4
    if task in ("next-token", "sequence", "text-to-image"):
        return nn.functional.one_hot(targets, 6).float() * 4
    return targets * 8 - 4 if task == "multi-label" else targets.clone()


def tasks_of(entry: Component) -> list[str]:
    """The tasks whose targets are made here; boxes, and what has no target, have tests of their own."""
    return sorted(set(entry.tasks or OUTPUTS) - {"boxes", *LONE_TASKS})


# All kinds


@entries()
def test_the_bare_name_is_enough_and_resolving_twice_changes_nothing(entry: Component) -> None:
    once = resolve(entry.kind, entry.name, "here")
    assert list(once[entry.name]) == list(settings(entry))
    assert resolve(entry.kind, once, "here") == once


@entries()
def test_unknown_arguments_are_refused_with_the_nearest_name(entry: Component) -> None:
    known = next(iter(settings(entry)), None)
    wrong = f"{known}x" if known else "strenght"
    with pytest.raises(RecipeError) as caught:
        build(entry.kind, {entry.name: {wrong: 1}}, where="here")
    assert f"here.{entry.name}.{wrong}: unknown argument." in str(caught.value)
    if known:
        assert f"Did you mean 'here.{entry.name}.{known}'?" in str(caught.value)


@entries()
def test_documented(entry: Component) -> None:
    assert entry.summary.endswith((".", ":")) or len(entry.summary) > 20
    assert (entry.source != "") != ((entry.kind, entry.name) in NO_SOURCE), (
        "a line `Source: author year` in the docstring"
    )
    signature = inspect.signature(entry.target).parameters
    assert list(signature)[: len(KINDS[entry.kind].context)] == list(KINDS[entry.kind].context)
    free = [name for name in settings(entry) if signature[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    assert not free, "what a user sets is keyword-only"
    assert not [p for p in signature.values() if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)], (
        "would swallow typos"
    )


@entries()
def test_every_setting_is_annotated(entry: Component) -> None:
    """Without an annotation nothing is validated: a text would pass for a number."""
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in settings(entry).values())


# Models and activations


@networks()
def test_networks_keep_rows_apart_and_give_finite_outputs_of_the_right_shape(
    entry: Component, kind: type, given: type
) -> None:
    module, rows = network(entry, kind, given).eval(), rows_for(kind, given)
    outputs, asked = module(rows), outputs_for(entry, kind, given)
    if given is int:
        assert outputs.shape == (ROWS, 3)
    elif given is NoTarget:
        assert len(outputs) == ROWS
    elif given is not BoxShape:
        sizes = (
            size for size in asked if isinstance(size, int)
        )  # a `StepShape` also says what is never answered
        assert outputs.shape == (ROWS, *sizes)
    assert outputs.isfinite().all()
    assert rows.dtype == torch.int64 or module(rows * 100).isfinite().all()
    torch.testing.assert_close(
        module(rows[3:5]), outputs[3:5], rtol=1e-4, atol=1e-5, msg="an answer depends on other rows"
    )


@networks()
def test_every_parameter_of_a_network_gets_a_gradient(entry: Component, kind: type, given: type) -> None:
    if "gradient" not in getattr(entry.target, "rules", ("gradient",)):
        return  # others alone can teach it
    if given is PictureShape:
        return  # its stage is trained before it and apart; see the tests of the model
    module, rows = network(entry, kind, given), rows_for(kind, given, 64)
    smooth = rows.dtype != torch.int64 and getattr(entry.target, "smooth", True)
    inputs = [("inputs", rows.requires_grad_())] if smooth else []
    outputs = module(rows)
    if not is_trained(module):
        assert not outputs.requires_grad
        return
    direction = torch.randn(outputs.shape, generator=generator(3))
    # By an objective, since a loss that the model adds may reach parameters that no score depends on.
    objective = Objective(lambda scores, _targets: (scores * direction).flatten(1).sum(dim=1))
    objective(module, rows, targets_of("multi-class", 64))[0].backward()
    trained = [(name, each) for name, each in module.named_parameters() if each.requires_grad]
    for name, parameter in (*trained, *inputs):
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@networks()
def test_the_seed_of_a_network_decides_and_a_saved_state_brings_it_back(
    entry: Component, kind: type, given: type
) -> None:
    first, same, other = (network(entry, kind, given, seed) for seed in (0, 0, 1))
    saved_state_holds(first, same, other, rows_for(kind, given))


@networks()
def test_networks_stay_as_they_are_on_a_single_row(entry: Component, kind: type, given: type) -> None:
    """A last batch of one row must not stop a training."""
    module = network(entry, kind, given)
    assert module.train()(rows_for(kind, given, 1)).isfinite().all()


def is_trained(module: nn.Module) -> bool:
    """Whether it learns by gradient; others have a rule of their own."""
    return any(parameter.requires_grad for parameter in module.parameters())


def saved_state_holds(first: nn.Module, same: nn.Module, other: nn.Module, rows: Tensor) -> None:
    assert torch.equal(first.eval()(rows), same.eval()(rows))
    drawn = [parameter for parameter in first.parameters() if parameter.requires_grad]  # memories begin empty
    if any(parameter.ndim > 1 for parameter in drawn):
        assert not torch.equal(first(rows), other.eval()(rows))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(first(rows), other.eval()(rows))


@networks()
def test_networks_learn_rows_by_heart(entry: Component, kind: type, given: type) -> None:
    if given is not int:
        return  # their losses are their tasks' business; see the tests of the tasks
    model, batch = network(entry, kind, given), Batch(rows_for(kind), targets_of("multi-class"))
    if sum(parameter.numel() for parameter in model.parameters()) > LARGE:
        return
    if not is_trained(model):
        with pytest.raises(RecipeError, match="the model has no parameters to train"):
            Gradient().start(model, plan_of("multi-class"))
        return
    rule = Gradient(optimizer={"adamw": {"learning_rate": 0.02 if kind is int else 0.003}})
    rule.start(model, plan_of("multi-class", steps=60))
    losses = [float(rule.step(model, batch)["loss"]) for _ in range(60)]
    assert min(losses[-5:]) < 0.8 * losses[0]


def made(entry: Component, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(entry.kind, entry.name, INPUTS)


def layers() -> Any:
    """Every layer with every kind of inputs that its annotation names."""
    pairs = [
        (entry, kind)
        for entry in available("layer").values()
        for kind in accepted_shapes(entry.target, "inputs")
    ]
    return pytest.mark.parametrize(
        ("entry", "kind"), pairs, ids=[f"{entry.name}-{kind.__name__}" for entry, kind in pairs]
    )


def layer(entry: Component, kind: type, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build("layer", entry.name, SHAPES[kind])


@layers()
def test_layers_keep_rows_apart_and_give_finite_outputs(entry: Component, kind: type) -> None:
    module, rows = layer(entry, kind).eval(), rows_for(kind)
    outputs = module(rows)
    assert outputs.isfinite().all()
    assert outputs.ndim in (2, 3, 4, 5)
    torch.testing.assert_close(
        module(rows[3:5]), outputs[3:5], rtol=1e-4, atol=1e-5, msg="an answer depends on other rows"
    )
    assert layer(entry, kind).train()(rows_for(kind, rows=1)).isfinite().all()


@layers()
def test_every_parameter_of_a_layer_gets_a_gradient(entry: Component, kind: type) -> None:
    module, rows = layer(entry, kind), rows_for(kind, rows=64)
    inputs = [] if rows.dtype == torch.int64 else [("inputs", rows.requires_grad_())]
    outputs = module(rows)
    (outputs * torch.randn(outputs.shape, generator=generator(3))).sum().backward()
    trained = [(name, each) for name, each in module.named_parameters() if each.requires_grad]
    for name, parameter in (*trained, *inputs):
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@layers()
def test_the_seed_of_a_layer_decides(entry: Component, kind: type) -> None:
    first, same, other = (layer(entry, kind, seed) for seed in (0, 0, 1))
    saved_state_holds(first, same, other, rows_for(kind))


@entries("activation")
def test_activations_keep_rows_apart_and_give_finite_outputs(entry: Component) -> None:
    module, rows = made(entry).eval(), inputs_of()
    outputs = module(rows)
    assert outputs.shape == (ROWS, INPUTS)
    assert outputs.isfinite().all()
    assert module(rows * 100).isfinite().all()
    torch.testing.assert_close(module(rows[3:5]), outputs[3:5], msg="an answer depends on other rows")


@entries("activation")
def test_activations_pass_a_gradient_on(entry: Component) -> None:
    module, rows = made(entry), inputs_of(64).requires_grad_()
    outputs = module(rows)
    if entry.name in NO_GRADIENT:
        assert not outputs.requires_grad
        return
    (outputs * torch.randn(outputs.shape, generator=generator(3))).sum().backward()
    for name, parameter in (*module.named_parameters(), ("inputs", rows)):
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@entries("activation")
def test_the_seed_decides_and_a_saved_state_brings_everything_back(entry: Component) -> None:
    saved_state_holds(made(entry), made(entry), made(entry, seed=1), inputs_of())


# Augmentations


def pixels(kind: type) -> Tensor:
    return rows_for(kind).sigmoid() if kind is ImageShape else rows_for(kind)


def changes() -> Any:
    cases = [
        (entry, kind)
        for entry in available("augmentation").values()
        for kind in accepted_shapes(entry.target, "inputs")
    ]
    return pytest.mark.parametrize(
        ("entry", "kind"), cases, ids=[f"{entry.name}-{kind.__name__}" for entry, kind in cases]
    )


@changes()
def test_augmentations_change_training_rows_alone_and_repeat_under_a_seed(
    entry: Component, kind: type
) -> None:
    module, rows = build("augmentation", entry.name, SHAPES[kind]), pixels(kind)

    def changed(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return module.train()(rows.clone())

    first = changed(0)
    assert first.shape == rows.shape
    assert first.isfinite().all()
    assert torch.equal(first, changed(0))
    assert not torch.equal(first, changed(1))
    assert kind is not ImageShape or (first.min() >= 0 and first.max() <= 1)
    before = torch.get_rng_state()
    assert torch.equal(module.eval()(rows), rows), "it changed rows that are only looked at"
    assert torch.equal(before, torch.get_rng_state()), "it drew a number for rows that are only looked at"
    assert not list(module.parameters())


# Initialisations


@entries("initialisation")
@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (3, 2, 3, 3)])
def test_initialisations_fill_the_weight_from_the_generator_alone(
    entry: Component, shape: tuple[int, ...]
) -> None:
    fill = build("initialisation", entry.name)

    def filled(seed: int, chance: int) -> Tensor:
        torch.manual_seed(chance)
        weight = nn.Parameter(torch.full(shape, torch.nan))
        before = torch.get_rng_state()
        fill(weight, generator(seed))
        assert torch.equal(before, torch.get_rng_state()), "it drew from torch's global generator"
        return weight.detach()

    first = filled(0, 0)
    assert first.isfinite().all()
    assert first.std() > 0
    assert torch.equal(first, filled(0, 1))
    assert not torch.equal(first, filled(1, 0))


# Losses and penalties


@entries("loss")
def test_losses_give_a_number_a_row_which_falls_as_answers_get_better(entry: Component) -> None:
    loss = build("loss", entry.name)
    for task in tasks_of(entry):
        targets = targets_of(task)
        right = better(task, targets)
        noise = torch.randn(right.shape, generator=generator(4))
        values = [loss(right + step * noise, targets) for step in (0.0, 3.0, 30.0)]
        assert all(value.shape == (ROWS,) and value.isfinite().all() for value in values), task
        means = [float(value.mean()) for value in values]
        assert means[0] < means[1] < means[2], task


@entries("loss")
def test_losses_have_finite_gradients_and_treat_each_row_by_itself(entry: Component) -> None:
    loss, order = build("loss", entry.name), torch.randperm(ROWS, generator=generator(5))
    for task in tasks_of(entry):
        targets = targets_of(task)
        scores = (5 * torch.randn(better(task, targets).shape, generator=generator(6))).requires_grad_()
        values = loss(scores, targets)
        torch.testing.assert_close(loss(scores[order], targets[order]), values[order])
        torch.testing.assert_close(loss(scores[:1], targets[:1]), values[:1])
        values.sum().backward()
        assert scores.grad is not None
        assert scores.grad.isfinite().all(), task
        assert scores.grad.abs().sum() > 0, task


@entries("loss")
def test_losses_stay_finite_for_extreme_scores(entry: Component) -> None:
    loss = build("loss", entry.name)
    for task in tasks_of(entry):
        targets = targets_of(task)
        for scores in (torch.zeros_like(better(task, targets)), -1e4 * better(task, targets)):
            assert loss(scores, targets).isfinite().all(), task


@entries("penalty")
def test_penalties_are_numbers_not_below_zero_with_a_gradient(entry: Component) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(INPUTS, 4), nn.Sigmoid(), nn.Linear(4, 2))
    penalty = build("penalty", entry.name)
    hidden = model[:2](inputs_of())
    value = penalty(model, [hidden] if wants_activity(penalty) else [])
    assert value.shape == ()
    assert value.isfinite()
    assert value >= 0
    value.backward()
    assert (
        sum(
            float(parameter.grad.abs().sum())
            for parameter in model.parameters()
            if parameter.grad is not None
        )
        > 0
    )


@entries("penalty")
def test_penalties_grow_with_their_strength(entry: Component) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(INPUTS, 4), nn.Sigmoid(), nn.Linear(4, 2))
    objectives = [Objective("mse", [{entry.name: {"strength": strength}}]) for strength in (0.0, 1.0, 2.0)]
    targets = torch.zeros(ROWS, 2)
    plain, once, twice = (
        float(objective(model, inputs_of(), targets)[0].detach()) for objective in objectives
    )
    assert plain < once
    assert twice - plain == pytest.approx(2 * (once - plain), rel=1e-4)


# Optimizers, schedules, clips


@entries("optimizer")
def test_optimizers_descend_a_bowl_and_resume_to_the_same_bits(entry: Component) -> None:
    curvature = torch.tensor([1.0, 4.0, 0.5])

    def descend(parameter: nn.Parameter, optimizer: torch.optim.Optimizer, steps: int) -> float:
        def closure() -> Any:
            parameter.grad = None
            value = (curvature * parameter.square()).sum()
            value.backward()
            return value

        for _ in range(steps):
            closure()
            optimizer.step(closure) if needs_closure(optimizer) else optimizer.step()
        return float(closure().detach())

    parameter = nn.Parameter(torch.tensor([1.0, -1.0, 2.0]))
    optimizer = build("optimizer", entry.name, [parameter])
    first = descend(parameter, optimizer, 0)
    middle = descend(parameter, optimizer, 5)
    saved, state = copy.deepcopy(parameter), copy.deepcopy(optimizer.state_dict())
    last = descend(parameter, optimizer, 5)
    assert first > middle
    assert middle > last or middle == pytest.approx(0, abs=1e-6)
    twin = build("optimizer", entry.name, [saved])
    twin.load_state_dict(state)
    descend(saved, twin, 5)
    assert torch.equal(saved, parameter)


@entries("schedule")
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_schedules_keep_the_rate_positive_and_resume_exactly(entry: Component, steps: int) -> None:
    def rates(begin: int, state: list[Any] | None) -> tuple[list[float], list[Any]]:
        parameter = nn.Parameter(torch.ones(1))
        parameter.grad = torch.ones(1)
        optimizer = torch.optim.SGD([parameter], lr=0.3)
        schedule = build("schedule", entry.name, optimizer, steps)
        if state:
            optimizer.load_state_dict(state[0])
            schedule.load_state_dict(state[1])
        learning_rates, middle = [], []
        for number in range(begin, steps):
            if number == steps // 2:
                middle = copy.deepcopy([optimizer.state_dict(), schedule.state_dict()])
            learning_rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step() if steps_each_batch(schedule) else schedule.step(1.0)
        return learning_rates, middle

    whole, middle = rates(0, None)
    assert all(0 < rate <= 0.3 * (1 + 1e-12) for rate in whole)
    assert rates(steps // 2, middle)[0] == whole[steps // 2 :]


@entries("clip")
def test_clips_leave_small_gradients_alone_and_bound_large_ones(entry: Component) -> None:
    clip = build("clip", entry.name)
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]

    def clipped(size: float) -> Tensor:
        for parameter in parameters[:2]:
            parameter.grad = size * torch.ones_like(parameter)
        clip(parameters)
        assert parameters[2].grad is None
        return torch.cat([parameter.grad for parameter in parameters[:2] if parameter.grad is not None])

    assert torch.equal(clipped(1e-3), torch.full((5,), 1e-3))
    large = clipped(1e3)
    assert large.isfinite().all()
    assert 0 < large.abs().max() <= 1


# Rules


def plan_of(
    task: str, *, steps: int = 1, epochs: int = 1, loss: Any = None, rows: Batch | None = None
) -> TrainingPlan:
    objective = Objective(loss or USUAL_LOSS[task])
    return TrainingPlan(task=task, objective=objective, epochs=epochs, steps=steps, seed=0, rows=rows)


def rule_on_batches(entry: Component, task: str) -> tuple[nn.Module, Rule, list[Batch]]:
    torch.manual_seed(0)
    model, rule = model_under(entry, task), build("rule", entry.name)
    inputs, alone = inputs_of(4 * ROWS), getattr(model, "alone", None)
    if task == "next-token":
        codes = torch.randint(1, 13, (4 * ROWS, 10), generator=generator(5))
        rows = Batch(codes[:, :-1], codes[:, 1:])
    elif alone is not None:
        told = torch.zeros(4 * ROWS, dtype=torch.int64)
        if entry.name in BY_FACTORS:
            told = 1 + torch.arange(4 * ROWS).unsqueeze(1) % 3
        elif task == "translation":
            told = torch.arange(4 * ROWS) % 2 + 1
        rows = Batch((inputs > 0).float() if alone.unit is True else inputs, told)
    elif entry.name in LOGICAL:
        numbers = torch.arange(2 * ROWS).repeat(2)
        bits = (numbers.unsqueeze(1) >> torch.arange(INPUTS)) & 1
        rows = Batch(bits.float(), targets_of(task, 2 * ROWS)[numbers])
    else:
        rows = Batch(inputs, targets_of(task, 4 * ROWS))
    rule.start(model, plan_of(task, steps=4, epochs=3, loss=rule.losses.get(task), rows=rows))
    return model, rule, [rows.cut(start, start + ROWS) for start in range(0, 4 * ROWS, ROWS)]


def model_under(entry: Component, task: str) -> nn.Module:
    """A model that the rule can teach: the first that it names, else a single layer."""
    models = entry.target.models
    if not models:
        return build("model", "linear", INPUTS, OUTPUTS[task])
    if task == "next-token":
        return build("model", models[0], TokenShape(9, 13), StepShape(9, 13))
    return build("model", models[0], INPUTS, NoTarget(task) if task in LONE_TASKS else OUTPUTS[task])


def tasks_under(entry: Component) -> list[str]:
    """Tasks that the rule does not refuse."""
    if models := entry.target.models:
        target = available("model")[models[0]].target
        alone = getattr(target, "alone", None)
        if alone is not None:
            return [alone.task]
        if accepted_shapes(target, "inputs") == (TokenShape,):
            return ["next-token"]

    def suits(task: str) -> bool:
        try:
            rule_on_batches(entry, task)
        except RecipeError:
            return False
        return True

    return [task for task in OUTPUTS if suits(task)]


@entries("rule")
def test_rules_change_every_parameter_and_measure_their_loss(entry: Component) -> None:
    tasks = tasks_under(entry)
    assert tasks
    for task in tasks:
        model, rule, batches = rule_on_batches(entry, task)
        states = [copy.deepcopy(model.state_dict())]
        for batch in batches:
            measures = rule.step(model, batch)
            assert measures["loss"].isfinite()
            assert all(value.shape == () and not value.requires_grad for value in measures.values())
            states.append(copy.deepcopy(model.state_dict()))
        rule.end_epoch(model)
        rule.observe(1.0)
        state = model.state_dict()
        assert all(value.isfinite().all() for value in state.values()), task
        for name in dict(model.named_parameters()) or state:  # a model of thresholds has buffers alone
            assert any(not torch.equal(state[name], before[name]) for before in states), (task, name)
        assert rule.learning_rate is None or rule.learning_rate > 0
        assert isinstance(rule.finished, bool)


@entries("rule")
def test_rules_resume_in_the_middle_of_an_epoch_to_the_same_bits(entry: Component) -> None:
    for task in tasks_under(entry):
        model, rule, batches = rule_on_batches(entry, task)
        for batch in batches[:2]:
            rule.step(model, batch)
        saved = copy.deepcopy((model.state_dict(), rule.state_dict()))
        twin, successor, _ = rule_on_batches(entry, task)
        twin.load_state_dict(saved[0])
        successor.load_state_dict(saved[1])
        for each, learner in ((model, rule), (twin, successor)):
            for batch in batches[2:]:
                learner.step(each, batch)
            learner.end_epoch(each)
            learner.observe(0.5)
            learner.step(each, batches[0])
            learner.end_epoch(each)
        assert rule.finished == successor.finished
        assert all(torch.equal(ours, twin.state_dict()[name]) for name, ours in model.state_dict().items()), (
            task
        )


@entries("rule")
def test_rules_keep_only_what_a_checkpoint_can_hold(entry: Component) -> None:
    def holds(state: Any) -> bool:
        if isinstance(state, dict):
            return all(isinstance(key, str | int) and holds(value) for key, value in state.items())
        if isinstance(state, list | tuple):
            return all(holds(value) for value in state)
        return state is None or isinstance(state, int | float | str | Tensor)

    model, rule, batches = rule_on_batches(entry, tasks_under(entry)[0])
    rule.step(model, batches[0])
    assert holds(rule.state_dict())


@entries("rule")
def test_rules_loss_suits_their_tasks(entry: Component) -> None:
    for task, spec in build("rule", entry.name).losses.items():
        assert build("loss", spec)(better(task, targets_of(task)), targets_of(task)).shape == (ROWS,)


def test_no_gradient_is_said_of_heaviside_alone() -> None:
    flat = {name for name in available("activation") if isinstance(build("activation", name, 3), Heaviside)}
    assert flat == NO_GRADIENT


# The contract itself can fail


class _Leaky(nn.Module):
    """A model with a parameter that nothing uses, and a mean over the rows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.used = nn.Linear(inputs, outputs)
        self.unused = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x - x.mean(dim=0))


def _global_chance(weight: Tensor, generator: torch.Generator) -> None:
    with torch.no_grad():
        weight.normal_()


def _wrong_way(outputs: Tensor, targets: Tensor) -> Tensor:
    return -(outputs - targets).square().mean(dim=1)


@pytest.mark.parametrize(
    ("kind", "target", "promise"),
    [
        ("model", _Leaky, functools.partial(
            test_every_parameter_of_a_network_gets_a_gradient, kind=int, given=int
        )),
        ("model", _Leaky, functools.partial(
            test_networks_keep_rows_apart_and_give_finite_outputs_of_the_right_shape, kind=int, given=int
        )),
        ("initialisation", _global_chance, functools.partial(
            test_initialisations_fill_the_weight_from_the_generator_alone, shape=(3, 4)
        )),
        ("loss", _wrong_way, test_losses_give_a_number_a_row_which_falls_as_answers_get_better),
        ("loss", _wrong_way, test_documented),
    ],
)  # fmt: skip
def test_broken_components_are_caught(
    kind: str, target: Callable[..., Any], promise: Callable[..., None]
) -> None:
    broken = Component(kind, f"{__name__}:{target.__name__}", target, frozenset({"regression"}))
    with pytest.raises(AssertionError):
        promise(broken)
