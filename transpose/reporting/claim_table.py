"""Tables that test the paper's claims about attention against the measurements of a study."""

from collections.abc import Iterator, Sequence

import pandas as pd

from transpose.attention.records import AttentionAblationReport, BodyPartReport, FaithfulnessReport, StatisticsReport
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalSetting, StudyTable
from transpose.config.variant import Variant
from transpose.evaluation.intervals import Estimate
from transpose.files import atomic_paths
from transpose.reporting.analysis_table import chosen_analysis, reports_by_setting
from transpose.reporting.claim import Claim, Evidence
from transpose.reporting.claims import (
    areas_beat_distance,
    areas_matter,
    deeper_is_more_local,
    h_is_more_symmetric,
    hidden_look_at_relatives,
    hidden_need_relatives,
    maps_follow_weights,
    pattern_matters,
    positions_help,
)
from transpose.reporting.estimates import mean_over_seeds, words_of
from transpose.reporting.export import write_csv, write_html, write_markdown
from transpose.reporting.labels import setting_title
from transpose.reporting.sections import Section
from transpose.reporting.study_files import StudyFiles

FOOTNOTES = [
    "Supported: the whole 95 % interval is on the side of zero that the claim predicts. Not supported: it is on the"
    " other side. Undecided: the interval contains zero. By one training: the interval is over images only, and another"
    " training may differ. Results hold for these models, trained as here, on these data. A supported effect can still"
    " be small.",
    "With several seeds, intervals are of the means over seeds and include the variation of images and trainings. There"
    " is no correction for multiple comparisons: of a hundred true zero effects, about five will look decided.",
]

_EMBEDDINGS = ("sine", "learnable", "none")
"""As the paper ranks them."""


def write_claims(files: StudyFiles) -> None:
    """Write `claims` as .csv, .md and .html into the study's results folder.

    Raises:
        InputError: the study has no attention analysis, a file is missing or broken, or annotations differ.
    """
    chosen = chosen_analysis(files.study, Analysis.ATTENTION_STATISTICS)
    variants = [files.recipes[name].variant for name in chosen.variants]
    statistics = dict(reports_by_setting(files, Analysis.ATTENTION_STATISTICS, StatisticsReport))
    faithfulness = dict(reports_by_setting(files, Analysis.FAITHFULNESS, FaithfulnessReport))
    ablations = dict(reports_by_setting(files, Analysis.ATTENTION_ABLATION, AttentionAblationReport))
    body_parts = dict(reports_by_setting(files, Analysis.BODY_PARTS, BodyPartReport))
    sections: list[Section] = []
    rows: list[dict[str, object]] = []
    for setting, models in statistics.items():
        statistics_reports = [mean_over_seeds(reports) for reports in models]
        faithfulness_reports = [mean_over_seeds(reports) for reports in faithfulness[setting]]
        ablation_reports = [mean_over_seeds(reports) for reports in ablations[setting]]
        parts = [mean_over_seeds(reports) for reports in body_parts[setting]]
        claims = claims_of(
            variants,
            statistics_reports,
            faithfulness_reports,
            ablation_reports,
            parts,
            list(embedding_differences(files, setting)),
        )
        where = setting_title(statistics_reports[0])
        rows += [{"setting": where} | row for claim in claims for row in rows_of(claim)]
        sections += [overview(claims, where), *(section_of(claim, where) for claim in claims)]
    path, title = files.layout.table(StudyTable.CLAIMS), f"Claims: {files.study.name}"
    with atomic_paths(*map(path.with_suffix, (".csv", ".md", ".html"))) as (csv, markdown, html):
        write_csv(csv, pd.DataFrame(rows))
        write_markdown(markdown, title, sections)
        write_html(html, title, sections, FOOTNOTES)


