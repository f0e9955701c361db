"""Table of the protocol ablation: AP of each combination of choices of the evaluation protocol."""

from transpose.config.study import Analysis, EvalProtocol
from transpose.evaluation.analysis_records import ProtocolAblationReport, ProtocolResult
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.estimates import about, mean_percent
from transpose.reporting.labels import BOX_WORDS, count_words, model_title, protocol_words, setting_title
from transpose.reporting.sections import Section, number, with_sign
from transpose.reporting.study_files import StudyFiles

FOOTNOTES = [
    "AP and AR in per cent, means over seeds. Differences in points from the official combination with the same"
    " weights: flip test, DARK, OKS-NMS, box score times mean keypoint score. All rows of a model use the same"
    " heatmaps.",
    "With equal box scores, as for ground-truth boxes, the box score does not rank predictions.",
]

_METRICS = ("AP", "AP50", "AP75", "AR")
_CHOICES = ("flip_test", "decoder", "nms_threshold", "score")

Reports = list[ProtocolAblationReport]


def write_protocol_table(files: StudyFiles) -> None:
    """Write `protocol_ablation` as .csv, .md, .html and .tex into the study's results folder.

    Raises:
        InputError: the study has no protocol ablation, a file is missing or broken, or annotations, boxes or protocols
            differ.
    """
    table = AnalysisTable("Protocol ablation", FOOTNOTES)
    for _, models in reports_by_setting(files, Analysis.PROTOCOLS, ProtocolAblationReport):
        for reports in models:
            table.rows += protocol_rows(reports)
        table.sections += [single_choice_section(models), *(combination_section(reports) for reports in models)]
    table.write(files, Analysis.PROTOCOLS)


def protocol_rows(reports: Reports) -> list[dict[str, object]]:
    """Return one row per combination for one variant on one setting, means over seeds."""
    first = reports[0]
    return [
        about(first, len(reports))
        | {
            "box_source": BOX_WORDS[first.boxes_kind],
            "images": first.images,
            "persons": first.persons,
            **{choice: getattr(result.protocol, choice) for choice in _CHOICES},
            "nms_threshold": _nms_words(result.protocol),
            "official": result.official,
            **{metric: _mean(reports, index, metric) for metric in _METRICS},
            "difference": _difference(reports, index),
        }
        for index, result in enumerate(first.results)
    ]


def single_choice_section(models: list[Reports]) -> Section:
    """Return each model's AP with the official protocol, and its change when a single choice differs."""
    first = models[0][0]
    changed = [index for index, result in enumerate(first.results) if _changes(result, first.results[0]) == 1]
    rows = [("official", *(number(_mean(reports, 0, "AP")) for reports in models))]
    rows += [
        (_change_words(first.results[index]), *(with_sign(_difference(reports, index)) for reports in models))
        for index in changed
    ]
    columns = ("Change", *(reports[0].title for reports in models))
    return Section(f"{setting_title(first)}: one choice changed", _note(first), columns, tuple(rows))


def combination_section(reports: Reports) -> Section:
    """Return all combinations of one model."""
    first = reports[0]
    rows = tuple(
        (
            *_choice_words(result.protocol),
            number(_mean(reports, index, "AP")),
            "official" if result.official else with_sign(_difference(reports, index)),
            *(number(_mean(reports, index, metric)) for metric in _METRICS[1:]),
        )
        for index, result in enumerate(first.results)
    )
    columns = ("Decoder", "Flip test", "OKS-NMS", "Score", "AP", "Difference", *_METRICS[1:])
    return Section(model_title(first), f"{_note(first)}; seeds {len(reports)}", columns, rows)


def _mean(reports: Reports, index: int, metric: str) -> float:
    return mean_percent([report.results[index].metrics[metric] for report in reports])


def _difference(reports: Reports, index: int) -> float:
    return _mean(reports, index, "AP") - _mean(reports, 0, "AP")


def _changes(result: ProtocolResult, official: ProtocolResult) -> int:
    return sum(getattr(result.protocol, choice) != getattr(official.protocol, choice) for choice in _CHOICES)


def _change_words(result: ProtocolResult) -> str:
    decoder, _, _, score = _choice_words(result.protocol)
    if not result.protocol.flip_test:
        return "no flip test"
    if result.protocol.nms_threshold is None:
        return "no OKS-NMS"
    return f"score: {score}" if result.protocol.decoder == EvalProtocol().decoder else f"decoder: {decoder}"


def _choice_words(protocol: EvalProtocol) -> tuple[str, str, str, str]:
    """Return labels of (decoder, flip test, suppression, score)."""
    decoders = {"dark": "DARK", "quarter": "quarter offset", "argmax": "argmax"}
    scores = {"box_times_keypoints": "box × keypoints", "keypoints": "keypoints", "box": "box"}
    flip = "on" if protocol.flip_test else "off"
    return decoders[protocol.decoder], flip, _nms_words(protocol), scores[protocol.score]


def _nms_words(protocol: EvalProtocol) -> str:
    return "off" if protocol.nms_threshold is None else f"{protocol.nms_threshold:g}"


def _note(report: ProtocolAblationReport) -> str:
    counts = count_words(report.images, report.persons)
    return f"{BOX_WORDS[report.boxes_kind]}; official row: {protocol_words(report.results[0].protocol)}; {counts}"
