"""Table and figure of AP at other input sizes than the training size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from transpose.config.analyses import PositionWay, position_ways
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalProtocol, EvalSetting, Resolutions
from transpose.evaluation.analysis_records import ResolutionReport
from transpose.evaluation.report import EvaluationReport
from transpose.reporting.analysis_table import AnalysisTable, check_same_inputs, chosen_analysis
from transpose.reporting.estimates import about, mean_percent
from transpose.reporting.figure_style import add_legend, plain, save_with_svg, style_of, tidy
from transpose.reporting.labels import BOX_WORDS, INTERVALS, count_words, protocol_words, setting_title, size_words
from transpose.reporting.sections import Section, interval_words, number, with_sign
from transpose.reporting.study_files import StudyFiles

FOOTNOTES = [
    "AP and AR in per cent, means over seeds. Differences in points from the same weights at the training size.",
    INTERVALS,
    "resampled: the embedding is interpolated bilinearly to the new grid with aligned corners, as in the paper."
    " recomputed: the sine formula is evaluated on the new grid. A learnable embedding can only be resampled.",
]

_METRICS = ("AP", "AP50", "AP75", "AR")
_WAY_WORDS = {"as_trained": "as trained", "no_embedding": "none", "resampled": "resampled", "recomputed": "recomputed"}


@dataclass(frozen=True)
class ResolutionRow:
    """A variant at one input size with one kind of position embedding, over its seeds."""

    recipe: Recipe
    size: tuple[int, int]
    way: PositionWay | Literal["as_trained"]
    reports: tuple[EvaluationReport, ...]
    trained: tuple[EvaluationReport, ...]
    """The same seeds at the training size."""
    interval: tuple[float, float]
    """Interval of AP in per cent, NaN if there is none."""

    @property
    def named_reports(self) -> list[tuple[str, EvaluationReport]]:
        """Each report with its name in messages."""
        size = size_words(self.size)
        return [(f"{report.variant} seed {report.seed} at {size}", report) for report in self.reports]

    @property
    def difference(self) -> float:
        """AP minus AP at the training size, in points."""
        return mean_of(self.reports, "AP") - mean_of(self.trained, "AP")


@dataclass(frozen=True)
class AccuracyCurve:
    """One model at several sizes."""

    title: str
    colour: int
    """Index in the study's list of variants, as in the other figures."""
    dashed: bool
    points: tuple[tuple[tuple[int, int], float], ...]
    """((height, width), AP in per cent) by rising height; AP is NaN if no person is labelled."""


def write_resolution_tables(files: StudyFiles) -> None:
    """Write `resolutions` as .csv, .md, .html and .tex, and a figure per setting, into the study's results folder.

    Raises:
        InputError: the study has no other sizes, a file is missing or broken, or annotations, boxes or protocols
            differ.
    """
    table = AnalysisTable("Other input sizes", FOOTNOTES)
    chosen = chosen_analysis(files.study, Analysis.RESOLUTIONS)
    assert isinstance(chosen, Resolutions)
    for setting in chosen.settings():
        rows = list(_rows(files, chosen, setting))
        check_same_inputs(Analysis.RESOLUTIONS, [named for row in rows for named in row.named_reports])
        table.rows += resolution_rows(rows)
        table.sections.append(resolution_section(rows))
        curves = curves_of(rows, files.study.variants)
        plot_resolutions(curves, _caption(rows), files.layout.figure(Analysis.RESOLUTIONS, *setting))
    table.write(files, Analysis.RESOLUTIONS)


def resolution_rows(rows: list[ResolutionRow]) -> list[dict[str, object]]:
    """Return one row per variant, size and kind of position embedding."""
    return [
        about(row.reports[0], len(row.reports))
        | {
            "box_source": BOX_WORDS[row.reports[0].boxes_kind],
            "protocol": protocol_words(row.reports[0].protocol),
            "images": row.reports[0].images,
            "persons": row.reports[0].persons,
            "trained_input": size_words(row.recipe.variant.input_size),
            "input": size_words(row.size),
            "embedding": _embedding(row.recipe),
            "way": row.way,
            **{metric: mean_of(row.reports, metric) for metric in _METRICS},
            "AP_low": row.interval[0],
            "AP_high": row.interval[1],
            "difference": row.difference,
        }
        for row in rows
    ]


def resolution_section(rows: list[ResolutionRow]) -> Section:
    """Return all variants, sizes and kinds of position embedding of one setting."""
    first = rows[0].reports[0]
    cells = tuple(
        (
            row.recipe.variant.title,
            _embedding(row.recipe),
            size_words(row.size),
            _WAY_WORDS[row.way],
            number(mean_of(row.reports, "AP")),
            interval_words(*row.interval),
            with_sign(row.difference),
            *(number(mean_of(row.reports, metric)) for metric in _METRICS[1:]),
        )
        for row in rows
    )
    columns = ("Model", "Embedding", "Input", "Position", "AP", "95 % interval", "Difference", *_METRICS[1:])
    return Section(setting_title(first), f"{_note(first)}; seeds {len(rows[0].reports)}", columns, cells)


