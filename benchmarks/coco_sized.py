"""A small data set with images of COCO's size: packaged photographs, padded to 640x480."""

from pathlib import Path

import cv2

from transpose.data.images import read_image
from transpose.data.photographs import photographs_folder
from transpose.files import read_json, write_json

IMAGE_SIZE = (480, 640)
"""(height, width): COCO's most frequent size."""

JPEG_QUALITY = 96
"""Gives files of about the average size in COCO train2017 (19.3 GB, 118,287 images): 163 KB."""


def write_coco_sized(folder: Path) -> Path:
    """Write `annotations.json` and `images/` of the photographs that fit into 640x480, padded by reflection.

    Returns:
        The annotation file. Padding is below and to the right, so coordinates do not change.
    """
    source = photographs_folder()
    content = read_json(source / "annotations.json")
    height, width = IMAGE_SIZE
    images = [image for image in content["images"] if image["height"] <= height and image["width"] <= width]
    (folder / "images").mkdir(parents=True)
    for image in images:
        pixels = read_image(source / "images" / image["file_name"])
        bottom, right = height - image["height"], width - image["width"]
        whole = cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REFLECT)
        path = folder / "images" / image["file_name"]
        cv2.imwrite(str(path), whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    shown = {image["id"] for image in images}
    annotations = [annotation for annotation in content["annotations"] if annotation["image_id"] in shown]
    resized = [image | {"height": height, "width": width} for image in images]
    path = folder / "annotations.json"
    write_json(path, content | {"images": resized, "annotations": annotations})
    return path
