"""Hand-made scenes: one upright, bald, unskirted person of average shape."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from transpose.synthetic.camera import Framing, aimed_camera
from transpose.synthetic.clothing import sample_outfit
from transpose.synthetic.figure import Figure, dressed_figure
from transpose.synthetic.objects import Prop
from transpose.synthetic.pose import Arm, Bend, Leg, Pose
from transpose.synthetic.scene import Bodies, Scene, load_bodies

SIZE_HW = (160, 120)


def upright_pose() -> Pose:
    """A fixed standing pose, with the arms slightly away from the body and the head straight."""
    arm = Arm(elevation=20, azimuth=10, elbow=10, twist=0, forearm_twist=0, wrist_bend=0, finger_curl=20)
    leg = Leg(flexion=0, abduction=3, knee=3, twist=0, ankle=0)
    return Pose((arm, arm), (leg, leg), Bend(0, 0, 0), Bend(0, 0, 0), np.eye(3))


@pytest.fixture(scope="session")
def bodies() -> Bodies:
    return load_bodies()


@pytest.fixture
def upright(bodies: Bodies) -> Callable[..., Figure]:
    """A standing person at ground position [x, y], turned away from the camera by some degrees."""

    def build(facing: float = 0.0, x: float = 0.0, y: float = 4.0) -> Figure:
        plain = {"is_bald": True, "has_hat": False, "has_long_hair": False, "skirt_length": None, "has_beard": False}
        outfit = replace(sample_outfit(np.random.default_rng(0), is_female=False), **plain)
        body = bodies.coarse
        figure = dressed_figure(body, np.zeros(body.shapes.shape[1], np.float32), outfit, upright_pose(), facing)
        return figure.moved(np.array([x, y, 0.0]))

    return build


@pytest.fixture
def scene_of() -> Callable[..., Scene]:
    """A scene seen from breast height, the whole of a standing person in view."""

    def build(*figures: Figure, props: tuple[Prop, ...] = (), in_crowd: bool = False) -> Scene:
        camera = aimed_camera(np.array([0, 4.0, 0.85]), SIZE_HW[0] / 2, 1.2, 0.0, 280.0, SIZE_HW)
        return Scene(camera, figures, (in_crowd,) * len(figures), props, Framing.WHOLE)

    return build
