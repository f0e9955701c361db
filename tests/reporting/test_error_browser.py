"""The error browser as a file: its content, its size, and its images next to it if they are too large."""

import base64
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.helpers.browsed_errors import GRID, HOSTILE, browser_page
from transpose.attention.maps.stored import COARSE, unpack
from transpose.reporting import error_browser
from transpose.reporting.error_browser import BrowserPage, write_browser
from transpose.study.layout import ResultsLayout


def written(page: BrowserPage, folder: Path) -> str:
    layout = ResultsLayout(folder)
    write_browser(page, layout.error_browser("made_up", "val"), layout.error_images("made_up", "val"))
    return layout.error_browser("made_up", "val").read_text()


def data_of(html: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)


def decoded(url: str) -> np.ndarray:
    jpeg = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    image = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_the_page_says_what_each_model_did(tmp_path: Path) -> None:
    html = written(browser_page(), tmp_path)
    assert HOSTILE not in html
    data = data_of(html)
    names = data["keypointClasses"]
    of = {case["annotation"]: case for case in data["cases"] if case["annotation"] is not None}
    for annotation, keypoint, kind in ((4, 5, "jitter"), (7, 7, "inversion"), (9, 0, "swap"), (1, 1, "miss")):
        wrong, exact = of[annotation]["results"]
        assert names[wrong["classes"][keypoint]] == kind
        assert {names[one] for one in exact["classes"]} == {"good"}
        assert exact["oks"] == 1
    undetected, found = of[15]["results"]
    assert (undetected["points"], undetected["oks"]) == (None, 0)
    assert found["points"] is not None
    assert of[1]["name"] == HOSTILE
    (duplicate,) = (case for case in data["cases"] if case["annotation"] is None)
    assert data["predictionClasses"][duplicate["results"][0]["kind"]] == "duplicate"
    assert duplicate["results"][1] is None
    assert data["models"][0]["counts"]["keypoints"][2] == 1


def test_points_and_attention_are_in_the_pixels_of_the_image_shown(tmp_path: Path) -> None:
    html = written(browser_page(), tmp_path)
    data = data_of(html)
    index, case = next((index, one) for index, one in enumerate(data["cases"]) if one["annotation"] == 4)
    height, width = case["size"]
    assert decoded(case["image"]).shape[:2] == (height, width)
    assert max(height, width) <= 320
    points = np.array(case["truth"])
    assert ((points[:, :2] >= 0) & (points[:, :2] < (width, height))).all()
    result = case["results"][0]
    moved = np.flatnonzero(np.abs(np.array(result["points"])[:, :2] - points[:, :2]).max(axis=1) > 0.11)
    assert moved.tolist() == [5]
    # The grid starts at the first keypoint.
    assert (result["attention"]["x"], result["attention"]["y"]) == pytest.approx(points[0, :2], abs=0.06)
    (text,) = re.findall(rf'id="attention-0-{index}">(.*?)<', html)
    codes = unpack(base64.b64decode(text), (17, GRID[0] * GRID[1]))
    assert COARSE.restore(codes)[0, -1] == pytest.approx(8, rel=COARSE.largest_error + 0.01)


def test_large_images_are_files_next_to_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = browser_page(noise=60)
    monkeypatch.setattr(error_browser, "LARGEST_EMBEDDED", 10_000)
    html = written(page, tmp_path)
    data = data_of(html)
    for case, image in zip(data["cases"], page.images, strict=True):
        assert (tmp_path / "errors" / case["image"]).read_bytes() == image.jpeg
        assert max(decoded(case["thumbnail"]).shape) == 72
    assert len(html) < sum(len(image.jpeg) for image in page.images)
    assert "img-src data: 'self' file:;" in unescape(html)


def test_a_page_without_cases_is_written(tmp_path: Path) -> None:
    page = replace(browser_page(), cases=[], images=[])
    models = [replace(model, attention={}) for model in page.models]
    assert data_of(written(replace(page, models=models), tmp_path))["cases"] == []
