"""A discrete VAE, a transformer that reads and writes, and both as one network."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from handrail.components import build
from handrail.components.pictures import Tiles
from handrail.errors import RecipeError
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.gradient import Gradient
from handrail.objectives.objective import Objective
from handrail.recipe import Recipe
from handrail.shapes import ImageShape, NoTarget, PictureShape, StepShape, TokenShape

SHAPE = ImageShape(3, 12, 12)
SMALL = {"dvae": {"codes": 8, "code_width": 4, "channels": [6, 8]}}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dvae(shape: ImageShape = SHAPE, **arguments: object) -> Any:
    torch.manual_seed(0)
    return build("model", {"dvae": {**SMALL["dvae"], **arguments}}, shape, NoTarget("reconstruction"))


def writer(**arguments: object) -> Any:
    torch.manual_seed(0)
    model = {"decoder_only": {"width": 16, "layers": 2, "heads": 2, **arguments}}
    return build("model", model, TokenShape(5, 11), StepShape(6, 9, (0, 1))).eval()


def texts(rows: int = 4) -> Tensor:
    return torch.randint(2, 11, (rows, 5), generator=generator(1))


def written(rows: int = 4) -> Tensor:
    return torch.randint(2, 9, (rows, 6), generator=generator(2))


# The discrete VAE


@pytest.mark.parametrize("shape", [ImageShape(3, 12, 12), ImageShape(1, 13, 18)])
def test_a_reconstruction_is_the_picture_of_its_tokens(shape: ImageShape) -> None:
    model, rows = dvae(shape).eval(), torch.randn(3, *shape, generator=generator())
    tokens = model.tokens(rows)
    assert tokens.shape == (3, shape.height // 4, shape.width // 4)
    assert (tokens >= 0).all()
    assert (tokens < 8).all()
    torch.testing.assert_close(model(rows), model.from_tokens(tokens))
    torch.testing.assert_close(model.reconstruct(rows.flatten(1)), model(rows))


def test_it_learns_squares_of_few_kinds_far_below_their_variance() -> None:
    """van den Oord, Vinyals & Kavukcuoglu 2017: pictures through a few codes."""
    model = dvae(codes=16)
    kinds = torch.randn(4, 3, 1, 1, generator=generator(3)).expand(-1, -1, 12, 12)
    rows = kinds[torch.randint(4, (16,), generator=generator(4))]
    rule = Gradient(optimizer={"adam": {"learning_rate": 0.01}})
    objective = Objective("mse")
    rule.start(model, TrainingPlan("reconstruction", objective, epochs=1, steps=200, seed=0))
    batch = Batch(rows, rows.flatten(1))
    for _ in range(200):
        rule.step(model.train(), batch)
    error = (model.eval()(rows) - rows.flatten(1)).square().mean()
    assert error < 0.2 * rows.flatten(1).var(dim=0).mean()
    assert len(model.tokens(rows).unique()) > 1


def test_its_codes_are_shown_as_pictures_of_what_one_token_covers() -> None:
    (shown,) = dvae().pictures(ImageShape(3, 12, 12))
    assert isinstance(shown, Tiles)
    assert shown.pictures.shape == (8, 3, 4, 4)


def test_more_halvings_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"model\.dvae\.channels: found 4 convolutions.*at most 3"):
        dvae(channels=[4, 4, 4, 4])


# The transformer


def test_writing_step_by_step_gives_the_scores_of_all_steps_at_once() -> None:
    """Keys and values that are kept say what a whole pass says (Ramesh et al. 2021: one causal stream)."""
    model, source, target = writer(), texts(), written()
    with torch.no_grad():
        _, scores = model._write(source, lambda step, _: target[:, step])
        torch.testing.assert_close(scores, model((source, target)), rtol=1e-4, atol=1e-5)


def test_a_score_depends_on_the_source_and_on_earlier_tokens_alone() -> None:
    model, source, target = writer(), texts(), written()
    later, other = target.clone(), source.clone()
    later[:, 3], other[:, 4] = 2 + (later[:, 3] - 1) % 7, 2 + (other[:, 4] - 1) % 9
    with torch.no_grad():
        scores, changed = model((source, target)), model((source, later))
        torch.testing.assert_close(scores[:, :4], changed[:, :4])
        assert not torch.allclose(scores[:, 4:], changed[:, 4:])
        assert not torch.allclose(scores[:, 0], model((other, target))[:, 0])


def test_tokens_are_drawn_as_often_as_their_scores_say() -> None:
    """The first token of 8,000 draws for one text beside the softmax of its scores."""
    model = writer()
    nn.init.normal_(model.head.weight, std=0.5, generator=generator(5))
    source = texts(1).expand(8_000, -1)
    drawn = model.draw(source, temperature=0.7, generator=generator())
    scores = model(source[:1])[0, 0].detach()
    scores[:2] = -torch.inf
    expected = (scores.double() / 0.7).softmax(dim=0)
    shares = torch.bincount(drawn[:, 0], minlength=9) / len(drawn)
    assert drawn.min() >= 2
    torch.testing.assert_close(shares.double(), expected, rtol=0, atol=0.025)
    assert torch.equal(drawn, model.draw(source, temperature=0.7, generator=generator()))


def test_a_temperature_of_zero_takes_the_likeliest_token() -> None:
    model = writer()
    drawn = model.draw(texts(), temperature=0.0)
    scores = model((texts(), drawn)).detach()
    scores[..., :2] = -torch.inf
    assert torch.equal(scores.argmax(dim=2), drawn)


# Both as one network


def staged(**arguments: object) -> Any:
    torch.manual_seed(0)
    spec = {"stages": [SMALL], "head": {"decoder_only": {"width": 16, "layers": 1, "heads": 2}}, **arguments}
    return build("model", {"staged_target": spec}, TokenShape(5, 11), PictureShape(3, 12, 12)).eval()


def test_the_nats_of_a_picture_are_those_of_its_tokens() -> None:
    model = staged()
    pictures = torch.randint(0, 256, (4, 3, 12, 12), generator=generator(), dtype=torch.uint8)
    nats, middles = model((texts(), pictures))
    codes = model.tokens(model.stage_rows(pictures))
    chances = model.head((texts(), codes)).log_softmax(dim=2)
    torch.testing.assert_close(nats, -chances.gather(2, codes[..., None])[..., 0].sum(dim=1))
    assert middles.shape == pictures.shape
    assert middles.min() >= 0
    assert middles.max() <= 1
    assert model(texts()).shape == pictures.shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stages": [SMALL, SMALL]}, r"stages: found 2, but where pictures are the target there is one"),
        ({"stages": ["autoencoder"]}, r"stages\[0\]: 'autoencoder' makes no tokens of a picture"),
        ({"head": "encoder_decoder"}, r"model: it does not read a text and write tokens.*decoder_only"),
        (
            {"head": {"decoder_only": {"width": 10}}},
            r"decoder_only\.heads: 4 heads cannot share a width of 10",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        staged(**arguments)


def test_a_recipe_puts_the_stages_of_what_reads_and_writes_on_its_target() -> None:
    recipe = Recipe.parse({"stages": [{"model": "dvae"}], "model": "decoder_only"})
    assert list(recipe.network) == ["staged_target"]
    assert list(Recipe.parse({"stages": [{"model": "rbm"}], "model": "linear"}).network) == ["staged"]
