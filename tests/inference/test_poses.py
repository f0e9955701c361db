"""Poses as a table, drawn, and as supervision's keypoints."""

import sys
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from transpose.errors import InputError
from transpose.inference.poses import Poses
from transpose.skeleton import COCO_PERSON

POSES = Poses(
    COCO_PERSON,
    np.arange(68, dtype=float).reshape(2, 17, 2),
    np.linspace(0, 1, 34).reshape(2, 17),
    np.array([0.5, 0.6]),
    np.array([[0.0, 0, 40, 40], [30, 30, 40, 40]]),
)


def test_a_table_has_a_row_per_keypoint() -> None:
    table = POSES.to_pandas()
    assert list(table.columns) == ["person", "keypoint", "x", "y", "score"]
    assert len(table) == 34
    row = table[(table.person == 1) & (table.keypoint == "left_wrist")].iloc[0]
    index = COCO_PERSON.index("left_wrist")
    assert (row.x, row.y, row.score) == (*POSES.xy[1, index], POSES.scores[1, index])
    assert set(replace(POSES, ids=np.array([7, 3])).to_pandas().person) == {3, 7}
    assert len(POSES.select(np.zeros(0, dtype=np.int64)).to_pandas()) == 0


@pytest.mark.parametrize("method", ["to_pandas", "to_supervision"])
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    library = method.removeprefix("to_")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=f"{library}: is not installed: pip install"):
        getattr(POSES, method)()


@dataclass
class OldKeyPoints:
    """As in supervision 0.20."""

    xy: np.ndarray
    class_id: np.ndarray | None = None
    confidence: np.ndarray | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class NewKeyPoints:
    """As in supervision 0.29."""

    xy: np.ndarray
    class_id: np.ndarray | None = None
    keypoint_confidence: np.ndarray | None = None
    data: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize("kind", [OldKeyPoints, NewKeyPoints])
def test_supervision_of_any_version(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    module = ModuleType("supervision")
    module.KeyPoints = kind  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "supervision", module)
    found: Any = POSES.to_supervision()
    assert (found.xy.shape, found.xy.dtype, found.class_id.tolist(), found.data) == ((2, 17, 2), np.float32, [0, 0], {})
    scores = found.confidence if kind is OldKeyPoints else found.keypoint_confidence
    np.testing.assert_allclose(scores, POSES.scores, rtol=1e-6)
    tracked: Any = replace(POSES, ids=np.array([7, 3])).to_supervision()
    assert tracked.data["tracker_id"].tolist() == [7, 3]


def test_ids_are_drawn() -> None:
    image = np.full((80, 80, 3), 90, dtype=np.uint8)
    plain, labelled = POSES.draw(image), replace(POSES, ids=np.array([7, 3])).draw(image)
    assert (plain != image).any()
    assert (labelled != plain).any()
    np.testing.assert_array_equal(POSES.draw(image, min_score=1.1), image)


def test_selected_persons_keep_their_ids() -> None:
    chosen = replace(POSES, ids=np.array([7, 3])).select(np.array([1]))
    assert (chosen.persons, chosen.boxes.tolist()) == ([3], [[30, 30, 40, 40]])
    assert POSES.select(np.array([True, False])).persons == [0]
