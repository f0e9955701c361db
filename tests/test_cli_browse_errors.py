"""`transpose browse-errors`: a page of several results files, and one line for what is wrong."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.helpers.injected_errors import exact_scene
from transpose.cli import app
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON


def test_a_page_of_two_files_is_written(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON, images=2)
    (tmp_path / "gt.json").write_text(json.dumps(scene.annotations.to_coco()))
    (tmp_path / "a.json").write_text(json.dumps(scene.results.to_coco()))
    (tmp_path / "b.json").write_text(json.dumps(scene.missed(0, 3).results.to_coco()))
    (tmp_path / "images").mkdir()
    for name in scene.annotations.images.file_names:
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((1200, 2000, 3), dtype=np.uint8))
    command = ["browse-errors", str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    command += ["--annotations", str(tmp_path / "gt.json"), "--output", str(tmp_path / "page.html")]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.stdout == f"{tmp_path}/page.html: 4 persons and predictions\n"
    html = (tmp_path / "page.html").read_text()
    assert "<h1>Errors on gt.json</h1>" in html
    assert not (tmp_path / "page_images").exists()
    with pytest.raises(InputError, match="no such image"):
        CliRunner().invoke(app, [*command, "--images", str(tmp_path)], catch_exceptions=False)
