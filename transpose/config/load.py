"""Configuration files become models, and models become the records that rules and runs carry."""

from pathlib import Path

from transpose.config.base import Model, parse, read_yaml
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.config.training import Training
from transpose.config.variant import Variant
from transpose.errors import InputError
from transpose.files import read_json


def load_variant(name: str, folder: Path) -> Variant:
    """Read `folder`/`name`.yaml.

    Raises:
        InputError: there is no such variant (the known ones are listed), or its file is wrong.
    """
    return parse(Variant, read_yaml(_named_file(name, folder, "variant")), folder / f"{name}.yaml")


def load_dataset(name: str, folder: Path) -> Dataset:
    """Read `folder`/`name`.yaml.

    Raises:
        InputError: there is no such data set (the known ones are listed), or its file is wrong.
    """
    return parse(Dataset, read_yaml(_named_file(name, folder, "data set")), folder / f"{name}.yaml")


def load_study(path: Path) -> Study:
    """Read a study's YAML file.

    Raises:
        InputError: the file is missing or wrong.
    """
    return parse(Study, read_yaml(path), path)


def training_of(study: Study, variant: str, source: object) -> Training:
    """The study's training recipe with the variant's overrides.

    Raises:
        InputError: an override is unknown or wrong; `source` is named.
    """
    values = study.training.model_dump(mode="json") | study.overrides.get(variant, {})
    return parse(Training, values, f"{source}: overrides: {variant}")


def read_record(model: type[Model], path: Path) -> Model:
    """Read a resolved JSON record as `model`.

    Raises:
        InputError: the file is missing, not JSON or does not fit the model.
    """
    return parse(model, read_json(path), path)


def read_run_recipe(run: Path) -> Recipe:
    """The recipe that a training's run.json holds.

    Raises:
        InputError: the file is missing, not JSON, or holds none.
    """
    content = read_json(run)
    if not isinstance(content, dict) or "recipe" not in content:
        raise InputError(run, None, "recipe", "missing; this is no run.json of a training")
    return parse(Recipe, content["recipe"], run)


def load_any_variant(path: Path) -> Variant:
    """A variant from its own YAML file or from a resolved recipe.

    Raises:
        InputError: the file is missing or wrong.
    """
    if path.suffix == ".json":
        return read_record(Recipe, path).variant
    return parse(Variant, read_yaml(path), path)


def _named_file(name: str, folder: Path, kind: str) -> Path:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise InputError(path, None, None, f"unknown {kind} {name!r}; known are {known or 'none'}")
    return path
