"""The table of ablations as a data frame."""

import math

import pandas as pd

from transpose.reporting.labels import BOX_WORDS, NOT_RUN, answer_words
from transpose.reporting.records import AblationRecord
from transpose.reporting.tables import points


def ablation_table(records: list[AblationRecord]) -> pd.DataFrame:
    """Return one row per question, variant, data set and box source.

    `answer` is clear if the interval excludes 0 with several trainings of each variant. `seeds_needed` and
    `images_needed` are missing where no number would make such a difference clear, or none can be computed. If a
    difference is of several pairs of trainings, `half_width_images` and `half_width_trainings` are the parts of half
    the interval, and `sign_flip_p` is the p-value of the sign-flip test.
    """
    several = any(record.seeds > 1 for record in records)
    return pd.DataFrame(
        [
            {
                "question": record.question,
                "baseline": record.baseline_title,
                "variant": record.variant_title,
                "dataset": record.dataset_title,
                "split": record.split,
                "boxes": record.boxes,
                "box_source": BOX_WORDS[record.box_kind],
                "images": record.images,
                "persons": record.persons,
                "seeds": record.seeds,
                "metric": record.metric,
                "difference": points(record.difference),
                "low": points(record.interval[0] if record.interval else None),
                "high": points(record.interval[1] if record.interval else None),
                "answer": _answer(record),
                "seeds_needed": _count(record.seeds_needed),
                "images_needed": _count(record.images_needed),
                **(_over_seeds(record) if several else {}),
            }
            for record in records
        ]
    )


def _answer(record: AblationRecord) -> str:
    if not record.seeds:
        return NOT_RUN
    if record.difference is None:
        return "no answer: no labelled person"
    return answer_words(record.interval, record.seeds)


def _over_seeds(record: AblationRecord) -> dict[str, float]:
    """Return the columns of a difference over several pairs of trainings."""
    of_images, of_trainings = record.half_widths or (None, None)
    return {
        "half_width_images": points(of_images),
        "half_width_trainings": points(of_trainings),
        "sign_flip_p": math.nan if record.sign_flip_p is None else record.sign_flip_p,
    }


def _count(number: int | None) -> object:
    return pd.NA if number is None else number
