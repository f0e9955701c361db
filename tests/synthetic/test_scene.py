import numpy as np
import pytest

from transpose.config.dataset import SyntheticSource
from transpose.skeleton import COCO_PERSON
from transpose.synthetic.annotate import annotations
from transpose.synthetic.camera import Framing
from transpose.synthetic.render import NO_PERSON, render
from transpose.synthetic.scene import Bodies, Scene, sample_scene

NO_SHARES = {"bust_share": 0.0, "truncated_share": 0.0, "small_share": 0.0, "crowd_share": 0.0}
SIZE_HW = (96, 128)


def scenes(bodies: Bodies, count: int, **changes: object) -> list[Scene]:
    values = {**NO_SHARES, "image_size": SIZE_HW, "people": (1, 1), "occluder_probability": 0.0, **changes}
    settings = SyntheticSource.model_validate({"images": {"train": 1}, **values})
    return [sample_scene(bodies, settings, np.random.default_rng(seed)) for seed in range(count)]


def first_points(scene: Scene) -> np.ndarray:
    return scene.camera.project(scene.figures[0].keypoints)


def inside(scene: Scene) -> np.ndarray:
    x, y, _ = first_points(scene).T
    return (x >= 0) & (x < SIZE_HW[1]) & (y >= 0) & (y < SIZE_HW[0])


def test_whole_people_are_whole(bodies: Bodies):
    assert np.mean([inside(scene).mean() for scene in scenes(bodies, 12)]) > 0.85


def test_busts_show_faces_and_no_feet(bodies: Bodies):
    seen = np.mean([inside(scene) for scene in scenes(bodies, 12, bust_share=1.0)], axis=0)
    assert seen[COCO_PERSON.index("nose")] > 0.9
    assert seen[[COCO_PERSON.index("left_ankle"), COCO_PERSON.index("right_ankle")]].max() < 0.4


def test_the_border_cuts_truncated_people(bodies: Bodies):
    cut = [not inside(scene).all() for scene in scenes(bodies, 12, truncated_share=1.0)]
    assert np.mean(cut) > 0.7


def test_small_people_are_small(bodies: Bodies):
    for scene in scenes(bodies, 5, small_share=1.0):
        assert np.ptp(first_points(scene)[:, 1]) < 0.4 * SIZE_HW[0]


def test_crowds_are_crowds(bodies: Bodies):
    for scene in scenes(bodies, 2, crowd_share=1.0):
        assert scene.framing is Framing.CROWD
        assert sum(scene.in_crowd) >= 10
        rendering = render(scene, 1, np.random.default_rng(0))
        found = annotations(scene, rendering, smallest_labelled_area=1024)
        assert [annotation["iscrowd"] for annotation in found].count(1) == 1


@pytest.mark.parametrize("people", [(1, 1), (2, 2), (4, 4)])
def test_number_of_people(bodies: Bodies, people):
    (scene,) = scenes(bodies, 1, people=people)
    assert len(scene.figures) == people[0]


def test_figures_do_not_intersect(bodies: Bodies):
    for scene in scenes(bodies, 4, people=(3, 3)):
        places = np.array([figure.vertices[:, :2].mean(axis=0) for figure in scene.figures])
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(3, 1)]
        assert apart.min() > 0.15


def test_rendering_is_lit_and_consistent(bodies: Bodies):
    (scene,) = scenes(bodies, 1, people=(2, 2))
    rendering = render(scene, 2, np.random.default_rng(0))
    assert rendering.image.shape == (*SIZE_HW, 3)
    assert rendering.image.dtype == np.uint8
    assert rendering.image.std() > 5
    has_figure = rendering.owners != NO_PERSON
    assert np.isfinite(rendering.depths[has_figure]).all()
    assert ((rendering.bones >= 0) == has_figure).all()
