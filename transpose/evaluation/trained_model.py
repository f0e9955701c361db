"""Load the trained model of an evaluation or analysis."""

from transpose.evaluation.analysis_input import AnalysisInput
from transpose.pose_model import PoseModel


def trained_model(inputs: AnalysisInput) -> PoseModel:
    """Load the model with the study's evaluation protocol.

    Raises:
        InputError: run.json or the weights are missing or wrong, or the weights do not fit.
    """
    return PoseModel.from_weights(inputs.recipe, inputs.run_folder.weights, inputs.skeleton, inputs.protocol)


def trained_fp32_model(inputs: AnalysisInput) -> PoseModel:
    """Load the model in fp32 and not compiled, for analyses that use parts of the network.

    Raises:
        InputError: as `trained_model`.
    """
    return PoseModel.from_weights(
        inputs.recipe, inputs.run_folder.weights, inputs.skeleton, inputs.protocol, dtype="fp32", compiled=False
    )
