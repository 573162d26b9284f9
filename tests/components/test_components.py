"""The mechanism: names, arguments, import paths and objects, and what is said when they are wrong."""

import functools
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from handrail import components
from handrail.components import (
    Slot,
    available,
    build,
    component,
    find,
    import_path,
    is_object,
    parse,
    resolve,
    settings,
    show_value,
    snake_case,
)
from handrail.components import registry as registered
from handrail.errors import RecipeError
from handrail.layers.activations import relu
from handrail.models.mlp import MLP


class Tree(nn.Module):
    """Anybody's model."""

    def __init__(
        self,
        outputs: int,
        inputs: int,
        *,
        depth: Annotated[int, Field(ge=1)] = 2,
        kind: Literal["a", "b"] = "a",
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.depth, self.kind = inputs, outputs, depth, kind


@dataclass
class Shape:
    width: int


class Depth(BaseModel):
    levels: int = 1


class Choosy:
    """A rule with arguments of many kinds."""

    def __init__(
        self,
        *,
        count: int,
        share: float = 0.5,
        shape: Shape | None = None,
        depth: Depth | None = None,
        either: int | Literal["auto"] = "auto",
        hook: Callable[[int], int] | None = None,
        inner: Annotated[Any, Slot("activation")] = "relu",
        several: Annotated[Any, Slot("penalty", many=True)] = (),
    ) -> None:
        self.count, self.share, self.shape, self.depth, self.either = count, share, shape, depth, either

    def start(self, model: Any, plan: Any) -> None: ...

    def step(self, model: Any, batch: Any) -> None: ...


def truth_first(targets: Tensor, outputs: Tensor) -> Tensor:
    return outputs - targets


def my_loss(prediction: Tensor, truth: Tensor, *, power: float = 2.0) -> Tensor:
    return (prediction - truth).abs().pow(power).mean(dim=1)


def broken_model(inputs: int, outputs: int) -> nn.Module:
    raise RuntimeError(f"no luck with {inputs} inputs")


HERE = __name__
CHOOSY = f"{HERE}:Choosy"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in components.KINDS:
        available(kind)
    monkeypatch.setattr(
        registered, "_registry", {kind: dict(known) for kind, known in registered._registry.items()}
    )


# Names


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("LeastSquares", "least_squares"),
        ("MLP", "mlp"),
        ("RBFNetwork", "rbf_network"),
        ("l1", "l1"),
        ("LeakyReLU", "leaky_re_lu"),
    ],
)
def test_snake_case(name: str, written: str) -> None:
    assert snake_case(name) == written


@pytest.mark.usefixtures("registry")
def test_a_registered_component_is_found_listed_and_built() -> None:
    @component("loss", tasks=("regression",))
    def fourth_power(outputs: Tensor, targets: Tensor, *, scale: float = 1.0) -> Tensor:
        """Errors to the power of four.

        More words.

        Source: Nobody 1900,
        and others
        """
        return scale * (outputs - targets).pow(4).mean(dim=1)

    entry = available("loss")["fourth_power"]
    assert entry.summary == "Errors to the power of four."
    assert entry.source == "Nobody 1900, and others"
    assert entry.tasks == {"regression"}
    built = build("loss", {"fourth_power": {"scale": 0.5}})
    assert built(torch.full((2, 1), 2.0), torch.zeros(2, 1)).tolist() == [8.0, 8.0]


