"""Trainings with known accuracy and attention on rendered people, for the coverage of intervals.

The population is a rendered data set, from which images are drawn with replacement, and a pool of simulated trainings,
from which a few are drawn, none of them twice. So every figure of the population is known.
"""

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from transpose.config.dataset import SyntheticSource
from transpose.data.coco import CocoAnnotations, PersonInstances, load_annotations
from transpose.evaluation.bootstrap import PerImageTable
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.pckh import KeypointHits
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON
from transpose.synthetic.dataset import synthesise

_IMAGE_SIZE = (120, 160)
_ERROR = 0.05
"""Standard deviation of a keypoint of an average training, in square roots of the person's area."""
_OF_IMAGES, _OF_TRAININGS, _OF_BOTH, _OF_PERSONS = 0.5, 0.06, 0.25, 0.4
"""Standard deviations of the logarithm of the error between images, trainings, both together, and persons."""
_FALSE_POSITIVES = 0.15
_HIT = 0.08
"""Largest error of a correct keypoint, in square roots of the person's area."""

_MATRIX_KEYPOINTS = 9


@dataclass(frozen=True)
class Population:
    """Rendered people in I images, and the difficulty of each image, which all trainings share."""

    annotations: CocoAnnotations
    difficulty: np.ndarray
    """[I] float64: mean logarithm of the error."""

    @cached_property
    def persons(self) -> PersonInstances:
        """The evaluated persons."""
        persons = self.annotations.persons
        return persons.select(persons.is_labelled & ~persons.is_crowd)

    @cached_property
    def person_images(self) -> np.ndarray:
        """[P] int64: index of each person's image."""
        return np.searchsorted(self.annotations.images.ids, self.persons.image_ids)

    def __len__(self) -> int:
        return len(self.annotations.images)


@dataclass(frozen=True)
class SimulatedTraining:
    """Results of one training on the population."""

    matches: MatchTable
    hits: KeypointHits
    """Keypoints with an error of at most `_HIT`."""
    attention: np.ndarray
    """[P, K] float64: a positive, skewed measure of each labelled keypoint, larger for occluded ones; NaN elsewhere."""
    matrices: np.ndarray
    """[2, P, J, J] float32: attention between the first J keypoints, and a noisy effect that it explains in part."""


def rendered_population(images: int, seed: int) -> Population:
    """Render people in small images, since only annotations are used."""
    settings = SyntheticSource(
        seed=seed, images={"val": images}, image_size=_IMAGE_SIZE, antialias=1, smallest_labelled_area=16.0**2
    )
    with tempfile.TemporaryDirectory() as folder:
        synthesise(settings, "val", Path(folder) / "val", jobs=1)
        annotations = load_annotations(Path(folder) / "val" / "annotations.json", COCO_PERSON)
    difficulty = _OF_IMAGES * np.random.default_rng(seed).normal(size=images)
    return Population(annotations, difficulty)


def simulated_training(population: Population, error: float, rng: np.random.Generator) -> SimulatedTraining:
    """Simulate a training; its keypoints err `error` times as much as those of an average one."""
    persons, images = population.persons, population.person_images
    of_training = np.log(error) + _OF_TRAININGS * rng.normal()
    of_images = population.difficulty + of_training + _OF_BOTH * rng.normal(size=len(population))
    scale = np.exp(of_images[images] + _OF_PERSONS * rng.normal(size=len(persons)))
    offsets = _ERROR * scale[:, None, None] * rng.standard_t(4, size=(len(persons), len(COCO_PERSON), 2))
    errors = np.where(persons.keypoints[:, :, 2] > 0, np.linalg.norm(offsets, axis=2), np.nan)
    return SimulatedTraining(
        matches=_matches(population, offsets, scale, rng),
        hits=KeypointHits.of_persons(
            population.annotations.images.ids, persons.image_ids, np.isfinite(errors), errors <= _HIT
        ),
        attention=_attention(population, of_images[images], rng),
        matrices=_matrices(population, of_training, rng),
    )


def images_of(table: MatchTable | KeypointHits, chosen: np.ndarray) -> PerImageTable:
    """Return the table of a sample of images [n], indices drawn with replacement; each draw is another image."""
    ids = np.arange(len(chosen))
    if isinstance(table, KeypointHits):
        return KeypointHits(ids, table.persons[chosen], table.keypoints[chosen], table.found[chosen])
    first, last = (np.searchsorted(table.images, chosen, side) for side in ("left", "right"))
    counts = last - first
    rows = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    images = np.repeat(ids, counts)
    return MatchTable(ids, table.persons[chosen], images, table.scores[rows], table.matched[rows], table.ignored[rows])


def persons_of(population: Population, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the persons [Q] of a sample of images [n] as indices, and the number of each one's draw [Q]."""
    first, last = (np.searchsorted(population.person_images, chosen, side) for side in ("left", "right"))
    counts = last - first
    rows = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return rows, np.repeat(np.arange(len(chosen)), counts)


def _matches(population: Population, offsets: np.ndarray, scale: np.ndarray, rng: np.random.Generator) -> MatchTable:
    persons, count = population.persons, len(population.persons)
    keypoints = persons.keypoints.copy()
    keypoints[:, :, :2] += offsets * np.sqrt(persons.areas)[:, None, None]
    scores = np.exp(-0.4 * scale) + 0.1 * rng.random(count)
    wrong = rng.choice(count, size=round(_FALSE_POSITIVES * count))
    elsewhere = keypoints[wrong] + np.sqrt(persons.areas[wrong])[:, None, None] * [1.0, 0.5, 0.0]
    results = PoseResults(
        np.concatenate((persons.image_ids, persons.image_ids[wrong])),
        np.concatenate((keypoints, elsewhere)),
        np.concatenate((scores, scores[wrong] * rng.uniform(0.3, 1, len(wrong)))),
    )
    return evaluate_keypoints(population.annotations, results, COCO_PERSON).matches


def _attention(population: Population, of_persons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    visibility = population.persons.keypoints[:, :, 2]
    of_keypoints = np.linspace(-0.5, 0.5, visibility.shape[1])
    noise = 0.7 * rng.normal(size=visibility.shape)
    values = np.exp(of_persons[:, None] + of_keypoints + 0.1 * (visibility == 1) + noise)
    return np.where(visibility > 0, values, np.nan)


def _matrices(population: Population, of_training: float, rng: np.random.Generator) -> np.ndarray:
    labelled = population.persons.keypoints[:, :_MATRIX_KEYPOINTS, 2] > 0
    both = labelled[:, :, None] & labelled[:, None]
    # The pattern of pairs of keypoints is the same in all trainings.
    pattern, other = np.random.default_rng(0).normal(size=(2, *both.shape[1:]))
    explained = (0.8 + of_training) * pattern + 0.6 * other
    attention = 0.5 * pattern + rng.normal(size=both.shape)
    effect = 0.5 * explained + rng.exponential(size=both.shape)
    return np.where(both, np.stack((attention, effect)), np.nan).astype(np.float32)
