"""The attention statistics report of one trained model."""

from collections.abc import Iterator, Sequence

import numpy as np

from transpose.attention.estimates import estimate_of_samples, resampled_means, resamples_of
from transpose.attention.inputs import attention_settings
from transpose.attention.persons import ExplainedPersons
from transpose.attention.records import Contrast, Difference, Statistic, StatisticsReport
from transpose.attention.regions import Regions
from transpose.attention.statistics import MEASURES, VISIBILITIES, AttentionStatistics, Tally
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import Analysis
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.trained_model import trained_fp32_model
from transpose.inference.predictions import finite_heatmaps_of

OCCLUSION_MEASURES = ("near_lift", "partner_lift", "relatives_lift", "own_body", "distance", "entropy")
"""Measures compared between occluded and visible keypoints."""

Totals = tuple[np.ndarray, np.ndarray]
"""Sums and counts [I, M] of the measures in each image."""

DEPTH_MEASURES = ("near", "distance", "entropy")
"""Measures compared between the last and the first layer."""


def write_statistics(inputs: AnalysisInput) -> None:
    """Compute the statistics of a trained variant's attention and write a `StatisticsReport`.

    The keypoint-to-keypoint matrices are written to the same path with suffix .npz: `mass`, `lift` (multiples of
    uniform attention), `lift_low` and `lift_high`, [layers, heads + 1, 2, K, K] each, and `pairs` [2, K, K]. The last
    head is the mean over heads; the axis of size 2 is occluded, visible. Row i is the attending keypoint, column j the
    keypoint with the attended neighbourhood.

    Raises:
        InputError: a file is missing or wrong, no person is annotated, the variant has no encoder, or training has
            diverged.
    """
    settings, truth, bootstrap = attention_settings(inputs), inputs.annotations, inputs.bootstrap
    persons, regions = ExplainedPersons(truth, inputs.recipe.variant), Regions(truth)
    model = trained_fp32_model(inputs)
    gatherer = AttentionStatistics(model, settings.reach)
    with finite_heatmaps_of(inputs.run_folder.weights):
        tally = gatherer.gather(persons, regions)
    visibility = persons.truth.visibility
    values = {
        "reach": settings.reach,
        "bootstrap": bootstrap,
        "persons": len(persons),
        "images": len(tally.images),
        "persons_without_mask": tally.without_mask,
        "occluded_keypoints": int((visibility == 1).sum()),
        "visible_keypoints": int((visibility == 2).sum()),
        "statistics": statistics(tally, bootstrap),
        "differences": differences(tally, bootstrap),
    }
    path = inputs.layout.analysis(Analysis.ATTENTION_STATISTICS, inputs.run, inputs.setting)
    write_report(path, StatisticsReport, inputs, values, matrices(tally, bootstrap), model.context)


def statistics(tally: Tally, bootstrap: Bootstrap) -> list[Statistic]:
    """Return every measure for every layer, head and visibility."""
    means = resampled_means(tally.sums, tally.counts, bootstrap)
    _, layers, heads, _, _ = tally.sums.shape
    return [
        Statistic(
            layer=layer + 1,
            head=head + 1 if head < heads - 1 else None,
            visibility=visibility,
            measure=measure,
            mean=estimate_of_samples(
                means[:, layer, head, group, index], tally.counts[:, layer, head, group, index], bootstrap
            ),
        )
        for layer in range(layers)
        for head in range(heads)
        for group, visibility in enumerate(VISIBILITIES)
        for index, measure in enumerate(MEASURES)
    ]


def differences(tally: Tally, bootstrap: Bootstrap) -> list[Difference]:
    """Return occluded minus visible in the last layer, and last minus first layer, of attention averaged over heads."""
    sums, counts = tally.sums[:, :, -1], tally.counts[:, :, -1]
    occluded, visible = ((sums[:, -1, group], counts[:, -1, group]) for group in (0, 1))
    first, last = ((sums[:, layer].sum(axis=1), counts[:, layer].sum(axis=1)) for layer in (0, -1))
    return [
        *_contrasts("occluded_minus_visible", occluded, visible, OCCLUSION_MEASURES, bootstrap),
        *_contrasts("last_minus_first_layer", last, first, DEPTH_MEASURES, bootstrap),
    ]


def matrices(tally: Tally, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Return the arrays of the report; see `write_statistics`. NaN where no person has both keypoints."""
    pairs = tally.pairs.sum(axis=0)
    known = np.where(pairs > 0, 1.0, np.nan)
    low, high = np.full(tally.lift.shape[1:], np.nan), np.full(tally.lift.shape[1:], np.nan)
    # One layer and head at a time, because all resamples together do not fit into memory.
    for layer, head in np.ndindex(*tally.lift.shape[1:3]):
        means = resampled_means(tally.lift[:, layer, head], tally.pairs, bootstrap)
        for pair in zip(*pairs.nonzero(), strict=True):
            resamples = resamples_of(means[:, *pair], tally.pairs[:, *pair])
            low[layer, head, *pair], high[layer, head, *pair] = resamples.interval(bootstrap.level) or (np.nan, np.nan)
    return {
        "mass": tally.mass.sum(axis=0) / np.maximum(pairs, 1) * known,
        "lift": tally.lift.sum(axis=0) / np.maximum(pairs, 1) * known,
        "lift_low": low,
        "lift_high": high,
        "pairs": pairs,
    }


def _contrasts(
    what: Contrast, side: Totals, other: Totals, measures: Sequence[str], bootstrap: Bootstrap
) -> Iterator[Difference]:
    for measure in measures:
        column = MEASURES.index(measure)
        sums, counts, other_sums, other_counts = (array[:, column] for array in (*side, *other))
        samples = resampled_means(sums, counts, bootstrap) - resampled_means(other_sums, other_counts, bootstrap)
        # Without a value on the other side there is no difference, and nothing that it counts.
        compared = counts if other_counts.any() else np.zeros_like(counts)
        mean = estimate_of_samples(samples, compared, bootstrap)
        yield Difference(what=what, measure=measure, mean=mean, subtracted=int(other_counts.sum()))