def curves_of(rows: list[ResolutionRow], variants: tuple[str, ...]) -> list[AccuracyCurve]:
    """Return one curve per variant, and a second one if its embedding was also recomputed.

    Args:
        variants: of the study; their order selects the colours.
    """
    curves = []
    for name in dict.fromkeys(row.recipe.name for row in rows):
        own = [row for row in rows if row.recipe.name == name]
        for way in dict.fromkeys(row.way for row in own if row.way != "as_trained"):
            points = sorted((row.size, mean_of(row.reports, "AP")) for row in own if row.way in ("as_trained", way))
            title = own[0].recipe.variant.title + (f", {_WAY_WORDS[way]}" if way != "no_embedding" else "")
            curves.append(AccuracyCurve(title, variants.index(name), way == "recomputed", tuple(points)))
    return curves


def plot_resolutions(curves: Sequence[AccuracyCurve], heading: str, path: Path) -> None:
    """Plot AP against input height; recomputed embeddings are dashed."""
    figure = Figure(figsize=(8.5, 4.6), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        dashes = {"linestyle": "--", "markerfacecolor": "white"} if curve.dashed else {}
        style = {**style_of(curve.colour), "markersize": 7, **dashes}
        heights = [size[0] for size, _ in curve.points]
        axes.plot(heights, [ap for _, ap in curve.points], label=plain(curve.title), **style)
    sizes = sorted({size for curve in curves for size, _ in curve.points})
    # Sizes of equal height share a tick and its label.
    labels = {height: ", ".join(f"{h}x{w}" for h, w in sizes if h == height) for height, _ in sizes}
    axes.set_xticks(list(labels), list(labels.values()))
    axes.set(xlabel="input, height x width in pixels", ylabel="AP (%)")
    # The axis spans at least one point, so that tiny differences do not look large.
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))
    tidy(axes)
    add_legend(figure, axes)
    figure.suptitle(plain(heading), fontsize=11)
    save_with_svg(figure, path)


def mean_of(reports: tuple[EvaluationReport, ...], metric: str) -> float:
    """Return the mean over seeds in per cent; see `mean_percent`."""
    return mean_percent([report.metrics[metric] for report in reports])


def _rows(files: StudyFiles, settings: Resolutions, setting: EvalSetting) -> Iterator[ResolutionRow]:
    layout = files.layout
    for variant in settings.variants:
        recipe = files.recipes[variant]
        runs = files.runs(variant)
        trained = {path: read_record(EvaluationReport, path) for run in runs for path in [layout.metrics(run, setting)]}
        at_own_size = tuple(trained.values())
        own = recipe.variant.input_size
        for size in sorted({own, *settings.sizes}):
            if size == own:
                interval = _interval(files, trained, setting)
                yield ResolutionRow(recipe, size, "as_trained", at_own_size, at_own_size, interval)
            for way in position_ways(recipe.variant, size, settings.position):
                paths = (layout.resolution(run, setting, size, way) for run in runs)
                reports = {path: read_record(ResolutionReport, path) for path in paths}
                interval = _interval(files, reports, setting)
                yield ResolutionRow(recipe, size, way, tuple(reports.values()), at_own_size, interval)


def _interval(files: StudyFiles, reports: Mapping[Path, EvaluationReport], setting: EvalSetting) -> tuple[float, float]:
    low, high = files.interval(reports, setting) or (float("nan"), float("nan"))
    return 100 * low, 100 * high


def _embedding(recipe: Recipe) -> str:
    encoder = recipe.variant.encoder
    return "no encoder" if encoder is None else encoder.position_embedding


def _caption(rows: list[ResolutionRow]) -> str:
    report = rows[0].reports[0]
    trained = ", ".join(dict.fromkeys(size_words(row.recipe.variant.input_size) for row in rows))
    counts = count_words(report.images, report.persons)
    return (
        f"{report.dataset_title}, {report.split}; {BOX_WORDS[report.boxes_kind]}; {counts}\n"
        f"training size {trained}; {protocol_words(report.protocol)}"
    )


def _note(report: EvaluationReport) -> str:
    parts = [BOX_WORDS[report.boxes_kind], protocol_words(report.protocol)]
    if report.protocol.decoder == EvalProtocol().decoder:
        parts.append(f"DARK's kernel is {report.protocol.blur_kernel} heatmap pixels at every size")
    return "; ".join([*parts, count_words(report.images, report.persons)])
