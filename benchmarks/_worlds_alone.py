"""Worlds without a target: groups of points, maps, densities, and cues of a memory; see `_worlds`."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from _worlds import FITTED_ON, Rng, World, swap
from handrail.evaluation.outcomes.clusters import ClusterOutcome
from handrail.evaluation.outcomes.density import DensityOutcome
from handrail.evaluation.outcomes.made.generation import GenerationOutcome, Quality
from handrail.evaluation.outcomes.made.translation import TranslationOutcome
from handrail.evaluation.outcomes.map import MapOutcome, Ways
from handrail.evaluation.outcomes.memory import MemoryOutcome
from handrail.evaluation.outcomes.reconstruction import ReconstructionOutcome
from handrail.evaluation.points.sample_quality import (
    Copying,
    copying,
    energy_scores,
    precision_and_recall,
)
from handrail.evaluation.points.silhouettes import silhouettes
from handrail.learning.kmeans import kmeans
from handrail.learning.principal_components import lay_plane
from handrail.learning.rule import Batch, TrainingPlan
from handrail.learning.rules.kohonen import Kohonen
from handrail.models.kohonen import KohonenMap
from handrail.objectives.objective import Objective
from handrail.shapes import NoTarget

GROUPS = np.array(
    [[2.0, -1.0, 0.0, 0.0], [-1.0, 2.0, 0.0, 0.0], [1.5, 1.5, 2.0, 0.0], [-1.5, -1.5, 1.0, 0.0]]
)


def grouped(rng: Rng, rows: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Points about four centres, and the number of the centre: 0 and 1 are alike in a mirror."""
    group = rng.integers(0, 4, rows)
    return GROUPS[group] + spread * rng.standard_t(8.0, size=(rows, 4)), group


@dataclass(frozen=True)
class Clusters(World):
    """Four groups that overlap; centres of k-means, and rows at random as the baseline.

    Arguments:
        spread: of a group about its centre.
        agree: the share of rows whose label is their group; the others have any.
    """

    spread: float = 1.0
    agree: float = 0.8
    sizes: Sequence[int] = (30, 100, 300, 1000)
    fresh: int = 20_000

    @functools.cached_property
    def centres(self) -> dict[str, np.ndarray]:
        rows = torch.from_numpy(grouped(np.random.default_rng(1), FITTED_ON, self.spread)[0])
        found = kmeans(rows, 4, torch.Generator().manual_seed(0)).centres.numpy()
        return {"network": found, "equal": swap(found), "baseline": rows[:4].numpy()}

    def draw(self, rng, rows, *, who=("network",)):
        points, group = grouped(rng, rows, self.spread)
        labels = np.where(rng.random(rows) < self.agree, np.maximum(group - 1, 0), rng.integers(-1, 3, rows))
        lengths, answers = np.square(points).sum(axis=1), []
        for name in who:
            squares = np.square(points[:, None] - self.centres[name]).sum(axis=2)
            codes = squares.argmin(axis=1)
            shapes = silhouettes(points, codes)
            answers.append(
                ClusterOutcome(codes, squares.min(axis=1), lengths, shapes, labels, ("a", "b", "c"))
            )
        return answers


