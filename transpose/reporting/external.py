"""Rows of other tools' results in the comparison, and their differences from the study's models."""

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from transpose.config.study import ExternalResults
from transpose.evaluation.external_row import ExternalRow
from transpose.files import sha256_of_file
from transpose.reporting.labels import BOX_WORDS, NOT_RUN
from transpose.reporting.records import AblationRecord
from transpose.reporting.study_files import StudyFiles
from transpose.reporting.tables import TOLERANCE

QUESTION = "How do results of other tools compare?"

_UNKNOWN_BOXES = "boxes unknown"


def external_rows(files: StudyFiles) -> Iterator[dict[str, object]]:
    """Yield the rows of external results, with the columns of `comparison_table`.

    Raises:
        InputError: a metrics file is broken.
    """
    for settings in files.study.external:
        report = files.external_report(settings.name)
        yield _identity(files, settings, report) | _figures(settings, report)


def external_differences(files: StudyFiles) -> Iterator[AblationRecord]:
    """Yield the difference of each external row from each variant on its split, on the same resampled images.

    Raises:
        InputError: a file is missing or broken.
    """
    for settings in files.study.external:
        report = files.external_report(settings.name)
        for setting in files.study.settings_of(settings):
            dataset = files.datasets[setting.dataset]
            for variant, recipe in files.recipes.items():
                difference = files.external_difference(settings.name, variant, setting)
                yield AblationRecord(
                    question=QUESTION,
                    baseline_title=recipe.variant.title,
                    variant_title=settings.title,
                    dataset_title=dataset.title,
                    split=setting.split,
                    boxes=setting.boxes,
                    box_kind=dataset.boxes[setting.boxes].kind,
                    images=report.images if report else 0,
                    persons=report.persons if report else 0,
                    # The file is of one training, whatever the number of the variant's.
                    seeds=1 if difference else 0,
                    difference=difference.value if difference else None,
                    interval=difference.interval() if difference else None,
                    images_needed=difference.needed().images if difference else None,
                )


def _identity(files: StudyFiles, settings: ExternalResults, report: ExternalRow | None) -> dict[str, object]:
    kind = report.boxes_kind if report else None
    return {
        "variant": settings.name,
        "model": settings.title,
        "dataset": files.datasets[settings.dataset].title,
        "split": settings.split,
        "boxes": (report.boxes if report else None) or "unknown",
        "box_source": BOX_WORDS[kind] if kind else _UNKNOWN_BOXES,
        "protocol": "results of other tools",
        "metric": "AP",
        "input": "",
        "initialisation": "",
        "images": report.images if report else pd.NA,
        "persons": report.persons if report else pd.NA,
        "seeds": 1 if report else 0,
        "seeds_planned": 1,
    }


def _figures(settings: ExternalResults, report: ExternalRow | None) -> dict[str, object]:
    metrics = report.metrics if report else {}
    measured = {name: _points(metrics.get(name)) for name in ("AP", "AP50", "AP75", "APM", "APL", "AR")}
    low, high = report.interval if report else (None, None)
    published = math.nan if settings.published is None else settings.published
    return {
        **measured,
        "AP_std": math.nan,
        "AP_low": _points(low),
        "AP_high": _points(high),
        "params_m": math.nan if settings.params is None else settings.params,
        "trainable_m": math.nan,
        "gmacs": math.nan,
        "gmacs_as_published": math.nan,
        "published_AP": published,
        "published_confirmed": pd.NA if settings.published is None else True,
        "difference": measured["AP"] - published,
        "comparable": settings.published is not None,
        "verdict": _result(settings, measured["AP"]),
        "status": "measured" if report else NOT_RUN,
        "notes": "; ".join(_notes(settings, report)),
    }


def _result(settings: ExternalResults, ap: float) -> str:
    if settings.published is None:
        return "not comparable: no published figure"
    if math.isnan(ap):
        return NOT_RUN
    # Both values are printed with one decimal, so the difference is computed from rounded values.
    within = abs(round(ap, 1) - settings.published) <= TOLERANCE + 1e-9
    return f"{'as published' if within else 'not as published'} (±{TOLERANCE:g} AP)"


def _notes(settings: ExternalResults, report: ExternalRow | None) -> Iterator[str]:
    if report is not None:
        yield f"file {report.predictions_sha256[:12]}"
        present = Path(settings.results)
        if present.is_file() and sha256_of_file(present) != report.predictions_sha256:
            yield "measured with another file than the present one"
        if report.boxes is None:
            yield _UNKNOWN_BOXES
        if report.images_without_predictions:
            yield f"{report.images_without_predictions:,} images without a prediction"
        yield from report.reference_check.notes
    if settings.speed is not None:
        yield settings.speed
    if settings.link is not None:
        yield settings.link


def _points(fraction: float | None) -> float:
    """Return a fraction in per cent, NaN if it is undefined."""
    return math.nan if fraction is None or fraction < 0 else 100 * fraction
