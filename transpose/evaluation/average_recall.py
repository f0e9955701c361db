"""Average recall of samples of images."""

from dataclasses import dataclass

import numpy as np

from transpose.evaluation.matches import MatchTable


@dataclass(frozen=True)
class RecallTable:
    """Recall from a table of matches, for the bootstrap."""

    matches: MatchTable

    @property
    def image_ids(self) -> np.ndarray:
        """[I] int64."""
        return self.matches.image_ids

    @property
    def persons(self) -> np.ndarray:
        """[I] int64: evaluated persons per image."""
        return self.matches.persons

    def __len__(self) -> int:
        return len(self.matches)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return the mean recall over OKS thresholds [S] of samples with weights [S, I]; -1 without persons."""
        found = (self.matches.matched & ~self.matches.ignored).mean(axis=1)
        of_images = np.bincount(self.matches.images, weights=found, minlength=len(self.image_ids))
        persons = weights @ self.persons
        return np.where(persons > 0, (weights @ of_images) / np.maximum(persons, 1), -1.0)
