"""The body part report of one trained model: what occluded and visible keypoints attend to and depend on."""

from pathlib import Path

import numpy as np

from transpose.attention.body_parts import ATTENTION_MEASURES, KNOCKOUT_MEASURES, BodyPartTest
from transpose.attention.estimates import PerturbationResults, estimate, hidden_minus_seen
from transpose.attention.inputs import attention_settings
from transpose.attention.keypoint_regions import BodyPartRegions, KeypointRegions, NeighbourhoodRegions
from transpose.attention.maps.grid import Grid
from transpose.attention.persons import ExplainedPersons
from transpose.attention.records import STATES, BodyPartReport, KeypointCount, KeypointState, PartDifference, PartRow
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import Analysis
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.trained_model import trained_fp32_model
from transpose.inference.predictions import finite_heatmaps_of
from transpose.skeleton import Skeleton
from transpose.synthetic.part_labels import read_part_labels


def write_body_parts(inputs: AnalysisInput, parts: Path | None) -> None:
    """Measure how a trained variant's keypoints depend on other body parts and write a `BodyPartReport`.

    Args:
        parts: the split's part labels; without them, neighbourhoods of the labelled keypoints are used instead.

    Raises:
        InputError: a file is missing or wrong, no person is annotated, the variant has no encoder, or training has
            diverged.
    """
    settings, variant, bootstrap = attention_settings(inputs), inputs.recipe.variant, inputs.bootstrap
    persons = ExplainedPersons(inputs.annotations, variant, settings.knockout_persons, settings.seed)
    regions = _regions(parts, persons, Grid.of(variant), inputs.skeleton, settings.reach)
    model = trained_fp32_model(inputs)
    test = BodyPartTest(model, settings)
    with finite_heatmaps_of(inputs.run_folder.weights):
        results = test.run(persons, regions)
    values = {
        "settings": settings,
        "protocol": inputs.torch_protocol,
        "bootstrap": bootstrap,
        "divided_by": "keypoint_neighbourhoods" if parts is None else "body_parts",
        "persons": len(persons),
        **summarise(results, persons.truth.visibility, regions.groups, bootstrap),
    }
    path = inputs.layout.analysis(Analysis.BODY_PARTS, inputs.run, inputs.setting)
    write_report(path, BodyPartReport, inputs, values, context=model.context)


def summarise(
    results: PerturbationResults, visibility: np.ndarray, groups: tuple[str, ...], bootstrap: Bootstrap
) -> dict[str, object]:
    """Return the measured fields of a `BodyPartReport`.

    Args:
        visibility: [P, K] of the evaluated persons.
        groups: names of the groups of `KeypointRegions`.
    """
    nothing = np.full(visibility.shape, np.nan)
    recorded = results.of()
    evaluated = np.isfinite(np.stack([nothing, *recorded.values()])).any(axis=0)
    values = {
        (group, measure): recorded.get((group, measure), nothing)
        for group in groups
        for measure in (*ATTENTION_MEASURES, *KNOCKOUT_MEASURES)
    }
    return {
        "keypoints": [
            KeypointCount(
                keypoints=state,
                labelled=int((visibility == code).sum()),
                found_well=int((evaluated & (visibility == code)).sum()),
            )
            for state, code in STATES.items()
        ],
        "rows": [
            _row(
                group, state, measure, np.where(visibility == code, of_keypoints, np.nan), results.image_ids, bootstrap
            )
            for (group, measure), of_keypoints in values.items()
            for state, code in STATES.items()
        ],
        "differences": [
            PartDifference(
                group=group,
                measure=measure,
                hidden_minus_seen=hidden_minus_seen(of_keypoints, visibility, results.image_ids, bootstrap),
            )
            for (group, measure), of_keypoints in values.items()
        ],
    }


def _row(
    group: str, state: KeypointState, measure: str, values: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap
) -> PartRow:
    return PartRow(
        group=group,
        keypoints=state,
        measure=measure,
        mean=estimate(values, image_ids, bootstrap),
        persons=int(np.isfinite(values).any(axis=1).sum()),
    )


def _regions(
    parts: Path | None, persons: ExplainedPersons, grid: Grid, skeleton: Skeleton, reach: float
) -> KeypointRegions:
    """Return how crops are divided: by part labels, or by keypoint neighbourhoods without them.

    Raises:
        InputError: the part labels lack a person.
    """
    if parts is None:
        return NeighbourhoodRegions(grid, skeleton, reach)
    labels = read_part_labels(parts)
    missing = np.setdiff1d(persons.truth.annotation_ids, labels.annotation_ids)
    if len(missing):
        raise InputError("has no part labels; label the parts again", file=parts, record=f"annotation {missing[0]}")
    return BodyPartRegions(labels, grid, skeleton, reach)
