"""Resolved blocks of configuration as files, so that rules depend on values and not on comments."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transpose.config.attention import AttentionMeasures
from transpose.config.base import Settings, parse
from transpose.config.dataset import Dataset
from transpose.config.precision import Precisions
from transpose.config.recipe import Recipe
from transpose.config.resolution import InputSizes
from transpose.config.study import Cost, Explanation, Protocol, Study
from transpose.errors import InputError
from transpose.files import write_json

RECORD_MODELS: Mapping[str, type[Settings]] = {
    "recipes": Recipe,
    "datasets": Dataset,
    "protocols": Protocol,
    "costs": Cost,
    "explanations": Explanation,
    "attention": AttentionMeasures,
    "resolutions": InputSizes,
    "precisions": Precisions,
    "studies": Study,
}
"""Model of each kind of record, by the folder that holds its files."""


def values_of_record(record: Settings) -> dict[str, Any]:
    """What stands in the file of a resolved block, as JSON values.

    Of a recipe that is what decides the weights: nobody wants to train again because pictures are loaded otherwise.
    """
    return record.deciding_values() if isinstance(record, Recipe) else record.model_dump(mode="json")


def write_record(kind: str, text: str, path: Path) -> None:
    """Check JSON `text` against the model of `kind` and write it.

    Raises:
        InputError: no such kind, not JSON, or the values do not fit the model.
    """
    if kind not in RECORD_MODELS:
        raise InputError("record", kind, None, f"unknown kind; known are {', '.join(RECORD_MODELS)}")
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("record", kind, None, f"not JSON: {error.msg}") from None
    write_json(path, values_of_record(parse(RECORD_MODELS[kind], values, kind)))
