"""Load studies, variants, data sets, recipes and records."""

from pathlib import Path

from transpose.config.base import Model, parse, read_yaml, unknown_name
from transpose.config.dataset import Dataset
from transpose.config.folder import config_folder
from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.config.training import Training, without_replaced_weights
from transpose.config.variant import Variant
from transpose.config.variant_file import read_variant_file
from transpose.errors import InputError
from transpose.files import read_json


def load_variant(name: str, folder: Path) -> Variant:
    """Read the variant `folder`/`name`.yaml.

    Raises:
        InputError: the variant does not exist (known ones are listed), or its file is wrong.
    """
    return read_variant_file(_named_file(name, folder, "variant")).variant


def load_dataset(name: str, folder: Path) -> Dataset:
    """Read `folder`/`name`.yaml.

    Raises:
        InputError: the data set does not exist (known ones are listed), or its file is wrong.
    """
    path = _named_file(name, folder, "data set")
    return parse(Dataset, read_yaml(path), path)


def find_dataset(name_or_path: str, config: Path) -> tuple[str, Dataset]:
    """Read a data set by its name in a folder, or by the path of its YAML file; returns its name too.

    Args:
        config: see `config_folder`; the data sets are in its folder `datasets`.

    Raises:
        InputError: the data set does not exist (known ones are listed), or its file is wrong.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return path.stem, parse(Dataset, read_yaml(path), path)
    return name_or_path, load_dataset(name_or_path, config_folder(config) / "datasets")


def load_study(path: Path) -> Study:
    """Read a study's YAML file.

    Raises:
        InputError: the file is missing or wrong.
    """
    return parse(Study, read_yaml(path), path)


def load_recipe(study: Study, name: str, folder: Path, source: object) -> Recipe:
    """Resolve the recipe by which a study trains the variant `folder`/`name`.yaml.

    A training key takes its value from the first of these that sets it: the study's `overrides` for the variant; the
    study's `training`; the variant's file, which sets only starting weights; the default. A path for one kind of
    starting weights removes a path for the other kind from later items of this list.

    Args:
        source: the study's file, for messages.

    Raises:
        InputError: the variant does not exist or its file is wrong; or an override is unknown or wrong.
    """
    file = read_variant_file(_named_file(name, folder, "variant"))
    study_wide, overrides = study.training.model_dump(mode="json", exclude_unset=True), study.overrides.get(name, {})
    # A released checkpoint is not trained, so it has no starting weights.
    released = overrides.get("source", study.training.source) == "official"
    values = without_replaced_weights({} if released else file.starting_weights, study_wide) | study_wide
    values = without_replaced_weights(values, overrides) | overrides
    return Recipe(name=name, variant=file.variant, training=parse(Training, values, f"{source}: overrides: {name}"))


def read_record(model: type[Model], path: Path) -> Model:
    """Read a resolved JSON record as `model`.

    Raises:
        InputError: the file is missing, not JSON or does not fit the model.
    """
    return parse(model, read_json(path), path)


def load_any_variant(path: Path) -> Variant:
    """Read a variant from its own YAML file or from a resolved recipe.

    Raises:
        InputError: the file is missing or wrong.
    """
    if path.suffix == ".json":
        return read_record(Recipe, path).variant
    return read_variant_file(path).variant


def _named_file(name: str, folder: Path, kind: str) -> Path:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise InputError(unknown_name(name, folder, kind), file=path)
    return path
