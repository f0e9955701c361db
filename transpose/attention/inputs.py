"""Settings of the attention analyses."""

from transpose.attention.maps.dependency import encoder_of
from transpose.config.attention import AttentionMeasures
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.study.layout import RecordKind


def attention_settings(inputs: AnalysisInput) -> AttentionMeasures:
    """Return the study's settings of the attention measures.

    Raises:
        InputError: the record is missing or wrong, or the variant has no encoder.
    """
    encoder_of(inputs.recipe.variant)
    return inputs.settings(RecordKind.ATTENTION_ANALYSIS, AttentionMeasures)
