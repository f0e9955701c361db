"""What predictions were made from, and the check that they fit what they are evaluated with."""

from typing import TYPE_CHECKING

from pydantic import NonNegativeInt

from transpose.config.load import read_record
from transpose.config.runtime import RuntimeUsed
from transpose.config.study import EvalProtocol
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.subject import Subject
from transpose.files import sha256_of_file

if TYPE_CHECKING:
    from transpose.device import DeviceContext


class PredictionRecord(Subject):
    """Model, boxes, images and protocol of a file of predictions."""

    protocol: EvalProtocol
    device: str
    """Device that the network ran on."""
    runtime: RuntimeUsed
    predictions: NonNegativeInt
    """Predicted persons after suppression."""
    predictions_sha256: str


def write_prediction_record(
    inputs: AnalysisInput, device: str, runtime: RuntimeUsed, predictions: int, context: "DeviceContext"
) -> None:
    """Write what the predictions of `inputs` were made from.

    Args:
        device: device that the network ran on.
        runtime: library that ran it.
        predictions: predicted persons after suppression.
        context: dtype and threads of the network.

    Raises:
        InputError: a file is missing or wrong.
    """
    values = {
        "protocol": inputs.protocol,
        "device": device,
        "runtime": runtime,
        "predictions": predictions,
        "predictions_sha256": sha256_of_file(inputs.predictions_file),
    }
    write_report(inputs.prediction_record, PredictionRecord, inputs, values, context=context)


def checked_prediction_record(inputs: AnalysisInput) -> PredictionRecord:
    """Read the record of the predictions of `inputs`, and check it against the files that are there.

    Raises:
        InputError: the predictions or their record are missing, or were made by another model or protocol, or from
            other images, annotations or boxes.
    """
    path = inputs.prediction_record
    record, expected = read_record(PredictionRecord, path), inputs.subject
    if record.predictions_sha256 != sha256_of_file(inputs.predictions_file):
        raise InputError("has changed since it was predicted; predict again", file=inputs.predictions_file)
    for field in Subject.model_fields.keys() - {"title", "dataset_title", "origin"}:
        made_with, present = getattr(record, field), getattr(expected, field)
        if made_with != present:
            other = f"other {field.removesuffix('_sha256')}" if field.endswith("_sha256") else f"{field} {made_with}"
            raise InputError(f"the predictions were made with {other}; predict again", file=path, field=field)
    if record.protocol != inputs.protocol:
        raise InputError("the predictions were made by another protocol; predict again", file=path, field="protocol")
    return record
