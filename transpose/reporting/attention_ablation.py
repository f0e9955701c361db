"""Tables of the attention ablation: AP of trained models with attention or positions changed at test time."""

from collections.abc import Sequence

from transpose.attention.records import AblationResult, AttentionAblationReport, Change
from transpose.config.study import Analysis
from transpose.evaluation.intervals import Estimate
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.estimates import about, difference_columns, mean_estimate, mean_percent, words_of
from transpose.reporting.labels import BOX_WORDS, INTERVALS, count_words, model_title, protocol_words, setting_title
from transpose.reporting.sections import DASH, Section, number
from transpose.reporting.study_files import StudyFiles

KIND_WORDS = {
    "intact": "intact",
    "head_off": "head off",
    "all_heads_off": "all heads off",
    "layer_off": "layer off",
    "uniform_attention": "attention uniform",
    "identity_attention": "each cell attends to itself only",
    "mean_attention": "attention replaced by the data set mean",
    "no_position": "position embedding removed",
    "mirrored_position": "position embedding mirrored",
    "shuffled_position": "position embedding shuffled",
    "sine_in_place": "learnable embedding replaced by sine",
    "sine_added": "sine embedding added",
}

FOOTNOTES = [
    f"AP and differences from the intact model in points, on the same images. {INTERVALS} A negative difference means"
    " that the changed model is worse.",
    "Head off: the output of the head is set to zero (Michel et al. 2019). All heads off: the layer keeps the bias"
    " of its output projection and its feed-forward block. Layer off: the layer returns its input.",
    "Attention uniform: every cell gets the mean of all cells. Each cell attends to itself only: its attention weight"
    " is 1, which does not occur in training. Data set mean: the mean attention of that layer and head over all"
    " evaluated crops.",
    "Nothing is retrained: a loss shows what the trained model relies on, not the result of training without it.",
]

_METRICS = ("AP", "AP50", "AP75", "AR")

Reports = Sequence[AttentionAblationReport]


def write_attention_ablation_table(files: StudyFiles) -> None:
    """Write `attention_ablation` as .csv, .md, .html and .tex into the study's results folder.

    Raises:
        InputError: the study has no attention analysis, a file is missing or broken, or annotations differ.
    """
    table = AnalysisTable("Attention changed at test time", FOOTNOTES)
    for _, models in reports_by_setting(files, Analysis.ATTENTION_ABLATION, AttentionAblationReport):
        for reports in models:
            table.rows += ablation_rows(reports)
        table.sections += [replacement_section(models), *(head_section(reports) for reports in models)]
    table.write(files, Analysis.ATTENTION_ABLATION)


def ablation_rows(reports: Reports) -> list[dict[str, object]]:
    """Return one row per change for one variant and setting: means over seeds, layers and heads counted from 1."""
    first = reports[0]
    return [
        about(first, len(reports))
        | {"images": first.images, "persons": first.persons}
        | {"change": change.kind, "layer": _ordinal(change.layer), "head": _ordinal(change.head)}
        | {metric: _mean(results, metric) for metric in _METRICS}
        | difference_columns(_difference(results))
        for change, results in _by_change(reports).items()
    ]


def replacement_section(models: Sequence[Reports]) -> Section:
    """Return all variants of one setting: a row per replaced attention or changed position, a column per variant.

    Variants differ in their number of layers, so only the last layer has a row of its own.
    """
    columns = [_replacements(reports) for reports in models]
    rows = [(words, *(column.get(words, DASH) for column in columns)) for words in _joined(columns)]
    first = models[0][0]
    titles = ("Change at test time", *(reports[0].title for reports in models))
    return Section(f"{setting_title(first)}: attention and positions replaced", _note(first), titles, tuple(rows))


def head_section(reports: Reports) -> Section:
    """Return one variant: a row per layer, a column per part that is off."""
    first = reports[0]
    found = {(change.kind, change.layer, change.head): results for change, results in _by_change(reports).items()}
    heads = range(first.heads) if first.heads > 1 else ()
    rows = tuple(
        (
            f"layer {layer + 1}",
            *(_words(found["head_off", layer, head]) for head in heads),
            _words(found["all_heads_off", layer, None]),
            _words(found["layer_off", layer, None]),
        )
        for layer in range(first.layers)
    )
    columns = ("Off", *(f"head {head + 1}" for head in heads), "all heads", "the layer")
    intact = number(_mean(found["intact", None, None], "AP"))
    return Section(model_title(first), f"intact: AP {intact}; seeds {len(reports)}", columns, rows)


def _replacements(reports: Reports) -> dict[str, str]:
    """Return one variant's cells by row label."""
    cells = {}
    for change, results in _by_change(reports).items():
        if change.kind == "intact":
            cells["intact: AP"] = number(_mean(results, "AP"))
        elif change.kind.endswith("_attention"):
            where = "all layers" if change.layer is None else "last layer only"
            cells[f"{KIND_WORDS[change.kind]}, {where}"] = _words(results)
        elif change.layer is None:
            cells[KIND_WORDS[change.kind]] = _words(results)
    return cells


def _joined(columns: Sequence[dict[str, str]]) -> list[str]:
    """Return the row labels of all columns, each once, in the order of `KIND_WORDS`."""
    order = list(KIND_WORDS.values())
    words = list(dict.fromkeys(word for column in columns for word in column))
    return sorted(words, key=lambda word: order.index(word.split(",")[0].split(":")[0]))


def _by_change(reports: Reports) -> dict[Change, list[AblationResult]]:
    """Return the results of each change, one per seed."""
    return {
        result.change: [report.results[index] for report in reports] for index, result in enumerate(reports[0].results)
    }


def _difference(results: Sequence[AblationResult]) -> Estimate | None:
    found = [result.difference for result in results if result.difference is not None]
    return mean_estimate(found) if found else None


def _words(results: Sequence[AblationResult]) -> str:
    difference = _difference(results)
    return DASH if difference is None else words_of(difference, 1, 100, signed=True)


def _mean(results: Sequence[AblationResult], metric: str) -> float:
    return mean_percent([result.metrics[metric] for result in results])


def _ordinal(index: int | None) -> int | None:
    return None if index is None else index + 1


def _note(report: AttentionAblationReport) -> str:
    counts = count_words(report.images, report.persons)
    return f"{BOX_WORDS[report.boxes_kind]}; {protocol_words(report.protocol)}; {counts}"
