"""The faithfulness file of one trained model: every trial as a mean over joints with an interval over images."""

import numpy as np

from transpose.attention.attribution import RANKINGS
from transpose.attention.estimates import Estimate, estimate
from transpose.attention.faithfulness import MEASURES, FaithfulnessTest, Trials
from transpose.attention.influence import agreement
from transpose.attention.inputs import attention_settings
from transpose.attention.maps.dependency import encoder_of
from transpose.attention.persons import ExplainedPersons
from transpose.attention.records import (
    DIRECTIONS,
    Agreement,
    Curve,
    FaithfulnessReport,
    Foretelling,
    Knockout,
    Randomised,
)
from transpose.attention.removal import DEPTHS
from transpose.config.attention import AttentionMeasures
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import Analysis
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.trained_model import trained_model_in_full_precision
from transpose.inference.finite import finite_heatmaps_of

ATTENTION = "attention"
"""The ranking that is on trial; the others are its rivals."""


def write_faithfulness(inputs: AnalysisInput) -> None:
    """Put a trained variant's explanations to the test and write a `FaithfulnessReport`.

    The mean joint-to-joint matrices [K, K] are written beside it (suffix .npz), named DEPTH_FIELD as in `Influence`.

    Raises:
        InputError: a file is missing or wrong, nobody is annotated, the variant has no encoder, or the weights are of a
            model that has diverged.
    """
    settings, variant, bootstrap = attention_settings(inputs), inputs.recipe.variant, inputs.bootstrap
    limit = max(settings.knockout_persons, settings.curve_persons, settings.occlusion_persons)
    persons = ExplainedPersons(inputs.annotations, variant, limit, settings.seed)
    test = FaithfulnessTest(trained_model_in_full_precision(inputs), settings)
    with finite_heatmaps_of(inputs.run_folder.weights):
        trials = test.run(persons)
    values = {
        "settings": settings,
        "protocol": inputs.protocol,
        "bootstrap": bootstrap,
        "persons": len(persons),
        **summarise(trials, settings, encoder_of(variant).layers, bootstrap),
    }
    path = inputs.layout.analysis(Analysis.FAITHFULNESS, inputs.run, inputs.setting)
    write_report(path, FaithfulnessReport, inputs, values, joint_matrices(trials))


def summarise(trials: Trials, settings: AttentionMeasures, layers: int, bootstrap: Bootstrap) -> dict[str, object]:
    """The measured fields of a `FaithfulnessReport`: the same whatever was found, so that seeds can be averaged.

    Args:
        layers: of the encoder.
    """
    shares = (0.0, *settings.fractions, 1.0)
    explained = trials.at("knockout", "last_layer", ATTENTION, "shift")
    return {
        "joints": int(np.isfinite(explained).sum()),
        "shares": shares,
        "knockouts": _knockouts(trials, bootstrap),
        "curves": _curves(trials, shares, bootstrap),
        "foretelling": _foretelling(trials, bootstrap),
        "agreements": _agreements(trials, bootstrap),
        "randomised": [
            Randomised(
                layers=count,
                correlation=estimate(trials.at("randomised", str(count)), trials.image_ids, bootstrap),
            )
            for count in range(1, layers + 1)
        ],
    }


def joint_matrices(trials: Trials) -> dict[str, np.ndarray]:
    """Means over persons of the joint-to-joint matrices, [K, K] each, NaN where no person has both joints."""
    matrices = {}
    for (depth, name), values in trials.of("influence").items():
        counts = np.isfinite(values).sum(axis=0)
        sums = np.nansum(values, axis=0)
        matrices[f"{depth}_{name}"] = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return matrices


def _knockouts(trials: Trials, bootstrap: Bootstrap) -> list[Knockout]:
    return [
        Knockout(
            depth=depth,
            ranking=ranking,
            measure=measure,
            mean=estimate(values, trials.image_ids, bootstrap),
            margin=_margin(trials, trials.at("knockout", depth, ATTENTION, measure), values, ranking, bootstrap),
        )
        for depth in DEPTHS
        for ranking in RANKINGS
        for measure in MEASURES
        for values in [trials.at("knockout", depth, ranking, measure)]
    ]


def _curves(trials: Trials, shares: tuple[float, ...], bootstrap: Bootstrap) -> list[Curve]:
    return [_curve(trials, direction, ranking, shares, bootstrap) for direction in DIRECTIONS for ranking in RANKINGS]


def _curve(trials: Trials, direction: str, ranking: str, shares: tuple[float, ...], bootstrap: Bootstrap) -> Curve:
    own, attention = (trials.at("curve", direction, one, shape=(len(shares),)) for one in (ranking, ATTENTION))
    area, area_of_attention = (np.trapezoid(similarity, shares, axis=-1) for similarity in (own, attention))
    return Curve(
        direction=direction,
        ranking=ranking,
        similarities=tuple(estimate(own[..., share], trials.image_ids, bootstrap) for share in range(len(shares))),
        area=estimate(area, trials.image_ids, bootstrap),
        margin=_margin(trials, area_of_attention, area, ranking, bootstrap),
    )


def _foretelling(trials: Trials, bootstrap: Bootstrap) -> list[Foretelling]:
    return [
        Foretelling(
            ranking=ranking,
            correlation=estimate(values, trials.image_ids, bootstrap),
            margin=_margin(trials, trials.at("foretold", ATTENTION), values, ranking, bootstrap),
        )
        for ranking in RANKINGS
        for values in [trials.at("foretold", ranking)]
    ]


def _agreements(trials: Trials, bootstrap: Bootstrap) -> list[Agreement]:
    def matrices(depth: str, field: str) -> np.ndarray:
        return trials.at("influence", depth, field, shape=(trials.keypoints,))

    return [
        Agreement(
            depth=depth,
            said_by=said_by,
            effect=effect,
            correlation=agreement(matrices(depth, said_by), matrices(depth, effect), trials.image_ids, bootstrap),
        )
        for depth in ("all_layers", "image")
        for said_by in ("attention", "nearness")
        for effect in ("peak_drop", "shift")
    ]


def _margin(
    trials: Trials, attention: np.ndarray, rival: np.ndarray, ranking: str, bootstrap: Bootstrap
) -> Estimate | None:
    return None if ranking == ATTENTION else estimate(attention - rival, trials.image_ids, bootstrap)
