"""A small data set whose images cost what COCO's do: packaged photographs, all made 640x480."""

from pathlib import Path

import cv2

from transpose.data.images import read_image
from transpose.data.photographs import photographs_folder
from transpose.files import read_json, write_json

IMAGE_SIZE = (480, 640)
"""(height, width): COCO's most frequent size."""

JPEG_QUALITY = 96
"""Makes these images about as many bytes as the average of COCO's train2017 (19.3 GB, 118,287 images): 163 KB."""


def write_coco_sized(folder: Path) -> Path:
    """Write `annotations.json` and `images/` of those photographs that fit into 640x480, mirrored to fill it.

    Returns:
        The annotation file. What the photographs show stays where it is, so that all coordinates hold.
    """
    source = photographs_folder()
    content = read_json(source / "annotations.json")
    height, width = IMAGE_SIZE
    images = [image for image in content["images"] if image["height"] <= height and image["width"] <= width]
    (folder / "images").mkdir(parents=True)
    for image in images:
        pixels = read_image(source / "images" / image["file_name"])
        below, beside = height - image["height"], width - image["width"]
        whole = cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REFLECT)
        path = folder / "images" / image["file_name"]
        cv2.imwrite(str(path), whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    shown = {image["id"] for image in images}
    annotations = [annotation for annotation in content["annotations"] if annotation["image_id"] in shown]
    resized = [image | {"height": height, "width": width} for image in images]
    path = folder / "annotations.json"
    write_json(path, content | {"images": resized, "annotations": annotations})
    return path
