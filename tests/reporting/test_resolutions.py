"""Tables and figure of other input sizes."""

import csv
from pathlib import Path

import cv2
import pytest

from tests.helpers.sample_results import files_of, report, study_with
from transpose.config.analyses import position_ways
from transpose.config.load import load_variant
from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.config.training import Training
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.reporting.resolutions import write_resolution_tables

CONFIG = Path(__file__).parents[2] / "config"
VARIANTS = ("r_sine", "r_learnable", "r_no_position", "r_no_encoder")
SIZES = ((64, 48), (192, 144))


def resolution_report(variant: str, ap: float) -> dict:
    changes = {"boxes_kind": "ground_truth", "protocol": {"blur_kernel": 5}}
    return report(variant, variant, 0, ap, "annotated") | changes


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for number, name in enumerate(VARIANTS):
        variant = load_variant(name, CONFIG / "variants")
        recipe = Recipe(name=name, variant=variant, training=Training())
        write_json(tmp_path / "records" / "recipes" / f"{name}.json", recipe.model_dump(mode="json"))
        place = Path(name) / "seed0" / "synthetic" / "val"
        ap = 0.5 - 0.05 * number
        write_json(tmp_path / "metrics" / place / "annotated.json", resolution_report(name, ap))
        for size in SIZES:
            for way in position_ways(variant, size, ("resampled", "recomputed")):
                lost = 0.2 if way == "recomputed" else 0.1
                path = tmp_path / "resolutions" / place / "annotated" / f"{size[0]}x{size[1]}_{way}.json"
                write_json(path, resolution_report(name, ap - lost) | {"input_size": size, "position": way})
    return study_with(tmp_path, "resolutions", VARIANTS, "annotated", seeds=1, sizes=SIZES)


def test_one_row_a_way_that_exists_and_the_difference_to_the_trained_size(study: Study, tmp_path: Path) -> None:
    write_resolution_tables(files_of(study))
    rows = list(csv.DictReader((tmp_path / "resolutions.csv").read_text().splitlines()))
    ways = [(row["variant"], row["input"], row["way"]) for row in rows]
    assert ways[:5] == [
        ("r_sine", "64x48", "resampled"),
        ("r_sine", "64x48", "recomputed"),
        ("r_sine", "128x96", "as_trained"),
        ("r_sine", "192x144", "resampled"),
        ("r_sine", "192x144", "recomputed"),
    ]
    assert ways[5:8] == [("r_learnable", "64x48", "resampled"), ("r_learnable", "128x96", "as_trained"), ways[7]]
    assert {way for variant, _, way in ways if variant in ("r_no_position", "r_no_encoder")} == {
        "no_embedding",
        "as_trained",
    }
    assert [float(row["difference"]) for row in rows[:3]] == pytest.approx([-10, -20, 0])


def test_the_table_says_what_the_kernel_did(study: Study, tmp_path: Path) -> None:
    write_resolution_tables(files_of(study))
    text = (tmp_path / "resolutions.md").read_text()
    assert "DARK's kernel is 5 heatmap pixels at every size" in text
    assert "ground-truth boxes; protocol with blur\\_kernel 5" in text
    assert "| R small, sine | sine | 64x48 | recomputed | 30.0 | \\[28.0, 32.0\\] | −20.0 |" in text


def test_the_figure_is_drawn_the_same_twice(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "figures" / "resolutions_synthetic_val_annotated.png"
    write_resolution_tables(files_of(study))
    first = path.read_bytes()
    write_resolution_tables(files_of(study))
    assert path.read_bytes() == first
    image = cv2.imread(str(path))
    assert image is not None
    assert image.std() > 5


def test_a_missing_size_is_named(study: Study, tmp_path: Path) -> None:
    place = tmp_path / "resolutions" / "r_no_position" / "seed0" / "synthetic" / "val" / "annotated"
    (place / "64x48_no_embedding.json").unlink()
    with pytest.raises(InputError, match=r"64x48_no_embedding\.json: no such file"):
        write_resolution_tables(files_of(study))


def test_other_annotations_are_refused(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "r_no_position" / "seed0" / "synthetic" / "val" / "annotated.json"
    write_json(path, read_json(path) | {"annotations_sha256": "d" * 64})
    with pytest.raises(InputError, match="r_no_position seed 0 at 128x96: annotations_sha256: not the annotations"):
        write_resolution_tables(files_of(study))
