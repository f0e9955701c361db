"""Files of one kind of measures of attention, as a study lays them out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from transpose.config.load import read_record
from transpose.config.study import AttentionStudy, Study
from transpose.errors import InputError
from transpose.evaluation.report import Subject
from transpose.reporting.subjects import check_same_inputs
from transpose.workflow.places import place_of_run

Place = tuple[str, str, str]
"""Data set, split and boxes."""

Report = TypeVar("Report", bound=Subject)


def attention_of(study: Study) -> AttentionStudy:
    """What the study measures of attention.

    Raises:
        InputError: it measures nothing.
    """
    if study.attention is None:
        raise InputError(study.name, None, "attention", "the study measures none")
    return study.attention


def places_and_models(study: Study, kind: str, model: type[Report]) -> Iterator[tuple[Place, list[list[Report]]]]:
    """Each place with the reports of each variant, one a seed.

    Args:
        kind: the folder, such as `faithfulness`.
        model: what the files hold.

    Raises:
        InputError: the study measures nothing, or a file is missing, broken or of other
            annotations, boxes or protocols.
    """
    chosen = attention_of(study)
    for place in chosen.places():
        models = [
            [read_record(model, report_path(study, kind, variant, seed, place)) for seed in range(study.seeds)]
            for variant in chosen.variants
        ]
        named = [(f"{report.variant} seed {report.seed}", report) for reports in models for report in reports]
        check_same_inputs(kind, named, "measure")
        yield place, models


def report_path(study: Study, kind: str, variant: str, seed: int, place: Place) -> Path:
    """Where the measures of one training on one place are."""
    return Path(f"{place_of_run(study.results, kind, variant, seed, place)}.json")
