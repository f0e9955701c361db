"""Random poses: joint angles in degrees for a dozen everyday activities.

Arms: elevation 0 hangs down, 90 is level, 180 is up; azimuth 0 points sideways, 90 forwards, negative backwards.
Legs: flexion lifts the thigh forwards, abduction moves it outwards. Knee and elbow: 0 is straight.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from transpose.synthetic.rotation import about_x, about_z


@dataclass(frozen=True)
class Arm:
    """Angles of one arm; `finger_curl` 0 is a flat hand, 90 nearly a fist."""

    elevation: float
    azimuth: float
    elbow: float
    twist: float
    forearm_twist: float
    wrist_bend: float
    finger_curl: float


@dataclass(frozen=True)
class Leg:
    """Angles of one leg; a positive `ankle` points the toes down."""

    flexion: float
    abduction: float
    knee: float
    twist: float
    ankle: float


@dataclass(frozen=True)
class Bend:
    """Bend of the spine or of the neck: pitch forwards, yaw to the left, roll to the side."""

    pitch: float
    yaw: float
    roll: float


@dataclass(frozen=True)
class Pose:
    """A body pose; arms and legs are (left, right) of the person. `lift` is the height above the ground in metres."""

    arms: tuple[Arm, Arm]
    legs: tuple[Leg, Leg]
    torso: Bend
    head: Bend
    root: np.ndarray
    lift: float = 0.0
    is_seated: bool = False


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draw an activity, then its joint angles."""
    activities, shares = zip(*_ACTIVITIES, strict=True)
    pose = activities[rng.choice(len(activities), p=shares)](rng)
    torso = replace(
        pose.torso,
        pitch=pose.torso.pitch + rng.normal(0, 3),
        yaw=pose.torso.yaw + (rng.normal(0, 10) if rng.random() < 0.5 else 0.0),
        roll=pose.torso.roll + rng.normal(0, 3),
    )
    return replace(pose, torso=torso)


def with_busy_hands(pose: Pose, rng: np.random.Generator) -> Pose:
    """Sometimes move one or both hands in front of face or chest, as in eating, drinking, holding or phoning."""
    chance = rng.random()
    if chance > 0.35:
        return pose
    left, right = (_busy_arm(rng) for _ in range(2))
    if chance < 0.12:
        return replace(pose, arms=(left, right))
    return replace(pose, arms=(left, pose.arms[1]) if rng.random() < 0.5 else (pose.arms[0], right))


def _busy_arm(rng: np.random.Generator) -> Arm:
    return _arm(rng, rng.uniform(20, 85), rng.uniform(40, 100), rng.uniform(80, 148), rng.uniform(-20, 40))


def _arm(rng: np.random.Generator, elevation: float, azimuth: float, elbow: float, twist: float = 0) -> Arm:
    return Arm(
        elevation=float(np.clip(elevation + rng.normal(0, 7), 4, 175)),
        azimuth=azimuth + rng.normal(0, 10),
        elbow=float(np.clip(elbow + rng.normal(0, 10), 2, 150)),
        twist=twist + rng.normal(0, 12),
        forearm_twist=rng.normal(0, 25),
        wrist_bend=rng.normal(0, 18),
        finger_curl=rng.uniform(5, 80),
    )


def _leg(
    rng: np.random.Generator, flexion: float, abduction: float, knee: float, twist: float = 0, sole_level: bool = False
) -> Leg:
    flexion, knee = flexion + rng.normal(0, 4), float(np.clip(knee + rng.normal(0, 5), 0, 150))
    ankle = 0.8 * float(np.clip(flexion - knee, -45, 35)) + rng.normal(0, 5) if sole_level else rng.normal(0, 8)
    return Leg(flexion, abduction + rng.normal(0, 3), knee, twist + rng.normal(0, 6), ankle)


# (elevation, azimuth, elbow, twist) and probability: hanging, hand on hip, crossed or holding, phone at the ear, ...
_HABITS = (
    ((12, 20, 18, 0), 0.42),
    ((40, 0, 100, -60), 0.10),
    ((35, 80, 95, 0), 0.09),
    ((60, 80, 110, 10), 0.07),
    ((85, 5, 15, 0), 0.07),
    ((40, 70, 130, 0), 0.07),
    ((80, 85, 10, 0), 0.06),
    ((110, 30, 100, 20), 0.06),
    ((35, 100, 100, 50), 0.06),
)
_HABIT_SHARES = np.array([share for _, share in _HABITS])


