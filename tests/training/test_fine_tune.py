"""`transpose train`: fine-tune a trained model on one's own few persons, with other keypoints."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
import yaml

import transpose
from tests.helpers.run_records import SMALL, write_run
from tests.helpers.torso_data import TORSO, Content, torso_dataset, torso_folder
from tests.training.test_run import PROTOCOL, Watcher, recipe
from transpose.config.dataset import Dataset
from transpose.config.training import CosineSchedule
from transpose.errors import InputError
from transpose.files import read_json
from transpose.models.variants import build_model
from transpose.models.weights import read_checkpoint, save_weights
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON
from transpose.training.data import TrainingData
from transpose.training.fine_tune import FineTuned, FineTuning, default_epochs, fine_tune, render_outcome
from transpose.training.fine_tune_start import write_start
from transpose.training.inputs import first_model
from transpose.training.interruption import Interrupted
from transpose.training.run import train_variant


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The run folder of a small model for COCO's keypoints."""
    torch.manual_seed(0)
    save_weights(build_model(SMALL.variant, len(COCO_PERSON)), tmp_path / "run" / "weights.safetensors", {})
    return write_run(tmp_path / "run" / "run.json").parent


def small_dataset(folder: Path) -> Dataset:
    """Torsos in two splits."""
    source = {"folders": {name: str(torso_folder(folder / name)) for name in ("train", "val")}}
    return torso_dataset(folder, source)


def tuned(source: Path, dataset: Dataset, folder: Path, **options: Any) -> tuple[FineTuned, str]:
    """The outcome of two epochs, and what was printed."""
    stream = io.StringIO()
    chosen = FineTuning(**{"epochs": 2, "validation": "val", "jobs": 1, "stream": stream, **options})
    return fine_tune(source, "mine", dataset, folder, chosen), stream.getvalue()


class TestStart:
    def test_keypoints_of_the_same_name_keep_their_channels(self, trained: Path, tmp_path: Path) -> None:
        names = ("beak", "right_hip", "nose")
        skeleton = TORSO.model_copy(update={"keypoints": names})
        model = PoseModel.from_run(trained)
        assert write_start(model, skeleton, tmp_path / "start.safetensors") == ("beak",)
        before, after = read_checkpoint(model.weights), read_checkpoint(tmp_path / "start.safetensors")
        for key in ("final_layer.weight", "final_layer.bias"):
            assert torch.equal(after[key][1], before[key][COCO_PERSON.index("right_hip")])
            assert torch.equal(after[key][2], before[key][COCO_PERSON.index("nose")])
            assert after[key][0].abs().max() < 0.01
        rest = [key for key in before if not key.startswith("final_layer.")]
        assert all(torch.equal(after[key], before[key]) for key in rest)

    def test_a_training_keeps_the_last_layer_only_for_exactly_these_keypoints(
        self, trained: Path, tmp_path: Path
    ) -> None:
        start = tmp_path / "start.safetensors"
        write_start(PoseModel.from_run(trained), TORSO, start)
        chosen = recipe(initial_weights=str(start))
        network, first = first_model(chosen, TORSO)
        weight = read_checkpoint(start)["final_layer.weight"]
        assert torch.equal(network.final_layer.weight.detach(), weight)
        assert (first.description, first.new_tensors) == ("fine-tuned from small", ("pos_embedding",))
        others = TORSO.model_copy(update={"keypoints": ("a", *TORSO.keypoints[1:])})
        network, first = first_model(chosen, others)
        assert not torch.equal(network.final_layer.weight.detach(), weight)
        assert first.new_tensors == ("final_layer.bias", "final_layer.weight", "pos_embedding")


class TestPatience:
    def test_a_training_without_gain_ends_and_is_finished(self, tiny_dataset: Path, tmp_path: Path) -> None:
        annotations = tiny_dataset / "annotations.json"
        data = TrainingData(annotations, annotations, COCO_PERSON)
        # Nothing is learned. The last of equal epochs is the best one, but it is no gain.
        still = recipe(epochs=9, schedule=CosineSchedule(start=1e-12, end=1e-12))
        watcher = Watcher()
        record = train_variant(still, 0, data, PROTOCOL, tmp_path, watcher, patience=2)
        assert watcher.epochs == 3
        assert record.training is not None
        assert record.training.best_epoch == 2
        again = Watcher()
        assert train_variant(still, 0, data, PROTOCOL, tmp_path, again, patience=2).code == record.code
        assert (again.steps, again.epochs) == (0, 0)


