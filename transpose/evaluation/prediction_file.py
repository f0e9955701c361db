"""Write the predictions of a trained model for the boxes of a split."""

from transpose.device import describe_machine
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.prediction_record import write_prediction_record
from transpose.evaluation.results import write_results
from transpose.evaluation.trained_model import trained_model
from transpose.export.runtime import in_chosen_runtime


def write_predictions(inputs: AnalysisInput) -> None:
    """Predict the persons in the boxes with the trained model; write COCO results and a `PredictionRecord`.

    For PCKh there is no suppression; see `finish_predictions`.

    Raises:
        InputError: weights, boxes, annotations or an image are missing or wrong, or training has diverged.
    """
    suppress = inputs.dataset.evaluation == "oks"
    model = in_chosen_runtime(trained_model(inputs))
    results = model.predict_boxes(inputs.boxes, inputs.annotations, suppress=suppress)
    write_results(results, inputs.predictions_file)
    device = describe_machine(model.context.device)["device"]
    write_prediction_record(inputs, device, model.runtime.used, len(results), model.context)
