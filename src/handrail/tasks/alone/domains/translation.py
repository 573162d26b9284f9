"""Translation: each row of one of two domains as a row of the other, learned without pairs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handrail.components.pictures import Picture
from handrail.data.columns.schema import read_frame
from handrail.data.columns.values import as_labels
from handrail.data.encoders.row_encoder import RowEncoder
from handrail.data.part import Part
from handrail.data.rows import Rows
from handrail.errors import DataError
from handrail.evaluation.outcomes import Outcome
from handrail.evaluation.outcomes.made.translation import TranslationOutcome
from handrail.evaluation.points.sample_quality import energy_scores
from handrail.network import model_in
from handrail.shapes import NoTarget
from handrail.tasks.alone.domains.cycles import Cloud, Codes, Cycles, Translate, by_maps, by_model
from handrail.tasks.alone.domains.told_classes import ToldClasses
from handrail.tasks.alone.domains.translation_pictures import translation_pictures
from handrail.tasks.alone.points import front_of, points_before, points_of, refuse_learned_front
from handrail.tasks.baselines.maps import matched_columns, optimal_transport, unchanged
from handrail.tasks.scoring import all_scores
from handrail.tasks.task import Answered, Baselines, Choice, Task
from handrail.tools.interface import argument
from handrail.tools.words import list_some

DOMAINS = 2
_MOST_JUDGES = 2000  # translated rows that others are judged by
_MOST_FITTED = 5000  # training rows that baselines look at
_SEED = 3
_BASELINES = {
    "rows as they are": unchanged,
    "matched means and variances": matched_columns,
    "optimal transport of Gaussians": optimal_transport,
}


class TranslationTask(Task):
    """Energy scores `[rows, 3]`, under both domains and under each, to the energy score of each row.

    A held-out row is judged under the held-out rows of the other domain, translated into its own: 2,000 at
    most. How far the way there and back ends from it is measured beside, and, where the source knows it, how
    far its translation lies from the true partner, which nothing learns from.

    Baselines: rows as they are, moved and scaled by column, and moved by the optimal map of two Gaussians.

    Source: Zhu, Park, Isola & Efros 2017
    """

    uses: ClassVar[tuple[str, ...]] = ("translate",)
    classes: ToldClasses

    @property
    def outputs(self) -> NoTarget:
        return NoTarget("translation", DOMAINS)

    def fit(self, part: Part, encoder: RowEncoder) -> None:
        """Find the two domains. Raises: `DataError` unless the label has two values in training rows."""
        refuse_learned_front(encoder, "translation")
        classes = ToldClasses.of(part, self.spec.label)
        if classes is None or len(classes.names) != DOMAINS:
            raise DataError(_no_domains(classes, self.spec.label))
        self.classes = classes

    def targets(self, part: Part) -> Int64[Tensor, " rows"]:
        """The code of each row's domain; 0 where it is not known."""
        return self.classes.codes(part)

    def forward(self, scores: Float[Tensor, "rows scores"]) -> Float[Tensor, " rows"]:
        """Those of rows whose domain is not known."""
        return scores[:, 0]

    def outcome(self, network: nn.Module, rows: Rows, part: Part) -> Outcome:
        points, codes = points_of(network, rows).double().numpy(), self.targets(part).numpy()
        return self._outcome(by_model(_model(network)), points, codes, _kept(network), part)

    def judge(
        self, outcome: Outcome, network: nn.Module, *, train: Part, part: Part, encoder: RowEncoder
    ) -> Outcome:
        """With the distance from true partners, which are encoded as rows are."""
        true = self._partners(part, encoder)
        if true is None:
            return outcome
        assert isinstance(outcome, TranslationOutcome)
        points, codes = points_before(encoder, part).double().numpy(), self.targets(part).numpy()
        cycles = Cycles.of(by_model(_model(network)), points, codes, true)
        return replace(outcome, partners=cycles.partner_errors)

    def _outcome(
        self,
        translate: Translate,
        points: Cloud,
        codes: Codes,
        kept: Mapping[int, Cloud],
        part: Part,
        *,
        true: Cloud | None = None,
    ) -> TranslationOutcome:
        """Arguments: kept: by code, rows that are translated where the part has none of a domain."""
        cycles = Cycles.of(translate, points, codes, true)
        labels = as_labels(part.raw[self.classes.column]).to_list()
        return TranslationOutcome(
            _scores(translate, points, codes, kept),
            cycles.errors,
            cycles.known,
            cycles.partner_errors,
            lengths=np.square(points).sum(axis=1),
            labels=tuple(labels),
        )

    def _partners(self, part: Part, encoder: RowEncoder) -> Cloud | None:
        """The true partner of each row as the model is given rows; None where the source knows none."""
        if not self.spec.partners:
            return None
        inputs = [column.name for column in encoder.schema.used]
        frame = part.raw.select(self.spec.partners).rename(dict(zip(self.spec.partners, inputs, strict=True)))
        features, _ = read_frame(frame, encoder.schema)
        rows: Any = encoder.rows(features, part.stores)
        return front_of(encoder)(rows).flatten(1).double().numpy()

    def baselines(
        self, train: Part, part: Part, encoder: RowEncoder, choice: Choice | None = None
    ) -> Baselines:
        known, seen = (
            points_before(encoder, train.sample).double().numpy(),
            self.targets(train.sample).numpy(),
        )
        points, codes = points_before(encoder, part).double().numpy(), self.targets(part).numpy()
        true = self._partners(part, encoder)
        chance = np.random.default_rng(_SEED)
        kept = {code: chance.permutation(known[seen == code])[:_MOST_FITTED] for code in (1, 2)}
        outcomes: dict[str, Outcome] = {}
        left_out: dict[str, str] = {}
        for name, fit in _BASELINES.items():
            try:
                maps = {code: fit(kept[code], kept[3 - code]) for code in (1, 2)}
            except ValueError as error:
                left_out[name] = f"not fitted: {error}"
                continue
            outcomes[name] = self._outcome(by_maps(maps), points, codes, kept, part, true=true)
        return Baselines(outcomes, left_out=left_out)

    def pictures(self, answered: Answered) -> list[Picture]:
        """Rows there and back, from both domains."""
        points = points_of(answered.network, answered.rows).double().numpy()
        codes, true = self.targets(answered.part).numpy(), self._partners(answered.part, answered.encoder)
        cycles = Cycles.of(by_model(_model(answered.network)), points, codes, true)
        return translation_pictures(cycles, self.shape, self.classes.names)

    def columns(self, network: nn.Module, rows: Rows) -> dict[str, np.ndarray]:
        """Of new rows the energy score under both domains, and under each, in encoded units."""
        scores = all_scores(network, rows).cpu().numpy()
        names = ("energy_score", *(f"energy_score_{name}" for name in self.classes.names))
        return dict(zip(names, scores.T, strict=True))

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "classes": self.classes.facts()}

    def restore(self, facts: dict[str, Any]) -> None:
        super().restore(facts)
        classes = ToldClasses.from_facts(facts["classes"])
        assert classes is not None, "written by `facts`"
        self.classes = classes


