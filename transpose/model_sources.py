"""Where a pose model comes from: this package, a run's folder, a released checkpoint, or weights with a variant."""

import logging
from pathlib import Path

from transpose.config.load import load_any_variant, load_variant
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.config.weights import load_weights_table
from transpose.errors import InputError
from transpose.models.released import download_released
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import ResourcesLayout

PACKAGED = Path(__file__).parent / "models" / "pretrained" / "pose"
"""Folder of the small trained model that this package ships."""

CONFIG, RESOURCES = Path("config"), ResourcesLayout(Path("resources"))
"""Where the workflow keeps variants, the table of released weights and its pins, and what it has downloaded."""


def load(source: Path | str | None = None, *, variant: Path | str | None = None) -> PoseModel:
    """Load a trained pose model.

    Args:
        source: a run's folder or its run.json; the name of a released checkpoint in config/weights.yaml, which is
            downloaded into resources/weights and pinned as the workflow does it; a file of weights, together with
            `variant`; or None for the small model that this package ships.
        variant: of a file of weights: the name of a file in config/variants, or the path of one or of a recipe. The
            model then predicts COCO's keypoints by the official protocol.

    Raises:
        InputError: there is no such model, or a file of it is missing or wrong.
    """
    if source is None:
        if variant is not None:
            raise InputError("variant", variant, None, "needs weights")
        return PoseModel.from_run(PACKAGED)
    path = Path(source)
    if variant is not None:
        return _official(_variant_of(variant), path)
    if path.is_dir() or path.suffix == ".json":
        return PoseModel.from_run(path)
    if path.exists():
        raise InputError(path, None, None, "is neither a run's folder nor its run.json; for weights name their variant")
    return _released(str(source))


def _released(name: str) -> PoseModel:
    """The model of a released checkpoint, which is downloaded if it is not there."""
    table = CONFIG / "weights.yaml"
    known = load_weights_table(table).weights if table.is_file() else {}
    models = sorted(key for key, row in known.items() if row.holds == "variant")
    if name not in models:
        there = f"which here are {', '.join(models)}" if models else f"of which there is no table {table} here"
        raise InputError(name, None, None, f"neither a run's folder nor a released checkpoint, {there}")
    weights = RESOURCES.weights(name)
    if not weights.is_file():
        report = logging.getLogger(__name__).warning
        pin = CONFIG / "pins" / f"{name}.json"
        download_released(known[name], weights.with_suffix(".pth"), pin, weights, report=report)
    return _official(_variant_released_as(name), weights)


def _official(recipe: Recipe, weights: Path) -> PoseModel:
    return PoseModel.from_weights(recipe, weights, COCO_PERSON, EvalProtocol())


def _variant_of(variant: Path | str) -> Recipe:
    path = Path(variant)
    chosen = load_any_variant(path) if path.suffix else load_variant(str(variant), CONFIG / "variants")
    return Recipe(name=path.stem, variant=chosen, training=Training())


def _variant_released_as(name: str) -> Recipe:
    """The variant that says that a checkpoint was released of it."""
    folder = CONFIG / "variants"
    for path in sorted(folder.glob("*.yaml")):
        variant = load_variant(path.stem, folder)
        if variant.released == name:
            return Recipe(name=path.stem, variant=variant, training=Training())
    raise InputError(folder, None, "released", f"no variant says {name!r}")
