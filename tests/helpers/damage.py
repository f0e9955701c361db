"""Files of every kind that comes from outside, how they are read, and ways to damage them."""

import json
import random
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from tests.helpers.run_records import run_record
from transpose.config.base import read_yaml
from transpose.config.dataset import Dataset
from transpose.config.load import load_any_variant, load_dataset, load_variant, read_record
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.training import Training
from transpose.config.weights import load_weights_table
from transpose.data.archives import unpack
from transpose.data.boxes import ground_truth_boxes, read_boxes
from transpose.data.coco import CocoAnnotations, ImageTable, dropped_instances, load_annotations
from transpose.data.detections import read_detections
from transpose.data.image_boxes import boxes_of_image
from transpose.data.image_source import image_source_of
from transpose.data.images import ImageFiles
from transpose.data.zip_reader import ZipFolder
from transpose.evaluation.matches import read_matches
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.results import read_results_on
from transpose.files import read_json_lines, write_npz
from transpose.models.weights import read_checkpoint, read_metadata
from transpose.reporting.published import load_published
from transpose.skeleton import COCO_PERSON
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [1, 2, 3, 4], {"id": 1}),
    *(0, 1, -1, 2**31, 2**53 + 1, 10**30, 0.5, -0.0, 5e-324, 1e13, 1e308, -1e308, float("nan"), float("inf")),
    *("", "1", "../../x", "/etc/passwd", "a\0b", "\ud800", "x" * 5000, "<script>", "é", "\n"),
)


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    suffix: str
    whole: bytes
    """A file that is read without complaint."""
    read: Callable[[Path], object]
    """All that is made of such a file; InputError is the only way to refuse it."""
    is_json: bool = False
    """Its values can be damaged one by one, too."""


def path_of(name: str, kind: Kind, folder: Path) -> Path:
    """Where a file of the kind is read from; its folder is there afterwards."""
    folder.mkdir(exist_ok=True)
    return folder / (name if name == "images.json" else f"given{kind.suffix}")


def is_clear(refusal: str, path: Path) -> bool:
    """Whether a refusal is one line that names the file; a damaged study may name a file that is not there."""
    return refusal.startswith((f"{path}: ", f"{CONFIG}/")) and "\n" not in refusal


def damaged(kind: Kind, seed: int) -> bytes:
    """The file with one to three faults: of its values, or of its bytes."""
    rng = random.Random(seed)
    faults = rng.randint(1, 3)
    if kind.is_json and rng.random() < 0.8:
        content = json.loads(kind.whole)
        for _ in range(faults):
            content = _with_odd_value(content, rng)
        return json.dumps(content).encode()
    data = kind.whole
    for _ in range(faults):
        data = _with_odd_bytes(data, rng)
    return data