@pytest.mark.usefixtures("registry")
def test_two_components_of_one_name_are_refused_but_a_cell_may_run_twice() -> None:
    def made(module: str) -> Callable[..., None]:
        def twice(outputs: Tensor, targets: Tensor) -> None: ...

        twice.__module__, twice.__qualname__ = module, "twice"
        return twice

    component("loss")(made("one"))
    again = component("loss")(made("one"))
    assert find("loss", "twice").target is again
    with pytest.raises(ValueError, match="the loss 'twice' is registered already, as one:twice"):
        component("loss")(made("another"))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'modle' is not a kind of component\. Did you mean 'model'\?"):
        component("modle")


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("model", "mpl", "there is no model 'mpl'. Did you mean 'mlp'?"),
        ("model", "MLP", "there is no model 'MLP'. Did you mean 'mlp'?"),
        ("activation", "LeakyReLU", "Did you mean 'leaky_relu'?"),
        ("rule", "LeastSquares", "Did you mean 'least_squares'?"),
        ("penalty", "zzz", "Known: activity_l1, l1, l2, sparsity_kl."),
        ("model", "torch.nn.Linear", "An import path is written 'package.module:Name'."),
    ],
)
def test_unknown_names_come_with_a_hint(kind: str, name: str, hint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        find(kind, name)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "spec", [None, 3, 0.5, True, [], ["mlp"], {}, {"a": {}, "b": {}}, {"mlp": [64]}, {1: {}}, b"mlp", {"mlp"}]
)
def test_other_shapes_are_no_components(spec: Any) -> None:
    """What YAML can hold is never taken for an object."""
    assert not is_object(spec)
    with pytest.raises(RecipeError, match=r"expected the name of a model or \{name: "):
        build("model", spec, 3, 1)


def test_a_name_with_nothing_below_has_no_arguments() -> None:
    assert parse({"mlp": None}, "model") == ("mlp", {})


# Arguments


def test_all_mistakes_come_at_once_with_their_places() -> None:
    with pytest.raises(RecipeError) as caught:
        build(
            "rule",
            {
                CHOOSY: {
                    "cuont": 3,
                    "share": "much",
                    "inner": {"leaky_relu": {"negative_slope": 7}},
                    "several": ["l1", "l7"],
                    "either": "x",
                }
            },
            where="learning",
        )
    assert caught.value.problems == [
        f"learning.{CHOOSY}.cuont: unknown argument. Did you mean 'learning.{CHOOSY}.count'?",
        f"learning.{CHOOSY}.count: missing; {CHOOSY} cannot do without it.",
        f"learning.{CHOOSY}.share: found 'much'; expected a valid number.",
        f"learning.{CHOOSY}.either: found 'x'; expected a valid integer or 'auto'.",
        f"learning.{CHOOSY}.inner.leaky_relu.negative_slope: found 7; expected less than 1.",
        f"learning.{CHOOSY}.several[1]: there is no penalty 'l7'. Known: activity_l1, l1, l2, sparsity_kl.",
    ]


def test_values_are_converted_by_their_annotations() -> None:
    """YAML reads 1e-3 as text."""
    component = build(
        "rule",
        {CHOOSY: {"count": "3", "share": "1e-3", "shape": {"width": 2}, "depth": {"levels": 4}, "either": 5}},
    )
    assert (component.count, component.share, component.shape, component.depth, component.either) == (
        3,
        0.001,
        Shape(2),
        Depth(levels=4),
        5,
    )


def test_every_default_is_written_out_nested_ones_too() -> None:
    assert resolve("rule", {CHOOSY: {"count": 1, "inner": "leaky_relu", "several": "l1"}}, "here") == {
        CHOOSY: {
            "count": 1,
            "share": 0.5,
            "shape": None,
            "depth": None,
            "either": "auto",
            "hook": None,
            "inner": {"leaky_relu": {"negative_slope": 0.1}},
            "several": [{"l1": {"strength": 1e-4}}],
        }
    }


def test_a_default_is_never_shared() -> None:
    resolve("model", "mlp", "model")["mlp"]["hidden"].append(3)
    assert resolve("model", "mlp", "model")["mlp"]["hidden"] == [128, 64]


def test_nothing_is_only_a_choice_where_it_is_the_default() -> None:
    assert resolve("rule", {"gradient": {"clip": None}}, "learning")["gradient"]["clip"] is None
    with pytest.raises(
        RecipeError, match=r"learning\.gradient\.optimizer: found None, expected the name of an optimizer"
    ):
        resolve("rule", {"gradient": {"optimizer": None}}, "learning")


