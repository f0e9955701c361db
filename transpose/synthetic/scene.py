"""Random scenes: people, objects and camera."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from transpose.config.dataset import SyntheticSource
from transpose.synthetic.body import Body, coarsened, load_body
from transpose.synthetic.camera import (
    AimPoint,
    Camera,
    CameraShot,
    Framing,
    aimed_camera,
    framing_shares,
    sample_shot,
    sample_varied_shot,
)
from transpose.synthetic.figure import Figure, sample_figure
from transpose.synthetic.objects import Prop, obstacle_before, sample_cover, seat_under

_STANDING_HEIGHT = 1.65
_NEAREST = 1.1


@dataclass(frozen=True)
class Scene:
    """A scene to render.

    `in_crowd`: for each figure, whether it belongs to the unlabelled crowd. `cover`: opacity [H, W] float32 of
    shapes in front of all people, or None. `is_varied`: whether light, background and camera have the varied style.
    """

    camera: Camera
    figures: tuple[Figure, ...]
    in_crowd: tuple[bool, ...]
    props: tuple[Prop, ...]
    framing: Framing
    is_varied: bool = False
    cover: np.ndarray | None = None


@dataclass(frozen=True)
class Bodies:
    """The body model at three levels of detail."""

    fine: Body
    coarse: Body
    coarsest: Body

    def for_height(self, pixels: float) -> Body:
        """Return the body for a person `pixels` tall on the rendering grid, with triangles of about two pixels."""
        if pixels > 330:
            return self.fine
        return self.coarse if pixels > 130 else self.coarsest


@cache
def load_bodies() -> Bodies:
    """Read the body model and derive its coarse versions, once per process."""
    body = load_body()
    return Bodies(body, coarsened(body, 0.016), coarsened(body, 0.03))


def sample_scene(bodies: Bodies, settings: SyntheticSource, rng: np.random.Generator) -> Scene:
    """Draw a scene."""
    framing = _sample_framing(settings, rng)
    people = _sample_people(framing, settings, rng)
    is_varied = settings.style == "varied"
    shot = (sample_varied_shot if is_varied else sample_shot)(framing, people, rng)
    height, width = settings.image_size
    focal = rng.uniform(0.8, 1.9) * width
    distance = _STANDING_HEIGHT * focal / (shot.person_height * height)
    if distance < _NEAREST:
        focal, distance = focal * _NEAREST / distance, _NEAREST
    body = bodies.for_height(shot.person_height * height * settings.antialias)
    first = sample_figure(body, rng, is_varied)
    first = first.moved(np.array([(shot.x - 0.5) * width / focal * distance, distance, 0]))
    camera_height = rng.uniform(1.6, 4.0) if framing is Framing.CROWD else rng.uniform(0.5, 2.6)
    camera = aimed_camera(
        _aim_point(first, shot), shot.y * height, camera_height, rng.normal(0, 2.5), focal, settings.image_size
    )
    spread = (0.95, 1.3) if framing is Framing.CROWD else (0.8, 1.7)
    figures = [first, *_companions(first, people - 1, distance, spread, body, camera, is_varied, rng)]
    in_crowd = [framing is Framing.CROWD] * len(figures)
    if framing is Framing.CROWD:
        watchers = _watchers(bodies, int(rng.integers(0, 3)), distance, camera, settings, rng)
        figures, in_crowd = figures + watchers, in_crowd + [False] * len(watchers)
    props = [seat_under(figure.keypoints, rng) for figure in figures if figure.is_seated]
    if rng.random() < settings.occluder_probability:
        chosen = figures[int(rng.integers(len(figures)))]
        props.append(obstacle_before(_ground_position(chosen), rng))
    cover = sample_cover(camera, [figure.keypoints for figure in figures], rng) if is_varied else None
    return Scene(camera, tuple(figures), tuple(in_crowd), tuple(props), framing, is_varied, cover)


def _sample_framing(settings: SyntheticSource, rng: np.random.Generator) -> Framing:
    shares = framing_shares(settings)
    return list(shares)[rng.choice(len(shares), p=list(shares.values()))]


def _sample_people(framing: Framing, settings: SyntheticSource, rng: np.random.Generator) -> int:
    if framing is Framing.CROWD:
        return int(rng.integers(10, 22))
    fewest, most = settings.people
    most = min(most, max(fewest, 3)) if framing is Framing.BUST else most
    # Each additional person is two thirds as likely.
    weights = (2 / 3) ** np.arange(most - fewest + 1)
    return fewest + int(rng.choice(len(weights), p=weights / weights.sum()))


def _aim_point(figure: Figure, shot: CameraShot) -> np.ndarray:
    nose, hips = 0, (11, 12)
    if shot.aim is AimPoint.FACE:
        return figure.keypoints[nose]
    if shot.aim is AimPoint.HIPS:
        return figure.keypoints[list(hips)].mean(axis=0)
    return (figure.vertices.min(axis=0) + figure.vertices.max(axis=0)) / 2


def _companions(
    first: Figure,
    count: int,
    distance: float,
    spread: tuple[float, float],
    body: Body,
    camera: Camera,
    is_varied: bool,
    rng: np.random.Generator,
) -> list[Figure]:
    """Draw more people around the first, without intersections where possible."""
    taken, companions = [_ground_position(first)], []
    half_width = camera.size_hw[1] / camera.focal / 2
    for _ in range(count):
        place = np.zeros(2)
        for _ in range(20):
            depth = max(_NEAREST, distance * rng.uniform(*spread))
            place = np.array([rng.uniform(-0.9, 0.9) * half_width * depth, depth])
            if all(np.hypot(*(place - other)) > 0.5 for other in taken):
                break
        taken.append(place)
        companions.append(sample_figure(body, rng, is_varied).moved(np.array([*place, 0])))
    return companions


def _watchers(
    bodies: Bodies,
    count: int,
    crowd_distance: float,
    camera: Camera,
    settings: SyntheticSource,
    rng: np.random.Generator,
) -> list[Figure]:
    """Draw people in front of a crowd, nearer to the camera and to one side of the image."""
    watchers = []
    for side in (-1, 1)[:count]:
        depth = max(_NEAREST, crowd_distance * rng.uniform(0.3, 0.5))
        pixels = _STANDING_HEIGHT * camera.focal / depth * settings.antialias
        x = side * rng.uniform(0.2, 0.45) * camera.size_hw[1] / camera.focal * depth
        watchers.append(
            sample_figure(bodies.for_height(pixels), rng, settings.style == "varied").moved(np.array([x, depth, 0]))
        )
    return watchers


def _ground_position(figure: Figure) -> np.ndarray:
    return figure.vertices[:, :2].mean(axis=0)
