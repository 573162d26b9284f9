"""Classes and labels: scores to probabilities, and the decision that follows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows, Values
from handrail.data.task import TaskSpec
from handrail.evaluation.calibration import choose_threshold, fit_temperature
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.table import TableOutcome
from handrail.shapes import InputShape
from handrail.tasks.baselines import MOST_SECONDS, best_constant, fit_table_baselines
from handrail.tasks.decision_lines import decision_lines
from handrail.tasks.scoring import all_scores, mean_of_sigmoid, mean_of_softmax
from handrail.tasks.task import Answered, Baselines, Choice, Task, threshold_reason

_FOLDS = 10  # in which thresholds are chosen on other rows than those they decide
_RARE = 0.2  # below this share of the rarer class, accuracy at one half means little


class ClassTask(Task):
    """Scores to probabilities: softmax((scores − log w) / T), or σ(score / T) for labels.

    Of two classes there is one score, of the second, less log w₁/w₀. The weights w are those of the classes
    in training (`weigh`): a network that minimises a weighted log loss gives p_w(y|x) ∝ w_y·p(y|x). Decisions
    are those that the weights ask for, argmax w_y·p(y|x), since they say what a mistake costs.

    threshold: the probability above which a row counts as the second class (or a label as given).

    Source: Saerens, Latinne & Decaestecker 2002 (priors); Elkan 2001 (costs)
    """

    joins: ClassVar[bool] = True
    temperature: Tensor
    threshold: Tensor
    log_weights: Tensor

    def __init__(self, spec: TaskSpec, shape: InputShape) -> None:
        super().__init__(spec, shape)
        self.kind = spec.name
        self.register_buffer("temperature", torch.tensor(1.0, dtype=torch.float64))
        self.register_buffer("threshold", torch.tensor(0.5, dtype=torch.float64))
        width = max(2, len(spec.classes)) if spec.is_classification else 0
        # Among the facts, not the weights: runs of earlier versions have none.
        self.register_buffer("log_weights", torch.zeros(width, dtype=torch.float64), persistent=False)
        self._is_weighted = False  # beside the numbers, since an exported graph cannot ask them

    def class_counts(self, part: Part) -> Int64[Tensor, " classes"]:
        return torch.bincount(part.target.cpu(), minlength=len(self.log_weights))

    def weigh(self, weights: Float[Tensor, " classes"] | None) -> None:
        self.log_weights.zero_()
        if weights is not None:
            self.log_weights.copy_(weights.double().log())
        self._is_weighted = bool(self.log_weights.any())

    @property
    def _shift(self) -> Float[Tensor, "..."] | float:
        """What the class weights have added to the scores."""
        if not self._is_weighted:
            return 0.0
        return self.log_weights if self.kind == "multi-class" else self.log_weights[1] - self.log_weights[0]

    @property
    def outputs(self) -> int:
        """A score for each class or label; one for two classes."""
        return self.spec.outputs

    def targets(self, part: Part) -> Tensor:
        return part.target

    def forward(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows classes"]:
        """Probabilities; for two classes both columns."""
        tempered = (scores.double() - self._shift) / self.temperature
        if self.kind == "multi-class":
            return torch.softmax(tempered, dim=1)
        positive = torch.sigmoid(tempered)
        return torch.cat([1 - positive, positive], dim=1) if self.kind == "binary" else positive

    def join_scores(self, scores: Sequence[Float[Tensor, "rows outputs"]]) -> Float[Tensor, "rows outputs"]:
        join, shift = mean_of_softmax if self.kind == "multi-class" else mean_of_sigmoid, self._shift
        return (join([score - shift for score in scores]) + shift).to(scores[0].dtype)

    def decide(self, probabilities: Float[Tensor, "rows classes"]) -> Tensor:
        """Class codes `[rows]`; for several labels 0/1 `[rows, labels]`. At the threshold itself it is 0."""
        if self.kind == "multi-class":
            return self.weighted(probabilities).argmax(dim=1)
        if self.kind == "binary":
            return (probabilities[:, 1] > self.threshold).long()
        return (probabilities > self.threshold).long()

    def weighted(self, probabilities: Float[Tensor, "rows classes"]) -> Float[Tensor, "rows classes"]:
        """What the decision between several classes goes by: w^(1/T)·p, the order of the scores."""
        if not self._is_weighted:
            return probabilities
        return probabilities * ((self.log_weights - self.log_weights.max()) / self.temperature).exp()

    def pictures(self, answered: Answered) -> list[Picture]:
        return [] if self.kind == "multi-label" else decision_lines(answered, self._leads)

    def _leads(self, scores: Float[Tensor, "rows outputs"]) -> Float[Tensor, "rows lines"]:
        """How far each class is ahead of all others; of two classes the second, of its threshold."""
        probabilities = self(scores)
        if self.kind == "binary":
            return probabilities[:, 1:] - self.threshold
        weighted = self.weighted(probabilities)
        best = weighted.topk(2, dim=1).values
        return weighted - torch.where(weighted == best[:, :1], best[:, 1:], best[:, :1])

    def batch_metrics(self, scores: Tensor, targets: Values) -> dict[str, tuple[float, float]]:
        """Accuracy; with several labels, every label of a row must be right."""
        assert isinstance(targets, Tensor)
        if self.kind == "multi-class":
            right = scores.argmax(dim=1) == targets
        elif self.kind == "binary":
            right = (scores[:, 0] > 0) == (targets > 0)
        else:
            right = ((scores > 0) == (targets > 0)).all(dim=1)
        return {"accuracy": (float(right.sum()), len(targets))}

    def settle(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> None:
        scores = (all_scores(network, rows).double() - self._shift).cpu().numpy()
        self.settle_scores(scores, part.target.numpy(), settings)

    def settle_scores(self, scores: np.ndarray, truth: np.ndarray, settings: Any) -> None:
        """As `settle`, from scores `[rows, outputs]` without the class weights, and true codes."""
        if settings.calibrate:
            self.temperature.fill_(fit_temperature(scores, truth, self.kind))
        if self.kind == "binary":
            from scipy.special import expit

            positive = expit(scores[:, 0] / float(self.temperature))
            threshold, self._why = self._choose(positive, truth, settings.threshold)
            self.threshold.fill_(threshold)
        elif self.kind == "multi-label" and isinstance(settings.threshold, float | int):
            self.threshold.fill_(settings.threshold)
            self._why = threshold_reason(settings.threshold, best="")

    def _choose(self, positive: np.ndarray, truth: np.ndarray, setting: Any) -> tuple[float, str]:
        """The threshold and how it was chosen."""
        if setting == "auto" and not is_rare(truth):
            if not self._is_weighted:
                return 0.5, "the default"
            even = torch.sigmoid(-torch.as_tensor(self._shift) / self.temperature)
            return float(even), "where the weights of data.balance make both classes count alike"
        reason = threshold_reason(setting, best="F1 on validation rows")
        return _threshold(positive, truth, setting), reason

    @property
    def decisions(self) -> dict[str, float]:
        temperature = {"temperature": float(self.temperature)}
        has_threshold = self.kind != "multi-class"
        return {**temperature, "threshold": float(self.threshold)} if has_threshold else temperature

    def facts(self) -> dict[str, Any]:
        return {"log_weights": self.log_weights.tolist(), **super().facts()}

    def restore(self, facts: dict[str, Any]) -> None:
        if any(facts.get("log_weights", [])):
            self.log_weights.copy_(torch.tensor(facts["log_weights"], dtype=torch.float64))
            self._is_weighted = True
        super().restore(facts)

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        return self._outcome(all_scores(network, rows), part)

    def _outcome(self, scores: Float[Tensor, "rows outputs"], part: Part, remark: str = "") -> TableOutcome:
        probabilities = self(scores)
        return TableOutcome(
            self.kind,
            part.target.numpy(),
            labels=self.decide(probabilities).cpu().numpy(),
            probabilities=probabilities.cpu().numpy(),
            classes=self.spec.classes,
            remark=remark,
        )

    def held_out_outcome(self, network: nn.Module, rows: Rows, part: Part, settings: Any) -> Outcome:
        self.settle(network, rows, part, settings)
        return self._hold_out(self._outcome(all_scores(network, rows), part), settings)

    def _hold_out(self, outcome: TableOutcome, settings: Any) -> TableOutcome:
        """Decide each row by a threshold that was chosen on nine tenths of the rows without it.

        A threshold that was chosen on the very rows that are measured makes scores without meaning look good.
        """
        chosen = _metric_of(outcome.truth, settings.threshold) if self.kind == "binary" else None
        if chosen is None or outcome.probabilities is None:
            return outcome
        positive, labels = outcome.probabilities[:, 1], np.empty_like(outcome.label_codes)
        folds = _folds(outcome.truth)
        for fold in range(_FOLDS):
            held, others = folds == fold, folds != fold
            # Asked of a task, so that a tie is decided as in use.
            one = ClassTask(self.spec, self.shape)
            one.threshold.fill_(choose_threshold(positive[others], outcome.truth[others], metric=chosen))
            labels[held] = one.decide(torch.from_numpy(outcome.probabilities[held])).numpy()
        return replace(outcome, labels=labels)

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        """Guess, linear model and trees; each chooses its temperature and threshold as the network does."""
        seconds = MOST_SECONDS if choice is None else choice.seconds
        fitted = fit_table_baselines(self.spec, train, encoder, seconds=seconds)
        scores = fitted.scores(part)
        tasks = {name: self._plain_task(weighted=name != "majority") for name in scores}
        if choice is not None:
            first = fitted
            if choice.train is not train:
                first = fit_table_baselines(self.spec, choice.train, choice.encoder, seconds=seconds)
            judged = scores if choice.validation is part else first.scores(choice.validation)
            truth = choice.validation.target.numpy()
            for name in tasks.keys() & judged.keys() - {"majority"}:  # which has one answer for all rows
                tasks[name].settle_scores(judged[name], truth, choice.settings)
        outcomes: dict[str, Outcome] = {}
        for name, task in tasks.items():
            shifted = torch.from_numpy(scores[name]) + task._shift
            outcome = task._outcome(shifted, part, fitted.remarks.get(name, ""))
            if choice is not None and choice.held_out:
                outcome = task._hold_out(outcome, choice.settings)
            outcomes[name] = outcome
        return Baselines(outcomes | self._constant(train, part, choice), left_out=fitted.left_out)

    def _plain_task(self, *, weighted: bool) -> "ClassTask":
        """One without any choices; `weighted`: classes count in decisions as they do in this one's."""
        task = ClassTask(self.spec, self.shape)
        if weighted:
            task.log_weights.copy_(self.log_weights)
            task._is_weighted = self._is_weighted
        return task

    def _constant(self, train: Part, part: Part, choice: Choice | None) -> dict[str, Outcome]:
        """The best answer for all rows by the metric that thresholds are chosen by, if not the majority."""
        if choice is None or self.kind != "binary":
            return {}
        metric = _metric_of(choice.validation.target.numpy(), choice.settings.threshold)
        if metric is None:
            return {}
        codes = train.target.numpy()
        usual = f"always {self.spec.classes[np.bincount(codes).argmax()]}"
        best = best_constant(self.spec, codes, part.target.numpy(), metric)
        return {name: outcome for name, outcome in best.items() if name != usual}

    @property
    def fair_metric(self) -> str | None:
        """With a threshold of the network's own choice, a metric that does not depend on thresholds."""
        return "roc_auc" if self.decisions.get("threshold", 0.5) != 0.5 else None


def is_rare(truth: np.ndarray) -> bool:
    """Whether the rarer of two classes is so rare that accuracy at one half means little."""
    share = float(truth.mean())
    return min(share, 1 - share) < _RARE


def _threshold(positive: np.ndarray, truth: np.ndarray, setting: Any) -> float:
    metric = _metric_of(truth, setting)
    if metric is not None:
        return choose_threshold(positive, truth, metric=metric)
    return setting if isinstance(setting, float | int) else 0.5


def _metric_of(truth: np.ndarray, setting: Any) -> Any:
    """The metric that a threshold is chosen by; None where it is a number or one half."""
    if isinstance(setting, float | int):
        return None
    if setting != "auto":
        return setting
    return "f1" if is_rare(truth) else None


def _folds(truth: np.ndarray) -> np.ndarray:
    """The fold of each row; each class is spread over all of them."""
    order = np.random.default_rng(0).permutation(len(truth))
    order = order[np.argsort(truth[order], kind="stable")]
    folds = np.empty(len(truth), dtype=np.int64)
    folds[order] = np.arange(len(truth)) % _FOLDS
    return folds