@pytest.mark.parametrize(
    ("value", "text"),
    [([1] * 200, "[1, 1,"), ("x\ny", "'x\\ny'"), (torch.zeros(3, 3), "tensor([[0., 0., 0.],")],
)
def test_values_in_messages_stay_on_one_line(value: Any, text: str) -> None:
    assert show_value(value).startswith(text)
    assert "\n" not in show_value(value)
    assert len(show_value(value)) <= 80


# Import paths


def test_a_class_from_elsewhere_gets_the_context_by_name() -> None:
    tree = build("model", {f"{HERE}:Tree": {"depth": 4}}, 7, 2)
    assert (tree.inputs, tree.outputs, tree.depth) == (7, 2, 4)
    with pytest.raises(
        RecipeError, match=rf"model\.{HERE}:Tree\.depht: unknown argument\. Did you mean '.*depth'"
    ):
        build("model", {f"{HERE}:Tree": {"depht": 4}}, 7, 2)


def test_a_class_that_knows_no_such_names_gets_it_by_position() -> None:
    layer = build("model", {"torch.nn:Linear": {"bias": False}}, 7, 2)
    assert (layer.in_features, layer.out_features, layer.bias) == (7, 2, None)
    optimizer = build("optimizer", {"torch.optim:SGD": {"lr": 0.5}}, list(layer.parameters()))
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert build("model", {"torch.nn:Linear": {"in_features": 4}}, 7, 2).in_features == 4


def test_a_function_from_elsewhere_is_used_as_it_is() -> None:
    outputs, targets = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    assert build("loss", f"{HERE}:my_loss")(outputs, targets).tolist() == [4.0]
    assert build("loss", {f"{HERE}:my_loss": {"power": 3}})(outputs, targets).tolist() == [8.0]
    assert build("loss", "torch.nn.functional:mse_loss")(outputs, targets).item() == 4.0
    assert build("loss", {"torch.nn:HuberLoss": {"delta": 0.5}})(outputs, targets).item() == pytest.approx(
        0.875
    )
    with pytest.raises(
        RecipeError, match="truth_first: expected the arguments outputs, targets first and in this order"
    ):
        build("loss", f"{HERE}:truth_first")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_module:Thing", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("torch.nn:Liner", "AttributeError: module 'torch.nn' has no attribute 'Liner'"),
        (":Thing", "ValueError"),
        ("torch.nn:", "AttributeError"),
        ("..nn:Thing", "TypeError"),
        ("torch:__version__", "is TorchVersion, expected a class or a function"),
        ("__main__:Thing", "It was defined in a script: run that script, or move it to a module"),
        ("<object mine:Thing>", "was given as an object in Python"),
    ],
)
def test_import_paths_that_lead_nowhere(path: str, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build("model", path, 3, 1)
    assert reason in str(caught.value)


def test_a_module_that_cannot_be_imported_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_written.py").write_text("def model(:\n")
    (tmp_path / "fails_at_once.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, reason in (
        ("half_written", "SyntaxError"),
        ("fails_at_once", "ZeroDivisionError: division by zero"),
    ):
        with pytest.raises(RecipeError, match=rf"model: '{name}:model' cannot be imported \({reason}"):
            build("model", f"{name}:model", 3, 1)


def test_a_class_that_cannot_be_made_is_no_traceback() -> None:
    with pytest.raises(
        RecipeError, match=f"model: {HERE}:broken_model cannot be made: no luck with 3 inputs"
    ):
        build("model", f"{HERE}:broken_model", 3, 1)


# Objects


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("model", Tree),
        ("model", MLP),
        ("model", nn.Linear),
        ("loss", my_loss),
        ("loss", nn.functional.mse_loss),
        ("activation", relu),
    ],
)
def test_what_can_be_imported_is_named_by_its_path(kind: str, target: Any) -> None:
    path = import_path(target)
    assert path
    assert find(kind, path).target is target


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("model", {"subprocess:getoutput": {"cmd": "touch pwned"}}),
        ("model", {"subprocess:Popen": {"args": ["touch", "pwned"]}}),
        ("activation", {"os:system": {"command": "touch pwned"}}),
        ("loss", {"os:system": {"command": "touch pwned"}}),
        ("optimizer", {"os:system": {"command": "touch pwned"}}),
        ("rule", {"subprocess:run": {"args": ["touch", "pwned"]}}),
    ],
)
def test_what_is_no_component_is_not_called(
    kind: str, spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=f"is no {kind}: expected a subclass of"):
        build(kind, spec, 3, 1)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_imported_has_no_path() -> None:
    class Local(nn.Module): ...

    for target in (Local, lambda x: x, Tree(1, 1), functools.partial(my_loss), torch.tanh, 3, None):
        assert import_path(target) is None


