"""Two players: one makes rows, the other tells them from real ones."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from handrail.components import Slot, component
from handrail.components.arguments import Count, NonNegative, Rate
from handrail.components.pictures import Picture
from handrail.errors import RecipeError
from handrail.layers.adversaries import Adversaries
from handrail.learning.games.players import CURVES, Follower, Player, curves_of
from handrail.learning.rule import Batch, Measures, Records, Rule, TrainingPlan, refuse_idle
from handrail.learning.seeding import sample_rows
from handrail.network import model_in, model_inputs
from handrail.objectives.adversarial import CRITIC, GENERATOR, gradient_penalty, real_penalty, told_apart
from handrail.objectives.alone import mean_energy_score

Loss = Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]
Optimizer = Annotated[Any, Slot("optimizer")]
_ADAM = {"adam": {"learning_rate": 2e-3, "beta_1": 0.5}}
_CRITIC_ADAM = {"adam": {"learning_rate": 4e-3, "beta_1": 0.5}}
_HERE = "learning.adversarial"
_PENALTY, _TURNS = 10.0, 5  # of Wasserstein's critic
_REAL_PENALTY = 0.1  # of the others
_WON = 0.99  # share of rows told apart in an epoch
_PLAYERS = ("generator", "critic")


@component("rule")
class Adversarial(Rule):
    """min over G, max over D: a generator G makes rows G(z), a critic D scores them beside real rows x.

    With s = softplus the critic descends, and then the generator:
    minimax: s(−D(x)) + s(D(G(z))), and −s(D(G(z))); non_saturating: the same, and s(−D(G(z)));
    least_squares: ½(D(x) − 1)² + ½D(G(z))², and ½(D(G(z)) − 1)²;
    hinge: max(0, 1 − D(x)) + max(0, 1 + D(G(z))), and −D(G(z));
    wasserstein: D(G(z)) − D(x) + λ·(‖∇D(x̂)‖ − 1)² at places x̂ between the two, and −D(G(z)).
    Under the others the critic's penalty is ½λ·‖∇D(x)‖² at real rows (R1).

    The generator that is used and validated has an average of the weights. The loss that is recorded is the
    energy score of rows in training, measured twice an epoch; the players' own losses are drawn beside it.

    Arguments:
        loss: what the players want.
        penalty: λ; None is 10 for `wasserstein`, and 0.1 for the others; with 0 the game is the plain one.
        critic_steps: of the critic for each of the generator; `auto` is 1, of `wasserstein` 5.
        average: how much of the average is kept at each step, at most; 0 is the generator as it stands.
        optimizer: of the generator.
        critic_optimizer: of the critic, which is the quicker one (two time scales).
        schedule: how both learning rates change over the steps.

    Raises: `RecipeError` for penalties of the objective, and for models without a generator and a critic.

    Source: Goodfellow et al. 2014 (minimax, non-saturating); Mao et al. 2017 (least squares);
    Lim & Ye 2017 (hinge); Arjovsky, Chintala & Bottou 2017 and Gulrajani et al. 2017 (wasserstein);
    Mescheder, Geiger & Nowozin 2018 (R1); Heusel et al. 2017 (two time scales); Yazıcı et al.
    2019 (average)
    """

    models: ClassVar[tuple[str, ...]] = ("gan",)

    def __init__(
        self,
        *,
        loss: Loss = "non_saturating",
        penalty: NonNegative | None = None,
        critic_steps: Count | Literal["auto"] = "auto",
        average: Rate = 0.99,
        optimizer: Optimizer = _ADAM,
        critic_optimizer: Optimizer = _CRITIC_ADAM,
        schedule: Annotated[Any, Slot("schedule")] = "constant",
    ) -> None:
        wasserstein = loss == "wasserstein"
        self.loss, self.keep = loss, average
        self.penalty = (_PENALTY if wasserstein else _REAL_PENALTY) if penalty is None else penalty
        usual = _TURNS if wasserstein else 1
        self.turns = usual if critic_steps == "auto" else int(critic_steps)
        self.generator = Player(_HERE, optimizer=optimizer, schedule=schedule)
        self.critic = Player(_HERE, optimizer=critic_optimizer, schedule=schedule)

    def start(self, model: nn.Module, plan: TrainingPlan) -> None:
        """Make both optimizers, and let the model look at the range of the rows."""
        refuse_idle(model, plan, "adversarial")
        inner = model_in(model)
        if not isinstance(inner, Adversaries):
            name = type(inner).__name__
            raise RecipeError(f"learning.adversarial: needs a generator and a critic, which {name} has not.")
        self.follower = Follower(self.keep, begun=plan.begun)
        self.model, self.taken, self.every = inner, 0, max(1, plan.steps // 2)
        moves = max(1, plan.epochs * plan.steps // self.turns)  # of the generator, in the whole training
        self.generator.start(inner.generator, replace(plan, epochs=1, steps=moves))
        self.critic.start(inner.critic, plan)
        self.rng = torch.Generator().manual_seed(plan.seed)
        assert plan.rows is not None, "the engine gives a rule its rows"
        if inner.condition is not None:
            inner.condition.count(torch.as_tensor(plan.rows.targets).to(inner.judged.device))
        if not plan.begun:
            inner.set_range(sample_rows(model, plan.rows, torch.Generator().manual_seed(plan.seed)))
        zero = inner.judged.new_zeros(())
        self.losses_now = dict.fromkeys((*_PLAYERS, "score"), zero)
        self.told, self.steps, self.told_before = zero, 0, 0.0

    def step(self, model: nn.Module, batch: Batch) -> Measures:
        """Move the critic and, in its turn, the generator."""
        real, codes = model_inputs(model, batch.inputs), batch.targets
        moves = (self.taken + 1) % self.turns == 0
        with torch.set_grad_enabled(moves):
            latent = self.model.draw_latent(len(real), self.rng)
            made = self.model.generator(self.model.tell(latent, codes)).view_as(real)
        told = self._move_critic(real, made.detach(), codes)
        if moves:
            loss = GENERATOR[self.loss](self.model.critic(self.model.tell(made, codes)))
            self.generator.descend(loss)
            self.losses_now["generator"] = loss.detach()
            self.follower.follow(self.model.average, self.model.generator, self.taken // self.turns)
        if self.taken % self.every == 0:
            with torch.no_grad():
                self.losses_now["score"] = mean_energy_score(self.model(real), codes).mean()
        self.taken, self.steps, self.told = self.taken + 1, self.steps + 1, self.told + told
        players = {f"players/{name}": self.losses_now[name] for name in _PLAYERS}
        # a player's loss that is no number makes this none, and stops the training
        loss = self.losses_now["score"] + 0 * (players["players/generator"] + players["players/critic"])
        return {"loss": loss, **players, "critic/told apart": told}

    def _move_critic(self, real: Tensor, made: Tensor, codes: Tensor) -> Tensor:
        """Returns: the share of rows that it told apart before."""

        def critic(rows: Tensor) -> Tensor:
            told = codes if len(rows) == len(codes) else torch.cat([codes, codes])
            return self.model.critic(self.model.tell(rows, told))

        of_real, of_made = critic(torch.cat([real, made])).split(len(real))
        loss = CRITIC[self.loss](of_real, of_made)
        if self.loss == "wasserstein":
            loss = loss + self.penalty * gradient_penalty(critic, real, made, self.rng)
        elif self.penalty:
            loss = loss + self.penalty * real_penalty(critic, real)
        self.critic.descend(loss)
        self.losses_now["critic"] = loss.detach()
        return told_apart(of_real.detach(), of_made.detach(), self.loss)

    def end_epoch(self, model: nn.Module) -> None:
        self.told_before = float(self.told) / max(1, self.steps)
        self.told, self.steps = torch.zeros_like(self.told), 0

    def observe(self, loss: float) -> None:
        for player in (self.generator, self.critic):
            player.observe(loss)

    def remark(self) -> str:
        """Whether the critic has won."""
        if self.told_before < _WON:
            return ""
        return (
            f"; the critic has won: in the last epoch it told {self.told_before:.1%} of the rows apart, so "
            "that the generator learns little; learning.adversarial.penalty, model.gan.spectral or a smaller "
            "learning rate of the critic (learning.adversarial.critic_optimizer) helps"
        )

    def fault(self) -> str:
        """Which player's loss was the first that is not a number."""
        lost = [name for name in ("critic", "generator") if not self.losses_now[name].isfinite()]
        return f"It is the {lost[0]}'s loss that is not a number." if lost else ""

    @property
    def learning_rate(self) -> float | None:
        return self.generator.learning_rate

    @classmethod
    def pictures(cls, records: Records) -> list[Picture]:
        """Both players' losses, and the share of rows that the critic tells apart."""
        return curves_of(records, CURVES)

    def state_dict(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("taken", "steps", "told", "told_before")}
        players = {"generator": self.generator.state_dict(), "critic": self.critic.state_dict()}
        return {**own, **players, "rng": self.rng.get_state(), "losses": dict(self.losses_now)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self.model.judged.device
        self.generator.load_state_dict(state["generator"])
        self.critic.load_state_dict(state["critic"])
        self.rng.set_state(state["rng"].cpu())
        self.taken, self.steps, self.told_before = state["taken"], state["steps"], state["told_before"]
        self.told = state["told"].to(device)
        self.losses_now = {name: value.to(device) for name, value in state["losses"].items()}
