"""One-Euro filter of keypoints over time (Casiez, Roussel and Vogel, CHI 2012)."""

from dataclasses import dataclass, replace

import numpy as np

from transpose.inference.poses import Poses

_LOWEST_CUTOFF = 0.05
"""Hz: of keypoints that do not move. This and the next two values are those of MediaPipe's pose landmarks."""
_CUTOFF_PER_SPEED = 80.0
"""Added to the cutoff, in Hz, for a speed of one person size per second."""
_SPEED_CUTOFF = 1.0
"""Hz: of the speed itself."""
_FORGOTTEN_AFTER = 1.0
"""Seconds without a person after which its filter starts again."""


@dataclass
class _State:
    """A person's filtered keypoints."""

    seconds: float
    xy: np.ndarray
    """[K, 2] image pixels."""
    speed: np.ndarray
    """[K, 2] person sizes per second."""


class PoseSmoother:
    """Smooths the keypoints of persons with ids: strongly while they rest, hardly while they move."""

    def __init__(self) -> None:
        """Start without persons."""
        self._states: dict[int, _State] = {}

    def smooth(self, poses: Poses, seconds: float) -> Poses:
        """Return the poses of the next frame with smoothed keypoints.

        Args:
            poses: with ids.
            seconds: time of the frame.
        """
        states = self._states.items()
        self._states = {person: state for person, state in states if seconds - state.seconds <= _FORGOTTEN_AFTER}
        sizes = np.sqrt(poses.boxes[:, 2:].prod(axis=1))
        rows = zip(poses.persons, poses.xy, sizes.tolist(), strict=True)
        xy = [self._filtered(person, xy, size, seconds) for person, xy, size in rows]
        return replace(poses, xy=np.stack(xy)) if xy else poses

    def _filtered(self, person: int, xy: np.ndarray, size: float, seconds: float) -> np.ndarray:
        """Return the filtered keypoints [K, 2] of a person of a size in image pixels."""
        state = self._states.get(person)
        if state is None:
            self._states[person] = _State(seconds, xy, np.zeros_like(xy))
            return xy
        elapsed = seconds - state.seconds
        speed = (xy - state.xy) / (size * elapsed)
        speed = _mixed(speed, state.speed, np.array(_SPEED_CUTOFF), elapsed)
        cutoff = _LOWEST_CUTOFF + _CUTOFF_PER_SPEED * np.abs(speed)
        filtered = _mixed(xy, state.xy, cutoff, elapsed)
        self._states[person] = _State(seconds, filtered, speed)
        return filtered


def _mixed(latest: np.ndarray, previous: np.ndarray, cutoff: np.ndarray, elapsed: float) -> np.ndarray:
    """Apply a first-order low-pass filter with a cutoff frequency in Hz after `elapsed` seconds."""
    weight = 1 / (1 + 1 / (2 * np.pi * cutoff * elapsed))
    return weight * latest + (1 - weight) * previous
