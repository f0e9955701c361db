"""Check the names in a study, and the study against its variants and data sets."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from transpose.config.analyses import check_sizes
from transpose.config.base import unknown, unknown_name
from transpose.config.dataset import Dataset, DetectionBoxes
from transpose.config.recipe import Recipe
from transpose.config.study import AttentionAnalysis, Evaluation, Split, Study
from transpose.errors import InputError


def check_names(study: Study, folder: Path, source: str) -> None:
    """Check that a study names only variants and data sets that exist, and that its parts name its own variants.

    Args:
        folder: folder with variants/ and datasets/.
        source: the study's file, for messages.

    Raises:
        InputError: a name is unknown or a variant is repeated; names the key and its index.
    """
    for index, name in enumerate(study.variants):
        if not (folder / "variants" / f"{name}.yaml").is_file():
            problem = unknown_name(name, folder / "variants", "variant")
            raise InputError(problem, file=source, field=f"variants.{index}")
        if name in study.variants[:index]:
            raise InputError(f"repeats the variant {name!r}", file=source, field=f"variants.{index}")
    for place, split in study.splits():
        if not (folder / "datasets" / f"{split.dataset}.yaml").is_file():
            problem = unknown_name(split.dataset, folder / "datasets", "data set")
            raise InputError(problem, file=source, field=f"{place}.dataset")
    for place, name in _named_variants(study):
        if name not in study.variants:
            problem = unknown(f"{name!r} is not among the study's variants", name, study.variants)
            raise InputError(problem, file=source, field=place)


def _named_variants(study: Study) -> Iterator[tuple[str, str]]:
    """Yield the variants that parts of a study name, with their places in its file."""
    for index, ablation in enumerate(study.ablations):
        yield f"ablations.{index}.baseline", ablation.baseline
        yield from ((f"ablations.{index}.variants.{i}", name) for i, name in enumerate(ablation.variants))
    for name in study.overrides:
        yield "overrides", name
    for key, scope in study.analysis_scopes().items():
        yield from ((f"{key}.variants.{index}", name) for index, name in enumerate(scope.variants))


def check_study(study: Study, recipes: Mapping[str, Recipe], datasets: Mapping[str, Dataset], source: str) -> None:
    """Check that the variants and data sets of a study support its evaluations and analyses.

    Args:
        recipes: recipes of the study's variants, by name.
        datasets: data sets of the study's splits, by name.
        source: the study's file, for messages.

    Raises:
        InputError: a split or box source does not exist, two variants have one title, or a variant does not support
            an analysis.
    """
    for place, split in study.splits():
        _check_split(place, split, datasets[split.dataset], source)
    _check_titles(recipes, source)
    _check_released(recipes, source)
    for index, split in enumerate(study.submissions):
        if datasets[split.dataset].test_set(split.split) is None:
            problem = f"split {split.split!r} of {split.dataset} has no test set on a server"
            raise InputError(problem, file=source, field=f"submissions.{index}.split")
    _check_analysis_scopes(study, datasets, source)
    _check_external(study, recipes, datasets, source)
    if study.attention_analysis is not None:
        _check_attention(study.attention_analysis, recipes, datasets, source)
    if study.resolutions is not None:
        for name in study.resolutions.variants:
            check_sizes(name, recipes[name].variant, study.resolutions, source)


def _check_split(place: str, split: Split, dataset: Dataset, source: str) -> None:
    if split.split not in dataset.splits:
        problem = unknown(f"{split.dataset} has no split {split.split!r}", split.split, dataset.splits)
        raise InputError(problem, file=source, field=f"{place}.split")
    for index, boxes in enumerate(split.boxes if isinstance(split, Evaluation) else ()):
        if boxes not in dataset.boxes:
            problem = unknown(f"{split.dataset} has no box source {boxes!r}", boxes, dataset.boxes)
            raise InputError(problem, file=source, field=f"{place}.boxes.{index}")
        detections = dataset.boxes[boxes]
        if isinstance(detections, DetectionBoxes) and split.split not in detections.files:
            raise InputError(
                f"no detection file for split {split.split!r}", file=split.dataset, record=boxes, field="files"
            )


def _check_titles(recipes: Mapping[str, Recipe], source: str) -> None:
    """Refuse two variants with the same name in tables and figures."""
    names: dict[str, str] = {}
    for index, (name, recipe) in enumerate(recipes.items()):
        title = recipe.variant.title
        first = names.setdefault(title, name)
        if first != name:
            problem = f"{name} and {first} have one title, {title!r}; change `title` in the file of one of them"
            raise InputError(problem, file=source, field=f"variants.{index}")


def _check_external(study: Study, recipes: Mapping[str, Recipe], datasets: Mapping[str, Dataset], source: str) -> None:
    """Check that external results have names and titles of their own and are on evaluated splits."""
    names, titles = set(), {recipe.variant.title for recipe in recipes.values()}
    for index, one in enumerate(study.external):
        place = f"external.{index}"
        if one.name in names:
            raise InputError(f"repeats {one.name!r}", file=source, field=f"{place}.name")
        if one.title in titles:
            problem = f"another row has the title {one.title!r}"
            raise InputError(problem, file=source, field=f"{place}.title")
        names.add(one.name)
        titles.add(one.title)
        if not study.settings_of(one):
            problem = f"{one.dataset}/{one.split} is not among the study's evaluations"
            raise InputError(problem, file=source, field=f"{place}.split")
        if datasets[one.dataset].evaluation != "oks":
            raise InputError(f"{one.dataset} is not evaluated by OKS", file=source, field=f"{place}.dataset")


def _check_released(recipes: Mapping[str, Recipe], source: str) -> None:
    for name, recipe in recipes.items():
        if recipe.training.source == "official" and recipe.variant.released is None:
            problem = "is official, but the variant's file has no key `released`"
            raise InputError(problem, file=source, record=name, field="source")


def _check_analysis_scopes(study: Study, datasets: Mapping[str, Dataset], source: str) -> None:
    for key, scope in study.analysis_scopes().items():
        for index, evaluation in enumerate(scope.evaluations):
            place = f"{key}.evaluations.{index}"
            for setting in evaluation.settings():
                if setting not in study.settings():
                    problem = f"{str(setting)!r} is not among the study's evaluations"
                    problem = unknown(problem, str(setting), map(str, study.settings()))
                    raise InputError(problem, file=source, field=place)
            if datasets[evaluation.dataset].evaluation != "oks":
                raise InputError(f"{evaluation.dataset} is not evaluated by OKS", file=source, field=place)


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