def claims_of(
    variants: Sequence[Variant],
    statistics_reports: Sequence[StatisticsReport],
    faithfulness_reports: Sequence[FaithfulnessReport],
    ablation_reports: Sequence[AttentionAblationReport],
    parts: Sequence[BodyPartReport],
    differences: Sequence[tuple[str, str, Estimate]],
) -> list[Claim]:
    """Return every claim with its evidence on one setting; the reports are in the order of the variants."""
    return [
        areas_matter(faithfulness_reports),
        areas_beat_distance(faithfulness_reports),
        maps_follow_weights(faithfulness_reports),
        pattern_matters(ablation_reports),
        hidden_look_at_relatives(parts),
        hidden_need_relatives(parts),
        deeper_is_more_local(statistics_reports),
        h_is_more_symmetric(list(zip(variants, parts, strict=True))),
        positions_help(differences),
    ]


def overview(claims: Sequence[Claim], where: str) -> Section:
    """Return one row per claim."""
    rows = tuple((claim.title, claim.verdict) for claim in claims)
    return Section(f"{where}: the claims", " ".join(FOOTNOTES), ("Claim", "On these data and models"), rows)


def section_of(claim: Claim, where: str) -> Section:
    """Return one row per measured value of a claim."""
    rows = tuple(
        (
            one.model,
            one.measured,
            _words(one),
            f"{one.estimate.count:,} of {one.estimate.images:,} images",
            one.verdict,
        )
        for one in claim.evidence
    )
    columns = ("Model", "Measured", "Value", "Sample", "Result")
    return Section(f"{where}: {claim.title}", f"{claim.said} {claim.how}", columns, rows)


def rows_of(claim: Claim) -> Iterator[dict[str, object]]:
    """Yield one row per measured value of a claim, unrounded; a row without a value if nothing was measured."""
    texts: dict[str, object] = {
        "claim": claim.title,
        "plain": claim.plain,
        "done": claim.done,
        "said": claim.said,
        "how": claim.how,
    }
    if not claim.evidence:
        yield texts | {"result": claim.verdict}
    for one in claim.evidence:
        estimate = one.estimate
        ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        yield texts | {
            "model": one.model,
            "measured": one.measured,
            "predicted": "above 0" if one.sign > 0 else "below 0",
            **{name: None if end is None else end * one.factor for name, end in ends.items()},
            "count": estimate.count,
            "images": estimate.images,
            "trainings": estimate.trainings,
            "result": one.verdict,
        }


def embedding_differences(files: StudyFiles, setting: EvalSetting) -> Iterator[tuple[str, str, Estimate]]:
    """Yield AP differences of models that differ in the position embedding only.

    Each item is (title of the model that the paper ranks higher, title of the other, AP difference).
    """
    for better, worse in _pairs(list(files.recipes.values())):
        difference = files.difference(better.name, worse.name, setting)
        if difference is None or difference.value is None:
            continue
        first, *_ = files.reports(better.name, setting).values()
        low, high = difference.interval() or (None, None)
        counts = {"count": first.persons, "images": first.images, "trainings": difference.trainings}
        yield better.variant.title, worse.variant.title, Estimate(value=difference.value, low=low, high=high, **counts)


def _pairs(recipes: Sequence[Recipe]) -> Iterator[tuple[Recipe, Recipe]]:
    """Yield pairs of recipes that differ in the position embedding only, the one the paper ranks higher first."""
    for first in recipes:
        for second in recipes:
            same = _without_embedding(first) == _without_embedding(second)
            if same and first.variant.encoder is not None and _rank(first) < _rank(second):
                yield first, second


def _rank(recipe: Recipe) -> int:
    encoder = recipe.variant.encoder
    return _EMBEDDINGS.index(encoder.position_embedding) if encoder else len(_EMBEDDINGS)


def _without_embedding(recipe: Recipe) -> object:
    """Return training and variant without names and position embedding."""
    encoder = recipe.variant.encoder
    bare = encoder.model_copy(update={"position_embedding": "none"}) if encoder else None
    names = {"title": "", "published": None, "released": None}
    return recipe.training, recipe.variant.model_copy(update={"encoder": bare, **names})


def _words(evidence: Evidence) -> str:
    return words_of(evidence.estimate, 2, evidence.factor, signed=True)
