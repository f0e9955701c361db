"""The command: every step by hand at toy size, and one clear line for every wrong input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import Command
from tests.data.made_up_mpii import all_keypoints, person, write_images, write_release
from tests.helpers.processes_of import listening_addresses
from tests.helpers.run_records import write_run
from tests.helpers.small_variants import small_variant
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import EvalSetting
from transpose.data.images import read_image
from transpose.data.photographs import photographs_folder
from transpose.files import write_json
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.study.layout import RecordKind, ResultsLayout, RunId

pytestmark = pytest.mark.slow

BOXES = {"ground_truth": {"kind": "ground_truth"}, "simulated": {"kind": "simulated"}}


def transpose(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "transpose", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("transpose: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


STUDY = {
    "name": "toy",
    "variants": ["small"],
    "train": {"dataset": "tiny", "split": "val"},
    "validation": {"dataset": "tiny", "split": "val"},
    "evaluations": [{"dataset": "tiny", "split": "val", "boxes": ["ground_truth"]}],
    "training": {"epochs": 1, "batch_size": 4, "initialisation": "kaiming", "workers": 0, "device": "cpu"},
    "protocol": {"batch_size": 4},
    "bootstrap_samples": 20,
}
SETTING = "tiny/val/ground_truth"


def test_the_reason_is_on_the_terminal_where_the_log_is_on_a_full_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "transpose", "step", "track", "small/seed0", "--results", str(tmp_path)]
    with Path("/dev/full").open("w") as log:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout.startswith("transpose: ")
    assert done.stdout.count("\n") == 1


def write_config(command: Command, tiny_dataset: Path, folder: Path, **training: object) -> ResultsLayout:
    """Write the configuration of a toy study and, by the command, its records."""
    config, layout = folder / "config", ResultsLayout(folder / "results")
    data = {"title": "tiny", "source": {"kind": "folder", "folders": {"val": str(tiny_dataset)}}, "boxes": BOXES}
    write_json(config / "variants" / "small.yaml", small_variant("resnet").model_dump(mode="json"))
    write_json(config / "datasets" / "tiny.yaml", data)
    write_json(config / "toy.yaml", STUDY | {"training": STUDY["training"] | training})
    done = command("step", "write-config", config / "toy.yaml", "--config", config, "--output", layout.root)
    assert done.returncode == 0, done.stderr
    return layout


@pytest.fixture
def layout(command: Command, tiny_dataset: Path, tmp_path: Path) -> ResultsLayout:
    return write_config(command, tiny_dataset, tmp_path)


@pytest.fixture
def recipe(layout: ResultsLayout) -> Path:
    return layout.record(RecordKind.RECIPE, "small")


def box_step(layout: ResultsLayout, annotations: Path) -> tuple[object, ...]:
    return "step", "boxes", "--results", layout.root, "--evaluation", SETTING, "--annotations", annotations


def train_command(layout: ResultsLayout, annotations: Path) -> list[str]:
    arguments = ("small/seed0", "--results", layout.root, "--train", annotations, "--validation", annotations)
    return [sys.executable, "-m", "transpose", "step", "train", *map(str, arguments)]


def train(layout: ResultsLayout, annotations: Path) -> subprocess.CompletedProcess[str]:
    command = train_command(layout, annotations)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_every_step_can_be_taken_by_hand(command: Command, layout: ResultsLayout, tiny_dataset: Path) -> None:
    annotations, run = tiny_dataset / "annotations.json", layout.train(RunId("small", 0))
    done = command("step", "track-database", "--results", layout.root)
    assert done.returncode == 0, done.stderr
    done = train(layout, annotations)
    assert done.returncode == 0, done.stderr
    assert "validation AP" in done.stderr
    assert (run.folder / "checkpoint.pt").is_file()
    done = command(*box_step(layout, annotations))
    assert done.returncode == 0, done.stderr
    counts = layout.box_counts(EvalSetting.parse(SETTING))
    assert json.loads(counts.read_text())["annotated"]["no_keypoints"] == 1
    options = ("--results", layout.root, "--evaluation", SETTING, "--annotations", annotations)
    for verb in ("predict", "evaluate"):
        done = command("step", verb, "small/seed0", *options)
        assert done.returncode == 0, done.stderr
    written = json.loads(layout.metrics(RunId("small", 0), EvalSetting.parse(SETTING)).read_text())
    assert written["persons"] == written["box_count"] == 4
    assert written["metrics"]["AP"] == json.loads(run.record.read_text())["training"]["best_value"]


@pytest.mark.parametrize(
    ("run", "setting", "words"),
    [
        ("small", SETTING, ("run", "small", "VARIANT/seedN")),
        ("small/seedx", SETTING, ("small/seedx",)),
        ("small/seed0", "tiny/val", ("tiny/val", "DATASET/SPLIT/BOXES")),
        ("small/seed0", "tiny/val/other", ("no box source 'other'", "ground_truth, simulated")),
    ],
)
def test_a_wrong_run_or_evaluation_is_one_line(
    command: Command, layout: ResultsLayout, tiny_dataset: Path, run: str, setting: str, words: tuple[str, ...]
) -> None:
    write_run(layout.train(RunId("small", 0)).record)
    options = ("--results", layout.root, "--evaluation", setting, "--annotations", tiny_dataset / "annotations.json")
    assert_one_line(command("step", "predict", run, *options), *words)


def test_several_processes_talk_among_themselves_and_end_in_good_order_at_a_signal(
    command: Command, tiny_dataset: Path, tmp_path: Path
) -> None:
    layout = write_config(command, tiny_dataset, tmp_path, gpus=2, batch_size=1, epochs=2000)
    words = train_command(layout, tiny_dataset / "annotations.json")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as training:
        assert training.stderr is not None
        seen = ""
        while "done: loss" not in seen:
            seen = training.stderr.readline()
            assert seen, "ended before its first epoch"
        listening = listening_addresses(training.pid)
        training.terminate()
        _, rest = training.communicate(timeout=60)
    assert listening == {"127.0.0.1"}
    assert training.returncode == 143
    assert rest.count("stopped by SIGTERM; run the same command to continue") == 1
    assert "Traceback" not in rest
    assert sorted(path.name for path in layout.train(RunId("small", 0)).folder.glob("checkpoint*.pt"))


def test_lost_outputs_of_a_finished_training_are_written_again(layout: ResultsLayout, tiny_dataset: Path) -> None:
    """Snakemake deletes outputs whose good end it did not live to see."""
    annotations, weights = tiny_dataset / "annotations.json", layout.train(RunId("small", 0)).weights
    done = train(layout, annotations)
    assert done.returncode == 0, done.stderr
    before = weights.read_bytes()
    weights.unlink()
    done = train(layout, annotations)
    assert done.returncode == 0, done.stderr
    assert "done" not in done.stderr
    assert weights.read_bytes() == before


def test_the_benchmark_prints_images_per_second(
    command: Command, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The peak is measured on products of 2048x2048.
    monkeypatch.setattr("transpose.benchmark.networks._SIDE", 64)
    done = command("cost", recipe, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "images/s" in done.stdout
    assert "GMACs" in done.stdout


def test_an_unknown_variant_is_one_line(command: Command) -> None:
    assert_one_line(command("cost", "config/variants/no_such.yaml"), "no_such.yaml", "no such file")


def test_a_wrong_key_is_one_line_that_names_file_and_key(command: Command, recipe: Path) -> None:
    values = json.loads(recipe.read_text())
    values["training"]["epoch"] = 3
    recipe.write_text(json.dumps(values))
    assert_one_line(command("cost", recipe), "small.json", "training.epoch", "'epochs'")


def test_a_broken_jpeg_is_one_line_and_leaves_nothing(layout: ResultsLayout, tiny_dataset: Path) -> None:
    image = next((tiny_dataset / "images").glob("*.jpg"))
    image.write_bytes(image.read_bytes()[:200])
    done = train(layout, tiny_dataset / "annotations.json")
    assert_one_line(done, image.name)
    assert not list(layout.train(RunId("small", 0)).folder.glob("*.safetensors"))


def test_a_training_on_annotations_from_the_future_is_refused(layout: ResultsLayout, tiny_dataset: Path) -> None:
    annotations = tiny_dataset / "annotations.json"
    later = annotations.stat().st_mtime + 7200
    os.utime(annotations, (later, later))
    assert_one_line(train(layout, annotations), "annotations.json", "2.0 h in the future", "touch")
    assert not layout.train(RunId("small", 0)).folder.exists()


@pytest.mark.parametrize("field", ["keypoints", "bbox", "image_id", "iscrowd"])
def test_a_missing_field_is_one_line_that_names_record_and_field(
    command: Command, layout: ResultsLayout, tiny_dataset: Path, field: str
) -> None:
    annotations = tiny_dataset / "annotations.json"
    content = json.loads(annotations.read_text())
    record = content["annotations"][1]
    del record[field]
    annotations.write_text(json.dumps(content))
    done = command(*box_step(layout, annotations))
    assert_one_line(done, "annotations.json", field, str(record["id"]))
    assert not layout.boxes(EvalSetting.parse(SETTING)).exists()


def test_a_missing_file_is_one_line(command: Command, layout: ResultsLayout, tmp_path: Path) -> None:
    done = command(*box_step(layout, tmp_path / "nowhere.json"))
    assert_one_line(done, "nowhere.json", "no such file")


def test_mpii_is_converted_or_refused_in_one_line(command: Command, tmp_path: Path) -> None:
    release = write_release(
        tmp_path / "release.mat", [(f"{number}.jpg", True, [person(all_keypoints(9, 9))]) for number in range(4)]
    )
    images = write_images(tmp_path / "images", {f"{number}.jpg": (60, 80) for number in range(4)})
    arguments = ("convert-mpii", release, images, "--output", tmp_path / "mpii")
    assert_one_line(command(*arguments), "either a list of the validation images")
    assert not (tmp_path / "mpii").exists()
    done = command(*arguments, "--hold-out", "0.25", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["splits"] == {
        "train": {"images": 3, "persons": 3},
        "val": {"images": 1, "persons": 1},
    }
    assert json.loads((tmp_path / "mpii" / "conversion.json").read_text())["validation"] == {
        "hold_out": 0.25,
        "seed": 3,
    }


def test_a_study_is_planned_without_running_it(command: Command, tmp_path: Path) -> None:
    done = command("plan", "config/config.yaml", "--device", "cuda")
    assert done.returncode == 0, done.stderr
    assert "Forecast of the whole study 'demo', finished or not: 6 trainings" in done.stdout
    assert "on one GPU" in done.stdout
    assert_one_line(command("plan", tmp_path / "mine.yaml"), "mine.yaml", "no such file")


def test_any_image_is_explained_or_refused_in_one_line(
    command: Command, recipe: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    model = build_model(small_variant("resnet"), 17)
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(model, tmp_path / "weights.safetensors", {})
    write_run(tmp_path / "run.json", read_record(Recipe, recipe))
    image = sorted((tiny_dataset / "images").glob("*.jpg"))[0]
    output = tmp_path / "explained"
    options = ("--model", tmp_path, "--output", output)
    assert_one_line(command("explain", tmp_path / "nowhere.jpg", *options), "nowhere.jpg", "no such image")
    assert_one_line(command("explain", image, image, *options, "--box", "1,2,3,4"), "--box: goes with one image")
    assert_one_line(command("explain", image, *options, "--threshold", "nan"), "--threshold: nan: must be")
    write_json(tmp_path / "boxes.json", [{"image_id": "someone", "bbox": [1, 2, 3, 4]}])
    assert_one_line(command("explain", image, *options, "--boxes", tmp_path / "boxes.json"), "no person in the image")
    assert not output.exists()
    done = command("explain", image, *options, "--box", "20,15,50,90", "--box", "90,30,40,70")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left_wrist") == 2
    assert {path.name for path in output.iterdir()} == {"viewer.html", "figures", "persons.json"}


def test_a_photograph_becomes_results_and_an_overlay(tmp_path: Path) -> None:
    photograph = photographs_folder() / "images" / "000000214753.jpg"
    done = transpose("predict", photograph, "--box", "360.3,114.8,57.2,134.8", "--output", tmp_path / "found")
    assert done.returncode == 0, done.stderr
    heading, row = done.stdout.splitlines()
    assert heading.split() == ["image", "person", "box", "score", "keypoints"]
    assert row.startswith("000000214753.jpg  0       360.3, 114.8, 57.2, 134.8")
    assert row.endswith(" of 17")
    assert int(row.split()[-3]) >= 10
    assert done.stderr == "Keypoints scored below 0.2 are left out.\n"
    (record,) = json.loads((tmp_path / "found" / "predictions.json").read_text())
    assert (record["image_id"], record["file_name"]) == (214753, "000000214753.jpg")
    overlay, image = (read_image(path) for path in (tmp_path / "found" / "overlays" / "000000214753.png", photograph))
    assert overlay.shape == image.shape
    assert (overlay != image).any()
