"""The command: every step by hand at toy size, and one clear line for every wrong input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from tests.data.made_up_mpii import all_joints, person, write_pictures, write_release
from tests.small_variants import small_variant
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.config.training import Training
from transpose.files import write_json
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights

BOXES = {"ground_truth": {"kind": "ground_truth"}, "simulated": {"kind": "simulated"}}


def transpose(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "transpose", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("transpose: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture
def dataset(tiny_dataset: Path, tmp_path: Path) -> Path:
    folder = {"kind": "folder", "folders": {"val": str(tiny_dataset)}}
    record = Dataset.model_validate({"title": "tiny", "source": folder, "boxes": BOXES})
    write_json(tmp_path / "dataset.json", record.model_dump(mode="json"))
    return tmp_path / "dataset.json"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    training = Training(epochs=1, batch_size=4, initialisation="kaiming", workers=0, device="cpu")
    record = Recipe(name="small", variant=small_variant("resnet"), training=training)
    write_json(tmp_path / "recipe.json", record.model_dump(mode="json"))
    write_json(tmp_path / "protocol.json", Protocol(batch_size=4).model_dump(mode="json"))
    return tmp_path / "recipe.json"


def boxes(dataset: Path, annotations: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return transpose(
        *("boxes", "--dataset", dataset, "--split", "val", "--source", "ground_truth"),
        *("--annotations", annotations, "--output", output),
    )


def train_command(recipe: Path, dataset: Path, annotations: Path, results: Path) -> list[str]:
    arguments = (
        *("train", "--recipe", recipe, "--seed", 0, "--dataset", dataset, "--train", annotations),
        *("--validation", annotations, "--protocol", recipe.parent / "protocol.json"),
        *("--results", results, "--study", "toy"),
    )
    return [sys.executable, "-m", "transpose", *map(str, arguments)]


def train(recipe: Path, dataset: Path, annotations: Path, results: Path) -> subprocess.CompletedProcess[str]:
    command = train_command(recipe, dataset, annotations, results)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_every_step_can_be_taken_by_hand(recipe: Path, dataset: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    annotations, results = tiny_dataset / "annotations.json", tmp_path / "results"
    protocol = recipe.parent / "protocol.json"
    run = results / "train" / "small" / "seed0"
    predictions = results / "predictions" / "tiny" / "val" / "ground_truth.json"
    metrics = results / "metrics.json"
    done = transpose("track-database", "--results", results, "--output", results / "database.json")
    assert done.returncode == 0, done.stderr
    done = train(recipe, dataset, annotations, results)
    assert done.returncode == 0, done.stderr
    assert "validation AP" in done.stderr
    assert (run / "checkpoint.pt").is_file()
    done = boxes(dataset, annotations, results / "boxes.json")
    assert done.returncode == 0, done.stderr
    assert "4 ground truth boxes kept" in done.stderr
    assert json.loads((results / "boxes.counts.json").read_text())["annotated"]["no_keypoints"] == 1
    done = transpose(
        *("predict", "--recipe", recipe, "--protocol", protocol, "--dataset", dataset, "--annotations", annotations),
        *("--weights", run / "weights.safetensors", "--boxes", results / "boxes.json", "--output", predictions),
    )
    assert done.returncode == 0, done.stderr
    done = transpose(
        *("evaluate", "--protocol", protocol, "--dataset", dataset, "--annotations", annotations),
        *("--run", run / "run.json", "--boxes", results / "boxes.json", "--predictions", predictions),
        *("--bootstrap", 20, "--bootstrap-seed", 0, "--output", metrics),
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(metrics.read_text())
    assert written["persons"] == written["box_count"] == 4
    assert written["metrics"]["AP"] == json.loads((run / "run.json").read_text())["best_AP"]


def listening_addresses(pid: int) -> set[str]:
    """Where a process and all that it has started accept connections."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    connections = [connection for process in family for connection in process.net_connections("inet")]
    return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}


