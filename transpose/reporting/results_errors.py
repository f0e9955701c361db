"""Write the error browser of results files of any tool."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transpose.config.dataset import CategoryChoice
from transpose.data.image_source import image_source_of
from transpose.data.images import ImageFolder, read_image
from transpose.errors import InputError
from transpose.evaluation.error_types.cases import choose_cases
from transpose.evaluation.error_types.report import diagnose
from transpose.evaluation.external_annotations import AnnotatedKeypoints, only_images, read_annotations
from transpose.reporting.error_browser import BrowsedModel, BrowserPage, write_browser
from transpose.reporting.error_browser_cases import case_images


def write_results_browser(
    files: Sequence[Path],
    annotations: Path,
    of: AnnotatedKeypoints,
    output: Path,
    images: Path | None = None,
    category: CategoryChoice = None,
    cases: int = 20,
) -> int:
    """Write the error browser of results files on the images in which all have a prediction.

    Args:
        images: folder of the images; None: that of the annotations.
        cases: persons or predictions of each class, for each file.

    Returns:
        Number of persons and predictions on the page.

    Raises:
        InputError: a file or an image is missing or wrong, or no image has a prediction in all files.
    """
    read = read_annotations(annotations, of)
    found = [read.read_results(path, category).results for path in files]
    shared = set.intersection(*(set(results.image_ids.tolist()) for results in found))
    if not shared:
        raise InputError("no image has a prediction in all files", file=files[0], field="image_id")
    truth = only_images(read.truth, np.array(sorted(shared)))
    models = [
        diagnose(truth, results.select(truth.images.find(results.image_ids) >= 0), of.skeleton) for results in found
    ]
    folder: ImageFolder = image_source_of(annotations) if images is None else images

    def image(position: int) -> np.ndarray:
        return read_image(folder / truth.images.file_names[position])

    chosen = choose_cases(models, cases)
    browsed = [BrowsedModel(path.stem, model) for path, model in zip(files, models, strict=True)]
    page = BrowserPage(f"Errors on {annotations.name}", browsed, chosen, case_images(models, chosen, image))
    write_browser(page, output, output.with_name(f"{output.stem}_images"))
    return len(chosen)
