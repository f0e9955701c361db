"""A model without attention predicts, and is not explained."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.browser import CHROMIUM, browser
from tests.helpers.served import Client, served
from tests.helpers.small_variants import small_model, small_variant
from tests.serving.test_page_in_browser import PHOTOGRAPH, PosePage
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.models.weights import save_weights
from transpose.pose_model import PoseModel
from transpose.serving.app import create_app
from transpose.serving.limits import Limits
from transpose.skeleton import COCO_PERSON

WITHOUT = {"encoder": None, "dim": None}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    variant, weights = small_variant("resnet", WITHOUT), tmp_path / "weights.safetensors"
    save_weights(small_model("resnet", WITHOUT, keypoints=len(COCO_PERSON)), weights, {})
    recipe = Recipe(name="plain", variant=variant, training=Training())
    model = PoseModel.from_weights(recipe, weights, COCO_PERSON, EvalProtocol())
    with served(create_app(model, Limits(), ["127.0.0.1"])) as client:
        yield client


def test_it_predicts_and_says_that_it_cannot_be_explained(client: Client) -> None:
    assert client.get("/model").json["encoder_layers"] == 0
    assert client.post("/predict", PHOTOGRAPH.read_bytes()).status == 200
    refused = client.post("/explain", PHOTOGRAPH.read_bytes())
    assert (refused.status, "encoder" in refused.json["error"]) == (422, True)
    assert "dependency" not in client.get("/").body.decode().partition("<script")[0].partition("<body>")[2]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)")
def test_its_page_shows_poses(client: Client, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as tab:
        page = PosePage(tab, client)
        page.open()
        page.drop(PHOTOGRAPH.read_bytes())
        assert page.text("status").startswith("1 person.")
        page.page.evaluate("document.getElementById('zoom').click()")
        assert page.cells() == 0
        assert [line for line in tab.problems if "/predict?" not in line] == []
