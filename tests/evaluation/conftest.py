"""Synthetic annotations and results for the tests of the evaluation."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from transpose.inference.poses import PoseResults


@dataclass(frozen=True)
class Scene:
    """An annotation file, its content, and results on it."""

    annotation_path: Path
    content: dict
    results: PoseResults


@pytest.fixture
def make_scene(tmp_path: Path) -> Callable[..., Scene]:
    """Scenes of `images` images by seed: small and large persons, some unlabelled, crowds, good and bad results."""

    def make(seed: int = 0, images: int = 30, name: str = "annotations.json") -> Scene:
        rng = np.random.default_rng(seed)
        annotations, results = [], []
        for image_id in rng.permutation(images) * 3 + 5:
            for _ in range(rng.integers(0, 4)):
                person = _person(rng, len(annotations), int(image_id))
                annotations.append(person)
                results += [_near(rng, person) for _ in range(rng.integers(0, 3))]
            results += [_near(rng, _person(rng, 0, int(image_id))) for _ in range(rng.integers(0, 3))]
        content = {
            "images": [{"id": 5 + 3 * i, "file_name": f"{i}.jpg", "height": 480, "width": 640} for i in range(images)],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person"}],
        }
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return Scene(path, content, as_results(results))

    return make


@pytest.fixture
def no_results() -> PoseResults:
    return as_results([])


def as_results(records: list[tuple[int, np.ndarray, float]]) -> PoseResults:
    return PoseResults(
        image_ids=np.array([record[0] for record in records], dtype=np.int64),
        keypoints=np.array([record[1] for record in records], dtype=np.float64).reshape(-1, 17, 3),
        scores=np.array([record[2] for record in records], dtype=np.float64),
    )


def _person(rng: np.random.Generator, number: int, image_id: int) -> dict:
    sides = rng.uniform(20, 220, 2).round(2)
    corner = rng.uniform(-10, 400, 2).round(2)
    visibility = rng.integers(0, 3, 17) * (rng.random() > 0.15)
    points = (corner + rng.random((17, 2)) * sides).round(1) * (visibility > 0)[:, None]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [*corner.tolist(), *sides.tolist()],
        "area": float((sides.prod() * 0.6).round(2)),
        "iscrowd": int(rng.random() < 0.15),
        "keypoints": np.column_stack((points, visibility)).ravel().tolist(),
        "num_keypoints": int((visibility > 0).sum()),
    }


def _near(rng: np.random.Generator, person: dict) -> tuple[int, np.ndarray, float]:
    """A result at a random distance from a person; scores have two digits, so that many are equal."""
    keypoints = np.array(person["keypoints"]).reshape(17, 3)
    size = np.sqrt(person["area"])
    noise = rng.normal(0, rng.uniform(0, 0.12) * size, (17, 2))
    corner, sides = np.array(person["bbox"][:2]), np.array(person["bbox"][2:])
    points = np.where(keypoints[:, 2:] > 0, keypoints[:, :2], corner + sides / 2) + noise
    return person["image_id"], np.column_stack((points, rng.random(17))), round(float(rng.random()), 2)