def _idle_arm(rng: np.random.Generator) -> Arm:
    if rng.random() < 0.12:
        return _raised_arm(rng, 90)
    elevation, azimuth, elbow, twist = _HABITS[rng.choice(len(_HABITS), p=_HABIT_SHARES)][0]
    return _arm(rng, elevation, azimuth, elbow, twist)


def _raised_arm(rng: np.random.Generator, lowest: float) -> Arm:
    return _arm(rng, rng.uniform(lowest, 172), rng.uniform(-10, 90), rng.uniform(2, 60))


def _standing(rng: np.random.Generator) -> Pose:
    return Pose(
        arms=(_idle_arm(rng), _idle_arm(rng)),
        legs=(_leg(rng, 2, 3, 5, sole_level=True), _leg(rng, -1, 3, 5, sole_level=True)),
        torso=Bend(0, 0, 0),
        head=Bend(rng.normal(4, 12), rng.normal(0, 22), rng.normal(0, 6)),
        root=np.eye(3),
    )


def _walking(rng: np.random.Generator) -> Pose:
    return _striding(rng, stride=28, knee_lift=30, arm_swing=25, elbow=20, lean=rng.uniform(0, 8))


def _running(rng: np.random.Generator) -> Pose:
    stride, knee_lift = rng.uniform(40, 60), rng.uniform(70, 105)
    return _striding(rng, stride, knee_lift, arm_swing=45, elbow=85, lean=rng.uniform(5, 22))


def _striding(
    rng: np.random.Generator, stride: float, knee_lift: float, arm_swing: float, elbow: float, lean: float
) -> Pose:
    pose, phase = _standing(rng), rng.uniform(0, 2 * math.pi)
    swings = math.sin(phase), math.sin(phase + math.pi)
    knees = (8 + knee_lift * max(0.0, math.sin(phase + offset + 1.6)) for offset in (0, math.pi))
    legs = [_leg(rng, stride * swing, 2, knee, sole_level=True) for swing, knee in zip(swings, knees, strict=True)]
    if rng.random() < 0.8:
        arms = [_arm(rng, abs(swing) * arm_swing + 10, 90 if swing < 0 else -75, elbow) for swing in swings]
        pose = replace(pose, arms=(arms[0], arms[1]))
    return replace(pose, legs=(legs[0], legs[1]), torso=Bend(lean, 0, 0))


def _sitting(rng: np.random.Generator) -> Pose:
    def resting_arm() -> Arm:
        resting = ((25, 80, 70), (20, 70, 85), (45, 80, 60))
        choice = int(rng.integers(4))
        return _arm(rng, *resting[choice]) if choice < 3 else _idle_arm(rng)

    def bent_leg() -> Leg:
        return _leg(rng, rng.uniform(78, 95), rng.uniform(3, 16), rng.uniform(70, 100))

    return replace(
        _standing(rng),
        arms=(resting_arm(), resting_arm()),
        legs=(bent_leg(), bent_leg()),
        torso=Bend(rng.uniform(-12, 22), 0, 0),
        is_seated=True,
    )


def _squatting(rng: np.random.Generator) -> Pose:
    depth = rng.uniform(60, 115)

    def bent_leg() -> Leg:
        return _leg(rng, depth, rng.uniform(5, 20), depth * rng.uniform(1.05, 1.25), sole_level=True)

    def balancing_arm() -> Arm:
        return _arm(rng, rng.uniform(30, 85), 80, rng.uniform(10, 80))

    return replace(
        _standing(rng),
        arms=(balancing_arm(), balancing_arm()),
        legs=(bent_leg(), bent_leg()),
        torso=Bend(rng.uniform(10, 35), 0, 0),
    )


