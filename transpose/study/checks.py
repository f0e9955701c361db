"""Check a study against its variants and data sets."""

from collections.abc import Mapping

from transpose.config.analyses import check_sizes
from transpose.config.dataset import Dataset, DetectionBoxes
from transpose.config.recipe import Recipe
from transpose.config.study import AttentionAnalysis, Evaluation, Split, Study
from transpose.errors import InputError


def check_study(study: Study, recipes: Mapping[str, Recipe], datasets: Mapping[str, Dataset], source: str) -> None:
    """Check that the variants and data sets of a study support its evaluations and analyses.

    Args:
        recipes: recipes of the study's variants, by name.
        datasets: data sets of the study's splits, by name.
        source: the study's file, for messages.

    Raises:
        InputError: a split or box source does not exist, or a variant does not support an analysis.
    """
    for split in (study.train, study.validation, *study.evaluations, *study.submissions):
        _check_split(split, datasets[split.dataset], source)
    _check_released(recipes, source)
    for split in study.submissions:
        if datasets[split.dataset].test_set(split.split) is None:
            raise InputError(
                f"split {split.split!r} has no test set on a server",
                file=source,
                record=split.dataset,
                field="test_set",
            )
    _check_analysis_scopes(study, datasets, source)
    if study.attention_analysis is not None:
        _check_attention(study.attention_analysis, recipes, datasets, source)
    if study.resolutions is not None:
        for name in study.resolutions.variants:
            check_sizes(name, recipes[name].variant, study.resolutions, source)


def _check_split(split: Split, dataset: Dataset, source: str) -> None:
    known = dataset.splits
    if split.split not in known:
        known_text = ", ".join(known)
        raise InputError(
            f"no split {split.split!r}; known are {known_text}", file=source, record=split.dataset, field="split"
        )
    for boxes in split.boxes if isinstance(split, Evaluation) else ():
        if boxes not in dataset.boxes:
            known_text = ", ".join(dataset.boxes)
            raise InputError(
                f"no source {boxes!r}; known are {known_text}", file=source, record=split.dataset, field="boxes"
            )
        detections = dataset.boxes[boxes]
        if isinstance(detections, DetectionBoxes) and split.split not in detections.files:
            raise InputError(
                f"no detection file for split {split.split!r}", file=split.dataset, record=boxes, field="files"
            )


def _check_released(recipes: Mapping[str, Recipe], source: str) -> None:
    for name, recipe in recipes.items():
        if recipe.training.source == "official" and recipe.variant.released is None:
            problem = "is official, but the variant's file has no key `released`"
            raise InputError(problem, file=source, record=name, field="source")


def _check_analysis_scopes(study: Study, datasets: Mapping[str, Dataset], source: str) -> None:
    for key, side in study.analysis_scopes().items():
        for dataset, _, _ in side.settings():
            if datasets[dataset].evaluation != "oks":
                raise InputError(f"{dataset} is not evaluated by OKS", file=source, record=key, field="evaluations")


def _check_attention(
    attention: AttentionAnalysis, recipes: Mapping[str, Recipe], datasets: Mapping[str, Dataset], source: str
) -> None:
    for dataset, _, boxes in attention.settings():
        if datasets[dataset].boxes[boxes].kind != "ground_truth":
            problem = f"attention is analysed on annotated boxes only, not on {boxes!r} of {dataset}"
            raise InputError(problem, file=source, record="attention_analysis", field="evaluations")
    for name in attention.variants:
        variant = recipes[name].variant
        if variant.encoder is None:
            raise InputError(
                f"{name} has no encoder and so no attention", file=source, record="attention_analysis", field="variants"
            )
        if attention.patch % variant.backbone.stride:
            problem = f"{attention.patch} is not a multiple of {variant.backbone.stride}, the stride of {name}"
            raise InputError(problem, file=source, record="attention_analysis", field="patch")
