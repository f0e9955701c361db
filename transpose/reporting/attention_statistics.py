"""Where keypoints' cells look: the table of a study, and a figure of the attention between keypoints."""

from collections.abc import Iterator

import numpy as np

from transpose.attention.estimates import Estimate
from transpose.attention.records import StatisticsReport
from transpose.config.study import Analysis, EvalSetting
from transpose.files import read_npz
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.common import setting_title
from transpose.reporting.estimates import about, columns_of, mean_over_seeds, words_of
from transpose.reporting.keypoint_attention_figure import plot_keypoint_attention
from transpose.reporting.sections import Section
from transpose.reporting.study_files import StudyFiles
from transpose.study.layout import RunId

FOOTNOTES = [
    "Unflipped pass; a keypoint's query is the cell of its prediction, positions of the others are annotated."
    " Means over keypoints, attention averaged over heads (the .csv has every head). Intervals are 95 % bootstraps over"
    " images; with several seeds values and ends are averaged.",
    "× is a multiple of uniform attention. Own: the keypoint's neighbourhood; partner: its left-right"
    " partner's; relatives: those of keypoints that a limb connects it to; both less its own.",
    "Occluded keypoints are other keypoints, more wrists than noses: the table of body parts compares like with like.",
    "Entropy is 1 for uniform attention and 0 for a single cell; distance is from the query to the attended cells.",
]

_COLUMNS = {
    "near_lift": ("Own (×)", 1, 1),
    "partner_lift": ("Partner (×)", 2, 1),
    "relatives_lift": ("Relatives (×)", 2, 1),
    "own_body": ("On the person (%)", 1, 100),
    "other_people": ("On others (%)", 1, 100),
    "background": ("Background (%)", 1, 100),
    "distance_in_heights": ("Distance (% of height)", 1, 100),
    "entropy": ("Entropy", 2, 1),
}
"""Measures of the table: heading, digits, factor."""

_MEASURED = {
    "near": "attention near the keypoint (share)",
    "near_lift": "attention near the keypoint (×)",
    "partner_lift": "attention to the partner (×)",
    "relatives_lift": "attention to relatives (×)",
    "own_body": "attention on the person (share)",
    "distance": "distance (cells)",
    "entropy": "entropy",
}

_WHAT = {
    "occluded_minus_visible": "occluded minus visible keypoints, last layer",
    "last_minus_first_layer": "last layer minus first, all keypoints",
}


def write_statistics_tables(files: StudyFiles) -> None:
    """Write `attention_statistics` as .csv, .md, .html and .tex and a figure a place and variant.

    Raises:
        InputError: the study measures no attention, or a file is missing, broken or of other annotations.
    """
    table = AnalysisTable("Where keypoints look", FOOTNOTES)
    for setting, models in reports_by_setting(files, Analysis.ATTENTION_STATISTICS, StatisticsReport):
        for mean in map(mean_over_seeds, models):
            table.rows += statistics_rows(mean, files.study.seeds)
            table.sections += [statistics_section(mean), difference_section(mean)]
            _draw(files, setting, mean)
    table.write(files, Analysis.ATTENTION_STATISTICS)


def statistics_rows(report: StatisticsReport, seeds: int) -> list[dict[str, object]]:
    """One row a number of one variant on one place."""
    return [
        about(report, seeds)
        | dict(zip(("layer", "head", "keypoints", "measure"), what, strict=True))
        | columns_of(mean)
        for what, mean in _numbers(report)
    ]


def statistics_section(report: StatisticsReport) -> Section:
    """A row a layer and visibility, heads averaged."""
    means = {(one.layer, one.visibility, one.measure): one.mean for one in report.statistics if one.head is None}
    rows = tuple(
        (
            f"layer {layer}",
            visibility,
            *(
                words_of(means[layer, visibility, name], digits, factor)
                for name, (_, digits, factor) in _COLUMNS.items()
            ),
        )
        for layer, visibility in dict.fromkeys((layer, visibility) for layer, visibility, _ in means)
    )
    columns = ("Layer", "Keypoints", *(heading for heading, _, _ in _COLUMNS.values()))
    return Section(_heading(report), _note(report), columns, rows)


def difference_section(report: StatisticsReport) -> Section:
    """Differences on the same images."""
    rows = tuple(
        (
            _WHAT[one.what],
            _MEASURED[one.measure],
            words_of(one.mean, 3, signed=True),
            f"{one.mean.count:,} / {one.subtracted:,}",
        )
        for one in report.differences
    )
    return Section(f"{_heading(report)}: differences", _note(report), ("What", "Measure", "Difference", "Values"), rows)


def _numbers(report: StatisticsReport) -> Iterator[tuple[tuple[object, object, str, str], Estimate]]:
    """Every estimate with its layer, head, keypoints and measure."""
    for one in report.statistics:
        head = "mean" if one.head is None else one.head
        yield (one.layer, head, one.visibility, one.measure), one.mean
    for difference in report.differences:
        yield ("", "mean", difference.what, difference.measure), difference.mean


def _draw(files: StudyFiles, setting: EvalSetting, report: StatisticsReport) -> None:
    """The last layer's keypoint-to-keypoint attention, heads and seeds averaged."""
    lifts = []
    for seed in range(files.study.seeds):
        run = RunId(report.variant, seed)
        path = files.layout.analysis(Analysis.ATTENTION_STATISTICS, run, setting).with_suffix(".npz")
        lifts.append(read_npz(path, ["lift"], "matrices of attention statistics")["lift"][-1, -1])
    figure = files.layout.figure("keypoint_attention", *setting, report.variant)
    names = [name.replace("_", " ") for name in files.datasets[setting.dataset].skeleton.keypoints]
    plot_keypoint_attention(np.mean(lifts, axis=0), names, _heading(report), figure)


def _heading(report: StatisticsReport) -> str:
    return f"{setting_title(report)}: {report.title}"


def _note(report: StatisticsReport) -> str:
    keypoints = f"{report.occluded_keypoints:,} occluded and {report.visible_keypoints:,} visible keypoints"
    reach = f"neighbourhoods reach {report.reach:g} widths of the crop"
    masks = f" ({report.persons_without_mask:,} without a mask)" if report.persons_without_mask else ""
    return f"{report.images:,} images, {report.persons:,} persons{masks}, {keypoints}; {reach}"
