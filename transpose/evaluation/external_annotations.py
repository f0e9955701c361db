"""Annotations of any tool for the evaluation of results files, without images, and subsets of them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transpose.config.dataset import CategoryChoice
from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, ImageTable, parse_annotations
from transpose.data.import_annotations import ImportedAnnotations, import_annotations
from transpose.errors import InputError
from transpose.evaluation.external_results import ExternalResults, read_external_results
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON, Skeleton

_LEAST_COVERED = 0.5
"""Share of the images with persons below which a results file is one of a subset."""


@dataclass(frozen=True)
class AnnotatedKeypoints:
    """What annotations are of."""

    skeleton: Skeleton = COCO_PERSON
    category: CategoryChoice = None
    """Annotated category; None: the one with keypoints."""
    fields: tuple[str, ...] = ("keypoints",)
    """Fields whose points, one after the other, are the skeleton's keypoints."""


@dataclass(frozen=True)
class ExternalAnnotations:
    """An annotation file of any tool."""

    truth: CocoAnnotations
    imported: ImportedAnnotations
    of: AnnotatedKeypoints

    def read_results(self, path: Path, category: CategoryChoice) -> ExternalResults:
        """Read a results file on these annotations; see `read_external_results`."""
        written_ids = {name: number for name, number in self.imported.image_names.items() if name is not None}
        return read_external_results(path, self.truth, self.of.skeleton, category, written_ids, self.of.fields)


def read_annotations(path: Path, of: AnnotatedKeypoints) -> ExternalAnnotations:
    """Read annotations for OKS, which uses neither the files nor the sizes of images; see `import_annotations`.

    Raises:
        InputError: the file is missing or wrong.
    """
    imported = import_annotations(path, of.skeleton, of.category, of.fields)
    unnamed = [{"id": image["id"], "file_name": str(image["id"]), "height": 1, "width": 1} for image in imported.images]
    categories = [{"id": PERSON_CATEGORY, "name": "person", "imported_as": imported.category_names}]
    content = {"images": unnamed, "annotations": imported.persons, "categories": categories}
    annotations = parse_annotations(path, content, of.skeleton)
    names = [str(image["file_name"]).replace("\\", "/") for image in imported.images]
    sizes_hw = np.array([(image.get("height", 1), image.get("width", 1)) for image in imported.images], dtype=np.int32)
    images = ImageTable(annotations.images.ids, names, sizes_hw.reshape(-1, 2))
    return ExternalAnnotations(replace(annotations, images=images), imported, of)


def only_images(annotations: CocoAnnotations, image_ids: np.ndarray) -> CocoAnnotations:
    """Return the annotations of some images."""
    images, persons = annotations.images, annotations.persons
    return replace(
        annotations,
        images=images.select(np.flatnonzero(np.isin(images.ids, image_ids))),
        persons=persons.select(np.isin(persons.image_ids, image_ids)),
    )


def require_same_images(path: Path, found: ExternalResults, truth: CocoAnnotations, advice: str = "") -> None:
    """Check that a results file is of the annotated images, and not of a subset of them.

    Args:
        advice: what to do, for the message.

    Raises:
        InputError: predictions are in other images, or less than half of the images with persons have any.
    """
    persons, unknown = truth.persons, found.left_out["unknown_image"]
    with_persons = len(np.unique(persons.image_ids[persons.is_labelled & ~persons.is_crowd]))
    covered = with_persons - images_without_predictions(truth, found.results)
    if unknown:
        problem = f"{unknown:,} predictions are in images that {truth.source} does not have{advice}"
        raise InputError(problem, file=path, field="image_id")
    if covered < _LEAST_COVERED * with_persons:
        problem = f"has predictions in {covered:,} of the {with_persons:,} images with persons{advice}"
        raise InputError(problem, file=path, field="image_id")


def images_without_predictions(annotations: CocoAnnotations, results: PoseResults) -> int:
    """Return the number of images with evaluated persons and without any prediction."""
    persons = annotations.persons
    with_persons = np.unique(persons.image_ids[persons.is_labelled & ~persons.is_crowd])
    return int(np.count_nonzero(~np.isin(with_persons, results.image_ids)))