@dataclass(frozen=True)
class Maps(World):
    """Points of four groups on a Kohonen map that was fitted once; on a grid in their main plane as baseline.

    Arguments:
        final_radius: of the training; a small one tears the map more often.
    """

    final_radius: float = 1.0
    spread: float = 1.0
    sizes: Sequence[int] = (30, 100, 300, 1000)
    fresh: int = 100_000

    @functools.cached_property
    def maps(self) -> dict[str, KohonenMap]:
        rows = torch.from_numpy(grouped(np.random.default_rng(1), FITTED_ON, self.spread)[0]).float()
        batch, rule = Batch(rows, torch.zeros(len(rows))), Kohonen(final_radius=self.final_radius)
        each = {name: KohonenMap(4, NoTarget("map")) for name in ("network", "equal", "baseline")}
        plan = TrainingPlan("map", Objective("distance_to_nearest"), epochs=30, steps=1, seed=0, rows=batch)
        rule.start(each["network"], plan)
        for _ in range(30):
            rule.step(each["network"], batch)
            rule.end_epoch(each["network"])
        with torch.no_grad():
            each["equal"].prototypes.copy_(
                torch.from_numpy(swap(each["network"].prototypes.detach().numpy()))
            )
            each["baseline"].prototypes.copy_(lay_plane(each["baseline"].grid, rows))
        return each

    @torch.no_grad()
    def draw(self, rng, rows, *, who=("network",)):
        points = grouped(rng, rows, self.spread)[0]
        lengths, answers = np.square(points).sum(axis=1), []
        for name in who:
            fitted = self.maps[name]
            two = fitted(torch.from_numpy(points).float()).topk(2, largest=False)
            first, second = two.indices.unbind(dim=1)
            torn = ~fitted.grid.adjoin(first, second).numpy()
            ways = Ways(fitted.way_lengths(first, second).numpy(), torn)
            distances = two.values[:, 0].double().sqrt().numpy()
            answers.append(MapOutcome(first.numpy(), distances, fitted.grid.width, ways, lengths=lengths))
        return answers


@dataclass(frozen=True)
class Points(World):
    """Points of four groups; the log-density of two Gaussians fitted once, and of a single one."""

    spread: float = 1.0

    @functools.cached_property
    def networks(self):
        rows = grouped(np.random.default_rng(1), FITTED_ON, self.spread)[0]
        each = {"network": GaussianMixture(4, random_state=0), "baseline": GaussianMixture(1)}
        return {name: network.fit(rows) for name, network in each.items()}

    def draw(self, rng, rows, *, who=("network",)):
        points, _ = grouped(rng, rows, self.spread)
        lengths, answers = np.square(points).sum(axis=1), []
        for name in who:
            network = self.networks["baseline" if name == "baseline" else "network"]
            seen = swap(points) if name == "equal" else points
            answers.append(DensityOutcome(network.score_samples(seen), lengths=lengths))
        return answers


