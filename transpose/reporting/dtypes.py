"""Table of lower-precision dtypes: AP of each model compared with fp32 on the same images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from transpose.config.study import Analysis
from transpose.evaluation.analysis_records import DtypeReport, DtypeResult
from transpose.evaluation.intervals import Estimate
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.estimates import about, difference_columns, mean_estimate, mean_percent, words_of
from transpose.reporting.labels import BOX_WORDS, INTERVALS, count_words, protocol_words, setting_title
from transpose.reporting.sections import Section, number
from transpose.reporting.study_files import StudyFiles

FOOTNOTES = [
    "AP in per cent and differences from fp32 in points, on the same images. Weights, crops and protocol are the same;"
    " only the network runs in another dtype. Same peak: share of heatmaps (one per box and keypoint) with the maximum"
    " at the same pixel. Shifts of keypoints are in image pixels. Rounding depends on the device.",
    INTERVALS,
]


@dataclass(frozen=True)
class DtypeRow:
    """One variant in one dtype on one setting, with the report and result of each seed."""

    seeds: Sequence[tuple[DtypeReport, DtypeResult]]

    @property
    def report(self) -> DtypeReport:
        """Report of the first seed, for fields that all seeds share."""
        return self.seeds[0][0]

    @property
    def dtype(self) -> str:
        """Dtype of the network."""
        return self.seeds[0][1].dtype

    @property
    def difference(self) -> Estimate:
        """AP minus AP in fp32, as a fraction."""
        return mean_estimate([result.difference for _, result in self.seeds])

    @property
    def exact_ap(self) -> float:
        """AP in fp32, in per cent."""
        return mean_percent([report.fp32["AP"] for report, _ in self.seeds])

    @property
    def ap(self) -> float:
        """AP in per cent."""
        return mean_percent([result.metrics["AP"] for _, result in self.seeds])

    def mean(self, field: str) -> float:
        """Return the mean over seeds of a field of `DtypeResult`."""
        return fmean(getattr(result, field) for _, result in self.seeds)


def write_dtype_table(files: StudyFiles) -> None:
    """Write `dtypes` as .csv, .md, .html and .tex into the study's results folder.

    Raises:
        InputError: the study has no dtype analysis, a file is missing or broken, or annotations, boxes or protocols
            differ.
    """
    table = AnalysisTable("Lower-precision dtypes", FOOTNOTES)
    for _, models in reports_by_setting(files, Analysis.DTYPES, DtypeReport):
        rows = [row for reports in models for row in _rows(reports)]
        table.rows += [_columns(row) for row in rows]
        table.sections.append(dtype_section(rows))
    table.write(files, Analysis.DTYPES)


def dtype_section(rows: Sequence[DtypeRow]) -> Section:
    """Return one row per model and dtype of one setting."""
    cells = tuple(
        (
            row.report.title,
            row.dtype,
            number(row.exact_ap, 2),
            number(row.ap, 2),
            words_of(row.difference, 2, 100, signed=True),
            number(100 * row.mean("same_peak"), 2),
            number(row.mean("median_shift"), 3),
            number(row.mean("far_shift"), 2),
            _device(row),
        )
        for row in rows
    )
    columns = (
        "Model",
        "Dtype",
        "AP in fp32",
        "AP",
        "Difference",
        "Same peak, %",
        "Median shift, px",
        "99 % within, px",
        "Device",
    )
    first = rows[0].report
    counts = count_words(first.images, first.persons)
    note = f"{BOX_WORDS[first.boxes_kind]}; {protocol_words(first.protocol)}; {counts}"
    return Section(f"{setting_title(first)}: lower-precision dtypes", note, columns, cells)


def _columns(row: DtypeRow) -> dict[str, object]:
    return about(row.report, len(row.seeds)) | {
        "box_source": BOX_WORDS[row.report.boxes_kind],
        "protocol": protocol_words(row.report.protocol),
        "images": row.report.images,
        "persons": row.report.persons,
        "device": _device(row),
        "dtype": row.dtype,
        "AP_fp32": row.exact_ap,
        "AP": row.ap,
        **difference_columns(row.difference),
        "same_peak": 100 * row.mean("same_peak"),
        "median_shift": row.mean("median_shift"),
        "far_shift": row.mean("far_shift"),
    }


def _device(row: DtypeRow) -> str:
    """Return the accelerators of all seeds, or the CPUs if there was no accelerator."""
    machines = (report.machine for report, _ in row.seeds)
    names = (machine["cpu"] if machine["device"] == "cpu" else machine["device"] for machine in machines)
    return ", ".join(dict.fromkeys(names))


def _rows(reports: Sequence[DtypeReport]) -> Iterator[DtypeRow]:
    for index, _ in enumerate(reports[0].results):
        yield DtypeRow([(report, report.results[index]) for report in reports])
