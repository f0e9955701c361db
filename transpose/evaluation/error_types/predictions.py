"""The class of each prediction: correct, localisation, duplicate, background, or ignored."""

from enum import IntEnum

import numpy as np

from transpose.evaluation.error_types.assignment import CORRECT_OKS, LOCALISATION_OKS, Assignment


class PredictionClass(IntEnum):
    """Class of a prediction.

    Background errors are those of Ronchi and Perona (ICCV 2017, section 3.3). The paper has no classes for duplicates
    and for whole predictions that are badly located; these two are as in TIDE (Bolya et al., ECCV 2020), with OKS in
    place of IoU.
    """

    CORRECT = 0
    """Assigned to a person with an OKS of at least 0.5."""
    LOCALISATION = 1
    """Assigned to a person with an OKS below 0.5, or not assigned and the largest OKS is from 0.1 to 0.5."""
    DUPLICATE = 2
    """OKS of at least 0.5 with a person that another prediction has found."""
    BACKGROUND = 3
    """OKS below 0.1 with every person."""
    IGNORED = 4
    """On a crowd or a person without labelled keypoints; the evaluation does not count it."""

    @property
    def label(self) -> str:
        """The name in lower case, for reports."""
        return self.name.lower()


def classify_predictions(assignment: Assignment) -> np.ndarray:
    """Return the `PredictionClass` [D] int64 of each evaluated prediction."""
    is_assigned = assignment.person_of >= 0
    return np.select(
        [
            assignment.on_ignored,
            is_assigned & (assignment.assigned_oks >= CORRECT_OKS),
            ~is_assigned & (assignment.best_oks >= CORRECT_OKS),
            is_assigned | (assignment.best_oks >= LOCALISATION_OKS),
        ],
        [
            PredictionClass.IGNORED,
            PredictionClass.CORRECT,
            PredictionClass.DUPLICATE,
            PredictionClass.LOCALISATION,
        ],
        PredictionClass.BACKGROUND,
    )