def test_objects_are_returned_as_they_are() -> None:
    module, loss = nn.Linear(3, 1), functools.partial(my_loss, power=1.0)
    assert build("model", module, 5, 5) is module
    assert build("loss", loss) is loss
    assert resolve("model", module, "model") is module


def test_classes_and_functions_are_called_with_the_context() -> None:
    assert build("model", Tree, 7, 2).inputs == 7
    assert isinstance(build("activation", nn.Mish, 4), nn.Mish)
    assert (
        build(
            "optimizer", lambda parameters: torch.optim.SGD(parameters, lr=0.3), [nn.Parameter(torch.ones(1))]
        ).defaults["lr"]
        == 0.3
    )

    class LocalLoss(nn.Module):
        def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return outputs

    assert isinstance(build("loss", LocalLoss), LocalLoss)
    assert build("loss", lambda outputs, targets: 1.0)(0, 0) == 1.0


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        (
            "model",
            object(),
            "found an object of class object, which cannot serve as model: it has no 'forward'",
        ),
        (
            "rule",
            nn.Linear(1, 1),
            "found an object of class Linear, which cannot serve as rule: it has no 'start'",
        ),
        ("loss", object(), "cannot serve as loss: it has no '__call__'"),
        (
            "model",
            lambda inputs, outputs: nn.Linear(outputs, inputs),
            "expected a class or function at the top level of a module",
        ),
    ],
)
def test_objects_that_cannot_serve_are_refused(kind: str, spec: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build(kind, spec, *(3, 1)[: len(components.KINDS[kind].context)], where="here")


def test_what_a_user_sets_is_all_but_the_context() -> None:
    assert list(settings(find("model", "mlp")))[:2] == ["hidden", "activation"]
    assert list(settings(find("model", f"{HERE}:Tree"))) == ["depth", "kind"]
    assert list(settings(find("loss", f"{HERE}:my_loss"))) == ["power"]


def _modules_after(code: str) -> set[str]:
    script = textwrap.dedent(code) + "\nimport sys; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
    )


@pytest.mark.parametrize(
    "code", ["import handrail", "import handrail.components", "import handrail.recipe", "import handrail.cli"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    heavy = {"torch", "sklearn", "scipy", "matplotlib", "sqlalchemy"}
    assert not heavy & _modules_after(code)


def test_help_imports_no_torch() -> None:
    code = """
        import contextlib, io
        from handrail.cli import app
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            app(["--help"])
    """
    assert "torch" not in _modules_after(code)


@pytest.mark.parametrize("key", [1, 2.5, None, True])
def test_a_key_that_is_no_word_is_an_unknown_argument(key: object):
    """YAML has numbers, dates and nothing as keys, too."""
    with pytest.raises(RecipeError, match=rf"learning\.gradient\.{key}: unknown argument\."):
        resolve("rule", {"gradient": {key: 2}}, "learning")
