"""Table of attention statistics of keypoints, and figure of the attention between keypoints."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from transpose.attention.records import StatisticsReport
from transpose.config.study import Analysis, EvalSetting
from transpose.evaluation.intervals import Estimate
from transpose.files import read_npz
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.estimates import estimate_rows, mean_over_seeds, words_of
from transpose.reporting.figure_style import plain, save_with_svg
from transpose.reporting.labels import INTERVALS, count_words, model_title
from transpose.reporting.sections import Section
from transpose.reporting.study_files import StudyFiles

FOOTNOTES = [
    "Unflipped pass. A keypoint's query is the cell of its prediction; the positions of other keypoints are annotated."
    " Means over keypoints, attention averaged over heads (the .csv has each head).",
    INTERVALS,
    "× is a multiple of uniform attention. Own: the neighbourhood of the keypoint. Partner: the neighbourhood of its"
    " left/right counterpart. Relatives: the neighbourhoods of keypoints connected to it by a limb. Partner and"
    " relatives exclude the keypoint's own neighbourhood.",
    "Occluded and visible keypoints differ in kind (more wrists than noses are occluded). The table of body parts"
    " compares keypoints of the same kind.",
    "Entropy is 1 for uniform attention and 0 for a single cell. Distance is from the query to the attended cells.",
]

_PANELS = ("occluded keypoints", "visible keypoints")

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
    """Write `attention_statistics` as .csv, .md, .html and .tex, and a figure per setting and variant.

    Raises:
        InputError: the study has no attention analysis, a file is missing or broken, or annotations differ.
    """
    table = AnalysisTable("Attention of keypoints", FOOTNOTES)
    for setting, models in reports_by_setting(files, Analysis.ATTENTION_STATISTICS, StatisticsReport):
        for mean in map(mean_over_seeds, models):
            table.rows += statistics_rows(mean)
            table.sections += [statistics_section(mean), difference_section(mean)]
            _draw(files, setting, mean)
    table.write(files, Analysis.ATTENTION_STATISTICS)


def statistics_rows(report: StatisticsReport) -> list[dict[str, object]]:
    """Return one row per estimate of one variant on one setting."""
    return estimate_rows(report, ("layer", "head", "keypoints", "measure"), _numbers(report))


def statistics_section(report: StatisticsReport) -> Section:
    """Return a row per layer and visibility, heads averaged."""
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
    return Section(model_title(report), _note(report), columns, rows)


def difference_section(report: StatisticsReport) -> Section:
    """Return the differences on the same images."""
    rows = tuple(
        (
            _WHAT[one.what],
            _MEASURED[one.measure],
            words_of(one.mean, 3, signed=True),
            f"{one.mean.count:,} / {one.subtracted:,}",
        )
        for one in report.differences
    )
    return Section(
        f"{model_title(report)}: differences", _note(report), ("What", "Measure", "Difference", "Values"), rows
    )


def _numbers(report: StatisticsReport) -> Iterator[tuple[tuple[object, object, str, str], Estimate]]:
    """Yield every estimate with its layer, head, keypoints and measure."""
    for one in report.statistics:
        head = "mean" if one.head is None else one.head
        yield (one.layer, head, one.visibility, one.measure), one.mean
    for difference in report.differences:
        yield ("", "mean", difference.what, difference.measure), difference.mean


def _draw(files: StudyFiles, setting: EvalSetting, report: StatisticsReport) -> None:
    """Draw the last layer's keypoint-to-keypoint attention, averaged over heads and seeds."""
    lifts = []
    for run in files.runs(report.variant):
        path = files.layout.analysis(Analysis.ATTENTION_STATISTICS, run, setting).with_suffix(".npz")
        lifts.append(read_npz(path, ["lift"], "matrices of attention statistics")["lift"][-1, -1])
    figure = files.layout.figure("keypoint_attention", *setting, report.variant)
    names = [name.replace("_", " ") for name in files.datasets[setting.dataset].skeleton.keypoints]
    plot_keypoint_attention(np.mean(lifts, axis=0), names, model_title(report), figure)


def plot_keypoint_attention(lift: np.ndarray, names: Sequence[str], heading: str, path: Path) -> None:
    """Draw multiples of uniform attention [2, K, K], of occluded and of visible keypoints, on one logarithmic scale.

    Args:
        lift: row i is the query keypoint, column j the keypoint whose neighbourhood is attended to; NaN is grey.
    """
    figure = Figure(figsize=(12.5, 6.8), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    largest = float(np.nanmax(lift, initial=2.0))
    # Blue is below uniform attention, red above, white uniform.
    norm = LogNorm(1 / largest, largest)
    # Pairs of keypoints that no person has are grey.
    colours = matplotlib.colormaps["RdBu_r"].with_extremes(bad="0.8")
    image = None
    for axes, matrix, title in zip(panels, lift, _PANELS, strict=True):
        image = axes.imshow(np.clip(matrix, 1 / largest, largest), cmap=colours, norm=norm)
        axes.set_title(title, fontsize=10)
        axes.set_xticks(range(len(names)), list(names), rotation=90, fontsize=8)
        axes.set_yticks(range(len(names)), list(names), fontsize=8)
        axes.set_xlabel("attends to the neighbourhood of")
    panels[0].set_ylabel("cell of")
    assert image is not None
    bar = figure.colorbar(image, ax=panels, shrink=0.8)
    bar.set_label("times uniform attention, last layer, mean over heads")
    steps = [2.0**power for power in range(-6, 7) if 1 / largest <= 2.0**power <= largest]
    bar.set_ticks(steps, labels=[f"{step:g}×" for step in steps])
    bar.minorticks_off()
    figure.suptitle(plain(heading), fontsize=11)
    save_with_svg(figure, path)


def _note(report: StatisticsReport) -> str:
    keypoints = f"{report.occluded_keypoints:,} occluded and {report.visible_keypoints:,} visible keypoints"
    reach = f"radius of a neighbourhood: {report.reach:g} crop widths"
    masks = f" ({report.persons_without_mask:,} without a mask)" if report.persons_without_mask else ""
    return f"{count_words(report.images, report.persons)}{masks}, {keypoints}; {reach}"