def test_several_processes_talk_among_themselves_and_end_in_good_order_at_a_signal(
    recipe: Path, dataset: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    values = json.loads(recipe.read_text())
    values["training"] |= {"gpus": 2, "batch_size": 1, "epochs": 2000}
    recipe.write_text(json.dumps(values))
    annotations, results = tiny_dataset / "annotations.json", tmp_path / "results"
    command = train_command(recipe, dataset, annotations, results)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as training:
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
    assert rest.count("stopped by SIGTERM; the same command continues where it left off") == 1
    assert "Traceback" not in rest
    assert sorted(path.name for path in (results / "train/small/seed0").glob("checkpoint*.pt"))


def test_lost_outputs_of_a_finished_training_are_written_anew(
    recipe: Path, dataset: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    """Snakemake deletes outputs whose good end it did not live to see."""
    annotations, results = tiny_dataset / "annotations.json", tmp_path / "results"
    weights = results / "train" / "small" / "seed0" / "weights.safetensors"
    done = train(recipe, dataset, annotations, results)
    assert done.returncode == 0, done.stderr
    before = weights.read_bytes()
    weights.unlink()
    done = train(recipe, dataset, annotations, results)
    assert done.returncode == 0, done.stderr
    assert "done" not in done.stderr
    assert weights.read_bytes() == before


def test_the_benchmark_prints_images_per_second(recipe: Path) -> None:
    done = transpose("cost", recipe, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "images/s" in done.stdout
    assert "GMACs" in done.stdout


def test_an_unknown_variant_is_one_line() -> None:
    assert_one_line(transpose("cost", "config/variants/no_such.yaml"), "no_such.yaml", "no such file")


def test_a_wrong_key_is_one_line_that_names_file_and_key(recipe: Path) -> None:
    values = json.loads(recipe.read_text())
    values["training"]["epoch"] = 3
    recipe.write_text(json.dumps(values))
    assert_one_line(transpose("cost", recipe), "recipe.json", "training.epoch", "'epochs'")


def test_a_broken_jpeg_is_one_line_and_leaves_nothing(
    recipe: Path, dataset: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    picture = next((tiny_dataset / "images").glob("*.jpg"))
    picture.write_bytes(picture.read_bytes()[:200])
    results = tmp_path / "results"
    done = train(recipe, dataset, tiny_dataset / "annotations.json", results)
    assert_one_line(done, picture.name)
    assert not list((results / "train" / "small" / "seed0").glob("*.safetensors"))


def test_a_training_on_annotations_from_the_future_is_refused(
    recipe: Path, dataset: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    annotations, results = tiny_dataset / "annotations.json", tmp_path / "results"
    later = annotations.stat().st_mtime + 7200
    os.utime(annotations, (later, later))
    assert_one_line(train(recipe, dataset, annotations, results), "annotations.json", "2.0 h in the future", "touch")
    assert not results.exists()


@pytest.mark.parametrize("field", ["keypoints", "bbox", "image_id", "iscrowd"])
def test_a_missing_field_is_one_line_that_names_record_and_field(
    dataset: Path, tiny_dataset: Path, tmp_path: Path, field: str
) -> None:
    annotations = tiny_dataset / "annotations.json"
    content = json.loads(annotations.read_text())
    record = content["annotations"][1]
    del record[field]
    annotations.write_text(json.dumps(content))
    done = boxes(dataset, annotations, tmp_path / "boxes.json")
    assert_one_line(done, "annotations.json", field, str(record["id"]))
    assert not (tmp_path / "boxes.json").exists()


def test_a_missing_file_is_one_line(dataset: Path, tmp_path: Path) -> None:
    done = boxes(dataset, tmp_path / "nowhere.json", tmp_path / "boxes.json")
    assert_one_line(done, "nowhere.json", "no such file")


def test_mpii_is_converted_or_refused_in_one_line(tmp_path: Path) -> None:
    release = write_release(
        tmp_path / "release.mat", [(f"{number}.jpg", True, [person(all_joints(9, 9))]) for number in range(4)]
    )
    pictures = write_pictures(tmp_path / "pictures", {f"{number}.jpg": (60, 80) for number in range(4)})
    arguments = ("convert-mpii", release, pictures, "--output", tmp_path / "mpii")
    assert_one_line(transpose(*arguments), "either a list of the validation pictures")
    assert not (tmp_path / "mpii").exists()
    done = transpose(*arguments, "--hold-out", "0.25", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["splits"] == {
        "train": {"pictures": 3, "persons": 3},
        "val": {"pictures": 1, "persons": 1},
    }
    assert json.loads((tmp_path / "mpii" / "conversion.json").read_text())["validation"] == {
        "hold_out": 0.25,
        "seed": 3,
    }


def test_a_study_is_planned_without_running_it(tmp_path: Path) -> None:
    done = transpose("plan", "config/config.yaml")
    assert done.returncode == 0, done.stderr
    assert "Estimate of the whole study 'demo', 5 trainings" in done.stdout
    assert_one_line(transpose("plan", tmp_path / "mine.yaml"), "mine.yaml", "no such file")


def test_any_picture_is_explained_or_refused_in_one_line(recipe: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    values = json.loads(recipe.read_text())
    model = build_model(small_variant("resnet"), 17)
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(model, tmp_path / "weights.safetensors", {})
    write_json(tmp_path / "run.json", {"recipe": values})
    picture = sorted((tiny_dataset / "images").glob("*.jpg"))[0]
    output = tmp_path / "explained"
    options = ("--run", tmp_path / "run.json", "--output", output)
    assert_one_line(transpose("explain", tmp_path / "nowhere.jpg", *options), "nowhere.jpg", "no such picture")
    assert_one_line(
        transpose("explain", picture, picture, *options, "--box", "1,2,3,4"), "--box: goes with one picture"
    )
    assert_one_line(transpose("explain", picture, *options, "--threshold", "nan"), "--threshold: nan: must be")
    write_json(tmp_path / "boxes.json", [{"image_id": "somebody", "bbox": [1, 2, 3, 4]}])
    assert_one_line(
        transpose("explain", picture, *options, "--boxes", tmp_path / "boxes.json"), "nobody in the picture"
    )
    assert not output.exists()
    done = transpose("explain", picture, *options, "--box", "20,15,50,90", "--box", "90,30,40,70")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left_wrist") == 2
    assert {path.name for path in output.iterdir()} == {"explorer.html", "figures", "persons.json"}
