"""Types of errors and calibration of a study's models on one split."""

from collections.abc import Sequence

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.calibration import Calibration, calibrate
from transpose.evaluation.error_types.mended import APGains, Diagnosed
from transpose.evaluation.error_types.report import ErrorTypes, error_types
from transpose.evaluation.subject import Subject
from transpose.files import sha256_of_file


class ModelErrors(Subject):
    """Errors of one training."""

    predictions_sha256: str
    bootstrap: Bootstrap
    errors: ErrorTypes
    calibration: Calibration


class SplitErrors(Settings):
    """Errors of the first training of each variant, in the same boxes."""

    models: tuple[ModelErrors, ...]


def split_errors(inputs: Sequence[AnalysisInput], diagnosed: Sequence[Diagnosed]) -> SplitErrors:
    """Return errors and calibration of models.

    Args:
        diagnosed: predictions of each of the `inputs`.

    Raises:
        InputError: a file is missing or wrong.
    """
    return SplitErrors(models=tuple(_model_errors(*pair) for pair in zip(inputs, diagnosed, strict=True)))


def _model_errors(inputs: AnalysisInput, diagnosed: Diagnosed) -> ModelErrors:
    gains = APGains.of(diagnosed, inputs.bootstrap)
    values = {
        "predictions_sha256": sha256_of_file(inputs.predictions_file),
        "bootstrap": gains.bootstrap,
        "errors": error_types(gains, with_groups=True),
        "calibration": calibrate(gains, has_keypoint_scores=True),
    }
    return ModelErrors(**inputs.subject.model_dump(), **values)
