"""Write the predictions of a trained model for the boxes of a split."""

from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.results import write_results
from transpose.evaluation.trained_model import trained_model


def write_predictions(inputs: AnalysisInput) -> None:
    """Predict the persons in the boxes with the trained model and write COCO results.

    For PCKh there is no suppression; see `finish_predictions`.

    Raises:
        InputError: weights, boxes, annotations or an image are missing or wrong, or training has diverged.
    """
    suppress = inputs.dataset.evaluation == "oks"
    results = trained_model(inputs).predict_boxes(inputs.boxes, inputs.annotations, suppress=suppress)
    write_results(results, inputs.predictions_file)
