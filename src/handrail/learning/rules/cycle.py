"""Unpaired translation: two generators between two domains, two critics, and the way back."""

from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.components.arguments import NonNegative, Rate
from handrail.components.pictures import Picture
from handrail.errors import RecipeError
from handrail.layers.translators import DOMAINS, Translators
from handrail.learning.games.players import CURVES, Follower, Player, curves_of
from handrail.learning.games.pool import Pool
from handrail.learning.rule import Batch, Measures, Records, Rule, TrainingPlan, refuse_idle
from handrail.learning.seeding import sample_rows
from handrail.network import model_in, model_inputs
from handrail.objectives.adversarial import CRITIC, GENERATOR, real_penalty, told_apart
from handrail.objectives.alone import mean_energy_score

Loss = Literal["least_squares", "non_saturating", "hinge"]
Optimizer = Annotated[Any, Slot("optimizer")]
PoolSize = Annotated[int, Field(ge=0, le=100_000)]
_ADAM = {"adam": {"learning_rate": 5e-3, "beta_1": 0.5}}
_HERE = "learning.cycle"
_PLAYERS = ("generators", "critics")
_CURVES = {
    **CURVES,
    "cycle/": (
        "How far the way there and back ends from where it began, by epoch",
        "mean absolute difference",
        "Of the numbers of training rows, in encoded units; small also where nothing is changed.",
    ),
}