def _jumping(rng: np.random.Generator) -> Pose:
    def leg() -> Leg:
        return _leg(rng, rng.uniform(-15, 60), rng.uniform(0, 25), rng.uniform(10, 90))

    def arm() -> Arm:
        return _arm(rng, rng.uniform(40, 170), rng.uniform(-20, 90), rng.uniform(5, 70))

    torso = Bend(rng.uniform(-15, 20), 0, 0)
    return replace(_standing(rng), arms=(arm(), arm()), legs=(leg(), leg()), torso=torso, lift=rng.uniform(0.1, 0.5))


def _reaching(rng: np.random.Generator) -> Pose:
    arms = [_raised_arm(rng, 100), _raised_arm(rng, 100) if rng.random() < 0.4 else _idle_arm(rng)]
    if rng.random() < 0.5:
        arms.reverse()
    return replace(_standing(rng), arms=(arms[0], arms[1]), torso=Bend(0, 0, rng.uniform(-12, 12)))


def _playing(rng: np.random.Generator) -> Pose:
    """Sports, such as a lunge, a throw or a stroke."""

    def leg() -> Leg:
        return _leg(rng, rng.uniform(-25, 60), rng.uniform(3, 32), rng.uniform(5, 70))

    def arm() -> Arm:
        return _arm(rng, rng.uniform(25, 160), rng.uniform(-30, 95), rng.uniform(5, 110), rng.uniform(-30, 30))

    torso = Bend(rng.uniform(-10, 35), rng.uniform(-40, 40), rng.uniform(-18, 18))
    return replace(_standing(rng), arms=(arm(), arm()), legs=(leg(), leg()), torso=torso)


def _bending(rng: np.random.Generator) -> Pose:
    def leg() -> Leg:
        return _leg(rng, rng.uniform(10, 35), rng.uniform(2, 10), rng.uniform(5, 35), sole_level=True)

    def arm() -> Arm:
        return _arm(rng, rng.uniform(40, 100), rng.uniform(60, 100), rng.uniform(5, 60))

    pose = replace(_standing(rng), arms=(arm(), arm()), legs=(leg(), leg()), torso=Bend(rng.uniform(40, 85), 0, 0))
    return replace(pose, head=replace(pose.head, pitch=pose.head.pitch - 20))


def _kneeling(rng: np.random.Generator) -> Pose:
    legs = [_leg(rng, rng.uniform(75, 95), 8, rng.uniform(85, 105)), _leg(rng, rng.uniform(-5, 15), 5, 98)]
    if rng.random() < 0.5:
        legs.reverse()
    return replace(_standing(rng), legs=(legs[0], legs[1]), torso=Bend(rng.uniform(0, 25), 0, 0))


def _anything(rng: np.random.Generator) -> Pose:
    """Random angles within the joint limits."""

    def leg() -> Leg:
        return _leg(rng, rng.uniform(-25, 100), rng.uniform(0, 40), rng.uniform(0, 120))

    def arm() -> Arm:
        return _arm(rng, rng.uniform(5, 175), rng.uniform(-40, 110), rng.uniform(2, 130), rng.uniform(-40, 40))

    torso = Bend(rng.uniform(-20, 60), rng.uniform(-40, 40), rng.uniform(-25, 25))
    return replace(_standing(rng), arms=(arm(), arm()), legs=(leg(), leg()), torso=torso)


def _lying(rng: np.random.Generator) -> Pose:
    def leg() -> Leg:
        return _leg(rng, rng.uniform(-5, 50), rng.uniform(2, 15), rng.uniform(2, 70))

    on_back_or_front = -90 if rng.random() < 0.5 else 90
    root = about_z(rng.uniform(0, 360)) @ about_x(on_back_or_front + rng.normal(0, 6))
    return replace(_standing(rng), arms=(_idle_arm(rng), _idle_arm(rng)), legs=(leg(), leg()), root=root)


_ACTIVITIES: tuple[tuple[Callable[[np.random.Generator], Pose], float], ...] = (
    (_standing, 0.21),
    (_walking, 0.16),
    (_running, 0.08),
    (_sitting, 0.15),
    (_squatting, 0.05),
    (_jumping, 0.05),
    (_reaching, 0.09),
    (_playing, 0.09),
    (_bending, 0.04),
    (_kneeling, 0.03),
    (_anything, 0.03),
    (_lying, 0.02),
)
