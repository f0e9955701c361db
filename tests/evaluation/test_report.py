"""A metrics file records metrics, data and weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.results_folder import ENTRY, write_inputs
from tests.helpers.run_records import SMALL
from tests.helpers.small_variants import small_variant
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.runtime import RuntimeUsed
from transpose.config.study import EvalProtocol, EvalSetting
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import load_annotations
from transpose.data.file_digests import images_sha256
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation import report as module
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.external_evaluation import ExternalReport, evaluate_results
from transpose.evaluation.matches import average_precisions, read_matches
from transpose.evaluation.oks import evaluate_keypoints, max_abs_difference
from transpose.evaluation.per_keypoint import per_keypoint_metrics
from transpose.evaluation.prediction_record import write_prediction_record
from transpose.evaluation.reference_evaluators import pycocotools_metrics, xtcocotools_metrics
from transpose.evaluation.report import EvaluationReport, write_metrics
from transpose.evaluation.results import read_results, write_results
from transpose.files import read_json, sha256_of_file, write_json, write_text
from transpose.inference.poses import PoseResults
from transpose.provenance import code_version
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind

DATASET = Dataset.model_validate(
    {
        "title": "toys",
        "source": {"kind": "folder", "folders": {"val": "toy"}},
        "boxes": {"annotated": {"kind": "ground_truth"}, "found": {"kind": "simulated"}},
    }
)
TINY = SMALL.model_copy(update={"name": "tiny", "variant": small_variant("resnet", {"title": "Tiny"})})
PROTOCOL = EvalProtocol(flip_test=False)


class Files:
    """Files that an evaluation reads and writes."""

    def __init__(self, annotations: Path, folder: Path) -> None:
        self.inputs = write_inputs(
            folder, TINY, DATASET, annotations, PROTOCOL, boxes=_boxes(7), setting=EvalSetting("toy", "val", "found")
        )
        self.annotations, self.run = annotations, self.inputs.run_folder.record
        self.weights, self.boxes = self.inputs.run_folder.weights, self.inputs.boxes_file
        self.predictions = self.inputs.predictions_file
        self.output = self.inputs.layout.metrics(self.inputs.run, self.inputs.setting)

    def record_predictions(self) -> None:
        """Write a record of predictions that were made from the files as they are now."""
        runtime = RuntimeUsed(name="torch", version="2", dtype="fp32")
        context = DeviceContext(torch.device("cpu"), "fp32", 3)
        write_prediction_record(replace(self.inputs), "cpu", runtime, 7, context)

    def evaluate(self, seed: int = 1) -> EvaluationReport:
        """Write the metrics and read them back."""
        bootstrap = Bootstrap(samples=30, seed=seed)
        write_json(self.inputs.layout.record(RecordKind.BOOTSTRAP), bootstrap.model_dump(mode="json"))
        # Read every file again.
        write_metrics(replace(self.inputs))
        return read_record(EvaluationReport, self.output)


@pytest.fixture
def make_files(make_scene: Callable[..., Any], tmp_path: Path) -> Callable[..., Files]:
    """Files of a synthetic scene, for given results."""

    def make(results: PoseResults | None = None) -> Files:
        scene = make_scene(seed=3)
        files = Files(scene.annotation_path, tmp_path)
        files.weights.write_bytes(b"weights")
        write_results(scene.results if results is None else results, files.predictions)
        files.record_predictions()
        return files

    return make


def _boxes(number: int) -> PersonBoxes:
    ids = np.full(number, 5)
    return PersonBoxes(ids, np.tile([1.0, 2.0, 30.0, 40.0], (number, 1)), np.ones(number), np.full(number, -1))


def test_figures_are_the_evaluations_and_everything_is_named(make_files: Callable[..., Files]) -> None:
    files = make_files()
    report = files.evaluate()
    results = read_results(files.predictions, COCO_PERSON)
    expected = evaluate_keypoints(load_annotations(files.annotations, COCO_PERSON), results, COCO_PERSON)
    assert report.metrics == expected.statistics
    assert (report.images, report.persons) == (expected.images, expected.persons)
    assert report.predictions == len(results)
    assert report.keypoints == per_keypoint_metrics(
        load_annotations(files.annotations, COCO_PERSON), results, COCO_PERSON
    )
    assert report.box_count == 7
    assert (report.variant, report.title, report.seed, report.initialisation) == ("tiny", "Tiny", 0, "from scratch")
    assert (report.dataset, report.split, report.boxes, report.boxes_kind) == ("toy", "val", "found", "simulated")
    assert (report.dataset_title, report.protocol) == ("toys", PROTOCOL)
    assert report.interval[0] <= report.metrics["AP"] <= report.interval[1]


def test_figures_are_those_of_the_command_for_any_results_file(make_files: Callable[..., Files]) -> None:
    files = make_files()
    report = files.evaluate()
    external = evaluate_results(
        files.predictions, files.annotations, AnnotatedKeypoints(), Bootstrap(samples=30, seed=1)
    )
    shared = EvaluationReport.model_fields.keys() & ExternalReport.model_fields.keys()
    assert {"metrics", "interval", "keypoints", "reference_check", "predictions_sha256"} <= shared
    assert {name: getattr(external, name) for name in shared} == {name: getattr(report, name) for name in shared}


def test_digests_are_of_the_files_that_were_read(make_files: Callable[..., Files]) -> None:
    files = make_files()
    report = files.evaluate()
    assert report.weights_sha256 == sha256_of_file(files.weights)
    assert report.predictions_sha256 == sha256_of_file(files.predictions)
    assert report.annotations_sha256 == sha256_of_file(files.annotations)
    assert report.boxes_sha256 == sha256_of_file(files.boxes)
    assert report.images_sha256 == images_sha256(files.annotations)


def test_code_machine_and_versions_of_both_steps_are_named(make_files: Callable[..., Files]) -> None:
    report = make_files().evaluate()
    assert report.origin.code == code_version(ENTRY)
    assert (report.origin.dtype, report.origin.threads) == (None, None)
    assert report.predicted is not None
    assert (report.predicted.dtype, report.predicted.threads) == ("fp32", 3)
    assert {"cpu", "platform", "python", "numpy", "pycocotools"} <= report.predicted.environment.keys()


def test_the_match_table_gives_the_same_ap(make_files: Callable[..., Files]) -> None:
    files = make_files()
    report = files.evaluate()
    table = read_matches(files.output.with_suffix(".npz"))
    once = np.ones((1, report.images), dtype=np.int64)
    assert average_precisions(table, once)[0] == pytest.approx(report.metrics["AP"], abs=1e-12)


def test_the_same_files_give_the_same_bytes_and_another_seed_another_interval(make_files: Callable[..., Files]) -> None:
    files = make_files()
    first = files.evaluate()
    written = files.output.read_bytes(), files.output.with_suffix(".npz").read_bytes()
    files.evaluate()
    assert (files.output.read_bytes(), files.output.with_suffix(".npz").read_bytes()) == written
    other = files.evaluate(seed=2)
    assert other.metrics == first.metrics
    assert other.interval != first.interval


def test_ap_by_crowd_index_is_that_of_the_command(make_files: Callable[..., Files]) -> None:
    files = make_files()
    assert files.evaluate().crowding is None
    content = read_json(files.annotations)
    for position, image in enumerate(content["images"]):
        image["crowdIndex"] = (0, 0.5, 1)[position % 3]
    write_json(files.annotations, content)
    files.record_predictions()
    crowding = files.evaluate().crowding
    assert crowding is not None
    assert sum(subset.images for subset in crowding.values()) == len(content["images"])
    external = evaluate_results(
        files.predictions, files.annotations, AnnotatedKeypoints(), Bootstrap(samples=30, seed=1)
    )
    assert crowding == external.crowding


def test_no_predictions_is_an_ap_of_zero(make_files: Callable[..., Files], no_results: PoseResults) -> None:
    report = make_files(no_results).evaluate()
    assert (report.metrics["AP"], report.predictions, report.interval) == (0, 0, (0, 0))


def test_no_persons_is_no_ap(make_files: Callable[..., Files], no_results: PoseResults) -> None:
    files = make_files(no_results)
    content = read_json(files.annotations)
    write_json(files.annotations, content | {"annotations": []})
    files.record_predictions()
    report = files.evaluate()
    assert (report.metrics["AP"], report.persons, report.interval) == (-1, 0, (-1, -1))


class TestSecondOpinion:
    @pytest.mark.parametrize("names", [("pycocotools",), ("pycocotools", "xtcocotools", "hotcoco")])
    def test_the_report_names_the_evaluators_that_agree(
        self, names: tuple[str, ...], make_files: Callable[..., Files], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def reference(*arguments: Any) -> dict[str, dict[str, float]]:
            return dict.fromkeys(names, pycocotools_metrics(*arguments))

        monkeypatch.setattr(module, "reference_metrics", reference)
        opinion = make_files().evaluate().reference_check
        assert opinion is not None
        assert opinion.evaluators == names
        assert opinion.max_abs_difference <= 1e-9

    def test_predictions_that_xtcocotools_leaves_out_are_no_disagreement(
        self, make_files: Callable[..., Files], make_scene: Callable[..., Any]
    ) -> None:
        pytest.importorskip("xtcocotools", exc_type=ImportError)
        results = make_scene(seed=3).results
        results.keypoints[::4, :, 2] = 0
        results.keypoints[1::4, 3:, 2] = -0.5
        files = make_files(results)
        report = files.evaluate()
        truth = load_annotations(files.annotations, COCO_PERSON)
        assert report.metrics == evaluate_keypoints(truth, results, COCO_PERSON).statistics
        theirs = xtcocotools_metrics(truth, results, COCO_PERSON)
        assert theirs is not None
        assert max_abs_difference(report.metrics, theirs) > 0.01
        check = report.reference_check
        assert check is not None
        assert {"pycocotools", "xtcocotools"} <= set(check.evaluators)
        assert check.max_abs_difference <= 1e-9
        assert check.left_out == {"xtcocotools": len(results.image_ids[::4])}

    @pytest.mark.parametrize("name", ["pycocotools", "hotcoco"])
    def test_disagreement_is_an_error_and_leaves_nothing(
        self, name: str, make_files: Callable[..., Files], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = make_files()
        figures = evaluate_keypoints(
            load_annotations(files.annotations, COCO_PERSON), read_results(files.predictions, COCO_PERSON), COCO_PERSON
        ).statistics
        others = {"pycocotools": figures, name: figures | {"AR50": figures["AR50"] + 1e-3}}
        monkeypatch.setattr(module, "reference_metrics", lambda *_: others)
        with pytest.raises(InputError, match=f"found.json: metrics differ from those of {name} by 0.001"):
            files.evaluate()
        assert not files.output.exists()


class TestFaults:
    def fails(self, files: Files, words: str) -> None:
        with pytest.raises(InputError) as caught:
            files.evaluate()
        assert words in str(caught.value)
        assert not files.output.exists()

    @pytest.mark.parametrize("name", ["annotations", "run", "boxes", "predictions", "weights"])
    def test_a_missing_file(self, make_files: Callable[..., Files], name: str) -> None:
        files = make_files()
        path: Path = getattr(files, name)
        path.unlink()
        self.fails(files, f"{path.name}: no such file")

    @pytest.mark.parametrize("key", ["recipe", "seed", "initialisation", "code"])
    def test_a_record_of_something_else_than_a_training(self, make_files: Callable[..., Files], key: str) -> None:
        files = make_files()
        write_json(files.run, {name: value for name, value in read_json(files.run).items() if name != key})
        self.fails(files, f"run.json: {key}: Field required")

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("predictions", "found.json: has changed since it was predicted; predict again"),
            ("weights", "found.record.json: weights_sha256: the predictions were made with other weights"),
            ("boxes", "found.record.json: boxes_sha256: the predictions were made with other boxes"),
            ("annotations", "found.record.json: annotations_sha256: the predictions were made with other annotations"),
        ],
    )
    def test_predictions_from_another_file(self, make_files: Callable[..., Files], name: str, words: str) -> None:
        files = make_files()
        path: Path = getattr(files, name)
        path.write_bytes(path.read_bytes() + b"\n")
        self.fails(files, words)

    def test_predictions_from_another_image(self, make_files: Callable[..., Files]) -> None:
        files = make_files()
        image = read_json(files.annotations)["images"][0]["file_name"]
        write_text(files.annotations.parent / "images" / image, "another image")
        self.fails(files, "found.record.json: images_sha256: the predictions were made with other images")

    def test_predictions_by_another_protocol(self, make_files: Callable[..., Files]) -> None:
        files = make_files()
        protocol = PROTOCOL.model_copy(update={"decoder": "argmax"})
        write_json(files.inputs.layout.record(RecordKind.PROTOCOL), protocol.model_dump(mode="json"))
        self.fails(files, "found.record.json: protocol: the predictions were made by another protocol")

    def test_predictions_of_another_run(self, make_files: Callable[..., Files]) -> None:
        files = make_files()
        path = files.inputs.prediction_record
        write_json(path, read_json(path) | {"seed": 1})
        self.fails(files, "found.record.json: seed: the predictions were made with seed 1; predict again")

    def test_predictions_in_other_images(self, make_files: Callable[..., Files]) -> None:
        stray = PoseResults(np.array([4]), np.ones((1, 17, 3)), np.ones(1))
        self.fails(make_files(stray), "found.json: record[0]: image_id: 4 is not an image of ")
