"""A rendered video of two persons who walk past each other, with their boxes and ids in each frame."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.data.video import video_writer
from transpose.synthetic.camera import Camera, Framing
from transpose.synthetic.clothing import sample_outfit
from transpose.synthetic.figure import Figure, dressed_figure
from transpose.synthetic.pose import Arm, Bend, Leg, Pose
from transpose.synthetic.render import render
from transpose.synthetic.scene import Scene, load_bodies

FPS = 25.0
_METRES, _SECONDS_TO_AND_FRO = 1.0, 4.0
_STEPS_PER_SECOND = 0.9


@dataclass(frozen=True)
class CrossingVideo:
    """The persons of a rendered video."""

    path: Path
    boxes: np.ndarray
    """[frames, 2, 4] x, y, width, height of the persons' keypoints with a margin, image pixels."""
    xy: np.ndarray
    """[frames, 2, 17, 2] keypoints, image pixels."""


def render_crossing(path: Path, frames: int, size_hw: tuple[int, int] = (240, 320)) -> CrossingVideo:
    """Render two persons who walk to and fro and meet in the middle, one in front of the other, every two seconds."""
    camera = Camera(height=1.3, pitch=-4, roll=0, focal=size_hw[1] * 1.1, size_hw=size_hw)
    boxes, points = np.zeros((frames, 2, 4)), np.zeros((frames, 2, 17, 2))
    with video_writer(path, FPS) as writer:
        for frame in range(frames):
            seconds = (frame - (frames - 1) / 2) / FPS
            figures = [_walker(seconds, 0), _walker(seconds, 1)]
            scene = Scene(camera, tuple(figures), (False, False), (), Framing.WHOLE)
            writer.add(render(scene, 2, np.random.default_rng(4)).image)
            for person, figure in enumerate(figures):
                xy = camera.project(figure.keypoints)[:, :2]
                points[frame, person] = xy
                start, sides = xy.min(axis=0), np.ptp(xy, axis=0)
                boxes[frame, person] = [*(start - 0.1 * sides - 4), *(1.2 * sides + 8)]
    return CrossingVideo(path, boxes, points)


def _walker(seconds: float, person: int) -> Figure:
    """Return a person who is in the middle at 0 seconds; person 0 then walks to the right, in front of person 1."""
    turn = 2 * math.pi * seconds / _SECONDS_TO_AND_FRO
    direction = 1 - 2 * person
    facing = 60 * direction * min(max(2 * math.cos(turn), -1), 1)
    bodies = load_bodies()
    phase = 2 * math.pi * _STEPS_PER_SECOND * seconds + 1.3 * person
    swings = math.sin(phase), -math.sin(phase)
    legs = [
        Leg(28 * swing, 2, 8 + 30 * max(0.0, math.sin(phase + offset + 1.6)), 0, 0)
        for swing, offset in zip(swings, (0, math.pi), strict=True)
    ]
    arms = [Arm(abs(swing) * 25 + 10, 90 if swing < 0 else -75, 20, 0, 0, 0, 30) for swing in swings]
    pose = Pose((arms[0], arms[1]), (legs[0], legs[1]), Bend(4, 0, 0), Bend(4, 0, 0), np.eye(3))
    rng = np.random.default_rng(10 + person)
    body = bodies.coarse
    figure = dressed_figure(body, body.shapes[person], sample_outfit(rng, person == 1), pose, facing)
    return figure.moved(np.array([direction * _METRES * math.sin(turn), 4.6 + 0.9 * person, 0]))
