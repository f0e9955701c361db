"""An error browser of two made-up models with one error of each kind, on images of random pixels."""

from dataclasses import replace

import numpy as np

from tests.helpers.injected_errors import Scene, exact_scene
from transpose.data.coco import ImageTable
from transpose.evaluation.error_types.cases import choose_cases
from transpose.evaluation.error_types.report import diagnose
from transpose.reporting.error_browser import BrowsedModel, BrowserPage, CaseAttention
from transpose.reporting.error_browser_cases import case_images
from transpose.skeleton import COCO_PERSON

HOSTILE = "<img src=x onerror=window.injected=1></script><script>window.injected=2</script>.jpg"
GRID = (16, 12)


def browsed_scenes() -> tuple[Scene, Scene]:
    """A model with a jitter, an inversion, a swap, a miss, a duplicate and an undetected person; and an exact one."""
    exact = exact_scene(COCO_PERSON)
    images = exact.annotations.images
    named = ImageTable(images.ids, [HOSTILE, *images.file_names[1:]], images.sizes_hw)
    exact = replace(exact, annotations=replace(exact.annotations, images=named))
    wrong = exact.jittered(3, 5).inverted(6, 7).swapped(8, 0).missed(0, 1)
    return wrong.with_prediction(12, 0.99).without_prediction(14), exact


def browser_page(noise: int = 0) -> BrowserPage:
    """Return the page.

    Args:
        noise: standard deviation of the pixels: large for large JPEGs.
    """
    models = [diagnose(one.annotations, one.results, one.skeleton) for one in browsed_scenes()]
    cases = choose_cases(models, 20)
    rng = np.random.default_rng(0)
    pixels = np.clip(rng.normal(128, noise, (1200, 2000, 3)), 0, 255).astype(np.uint8)
    images = case_images(models, cases, lambda position: pixels)
    person = next(index for index, case in enumerate(cases) if case.person == 3)
    areas = np.tile(np.linspace(0.5, 8, GRID[0] * GRID[1], dtype=np.float32), (17, 1))
    attention = {person: CaseAttention(areas, GRID, (1050.0, 50.0), 40.0)}
    browsed = [BrowsedModel("Wrong", models[0], attention), BrowsedModel("Exact", models[1])]
    return BrowserPage("Made-up errors", browsed, cases, images)