@dataclass(frozen=True)
class Made(World):
    """Points of four groups, judged by points that were made once: of the same groups, wider; of a Gaussian
    as the baseline.
    """

    made: int = 500
    sizes: Sequence[int] = (30, 100, 300, 1000)
    fresh: int = 2000

    @functools.cached_property
    def clouds(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(1)
        network = grouped(rng, self.made, 1.3)[0]
        known = grouped(rng, FITTED_ON, 1.0)[0]
        baseline = rng.multivariate_normal(known.mean(axis=0), np.cov(known.T), self.made)
        return {"network": network, "equal": swap(network), "baseline": baseline}

    @functools.cached_property
    def copies(self) -> Copying:
        one, two = (grouped(np.random.default_rng(seed), 50, 1.0)[0] for seed in (2, 3))
        return copying(self.clouds["network"], one, two)

    def draw(self, rng, rows, *, who=("network",)):
        points, everything, answers = grouped(rng, rows, 1.0)[0], np.ones(rows, dtype=bool), []
        for name in who:
            cloud = self.clouds[name]
            recalled = precision_and_recall(points, cloud)[1]
            quality = Quality(0.5, everything, recalled, 1.0, self.copies)
            lengths = np.square(points).sum(axis=1)
            answers.append(GenerationOutcome(energy_scores(points, cloud), quality, lengths=lengths))
        return answers


@dataclass(frozen=True)
class Translated(World):
    """Points of two groups, each moved to the other with an error that depends on where it lies; of some
    rows nobody knows the group. The baseline errs more.

    Arguments:
        known: the share of rows whose group is known.
    """

    known: float = 0.9

    def draw(self, rng, rows, *, who=("network",)):
        points, _ = grouped(rng, rows, 1.0)
        known, lengths, answers = rng.random(rows) < self.known, np.square(points).sum(axis=1), []
        for name in who:
            factor = 1.5 if name == "baseline" else 1.0
            far = np.abs(swap(points) if name == "equal" else points)[:, :3].T
            scores, partners, cycles = factor * far * rng.lognormal(0.0, 0.5, (3, rows))
            back, across = (np.where(known, each, 0.0) for each in (cycles, partners))
            answers.append(TranslationOutcome(scores, back, known, across, lengths=lengths))
        return answers


@dataclass(frozen=True)
class Planes(World):
    """Points of four groups, given back from a plane that was fitted once; from a line as the baseline."""

    spread: float = 1.0

    @functools.cached_property
    def networks(self):
        rows = grouped(np.random.default_rng(1), FITTED_ON, self.spread)[0]
        return {"network": PCA(2).fit(rows), "baseline": PCA(1).fit(rows)}, rows.mean(axis=0)

    def draw(self, rng, rows, *, who=("network",)):
        points, _ = grouped(rng, rows, self.spread)
        (networks, mean), lengths, answers = self.networks, np.square(points).sum(axis=1), []
        for name in who:
            network = networks["baseline" if name == "baseline" else "network"]
            seen = swap(points) if name == "equal" else points
            given = network.inverse_transform(network.transform(seen))
            errors, spreads = (np.square(seen - other).mean(axis=1) for other in (given, mean))
            answers.append(ReconstructionOutcome(errors, spreads, lengths=lengths))
        return answers


@dataclass(frozen=True)
class Bits(World):
    """Prototypes of 24 bits, one of them rare, with bits turned; the log-density of a model that is wrong
    about the chance of a turn and two of the shares, and of independent bits."""

    turned: float = 0.08

    @functools.cached_property
    def prototypes(self):
        bits = np.random.default_rng(3).integers(0, 2, (5, 24))
        bits[1] = swap(bits[:1])[0]
        bits[2:, 1] = bits[2:, 0]
        return bits, np.array([0.28, 0.28, 0.25, 0.17, 0.02])

    def draw(self, rng, rows, *, who=("network",)):
        prototypes, shares = self.prototypes
        supposed = shares + np.array([0.12, -0.12, 0, 0, 0])  # the equal has them the other way round
        which = rng.choice(len(shares), rows, p=shares)
        points = np.where(rng.random((rows, 24)) < self.turned, 1 - prototypes[which], prototypes[which])
        lengths, answers = points.sum(axis=1).astype(float), []
        means = self.turned + (1 - 2 * self.turned) * (shares @ prototypes)
        for name in who:
            seen = swap(points) if name == "equal" else points
            if name == "baseline":
                logs = np.where(seen, np.log(means), np.log1p(-means)).sum(axis=1)
            else:
                wrong = (seen[:, None] != prototypes).sum(axis=2)
                chance = np.log(0.05) * wrong + np.log(0.95) * (24 - wrong) + np.log(supposed)
                logs = np.logaddexp.reduce(chance, axis=1)
            answers.append(DensityOutcome(logs, lengths=lengths))
        return answers


@dataclass(frozen=True)
class Cues(World):
    """Cues of a memory of 100 units, most of which come back whole; some new rows are taken for stored.

    Arguments:
        whole: the share of cues that come back whole; the others lose some units, or most.
        taken: the share of new rows that are taken for stored.
    """

    whole: float = 0.8
    taken: float = 0.05

    def draw(self, rng, rows, *, who=("network",)):
        places, new, answers = rng.integers(0, 1000, rows), rng.random(rows) < 0.9, []
        ease = rng.random(rows)
        for name in who:
            whole = self.whole * (0.7 if name == "baseline" else 1.0)
            hit = 0.5 * ease + 0.5 * rng.random(rows) < whole
            lost = np.where(rng.random(rows) < 0.3, rng.integers(20, 60, rows), rng.integers(1, 6, rows))
            moved = np.where(rng.random(rows) < self.taken, 0.0, rng.integers(1, 30, rows) / 100)
            answers.append(MemoryOutcome(places, np.where(hit, 100, 100 - lost) / 100, moved, new))
        return answers


WORLDS: dict[str, World] = {
    "clusters": Clusters(),
    "clusters far apart": Clusters(spread=0.35, agree=0.97),
    "clusters, labels without sense": Clusters(agree=0.0),
    "map": Maps(),
    "map, torn": Maps(final_radius=0.4),
    "density of points": Points(),
    "reconstruction": Planes(),
    "density of bits": Bits(),
    "generation": Made(),
    "translation": Translated(),
    "memory": Cues(),
    "memory, nearly perfect": Cues(whole=0.97, taken=0.005),
}