class TestFineTune:
    def test_a_run_folder_is_written_that_predicts_the_new_keypoints(self, trained: Path, tmp_path: Path) -> None:
        outcome, printed = tuned(trained, small_dataset(tmp_path / "data"), tmp_path / "out")
        assert "train: 4 labelled persons in 2 images\nvalidation: 4 labelled persons in 2 images\n" in printed
        assert "epoch 2/2 done: loss " in printed
        assert outcome.epochs == 2
        model = transpose.load(tmp_path / "out")
        image = str(tmp_path / "data" / "val" / "images" / "p001.png")
        assert list(model.predict(image).keypoints) == list(TORSO.keypoints)
        shown = render_outcome(outcome)
        assert f"AP on the validation data: {outcome.before:.3f} before, {outcome.after:.3f} after" in shown
        assert f"--model {tmp_path / 'out'}" in shown

    def test_the_same_call_again_trains_nothing_and_gives_the_same(self, trained: Path, tmp_path: Path) -> None:
        dataset = small_dataset(tmp_path / "data")
        first, _ = tuned(trained, dataset, tmp_path / "out")
        weights = (tmp_path / "out" / "weights.safetensors").read_bytes()
        second, printed = tuned(trained, dataset, tmp_path / "out")
        assert second == first
        assert (tmp_path / "out" / "weights.safetensors").read_bytes() == weights
        assert "done: loss" not in printed

    def test_an_interrupted_call_continues_to_the_same_bytes(self, trained: Path, tmp_path: Path) -> None:
        dataset = small_dataset(tmp_path / "data")
        with pytest.raises(Interrupted):
            tuned(trained, dataset, tmp_path / "out", stream=_StoppedAt("epoch 1/2 done"))
        cut, printed = tuned(trained, dataset, tmp_path / "out")
        assert "epoch 1/2 done" not in printed
        weights = (tmp_path / "out" / "weights.safetensors").read_bytes()
        (tmp_path / "out").rename(tmp_path / "cut")
        assert tuned(trained, dataset, tmp_path / "out")[0] == cut
        assert (tmp_path / "out" / "weights.safetensors").read_bytes() == weights

    def test_images_are_held_out_without_a_split_to_validate_on(self, trained: Path, tmp_path: Path) -> None:
        folder = torso_folder(tmp_path / "data", _ten_images)
        for number in range(3, 13):
            image = cv2.imread(str(folder / "images" / "p001.png"))
            assert image is not None
            cv2.imwrite(str(folder / "images" / f"p{number:03d}.png"), image)
        _, printed = tuned(trained, torso_dataset(folder), tmp_path / "out", validation=None)
        assert "20% of the images of 'val' are held out" in printed
        parts = [read_json(tmp_path / "out" / "data" / name / "annotations.json") for name in ("train", "held_out")]
        names = [{image["file_name"] for image in part["images"]} for part in parts]
        assert [len(part) for part in names] == [8, 2]
        assert not names[0] & names[1]

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"train": "all"}, "mine: no split 'all'; known are train, val"),
            ({"validation": "test"}, "mine: no split 'test'; known are train, val"),
            ({"validation": "train"}, "validation: is the split to train on, 'train'"),
        ],
    )
    def test_wrong_splits_are_one_line(
        self, trained: Path, tmp_path: Path, options: dict[str, str], problem: str
    ) -> None:
        with pytest.raises(InputError) as caught:
            tuned(trained, small_dataset(tmp_path / "data"), tmp_path / "out", **options)
        assert problem in str(caught.value)

    def test_persons_without_labels_are_refused(self, trained: Path, tmp_path: Path) -> None:
        def unlabel(content: Content) -> None:
            for record in content["annotations"]:
                record["keypoints"] = [0] * 15

        folder = torso_folder(tmp_path / "data", unlabel)
        with pytest.raises(InputError, match="no person has a labelled keypoint"):
            tuned(trained, torso_dataset(folder), tmp_path / "out", validation=None)

    def test_a_single_image_cannot_be_divided(self, trained: Path, tmp_path: Path) -> None:
        def only_one(content: Content) -> None:
            content["annotations"] = [record for record in content["annotations"] if record["image_id"] == 1]

        folder = torso_folder(tmp_path / "data", only_one)
        with pytest.raises(InputError, match="labelled persons are in a single image"):
            tuned(trained, torso_dataset(folder), tmp_path / "out", validation=None)

    def test_a_split_that_is_not_rendered_is_refused(self, trained: Path, tmp_path: Path) -> None:
        dataset = Dataset.model_validate(
            {"title": "rendered", "source": {"kind": "synthetic", "images": {"a": 1, "b": 1}}, "boxes": {}}
        )
        options = {"train": "a", "validation": "b", "resources": tmp_path}
        with pytest.raises(InputError, match="no such file; a study on this data set renders or downloads it"):
            tuned(trained, dataset, tmp_path / "out", **options)
        with pytest.raises(InputError, match="name the split to train on, one of a, b"):
            tuned(trained, dataset, tmp_path / "out", validation="b")


class _StoppedAt(io.StringIO):
    """A terminal at which the user stops the process as soon as a text is printed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def write(self, text: str) -> int:
        if self._text in text:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


def _ten_images(content: Content) -> None:
    """Ten images of a person each, and two without."""
    image, person = content["images"][0], content["annotations"][0]
    content["images"] = [{**image, "id": n, "file_name": f"p{n:03d}.png"} for n in range(1, 13)]
    content["annotations"] = [{**person, "id": n, "image_id": n} for n in range(1, 11)]


@pytest.mark.parametrize(("persons", "epochs"), [(5, 60), (100, 30), (500, 10)])
def test_more_persons_need_fewer_epochs(persons: int, epochs: int) -> None:
    assert default_epochs(persons) == epochs


@pytest.mark.slow
def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(small_dataset(tmp_path / "data").model_dump(mode="json")))
    for options, problem in (
        (("nowhere.yaml",), "nowhere.yaml: no such file"),
        ((file, "--from", "nowhere"), "nowhere: neither a run folder nor a released checkpoint"),
        ((file, "--train", "all"), "no split 'all'"),
    ):
        command = [sys.executable, "-m", "transpose", "train", *map(str, options), "--output", str(tmp_path / "out")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith("transpose: ")
        assert problem in done.stderr
