"""What predicting needs of a pose model and of a person detector."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from transpose.config.study import EvalProtocol
from transpose.inference.poses import Poses


class PosePredictor(Protocol):
    """A pose model with its evaluation protocol."""

    @property
    def protocol(self) -> EvalProtocol:
        """The protocol that keypoints are predicted by."""
        ...

    def predict(self, image: np.ndarray, boxes: ArrayLike | None = None) -> Poses:
        """Predict the poses in boxes [N, 4] of an image [H, W, 3] uint8 RGB; see `PoseModel.predict`."""
        ...


class PersonFinder(Protocol):
    """A person detector."""

    def find(self, image: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes [N, 4] and scores [N] of persons in an image; see `PersonDetector.find`."""
        ...