def _model(network: nn.Module) -> Any:
    return model_in(network).eval()


def _kept(network: nn.Module) -> dict[int, Cloud]:
    """The training rows that a network keeps, by the code of their domain."""
    return dict(enumerate(_model(network).references.cpu().double().numpy(), start=1))


def _scores(
    translate: Translate, points: Cloud, codes: Codes, kept: Mapping[int, Cloud]
) -> Float[np.ndarray, " rows"]:
    """The energy score of each row under the others that are translated into its domain."""
    into: dict[int, Cloud] = {}
    for code in (1, 2):
        others = points[codes == 3 - code][:_MOST_JUDGES]
        others = others if len(others) else kept[3 - code]
        into[code] = translate(others, np.full(len(others), 3 - code))
    into[0] = np.concatenate([into[1], into[2]])
    scores = np.zeros(len(points))
    for code, cloud in into.items():
        if (codes == code).any():
            scores[codes == code] = energy_scores(points[codes == code], cloud)
    return scores


def _no_domains(classes: ToldClasses | None, label: str | None) -> str:
    how = f"name the column that tells the two domains apart with {argument('label', 'COLUMN')} (data.label)"
    if label is None:
        return f"data.label: translation goes between two domains, and no column tells them apart; {how}."
    if classes is None:
        return (
            f"data.label: '{label}' has no classes, or too many, in training rows that are read whole; {how}."
        )
    names = list_some((f"'{name}'" for name in classes.names), most=6, last=" and ")
    count = len(classes.names)
    return (
        f"data.label: translation goes between two domains, and '{label}' has {count:,} in the training rows "
        f"({names}); {how}, or leave out the rows of the others."
    )
