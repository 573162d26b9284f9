"""Generation: new rows as if from the law of the rows, judged by what the network makes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.columns.values import as_labels
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.made.generation import GenerationOutcome, Quality
from handrail.evaluation.points.sample_quality import (
    NEAR,
    Copying,
    copying,
    frechet_distance,
    precision_and_recall,
)
from handrail.network import model_in
from handrail.objectives.alone import mean_energy_score
from handrail.shapes import NoTarget
from handrail.tasks.alone.domains.told_classes import ToldClasses
from handrail.tasks.alone.generation_pictures import generation_pictures
from handrail.tasks.alone.points import label_codes, points_before, points_of, refuse_learned_front, sketch_of
from handrail.tasks.alone.sample_features import Features, features_for
from handrail.tasks.baselines.samples import gaussian, independent_columns, score_by_class, training_rows
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Answered, Baselines, Choice, Task

Cloud = Float[np.ndarray, "rows width"]
Codes = Int64[np.ndarray, " rows"]
MEMORISED = "training rows"
_DRAWS, _MOST, _SEED = 1000, 2000, 3
_CHANCE = 0.01  # p-values below it are told
_COPIES = 0.25  # share of rows so near to training rows that a network is said to copy
_BASELINES: dict[str, Callable[[Cloud, int, np.random.Generator], Cloud]] = {
    "independent columns": independent_columns,
    "Gaussian": gaussian,
    MEMORISED: training_rows,
}
_TOLD = "Each row is judged under its own class, of which baselines are told as well."
_LIMIT = (
    "shown as the limit: rows that were held out are to them what another half of the real rows would be, "
    "so that a generator which only repeats them has the best figures there can be, but for copying"
)


class GenerationTask(Task):
    """Energy scores `[rows, 1]`, or under classes that are told `[rows, 1 + classes]`, to that of each row.

    A network that is told the class of a row is judged by the energy score under that class, and so are the
    baselines, each of which is then fitted to the rows of one class after the other.

    Precision and recall of 2,000 generated rows at most (k = 3) and the Fréchet distance compare them with as
    many held-out rows, and 1,000 generated rows are tested for copies of training rows.

    Baselines: independent columns and a Gaussian. The training rows themselves are the limit: held-out rows
    are another half of real rows to them, and only the test for copies tells such a generator from one that
    has learned their law.
    """

    uses: ClassVar[tuple[str, ...]] = ("generate",)

    classes: ToldClasses | None = None
    "What a network may be told."
    is_told = False
    "Whether the network is."

    @property
    def outputs(self) -> NoTarget:
        return NoTarget("generation", 0 if self.classes is None else len(self.classes.names))

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        refuse_learned_front(encoder, "generation")
        self.classes = ToldClasses.of(part, self.spec.label)

    def targets(self, part: Part) -> Int64[Tensor, " rows"]:
        """The code of each row's class; 0 where it has none."""
        return part.target if self.classes is None else self.classes.codes(part)

    def forward(self, scores: Float[Tensor, "rows scores"]) -> Float[Tensor, " rows"]:
        """Those of rows whose class is not known."""
        return scores[:, 0]

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        self.note_size(network)
        scores = mean_energy_score(all_scores(network, rows).cpu(), self.targets(part)).double().numpy()
        return self._outcome(scores, points_of(network, rows).double().numpy(), part)

    def note_size(self, network: nn.Module) -> None:
        """Note whether baselines are told the classes, as the network is."""
        self.is_told = is_conditional(network)

    def _outcome(self, scores: Float[np.ndarray, " rows"], points: Cloud, part: Part) -> GenerationOutcome:
        labels = None if self.spec.label is None else tuple(as_labels(part.raw[self.spec.label]).to_list())
        return GenerationOutcome(scores, lengths=np.square(points).sum(axis=1), labels=labels)

    def judge(
        self, outcome: Outcome, network: nn.Module, *, train: Part, part: Part, encoder: RowEncoder
    ) -> Outcome:
        """With precision, recall, the Fréchet distance, and the test for copies."""
        assert isinstance(outcome, GenerationOutcome)
        known, points = _points(encoder, train.sample), _points(encoder, part)
        quality, features = self._compared(known, points, train.sample)
        judged = _judged(outcome, quality(drawn_rows(network, _count(points))), features)
        return replace(judged, remark=f"{_TOLD} {judged.remark}") if is_conditional(network) else judged

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        known, points = _points(encoder, train.sample), _points(encoder, part)
        quality, _ = self._compared(known, points, train.sample)
        codes = self._told_codes(train.sample), self._told_codes(part)
        outcomes: dict[str, Outcome] = {}
        left_out: dict[str, str] = {}
        for name, draw in _BASELINES.items():
            try:
                scores, cloud = score_by_class(draw, known, points, codes, count=_count(points), seed=_SEED)
            except ValueError as error:
                left_out[name] = f"not fitted: {error}"
                continue
            outcome = self._outcome(scores, points, part)
            remark = _LIMIT if name == MEMORISED else ""
            outcomes[name] = replace(outcome, quality=quality(cloud), remark=remark)
        return Baselines(outcomes, left_out=left_out, limits=[MEMORISED])

    def _compared(
        self, known: Cloud, points: Cloud, train: Part
    ) -> tuple[Callable[[Cloud], Quality], Features]:
        """What judges a cloud beside these rows, and by which features."""
        labels, _ = label_codes(train, self.spec.label)
        features = features_for(known, labels, self.shape)
        return lambda cloud: quality_of(cloud, known, points, features), features

    def pictures(self, answered: Answered) -> list[Picture]:
        """Generated rows beside the training rows that lie nearest, and how near they lie."""
        known = _points(answered.encoder, answered.train.sample)
        points = points_of(answered.network, answered.rows).double().numpy()
        return generation_pictures(drawn_rows(answered.network, _DRAWS), known, points, self.shape)

    def sketch(self, network: nn.Module) -> Float[Tensor, "rows width"]:
        return sketch_of(network, self.shape)

    def _told_codes(self, part: Part) -> Codes:
        """What baselines are told of each row: the code of its class, or 0 as the network."""
        return self.targets(part).numpy() if self.is_told else np.zeros(len(part), dtype=np.int64)

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows the energy score, in encoded units; under each class, too, that the network is told."""
        scores = all_scores(network, rows).cpu().numpy()
        names = () if self.classes is None or scores.shape[1] == 1 else self.classes.names
        columns = ("energy_score", *(f"energy_score_{name}" for name in names))
        return dict(zip(columns, scores.T, strict=True))

    def facts(self) -> dict[str, Any]:
        classes = None if self.classes is None else self.classes.facts()
        return {**super().facts(), "classes": classes, "is_told": self.is_told}

    def restore(self, facts: dict[str, Any]) -> None:
        super().restore(facts)
        self.classes = ToldClasses.from_facts(facts.get("classes"))
        self.is_told = facts.get("is_told", False)


def is_conditional(network: nn.Module) -> bool:
    """Whether a network is told the classes of rows."""
    return getattr(model_in(network), "condition", None) is not None


def _count(points: Cloud) -> int:
    """How many rows are drawn to be compared with these."""
    return max(_DRAWS, min(len(points), _MOST))


def drawn_rows(network: nn.Module, count: int) -> Cloud:
    """Rows that a network makes, always the same ones."""
    model: Any = model_in(network).eval()
    generator = torch.Generator().manual_seed(_SEED)
    return model.generate(count, generator=generator).double().cpu().numpy()


def quality_of(cloud: Cloud, known: Cloud, points: Cloud, features: Features) -> Quality:
    """A cloud of generated rows beside the held-out `points` and the training rows `known`."""
    count = min(len(cloud), len(points))
    chosen = np.random.default_rng(_SEED).permutation(len(points))[:count]
    real, made = features.of(points[chosen]), features.of(cloud[:count])
    precise, recalled = precision_and_recall(real, made)
    compared, hits = np.zeros((2, len(points)), dtype=bool)
    compared[chosen], hits[chosen] = True, recalled
    distance = frechet_distance(real, made) if count > 1 else np.nan
    return Quality(float(precise.mean()), compared, hits, distance, copying(cloud[:_DRAWS], known, points))


def _judged(outcome: GenerationOutcome, quality: Quality, features: Features) -> GenerationOutcome:
    where = f"Precision, recall and the Fréchet distance are measured {features.words}."
    return replace(outcome, quality=quality, remark=f"{where} {told(quality.copying)}")


def told(found: Copying) -> str:
    """What the test for copies says, in a sentence or two.

    A network that has seen rows leans towards them before it copies them: copies lie near, besides.
    """
    beside = (
        f"{found.share:.1%} of the generated rows are nearer to a training row than to any held-out one, "
        f"where {found.chance:.1%} would be by chance (p = {found.p_value:.3f}, by permutation)"
    )
    if found.p_value >= _CHANCE:
        return f"No sign that training rows are copied: {beside}."
    near = f"{found.near:.1%} are as near to one as {NEAR:.0%} of held-out rows are"
    if found.near >= _COPIES:
        return f"The network copies training rows: {near}; {beside}."
    return f"The network leans towards training rows, but few are copies: {near}; {beside}."


def _points(encoder: RowEncoder, part: Part) -> Cloud:
    return points_before(encoder, part).double().numpy()
