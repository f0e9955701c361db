"""Tables and curves of the faithfulness of explanations."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transpose.attention.records import DIRECTIONS, Curve, FaithfulnessReport, Knockout
from transpose.config.study import Analysis
from transpose.evaluation.intervals import Estimate
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.estimates import estimate_rows, mean_over_seeds, words_of
from transpose.reporting.figure_style import add_legend, plain, save_with_svg, style_of, tidy
from transpose.reporting.labels import DEPTH_WORDS, INTERVALS, model_title, setting_title
from transpose.reporting.sections import Section
from transpose.reporting.study_files import StudyFiles

RANKING_WORDS = {
    "attention": "attention",
    "rollout": "attention rollout",
    "gradient_x_input": "gradient × input",
    "distance": "nearest to the keypoint",
    "random": "random",
    "least_attended": "least attended",
}

_DIRECTION_LABELS = {"deletion": "deletion: share masked", "insertion": "insertion: share kept"}

FOOTNOTES = [
    "Unflipped pass; labelled keypoints with a similarity (the keypoint's term of OKS) of 0.5 or more; annotated"
    " boxes.",
    INTERVALS,
    "Attention: the last layer's row of the keypoint's cell, mean over heads. Attention minus this: the paired"
    " difference. Positive values favour attention for knock-outs and insertion, negative values for deletion.",
    "Models were not trained with masked cells, so masking alone lowers the similarity: compare rankings.",
]


def write_faithfulness_tables(files: StudyFiles) -> None:
    """Write `faithfulness` as .csv, .md, .html and .tex, and a figure per setting, into the study's results folder.

    Raises:
        InputError: the study has no attention analysis, a file is missing or broken, or annotations differ.
    """
    table = AnalysisTable("Faithfulness of explanations", FOOTNOTES)
    for setting, models in reports_by_setting(files, Analysis.FAITHFULNESS, FaithfulnessReport):
        means = [mean_over_seeds(reports) for reports in models]
        for mean in means:
            table.rows += faithfulness_rows(mean)
            table.sections += [knockout_section(mean), curve_section(mean), agreement_section(mean)]
        figure = files.layout.figure(Analysis.FAITHFULNESS, *setting)
        plot_curves(means, setting_title(means[0]), figure)
    table.write(files, Analysis.FAITHFULNESS)


def faithfulness_rows(report: FaithfulnessReport) -> list[dict[str, object]]:
    """Return one row per estimate of one variant on one setting."""
    return estimate_rows(report, ("test", "where", "ranking", "measure"), _numbers(report))


def knockout_section(report: FaithfulnessReport) -> Section:
    """Return the knock-out test, a row per depth and ranking."""
    by_row: dict[tuple[str, str], dict[str, Knockout]] = {}
    for one in report.knockouts:
        by_row.setdefault((one.depth, one.ranking), {})[one.measure] = one
    rows = tuple(
        (
            DEPTH_WORDS[depth],
            RANKING_WORDS[ranking],
            words_of(measures["peak_change"].mean, 1, 100),
            words_of(measures["shift"].mean, 2),
            words_of(measures["similarity_drop"].mean, 1, 100),
            _margin_words(measures["similarity_drop"].margin, 100),
            f"{measures['similarity_drop'].mean.count:,}",
        )
        for (depth, ranking), measures in by_row.items()
    )
    columns = (
        "Cells masked",
        "Chosen by",
        "Peak changed (%)",
        "Moved (crop px)",
        "Similarity lost (points)",
        "Attention minus this",
        "Keypoints",
    )
    share = f"{100 * report.settings.knockout_fraction:g} % of the cells are masked"
    note = f"{share}; {report.persons:,} persons, {report.keypoints:,} keypoints"
    return Section(f"{model_title(report)}: knock-out", note, columns, rows)


def curve_section(report: FaithfulnessReport) -> Section:
    """Return the areas under the deletion and insertion curves, a row per ranking."""
    deletion, insertion = ([one for one in report.curves if one.direction == direction] for direction in DIRECTIONS)
    rows = tuple(
        (
            RANKING_WORDS[deleted.ranking],
            words_of(deleted.area, 1, 100),
            _margin_words(deleted.margin, 100),
            words_of(inserted.area, 1, 100),
            _margin_words(inserted.margin, 100),
        )
        for deleted, inserted in zip(deletion, insertion, strict=True)
    )
    columns = ("Cells ordered by", "Area, deletion", "Attention minus this", "Area, insertion", "Attention minus this")
    note = (
        "area under the curve of keypoint similarity (per cent); deletion masks the most important cells first as keys"
        " of the last layer, insertion keeps only these; a small area is faithful for deletion, a large one for"
        " insertion"
    )
    return Section(f"{model_title(report)}: deletion and insertion", note, columns, rows)


def agreement_section(report: FaithfulnessReport) -> Section:
    """Return rank correlations: with the occlusion test, between keypoints, and with randomised models."""
    effects = {"peak_drop": "peak lost", "shift": "moved"}
    explanations = {"attention": "attention between keypoints", "distance": "distance of keypoints"}
    rows = [
        *(
            ("masked patches of the image", RANKING_WORDS[one.ranking], words_of(one.correlation, 2))
            for one in report.occlusion_correlations
        ),
        *(
            (
                f"masked keypoints {DEPTH_WORDS[one.depth]}, {effects[one.effect]}",
                explanations[one.explained_by],
                words_of(one.correlation, 2),
            )
            for one in report.agreements
        ),
        *(
            (f"last {one.layers} encoder layers randomised", "attention", words_of(one.correlation, 2))
            for one in report.randomised
        ),
    ]
    note = (
        "Spearman's rank correlation of the effect with the explanation; the last rows compare maps before and after"
        " randomisation and should be low, since a map that does not depend on the weights explains nothing"
    )
    columns = ("Effect of", "Explained by", "Rank correlation")
    return Section(f"{model_title(report)}: agreement", note, columns, tuple(rows))


def plot_curves(reports: Sequence[FaithfulnessReport], heading: str, path: Path) -> None:
    """Plot keypoint similarity against the share of the cells, with the interval of attention shaded.

    Args:
        reports: one per model.
    """
    figure = Figure(figsize=(2.6 + 2.7 * len(reports), 6), layout="constrained")
    panels = figure.subplots(len(DIRECTIONS), len(reports), squeeze=False, sharey="row")
    for column, report in enumerate(reports):
        for row, direction in enumerate(DIRECTIONS):
            axes = panels[row, column]
            _draw(axes, [curve for curve in report.curves if curve.direction == direction], report.shares)
            axes.set_xlabel(_DIRECTION_LABELS[direction])
            tidy(axes)
        panels[0, column].set_title(plain(report.title), fontsize=10)
    for row in panels:
        row[0].set_ylabel("keypoint similarity")
    add_legend(figure, panels[0, 0])
    figure.suptitle(plain(heading), fontsize=11)
    save_with_svg(figure, path)


def _draw(axes: Axes, curves: Sequence[Curve], shares: Sequence[float]) -> None:
    for curve in curves:
        style: dict[str, Any] = style_of(list(RANKING_WORDS).index(curve.ranking)) | {"markersize": 4}
        axes.plot(shares, _column(curve, "value"), label=RANKING_WORDS[curve.ranking], **style)
        if curve.margin is None:
            low, high = _column(curve, "low"), _column(curve, "high")
            axes.fill_between(shares, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _column(curve: Curve, name: str) -> np.ndarray:
    """Return values or interval ends at each share; NaN if there is none."""
    return np.array([getattr(point, name) for point in curve.similarities], dtype=np.float64)


def _numbers(report: FaithfulnessReport) -> Iterator[tuple[tuple[str, str, str, str], Estimate]]:
    """Yield every estimate with its test, depth, ranking and measure."""
    for one in report.knockouts:
        yield ("knockout", one.depth, one.ranking, one.measure), one.mean
        if one.margin is not None:
            yield ("knockout", one.depth, one.ranking, f"attention_minus_this_{one.measure}"), one.margin
    for curve in report.curves:
        yield (curve.direction, "last_layer", curve.ranking, "area"), curve.area
        if curve.margin is not None:
            yield (curve.direction, "last_layer", curve.ranking, "attention_minus_this_area"), curve.margin
    for one in report.occlusion_correlations:
        yield ("occlusion", "image", one.ranking, "rank_correlation"), one.correlation
    for one in report.agreements:
        yield ("keypoint_influence", one.depth, one.explained_by, f"rank_correlation_{one.effect}"), one.correlation
    for one in report.randomised:
        yield ("randomisation", f"last_{one.layers}", "attention", "rank_correlation"), one.correlation


def _margin_words(margin: Estimate | None, factor: float) -> str:
    return "" if margin is None else words_of(margin, 1, factor, signed=True)
