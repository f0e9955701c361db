"""A viewer page of models with known attention, on different grids, input sizes and storages."""

from dataclasses import dataclass

import numpy as np
import torch

from transpose.attention.maps.capture import LayerAttention
from transpose.attention.maps.grid import Grid
from transpose.attention.maps.stored import COARSE, FINE, PersonAreas, Storage, pack_areas, person_areas, smallest_pool
from transpose.config.variant import Encoder
from transpose.reporting.viewer import PageCrops, PageModel, PagePerson, ViewerPage
from transpose.skeleton import COCO_PERSON

PERSONS, LAYERS = 2, 2
HOSTILE = "<img src=x onerror=window.injected=1></script><script>window.injected=2</script>.jpg"


@dataclass(frozen=True)
class Known:
    """A model on the page and its unquantised areas."""

    shown: PageModel
    areas: list[PersonAreas]


def made_up_page() -> tuple[ViewerPage, list[Known]]:
    """Models `a` and `c` store everything; `b` stores coarse 2 x 2 blocks, and single heads for keypoints only."""
    everything = Storage(1, True, True, FINE, FINE)
    blocks = Storage(2, False, True, COARSE, FINE)
    known = [
        _model("a", Grid((16, 12), (32, 24), (128, 96)), everything),
        _model("b", Grid((32, 24), (32, 24), (128, 96)), blocks, seed=1),
        _model("c", Grid((16, 12), (16, 12), (64, 48)), everything, seed=2),
    ]
    crops = {(128, 96): _crops((128, 96)), (64, 48): _crops((64, 48))}
    persons = [PagePerson(HOSTILE, 7, (1.0, 2.0, 30.0, 40.0)), PagePerson("two.jpg", 8, (5.0, 6.0, 70.0, 80.0))]
    return ViewerPage("Made up", "Random persons.", COCO_PERSON, persons, crops, [one.shown for one in known]), known


def smooth_layer(grid: Grid, heads: int, generator: torch.Generator, sharpness: float = 2.0) -> LayerAttention:
    """Attention with scores that change smoothly over the grid, as for real features."""
    shape = (1, heads, 8, (grid.size[0] + 3) // 4, (grid.size[1] + 3) // 4)
    numbers = [torch.randn(*shape, generator=generator).flatten(0, 2)[None] for _ in range(2)]
    query, key = (torch.nn.functional.interpolate(one, grid.size, mode="bicubic") for one in numbers)
    flat = [one.reshape(1, heads, 8, grid.tokens).transpose(2, 3) * sharpness**0.5 for one in (query, key)]
    return LayerAttention(*flat)


def _model(name: str, grid: Grid, storage: Storage, seed: int = 0) -> Known:
    generator = torch.Generator().manual_seed(seed)
    height, width = grid.input_size
    points = np.random.default_rng(seed).uniform((0, 0), (width - 1, height - 1), (PERSONS, 17, 2))
    areas = []
    for queries in grid.tokens_at(points):
        layers = [smooth_layer(grid, 2, generator) for _ in range(LAYERS)]
        areas.append(person_areas(layers, torch.from_numpy(queries), grid))
    assert smallest_pool(grid) == 1
    shown = PageModel(
        name=name,
        title=f"Model {name}",
        weights_sha256="0" * 64,
        encoder=Encoder(layers=LAYERS, heads=2, feedforward=8),
        grid=grid,
        points_xy=points,
        scores=np.linspace(0.001, 0.97, PERSONS * 17).reshape(PERSONS, 17),
        storage=storage,
        areas=[pack_areas(one, storage, grid) for one in areas],
        strong=16.0,
        largest=max(float(one.cells.max()) for one in areas),
    )
    return Known(shown, areas)


def _crops(size: tuple[int, int]) -> PageCrops:
    rng = np.random.default_rng(0)
    # Persons of 1:1 and of 1:2 crop pixels to image pixels at 128x96, and half of that at 64x48.
    factors = np.array([1.0, 0.5]) * (size[1] - 1) / 95
    affines = np.array([[[factor, 0, 3], [0, factor, -4]] for factor in factors])
    keypoints = rng.uniform((0, 0), (size[1], size[0]), (PERSONS, 17, 2))
    keypoints[0, 3] = np.nan
    visibility = rng.integers(0, 3, (PERSONS, 17))
    visibility[0, 3] = 0
    return PageCrops(rng.integers(0, 256, (PERSONS, *size, 3), dtype=np.uint8), affines, keypoints, visibility)
