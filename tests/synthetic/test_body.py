from collections.abc import Callable

import numpy as np

from transpose.skeleton import COCO_PERSON
from transpose.synthetic.body import vertex_normals
from transpose.synthetic.figure import Figure, posed
from transpose.synthetic.pose import sample_pose
from transpose.synthetic.scene import Bodies


def test_coarse_bodies_have_the_same_keypoints(bodies: Bodies):
    pose = sample_pose(np.random.default_rng(3))
    shape = bodies.fine.shapes[5]
    keypoints = []
    for body in (bodies.fine, bodies.coarse, bodies.coarsest):
        vertices, joints = body.shaped(shape)
        keypoints.append(body.keypoints(posed(body, vertices, joints, pose)[0]))
    # Curled fingers are scaled by the hand's outermost vertex, which a coarse body may lack; wrists feel a trace of it.
    np.testing.assert_allclose(keypoints[1], keypoints[0], atol=1e-3)
    np.testing.assert_allclose(keypoints[2], keypoints[0], atol=1e-3)
    assert len(bodies.fine.faces) > 1.5 * len(bodies.coarse.faces) > 2 * len(bodies.coarsest.faces)


def test_normals_point_outwards_after_posing(bodies: Bodies):
    body = bodies.fine
    vertices, joints = body.shaped(body.shapes[0])
    vertices, normals = posed(body, vertices, joints, sample_pose(np.random.default_rng(1)))
    agreement = np.einsum("vi,vi->v", normals, vertex_normals(vertices, body.faces))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    assert np.mean(agreement > 0.5) > 0.95


def test_standing_figure_has_its_left_on_its_left(upright: Callable[..., Figure]):
    keypoints = dict(zip(COCO_PERSON.keypoints, upright().keypoints, strict=True))
    for left, right in COCO_PERSON.flip_pairs:
        # It faces the camera, so its left is the image's right.
        assert keypoints[left][0] > 0 > keypoints[right][0]
    heights = [keypoints[f"left_{part}"][2] for part in ("eye", "shoulder", "hip", "knee", "ankle")]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > 1.3
    assert keypoints["nose"][1] < keypoints["left_ear"][1]


def test_figures_stand_on_the_ground(upright: Callable[..., Figure]):
    # Soles of clothes may reach a little below those of the feet.
    assert abs(upright(facing=70).vertices[:, 2].min()) < 0.03
