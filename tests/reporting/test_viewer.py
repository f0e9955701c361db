"""The viewer as a file: nothing can break out of it, nothing reaches out of it, and it stays small."""

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.run_records import write_run
from tests.helpers.small_variants import small_variant
from tests.reporting.planted_viewer import HOSTILE, made_up_page, smooth_layer
from transpose.attention.maps.grid import Grid
from transpose.attention.maps.stored import FINE, pack_within, person_areas, unpack
from transpose.config.dataset import Dataset
from transpose.config.load import load_variant
from transpose.config.recipe import Recipe
from transpose.config.study import AttentionMapSettings, EvalProtocol
from transpose.config.training import Training
from transpose.errors import InputError
from transpose.files import write_json
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.reporting.attention_maps import load_for_attention_maps
from transpose.reporting.viewer import PageCrops, PageModel, PagePerson, ViewerPage, write_page
from transpose.reporting.viewer_models import LARGEST_AREAS, byte_limit, write_viewer
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind, ResultsLayout, RunFolder, RunId

pytestmark = pytest.mark.slow

DATASET = Dataset.model_validate(
    {
        "title": "tiny & small",
        "source": {"kind": "folder", "folders": {"val": "tiny"}},
        "boxes": {"gt": {"kind": "ground_truth"}},
    }
)


@pytest.fixture
def html(tmp_path: Path) -> str:
    write_page(made_up_page()[0], tmp_path / "page.html")
    return (tmp_path / "page.html").read_text()


def held_data(html: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)