def _with_odd_value(content: Any, rng: random.Random) -> Any:
    """The content with another value at some place, without it, or with one twice."""
    places = list(_places(content))
    if not places:
        return deepcopy(rng.choice(ODD_VALUES))
    block, key = rng.choice(places)
    fault = rng.random()
    if fault < 0.6:
        block[key] = deepcopy(rng.choice(ODD_VALUES))
    elif fault < 0.75:
        del block[key]
    elif isinstance(block, list):
        block.insert(key, deepcopy(block[key]))
    else:
        block[f"{key}s"] = block.pop(key)
    return content


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """(block, key) of every value."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield content, key
        yield from _places(value)


def _with_odd_bytes(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    stop = min(len(data), start + rng.choice((1, 2, 4, 16, 200)))
    fault = rng.randrange(5)
    if fault == 0:
        return data[:start]
    if fault == 1:
        return data[:start] + data[stop:]
    if fault == 2:
        return data[:stop] + data[start:]
    if fault == 3:
        return data[:start] + bytes(rng.choice((0, 0x7F, 0xFF)) for _ in range(start, stop)) + data[stop:]
    return data[:start] + rng.randbytes(stop - start) + data[stop:]


def kinds_of(dataset: Path, scratch: Path) -> dict[str, Kind]:
    """Every kind by name.

    Args:
        dataset: folder with `annotations.json` and `images/` (the fixture `tiny_dataset`).
        scratch: an empty folder.
    """
    truth = load_annotations(dataset / "annotations.json", COCO_PERSON)
    encoded = {
        suffix: cv2.imencode(suffix, np.full((24, 32, 3), 90, dtype=np.uint8))[1].tobytes()
        for suffix in (".jpg", ".png", ".webp", ".tiff", ".bmp", ".gif")
    }
    return {
        "annotations": Kind(".json", (dataset / "annotations.json").read_bytes(), _read_annotations, True),
        **_boxes_and_results(truth),
        **_configuration(),
        **{f"image {suffix}": Kind(suffix, data, _read_image) for suffix, data in encoded.items()},
        **_archives_and_arrays(scratch, encoded[".jpg"]),
    }


def _boxes_and_results(truth: CocoAnnotations) -> dict[str, Kind]:
    boxes = [{"image_id": 11, "category_id": 1, "bbox": [1.5, 2, 30, 40], "score": 0.5}] * 3
    results = [{"image_id": 11, "category_id": 1, "keypoints": [9.5, 7, 0.5] * 17, "score": 0.5}] * 3

    def evaluate(path: Path) -> object:
        return evaluate_keypoints(truth, read_results_on(path, truth, COCO_PERSON), COCO_PERSON)

    return {
        "boxes": Kind(".json", json.dumps(boxes).encode(), read_boxes, True),
        "detections": Kind(
            ".json", json.dumps(boxes).encode(), lambda path: read_detections(path, truth.images, (1,)), True
        ),
        "boxes of an image": Kind(
            ".json", json.dumps(boxes).encode(), lambda path: boxes_of_image(path, Path("11.jpg")), True
        ),
        "predictions": Kind(".json", json.dumps(results).encode(), evaluate, True),
    }


def _configuration() -> dict[str, Kind]:
    study, recipe = CONFIG / "config.yaml", Recipe(name="r", variant=_variant(), training=Training())
    dataset = load_dataset("synthetic", CONFIG / "datasets")

    def plan(path: Path) -> object:
        return Plan.of_config(read_yaml(path), CONFIG, str(path))

    run = run_record(recipe).model_dump_json().encode()
    base = CONFIG / "variants" / "r_sine.yaml"
    published = read_yaml(CONFIG / "tables" / "published.yaml")
    published["rows"] = published["rows"][:4]
    place = json.dumps({"kind": "folder", "folder": "../images"}).encode()
    return {
        "study": Kind(".yaml", study.read_bytes(), plan),
        "values of a study": Kind(".yaml", json.dumps(read_yaml(study)).encode(), plan, True),
        "variant": Kind(".yaml", base.read_bytes(), load_any_variant),
        "values of a variant": Kind(".yaml", json.dumps(read_yaml(base)).encode(), load_any_variant, True),
        "recipe": Kind(".json", recipe.model_dump_json().encode(), lambda path: read_record(Recipe, path), True),
        "data set": Kind(".json", dataset.model_dump_json().encode(), lambda path: read_record(Dataset, path), True),
        "run.json": Kind(".json", run, lambda path: read_record(RunRecord, path), True),
        "published figures": Kind(".yaml", json.dumps(published).encode(), load_published, True),
        "table of weights": Kind(".yaml", (CONFIG / "tables" / "weights.yaml").read_bytes(), load_weights_table),
        "images.json": Kind(".json", place, lambda path: image_source_of(path.parent / "annotations.json"), True),
        "history": Kind(".jsonl", b'{"epoch": 0, "loss": 0.5}\n{"epoch": 1, "loss": 0.25}\n', read_json_lines),
    }


def _variant() -> Any:
    return load_variant("r_sine", CONFIG / "variants")


def _archives_and_arrays(scratch: Path, image: bytes) -> dict[str, Kind]:
    tensors = {"conv1.weight": torch.zeros(2, 3), "bn1.bias": torch.ones(4)}
    save_file(tensors, scratch / "w.safetensors", {"transpose": '{"variant": "r"}'})
    torch.save(tensors, scratch / "w.pth")
    with zipfile.ZipFile(scratch / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("val/1.jpg", image)
        archive.writestr("val/deep/2.txt", b"words" * 50)
    empty = {"persons": np.ones(2, dtype=np.int64), "images": np.zeros(1, dtype=np.int64), "scores": np.ones(1)}
    flags = np.ones((1, 10), dtype=bool)
    write_npz(scratch / "m.npz", image_ids=np.arange(2), **empty, matched=flags, ignored=~flags)
    return {
        "safetensors": Kind(".safetensors", (scratch / "w.safetensors").read_bytes(), _read_safetensors),
        "checkpoint": Kind(".pth", (scratch / "w.pth").read_bytes(), read_checkpoint),
        "archive": Kind(".zip", (scratch / "a.zip").read_bytes(), _read_archive),
        "table of matches": Kind(".npz", (scratch / "m.npz").read_bytes(), read_matches),
    }


def _read_annotations(path: Path) -> object:
    annotations = load_annotations(path, COCO_PERSON)
    return ground_truth_boxes(annotations), dropped_instances(annotations)


def _read_image(path: Path) -> object:
    images = ImageTable(np.array([1]), [path.name], np.array([[24, 32]], dtype=np.int32))
    return ImageFiles(path.parent, images).read(0)


def _read_safetensors(path: Path) -> object:
    return read_checkpoint(path), read_metadata(path)


def _read_archive(path: Path) -> object:
    packed = ZipFolder(path)
    return [packed.read(name) for name in sorted(packed.names)], unpack(path, path.parent / "unpacked" / "here")
