"""Load a pose model from this package, a run folder, a released checkpoint, or weights with a variant."""

import logging
from dataclasses import replace
from pathlib import Path

from transpose.config.base import parse
from transpose.config.exported import is_exported
from transpose.config.folder import CONFIG, config_folder
from transpose.config.load import load_any_variant, load_variant
from transpose.config.placement import Placement
from transpose.config.recipe import Recipe
from transpose.config.runtime import RuntimeChoice
from transpose.config.study import EvalProtocol
from transpose.config.training import DeviceChoice, Training
from transpose.config.weights import load_weights_table
from transpose.errors import InputError
from transpose.export.runtime import in_chosen_runtime
from transpose.models.released import download_released
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import ResourcesLayout

PACKAGED = Path(__file__).parent / "models" / "pretrained" / "pose"
"""Folder of the small trained model in this package."""

RESOURCES = ResourcesLayout(Path("resources"))
"""Folder of the workflow's downloads."""


def load(
    source: Path | str | None = None,
    *,
    variant: Path | str | None = None,
    runtime: RuntimeChoice = "torch",
    device: DeviceChoice | None = None,
    threads: int | None = None,
) -> PoseModel:
    """Load a trained pose model.

    Args:
        source: a run folder or its run.json; the name of a released checkpoint in config/tables/weights.yaml, which is
            downloaded into resources/weights and pinned as in the workflow; a file of weights, together with
            `variant`; or None for the small model in this package.
        variant: variant of a file of weights: the name of a file in config/variants, or the path of such a file or of
            a recipe. The model then predicts COCO's keypoints by the official protocol.
        runtime: library that predictions run the network in, on a CPU: PyTorch, or the network's export, which is kept
            in the user's cache folder. `auto` measures which of those installed is fastest.
        device: where PyTorch computes; by default where the recipe says, which is `auto` unless set otherwise.
        threads: CPU threads; by default those that the process is given (`OMP_NUM_THREADS`), or all cores that it may
            use. The last digits of predictions depend on it.

    Raises:
        InputError: the model does not exist, one of its files is missing or wrong, the machine lacks the device, or the
            runtime is not installed or does not support the model's device or dtype.
    """
    model = _load(source, variant, Placement(device, threads))
    protocol = parse(EvalProtocol, model.protocol.model_dump() | {"runtime": runtime}, model.weights)
    return in_chosen_runtime(replace(model, protocol=protocol))


def _load(source: Path | str | None, variant: Path | str | None, placement: Placement) -> PoseModel:
    if source is None:
        if variant is not None:
            raise InputError("needs a file of weights", file="variant", record=variant)
        return PoseModel.from_run(PACKAGED, placement)
    path = Path(source)
    if is_exported(path):
        raise InputError("is an exported file, which only predicts: use predict, or transpose.load_exported", file=path)
    if variant is not None:
        return _official(_variant_of(variant), path, placement)
    if path.is_dir() or path.suffix == ".json":
        return PoseModel.from_run(path, placement)
    if path.exists():
        raise InputError("is neither a run folder nor a run.json; for weights, give their variant", file=path)
    return _released(str(source), placement)


def _released(name: str, placement: Placement) -> PoseModel:
    """Load the model of a released checkpoint, downloading it if necessary."""
    table = config_folder() / "tables" / "weights.yaml"
    known = load_weights_table(table).weights if table.is_file() else {}
    models = sorted(key for key, row in known.items() if row.holds == "variant")
    if name not in models:
        hint = f"the released ones are {', '.join(models)}" if models else f"no such file: {table}"
        raise InputError(f"neither a run folder nor a released checkpoint; {hint}", file=name)
    weights = RESOURCES.weights(name)
    if not weights.is_file():
        report = logging.getLogger(__name__).warning
        # An installed package cannot be written to.
        pins = CONFIG / "tables" / "pins" if CONFIG.is_dir() else RESOURCES.root / "pins"
        pin = pins / f"{name}.json"
        download_released(known[name], weights.with_suffix(".pth"), pin, weights, report=report)
    return _official(_variant_released_as(name), weights, placement)


def _official(recipe: Recipe, weights: Path, placement: Placement) -> PoseModel:
    protocol = placement.of_protocol(EvalProtocol())
    return PoseModel.from_weights(placement.of_recipe(recipe), weights, COCO_PERSON, protocol)


def _variant_of(variant: Path | str) -> Recipe:
    path = Path(variant)
    chosen = load_any_variant(path) if path.suffix else load_variant(str(variant), config_folder() / "variants")
    return Recipe(name=path.stem, variant=chosen, training=Training())


def _variant_released_as(name: str) -> Recipe:
    """Return the variant with the checkpoint in its key `released`."""
    folder = config_folder() / "variants"
    for path in sorted(folder.glob("*.yaml")):
        variant = load_variant(path.stem, folder)
        if variant.released == name:
            return Recipe(name=path.stem, variant=variant, training=Training())
    raise InputError(f"no variant has the value {name!r}", file=folder, field="released")