@component("rule")
class Cycle(Rule):
    """min over G, F, max over D_A, D_B: G makes rows a into rows of B, F rows b into rows of A, and both are
    to lead back.

    The generators descend L_G(D_B(G(a))) + L_G(D_A(F(b))) + λ·(|F(G(a)) − a| + |G(F(b)) − b|)
    + μ·λ·(|G(b) − b| + |F(a) − a|), and each critic L_D of real rows and of rows that were made for it, half
    of them from a history, with ½γ·‖∇D‖² at real rows. L_D and L_G are those of `adversarial`, and |·| is the
    mean absolute difference.

    The generators that are used and validated have averages of the weights. The loss that is recorded is the
    energy score of rows under their own domain in training, measured twice an epoch.

    Arguments:
        loss: what the players want.
        cycle: λ, how much the way back counts.
        identity: μ, how much it counts that a row of the domain that is led to stays as it is; 0.5 where
            colours are to be kept.
        pool: rows in the history of each domain; 0 is none.
        penalty: γ; with 0 the game is the plain one.
        average: how much of the averages is kept at each step, at most; 0 is the generators as they stand.
        optimizer: of the generators.
        critic_optimizer: of the critics.
        schedule: how all learning rates change over the steps.

    Raises: `RecipeError` for penalties of the objective, and for models without two generators and critics.

    Source: Zhu, Park, Isola & Efros 2017; Shrivastava et al. 2017 (history); Mao et al. 2017 (least squares);
    Mescheder, Geiger & Nowozin 2018 (penalty); Yazıcı et al. 2019 (average)
    """

    models: ClassVar[tuple[str, ...]] = ("cyclegan",)

    def __init__(
        self,
        *,
        loss: Loss = "least_squares",
        cycle: NonNegative = 1.0,
        identity: NonNegative = 0.0,
        pool: PoolSize = 50,
        penalty: NonNegative = 0.1,
        average: Rate = 0.99,
        optimizer: Optimizer = _ADAM,
        critic_optimizer: Optimizer = _ADAM,
        schedule: Annotated[Any, Slot("schedule")] = "constant",
    ) -> None:
        self.loss, self.weight, self.identity, self.penalty = loss, cycle, identity, penalty
        self.keep, self.pool = average, pool
        self.generators = Player(_HERE, optimizer=optimizer, schedule=schedule)
        self.critics = Player(_HERE, optimizer=critic_optimizer, schedule=schedule)

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Make both optimizers; the model looks at the range of the rows, and keeps some of each domain."""
        refuse_idle(model, plan, "cycle")
        inner = model_in(model)
        if not isinstance(inner, Translators):
            name = type(inner).__name__
            raise RecipeError(f"{_HERE}: needs two generators and two critics, which {name} has not.")
        self.model, self.taken, self.every = inner, 0, max(1, plan.steps // 2)
        self.lone, self.met, self.lone_share = 0, 0, 0.0
        self.follower = Follower(self.keep, begun=plan.begun)
        self.generators.start(inner.generators, plan)
        self.critics.start(inner.critics, plan)
        self.rng = torch.Generator().manual_seed(plan.seed)
        self.pools = [Pool(self.pool) for _ in range(DOMAINS)]
        assert plan.rows is not None, "the engine gives a rule its rows"
        self._look(model, plan.rows, plan)
        zero = inner.references.new_zeros(())
        self.now = dict.fromkeys((*_PLAYERS, "cycle", "told", "score"), zero)

    def _look(self, model: nn.Module, rows: Batch, plan: TrainingPlan) -> None:
        if not plan.begun:
            self.model.set_range(sample_rows(model, rows, torch.Generator().manual_seed(plan.seed)))
        chance = torch.Generator().manual_seed(plan.seed)  # so that a run that goes on keeps the same rows
        codes = torch.as_tensor(rows.targets).cpu()
        for domain in range(1, DOMAINS + 1):
            places = torch.nonzero(codes == domain)[:, 0]
            chosen = places[torch.randperm(len(places), generator=chance)][: self.model.references.shape[1]]
            own = sample_rows(model, rows.take(chosen), chance)
            self.model.refer(domain, own)

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Move the generators, then the critics; a batch without one of the domains changes nothing."""
        rows, codes = model_inputs(model, batch.inputs).flatten(1), batch.targets
        real = [rows[codes == domain] for domain in range(1, DOMAINS + 1)]
        both = all(map(len, real))
        self.lone, self.met = self.lone + (not both), self.met + 1
        if both:
            made = self._move_generators(real)
            self._move_critics(real, made)
            for average, player in zip(self.model.averages, self.model.generators, strict=True):
                self.follower.follow(average, player, self.taken)
        if self.taken % self.every == 0:
            with torch.no_grad():
                self.now["score"] = mean_energy_score(self.model(rows), codes).mean()
        self.taken += 1
        now = self.now
        # a player's loss that is no number makes this none, and stops the training
        loss = now["score"] + 0 * (now["generators"] + now["critics"])
        players = {f"players/{name}": now[name] for name in _PLAYERS}
        return {"loss": loss, **players, "cycle/rows": now["cycle"], "critic/told apart": now["told"]}

    def _move_generators(self, real: list[Tensor]) -> list[Tensor]:
        """Returns: by domain, the rows that were made of those of the other."""
        first, second = self.model.generators
        made = [second(real[1]).flatten(1), first(real[0]).flatten(1)]
        back = [second(made[1]).flatten(1), first(made[0]).flatten(1)]
        game = [
            GENERATOR[self.loss](critic(rows)) for critic, rows in zip(self.model.critics, made, strict=True)
        ]
        cycle = _difference(back[0], real[0]) + _difference(back[1], real[1])
        loss = game[0] + game[1] + self.weight * cycle
        if self.identity:
            kept = _difference(second(real[0]), real[0]) + _difference(first(real[1]), real[1])
            loss = loss + self.identity * self.weight * kept
        self.generators.descend(loss)
        self.now |= {"generators": loss.detach(), "cycle": cycle.detach() / DOMAINS}
        return [rows.detach() for rows in made]

    def _move_critics(self, real: list[Tensor], made: list[Tensor]) -> None:
        losses, told = [], []
        for critic, own, new, pool in zip(self.model.critics, real, made, self.pools, strict=True):
            of_real = critic(own)
            of_made = critic(pool.exchange(new, self.rng))
            losses.append(CRITIC[self.loss](of_real, of_made))
            if self.penalty:
                losses.append(self.penalty * real_penalty(critic, own))
            told.append(told_apart(of_real.detach(), of_made.detach(), self.loss))
        loss = torch.stack(losses).sum()
        self.critics.descend(loss)
        self.now |= {"critics": loss.detach(), "told": torch.stack(told).mean()}

    def end_epoch(self, model: nn.Module) -> None:
        self.lone_share = self.lone / max(1, self.met)
        self.lone = self.met = 0

    def remark(self) -> str:
        """How many batches taught nothing."""
        if not self.lone_share:
            return ""
        return (
            f"; in the last epoch {self.lone_share:.1%} of the batches held rows of one domain only, and "
            "changed nothing; a larger training.batch_size helps"
        )

    def observe(self, loss: float) -> None:
        for player in (self.generators, self.critics):
            player.observe(loss)

    def fault(self) -> str:
        """Which players' loss was the first that is not a number."""
        lost = [name for name in ("critics", "generators") if not self.now[name].isfinite()]
        return f"It is the {lost[0]}' loss that is not a number." if lost else ""

    @property
    def learning_rate(self) -> float | None:
        return self.generators.learning_rate

    @classmethod
    def pictures(cls, records: Records) -> list[Picture]:
        """Both players' losses, what the critics tell apart, and how far the way back misses."""
        return curves_of(records, _CURVES)

    def state_dict(self) -> dict[str, Any]:
        return {
            "taken": self.taken,
            "now": dict(self.now),
            "lone": (self.lone, self.met, self.lone_share),
            "generators": self.generators.state_dict(),
            "critics": self.critics.state_dict(),
            "pools": [pool.state_dict() for pool in self.pools],
            "rng": self.rng.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self.model.references.device
        self.taken, self.now = (
            state["taken"],
            {name: value.to(device) for name, value in state["now"].items()},
        )
        self.lone, self.met, self.lone_share = state["lone"]
        self.generators.load_state_dict(state["generators"])
        self.critics.load_state_dict(state["critics"])
        for pool, kept in zip(self.pools, state["pools"], strict=True):
            pool.load_state_dict(kept, device)
        self.rng.set_state(state["rng"].cpu())


def _difference(rows: Float[Tensor, "rows ..."], others: Float[Tensor, "rows width"]) -> Float[Tensor, ""]:
    return (rows.flatten(1) - others).abs().mean()
