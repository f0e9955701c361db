"""Write a split of the rendered data set in COCO format: `annotations.json` and `images/`."""

import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from transpose.config.dataset import SyntheticSource
from transpose.errors import InputError
from transpose.files import atomic_folder, write_json
from transpose.skeleton import COCO_PERSON
from transpose.synthetic.annotate import PERSON_CATEGORY, annotations
from transpose.synthetic.pool import mapped
from transpose.synthetic.render import render, seen_surfaces
from transpose.synthetic.scene import Bodies, load_bodies, sample_scene

# Range of annotation ids per image.
_IDS_PER_IMAGE = 100
_LICENCE = {"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}


Image = tuple[bytes, dict[str, Any], list[dict[str, Any]]]


@dataclass(frozen=True)
class Renderer:
    """Renders the images of one split; each has its own random stream, so images do not depend on each other."""

    settings: SyntheticSource
    split: str
    bodies: Bodies

    def seen(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return owners, depths and bones of `Rendering` for image `index`, counted from 0, without drawing it."""
        return seen_surfaces(sample_scene(self.bodies, self.settings, self._stream(index)), self.settings.antialias)

    def render_image(self, index: int) -> Image:
        """Return JPEG bytes, COCO image record and COCO annotations of image `index`, counted from 0."""
        rng = self._stream(index)
        scene = sample_scene(self.bodies, self.settings, rng)
        rendering = render(scene, self.settings.antialias, rng)
        worst = 40 if scene.is_varied else 75
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(worst, 96))]
        image_id, (height, width) = index + 1, self.settings.image_size
        image = {
            "id": image_id,
            "file_name": f"{image_id:012d}.jpg",
            "height": height,
            "width": width,
            "license": _LICENCE["id"],
            "framing": scene.framing.value,
        }
        found = annotations(scene, rendering, self.settings.smallest_labelled_area)
        for number, annotation in enumerate(found):
            annotation.update(id=image_id * _IDS_PER_IMAGE + number, image_id=image_id)
        return cv2.imencode(".jpg", rendering.image[..., ::-1], quality)[1].tobytes(), image, found

    def _stream(self, index: int) -> np.random.Generator:
        key = (zlib.crc32(self.split.encode()), index)
        return np.random.default_rng(np.random.SeedSequence(self.settings.seed, spawn_key=key))


def renderer_of(settings: SyntheticSource, split: str) -> Renderer:
    """Return the renderer of a split.

    Raises:
        InputError: the settings have no such split.
    """
    if split not in settings.images:
        raise InputError(
            f"no such split; there are {', '.join(settings.images)}",
            file="synthetic settings",
            record="images",
            field=split,
        )
    return Renderer(settings, split, load_bodies())


def synthesise(settings: SyntheticSource, split: str, out_dir: Path, jobs: int) -> None:
    """Render a split into `out_dir` atomically; the bytes do not depend on `jobs`.

    Raises:
        InputError: the settings have no such split, a process was killed, or the disk is too small.
    """
    count = renderer_of(settings, split).settings.images[split]
    render_image = partial(_render_image, settings, split)
    records, found = [], []
    with atomic_folder(out_dir) as folder, mapped(render_image, range(count), jobs) as rendered:
        (folder / "images").mkdir()
        for jpeg, record, annotated in tqdm(rendered, f"synthesise {split}", count, unit="img"):
            (folder / "images" / record["file_name"]).write_bytes(jpeg)
            records.append(record)
            found.extend(annotated)
        write_json(folder / "annotations.json", _coco_file(split, records, found), indent=None)


def part_labels(settings: SyntheticSource, split: str, index: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return the visible figure and bone in each pixel of image `index` (from 0), from its scene.

    Returns:
        Figures [H, W] int16 (-1 for none), bones [H, W] int16 (-1 for none) and the names of the bones.
    """
    renderer = renderer_of(settings, split)
    owners, _, bones = renderer.seen(index)
    return owners, bones, renderer.bodies.fine.bones


def _render_image(settings: SyntheticSource, split: str, index: int) -> Image:
    return renderer_of(settings, split).render_image(index)


def _coco_file(split: str, images: list[dict[str, Any]], found: list[dict[str, Any]]) -> dict[str, Any]:
    limbs = (COCO_PERSON.limb_indices + 1).tolist()
    return {
        "info": {"description": f"Rendered people, {split}", "version": "1"},
        "licenses": [_LICENCE],
        "images": images,
        "annotations": found,
        "categories": [
            {
                "id": PERSON_CATEGORY,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(COCO_PERSON.keypoints),
                "skeleton": limbs,
            }
        ],
    }