def held_codes(html: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    (text,) = re.findall(rf'<script type="text/plain" id="{name}">(.*?)</script>', html)
    return unpack(base64.b64decode(text), shape)


def test_a_hostile_name_stays_text(html: str) -> None:
    assert HOSTILE not in html
    assert "<img" not in html
    assert held_data(html)["persons"][0]["image"] == HOSTILE


def test_the_policy_names_the_one_script_and_the_one_style(html: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', html)
    assert policy.startswith("default-src 'none';")
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    for sources in (scripts, styles):
        (source,) = sources
        assert f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'" in policy
    assert not re.search(r"https?://|@import|unsafe", html)


def test_cells_lie_where_the_grid_says(html: str) -> None:
    for model, grid in zip(held_data(html)["models"], (one.grid for one in made_up_page()[0].models), strict=True):
        (x, y), side = model["grid"]["first"], model["grid"]["side"]
        rows, columns = np.divmod(np.arange(grid.tokens), grid.size[1])
        places = np.stack((x + columns * side, y + rows * side), axis=-1)
        np.testing.assert_allclose(places, grid.centres(), atol=1e-9)


class Trained:
    """Small trainings on the tiny data set."""

    def __init__(self, folder: Path, dataset: Path) -> None:
        self.layout, self.annotations = ResultsLayout(folder), dataset / "annotations.json"

    def run(self, name: str, family: str = "resnet", **variant: object) -> Path:
        recipe = Recipe(name=name, variant=small_variant(family, variant), training=Training(device="cpu"))
        model = build_model(recipe.variant, len(COCO_PERSON))
        initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
        files = self.layout.train(RunId(name, 0))
        save_weights(model, files.weights, {})
        return write_run(files.record, recipe)

    def write(self, *runs: Path, split: str = "val") -> str:
        blocks = {
            self.layout.record(RecordKind.DATASET, "tiny"): DATASET,
            self.layout.record(RecordKind.PROTOCOL): EvalProtocol(blur_kernel=3),
            self.layout.record(RecordKind.ATTENTION_MAPS): AttentionMapSettings(persons=2),
        }
        for path, block in blocks.items():
            write_json(path, block.model_dump(mode="json"))
        names = [RunId(run.parent.parent.name, 0) for run in runs]
        write_viewer(self.layout, names, "tiny", split, self.annotations)
        return self.layout.viewer("tiny", split).read_text()


@pytest.fixture
def trained(tmp_path: Path, tiny_dataset: Path) -> Trained:
    return Trained(tmp_path, tiny_dataset)


def test_trained_models_stand_on_one_page_with_their_own_areas(trained: Trained) -> None:
    runs = [trained.run("small_r"), trained.run("small_h", "hrnet")]
    html = trained.write(*runs)
    data = held_data(html)
    assert [model["name"] for model in data["models"]] == ["small_r", "small_h"]
    assert "<h1>Attention: tiny &amp; small, val</h1>" in html
    for index, run in enumerate(runs):
        model, held = (
            load_for_attention_maps(RunFolder(run.parent), COCO_PERSON, EvalProtocol(blur_kernel=3)),
            data["models"][index],
        )
        assert len(data["frames"][held["frame"]]["crops"]) == 2
        tokens = model.grid.tokens
        rows = FINE.restore(held_codes(html, f"rows-{index}-1", (2, 3, 17, tokens)))
        cells = FINE.restore(held_codes(html, f"cells-{index}-1", (2, 3, tokens, tokens)))
        for keypoint, query in enumerate(held["queries"][1]):
            np.testing.assert_array_equal(rows[:, :, keypoint], cells[:, :, query])
        assert abs(rows.mean() - 1) < 0.1
    assert trained.write(*runs) == html


def test_a_variant_without_encoder_or_no_run_is_one_line(trained: Trained) -> None:
    without = trained.run("plain", encoder=None)
    with pytest.raises(InputError, match="small: encoder: has no attention to explain"):
        trained.write(without)
    write_json(without, {"seed": 0})
    with pytest.raises(InputError, match=r"run\.json: recipe: Field required"):
        trained.write(without)
    with pytest.raises(InputError, match="no trained model; select a variant with an encoder"):
        trained.write()
    assert not trained.layout.viewer("tiny", "val").exists()


def test_many_models_share_a_page() -> None:
    assert byte_limit(1) == byte_limit(4)
    assert all(models * byte_limit(models) <= LARGEST_AREAS for models in range(1, 100))


def test_twelve_persons_at_the_papers_size_take_less_than_10_mb(tmp_path: Path) -> None:
    name = "tp_r_a4"
    variant = load_variant(name, Path(__file__).parents[2] / "config" / "variants")
    grid, encoder, persons = Grid.of(variant), variant.encoder, 12
    assert encoder is not None
    assert (grid.tokens, encoder.layers, encoder.heads) == (768, 4, 8)
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    points = rng.uniform((0, 0), (191, 255), (persons, 17, 2))
    areas = []
    for queries in grid.tokens_at(points):
        # Sharp enough that most cells are hardly attended to and some more than 30 times uniformly, as trained ones.
        smooth = [smooth_layer(grid, encoder.heads, generator, sharpness=1.5) for _ in range(encoder.layers)]
        areas.append(person_areas(smooth, torch.from_numpy(queries), grid))
    means = np.stack([one.cells for one in areas])
    assert means.max() > 30
    assert 0.2 < (means > 1).mean() < 0.5
    storage, packed = pack_within(areas, grid, byte_limit(1))
    crops = np.stack([_photograph(rng) for _ in range(persons)])
    page = ViewerPage(
        "Size",
        "Real size.",
        COCO_PERSON,
        [PagePerson(f"{person:012d}.jpg", person, (0.0, 0.0, 1.0, 1.0)) for person in range(persons)],
        {(256, 192): PageCrops(crops, np.zeros((persons, 2, 3)), None, None)},
        [
            PageModel(
                *(name, variant.title, "0" * 64, encoder, grid, points, np.ones((persons, 17))),
                *(storage, packed, 32.0, 100.0),
            )
        ],
    )
    write_page(page, tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < 10e6
    # Any cell on the full grid, and every head for keypoints.
    assert (storage.pool, storage.keypoint_heads) == (1, True)


def _photograph(rng: np.random.Generator) -> np.ndarray:
    """Noise as detailed as an image: [256, 192, 3]."""
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 32, 24)))
    smooth = torch.nn.functional.interpolate(coarse, (256, 192), mode="bilinear")[0].permute(1, 2, 0).numpy()
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
