"""The faithfulness report of one trained model: means over keypoints with bootstrap intervals over images."""

import numpy as np

from transpose.attention.attribution import RANKINGS
from transpose.attention.estimates import PerturbationResults, estimate
from transpose.attention.faithfulness import MEASURES, FaithfulnessTest
from transpose.attention.influence import agreement
from transpose.attention.inputs import attention_settings
from transpose.attention.maps.dependency import encoder_of
from transpose.attention.masking import DEPTHS
from transpose.attention.persons import ExplainedPersons
from transpose.attention.records import (
    DIRECTIONS,
    Agreement,
    Curve,
    FaithfulnessReport,
    Knockout,
    OcclusionCorrelation,
    Randomised,
)
from transpose.config.attention import AttentionMeasures
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import Analysis
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.intervals import Estimate
from transpose.evaluation.trained_model import trained_fp32_model
from transpose.inference.predictions import finite_heatmaps_of

ATTENTION = "attention"
"""The ranking under test; the others are baselines."""


def write_faithfulness(inputs: AnalysisInput) -> None:
    """Test the faithfulness of a trained variant's attention and write a `FaithfulnessReport`.

    The mean keypoint-to-keypoint matrices [K, K] are written to the same path with suffix .npz, named DEPTH_FIELD after
    the fields of `Influence`.

    Raises:
        InputError: a file is missing or wrong, no person is annotated, the variant has no encoder, or training has
            diverged.
    """
    settings, variant, bootstrap = attention_settings(inputs), inputs.recipe.variant, inputs.bootstrap
    limit = max(settings.knockout_persons, settings.curve_persons, settings.occlusion_persons)
    persons = ExplainedPersons(inputs.annotations, variant, limit, settings.seed)
    model = trained_fp32_model(inputs)
    test = FaithfulnessTest(model, settings)
    with finite_heatmaps_of(inputs.run_folder.weights):
        results = test.run(persons)
    values = {
        "settings": settings,
        "protocol": inputs.torch_protocol,
        "bootstrap": bootstrap,
        "persons": len(persons),
        **summarise(results, settings, encoder_of(variant).layers, bootstrap),
    }
    path = inputs.layout.analysis(Analysis.FAITHFULNESS, inputs.run, inputs.setting)
    write_report(path, FaithfulnessReport, inputs, values, keypoint_matrices(results), model.context)


def summarise(
    results: PerturbationResults, settings: AttentionMeasures, layers: int, bootstrap: Bootstrap
) -> dict[str, object]:
    """Return the measured fields of a `FaithfulnessReport`; always the same entries, so that seeds can be averaged.

    Args:
        layers: number of encoder layers.
    """
    shares = (0.0, *settings.fractions, 1.0)
    explained = results.at("knockout", "last_layer", ATTENTION, "shift")
    return {
        "keypoints": int(np.isfinite(explained).sum()),
        "shares": shares,
        "knockouts": _knockouts(results, bootstrap),
        "curves": _curves(results, shares, bootstrap),
        "occlusion_correlations": _occlusion_correlations(results, bootstrap),
        "agreements": _agreements(results, bootstrap),
        "randomised": [
            Randomised(
                layers=count,
                correlation=estimate(results.at("randomised", str(count)), results.image_ids, bootstrap),
            )
            for count in range(1, layers + 1)
        ],
    }


def keypoint_matrices(results: PerturbationResults) -> dict[str, np.ndarray]:
    """Return the keypoint-to-keypoint matrices [K, K] averaged over persons; NaN where no person has both keypoints."""
    matrices = {}
    for (depth, name), values in results.of("influence").items():
        counts = np.isfinite(values).sum(axis=0)
        sums = np.nansum(values, axis=0)
        matrices[f"{depth}_{name}"] = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return matrices


def _knockouts(results: PerturbationResults, bootstrap: Bootstrap) -> list[Knockout]:
    return [
        Knockout(
            depth=depth,
            ranking=ranking,
            measure=measure,
            mean=estimate(values, results.image_ids, bootstrap),
            margin=_margin(results, results.at("knockout", depth, ATTENTION, measure), values, ranking, bootstrap),
        )
        for depth in DEPTHS
        for ranking in RANKINGS
        for measure in MEASURES
        for values in [results.at("knockout", depth, ranking, measure)]
    ]


def _curves(results: PerturbationResults, shares: tuple[float, ...], bootstrap: Bootstrap) -> list[Curve]:
    return [_curve(results, direction, ranking, shares, bootstrap) for direction in DIRECTIONS for ranking in RANKINGS]


def _curve(
    results: PerturbationResults, direction: str, ranking: str, shares: tuple[float, ...], bootstrap: Bootstrap
) -> Curve:
    own, attention = (results.at("curve", direction, one, shape=(len(shares),)) for one in (ranking, ATTENTION))
    area, area_of_attention = (np.trapezoid(similarity, shares, axis=-1) for similarity in (own, attention))
    return Curve(
        direction=direction,
        ranking=ranking,
        similarities=tuple(estimate(own[..., share], results.image_ids, bootstrap) for share in range(len(shares))),
        area=estimate(area, results.image_ids, bootstrap),
        margin=_margin(results, area_of_attention, area, ranking, bootstrap),
    )


def _occlusion_correlations(results: PerturbationResults, bootstrap: Bootstrap) -> list[OcclusionCorrelation]:
    return [
        OcclusionCorrelation(
            ranking=ranking,
            correlation=estimate(values, results.image_ids, bootstrap),
            margin=_margin(results, results.at("occlusion_correlation", ATTENTION), values, ranking, bootstrap),
        )
        for ranking in RANKINGS
        for values in [results.at("occlusion_correlation", ranking)]
    ]


def _agreements(results: PerturbationResults, bootstrap: Bootstrap) -> list[Agreement]:
    def matrices(depth: str, field: str) -> np.ndarray:
        return results.at("influence", depth, field, shape=(results.keypoints,))

    return [
        Agreement(
            depth=depth,
            explained_by=explained_by,
            effect=effect,
            correlation=agreement(matrices(depth, explained_by), matrices(depth, effect), results.image_ids, bootstrap),
        )
        for depth in ("all_layers", "image")
        for explained_by in ("attention", "distance")
        for effect in ("peak_drop", "shift")
    ]


def _margin(
    results: PerturbationResults, attention: np.ndarray, baseline: np.ndarray, ranking: str, bootstrap: Bootstrap
) -> Estimate | None:
    return None if ranking == ATTENTION else estimate(attention - baseline, results.image_ids, bootstrap)
