"""A results folder becomes tables and figures: every number from its file, and nothing shares a table by accident."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.run_records import write_run
from tests.helpers.sample_results import box_row, cost, keypoint, report
from transpose.config.dataset import Dataset
from transpose.config.load import load_variant, read_record
from transpose.config.recipe import Recipe
from transpose.config.study import EvalSetting, Study
from transpose.config.training import Training
from transpose.data.annotation_warnings import DataWarning
from transpose.data.split_check import SplitCheck
from transpose.errors import InputError
from transpose.evaluation.bootstrap import bootstrap_interval, resample
from transpose.evaluation.intervals import Resamples
from transpose.evaluation.matches import THRESHOLDS, MatchTable, average_precisions
from transpose.files import read_json, sha256_of_file, write_json, write_npz, write_text
from transpose.provenance import training_code
from transpose.reporting.study import write_study
from transpose.reporting.study_files import StudyFiles
from transpose.study.layout import ResultsLayout, RunId

CONFIG = Path(__file__).parents[2] / "config"
VARIANTS = ("tp_r_a3", "tp_r_a4")
IMAGES, BOXES = 5000, 104_125
HISTORY = [
    {"epoch": 0, "learning_rate": 1e-3, "loss": 0.5, "validation": None},
    {"epoch": 1, "learning_rate": 1e-4, "loss": 0.25, "validation": {"AP": 0.5}},
]
DATASET = {
    "title": "COCO",
    "source": {"kind": "folder", "folders": {"train": "coco/train", "val": "coco/val"}},
    "boxes": {"annotated": {"kind": "ground_truth"}, "found": {"kind": "detections", "files": {"val": "d.json"}}},
    "benchmarks": {"val": "coco_val2017"},
}
CHECK = SplitCheck(
    images=5000,
    persons=6352,
    derived={"num_keypoints": 2},
    left_out={"crowd": 227, "no_keypoints": 4424},
    unusable_images={},
    warnings=[DataWarning(kind="duplicate", count=count, first="one") for count in (1, 2)],
)


def code_of(fingerprint: str) -> dict[str, str | None]:
    return {"git": None, "dirty": None, "fingerprint": fingerprint}


class Results:
    """A results folder with two variants, two seeds and two sources of boxes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = Study.model_validate(
            {
                "name": "demo",
                "results": str(folder),
                "resources": str(folder.parent / "my resources"),
                "variants": VARIANTS,
                "seeds": 2,
                "train": {"dataset": "coco", "split": "train"},
                "validation": {"dataset": "coco", "split": "val"},
                "evaluations": [{"dataset": "coco", "split": "val", "boxes": ["annotated", "found"]}],
                "ablations": [{"question": "Do more layers help?", "baseline": VARIANTS[0], "variants": [VARIANTS[1]]}],
                "bootstrap_samples": 20,
            }
        )
        dataset = Dataset.model_validate(DATASET)
        write_json(folder / "records" / "datasets" / "coco.json", dataset.model_dump(mode="json"))
        for variant in VARIANTS:
            settings = load_variant(variant, CONFIG / "variants")
            recipe = Recipe(name=variant, variant=settings, training=Training())
            write_json(folder / "records" / "recipes" / f"{variant}.json", recipe.model_dump(mode="json"))
            write_json(folder / "cost" / f"{variant}.json", cost().model_dump(mode="json"))
            for seed in (0, 1):
                self._write_training(variant, seed)
                for boxes in ("annotated", "found"):
                    self.write_metrics(variant, seed, boxes)
        self._write_boxes()
        check = folder.parent / "my resources" / "imported" / "coco" / "val" / "check.json"
        write_json(check, CHECK.model_dump(mode="json"))

    def metrics(self, variant: str, seed: int, boxes: str) -> Path:
        return self.folder / "metrics" / variant / f"seed{seed}" / "coco" / "val" / f"{boxes}.json"

    def write_metrics(self, variant: str, seed: int, boxes: str, **changes: Any) -> None:
        table = matches(wrong=3 * (VARIANTS.index(variant) == 0) + seed)
        ap = float(average_precisions(table, np.ones((1, len(table.image_ids)), dtype=np.int64))[0])
        values = {
            "dataset": "coco",
            "dataset_title": "COCO",
            "boxes_kind": DATASET["boxes"][boxes]["kind"],
            "box_count": BOXES,
            "metrics": {"AP": ap, "AP50": 0.9, "AP75": 0.8, "APM": 0.7, "APL": -1.0, "AR": 0.8},
            "images": IMAGES,
            "persons": 6352,
            "keypoints": [keypoint("nose", 0.7), keypoint("left_eye", -1.0)],
            "interval": [ap - 0.02, ap + 0.03],
            "protocol": self.study.protocol.model_dump(mode="json"),
        }
        path = self.metrics(variant, seed, boxes)
        write_json(path, report(variant, variant, seed, ap, boxes) | values | changes)
        write_npz(path.with_suffix(".npz"), **vars(table))

    def _write_training(self, variant: str, seed: int) -> None:
        folder = self.folder / "train" / variant / f"seed{seed}"
        write_text(folder / "history.jsonl", "".join(json.dumps(line) + "\n" for line in HISTORY))
        recipe = read_record(Recipe, self.folder / "records" / "recipes" / f"{variant}.json")
        write_run(folder / "run.json", recipe, seed=seed, code=code_of(training_code()))

    def _write_boxes(self) -> None:
        for boxes, ap in (("annotated", None), ("found", 0.5)):
            counts, report = box_row(ap)
            place = f"coco/val/{boxes}"
            write_json(self.folder / "boxes" / f"{place}.counts.json", counts.model_dump(mode="json"))
            if report is not None:
                write_json(self.folder / "box_ap" / f"{place}.json", report.model_dump(mode="json"))

    def files(self) -> StudyFiles:
        write_json(self.folder / "records" / "studies" / "study.json", self.study.model_dump(mode="json"))
        return StudyFiles.read(ResultsLayout(self.folder))

    def write(self) -> list[dict[str, str]]:
        """Make the comparison; its rows."""
        write_study(self.files(), CONFIG / "tables" / "published.yaml")
        with (self.folder / "comparison.csv").open(newline="") as stream:
            return list(csv.DictReader(stream))

    def fails(self, words: str) -> None:
        with pytest.raises(InputError) as caught:
            write_study(self.files(), CONFIG / "tables" / "published.yaml")
        assert words in str(caught.value)
        assert not (self.folder / "comparison.csv").exists()


def matches(wrong: int) -> MatchTable:
    """Twenty images with a person and a prediction each, of which some are wrong."""
    found = np.arange(20) >= wrong
    return MatchTable(
        image_ids=np.arange(20),
        persons=np.ones(20, dtype=np.int64),
        images=np.arange(20),
        scores=np.linspace(0.9, 0.5, 20),
        matched=np.tile(found[:, None], (1, len(THRESHOLDS))),
        ignored=np.zeros((20, len(THRESHOLDS)), dtype=bool),
    )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, list[dict[str, str]]]:
    """A whole study, compared once."""
    whole = Results(tmp_path_factory.mktemp("study"))
    return whole, whole.write()


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plot_accuracy_against_cost", "plot_keypoint_accuracy", "plot_training"):
        monkeypatch.setattr(f"transpose.reporting.study.{name}", lambda *_: None)


class TestWholeStudy:
    def test_every_table_and_figure_is_there(self, finished: tuple[Results, Any]) -> None:
        folder = finished[0].folder
        tables = [f"{name}.{suffix}" for name in ("comparison", "ablations", "verdicts") for suffix in ("csv", "html")]
        figures = [
            f"figures/{name}.png"
            for name in ("training", "accuracy_coco_val_annotated", "keypoints_coco_val_annotated")
        ]
        for name in (*tables, *figures, "comparison.txt"):
            assert (folder / name).stat().st_size > 0

    def test_boxes_are_listed_with_their_counts_and_ap(self, finished: tuple[Results, Any]) -> None:
        with (finished[0].folder / "person_boxes.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [(row["kind"], row["count"], row["box_AP"]) for row in rows] == [
            ("ground_truth", "6352", ""),
            ("detections", "104125", "50.0"),
        ]
        assert "Person boxes" in (finished[0].folder / "comparison.txt").read_text()

    def test_the_splits_in_use_are_listed_with_their_checks(self, finished: tuple[Results, Any]) -> None:
        whole = finished[0]
        text = (whole.folder / "comparison.md").read_text()
        lines = text.partition("## Data\n")[2].splitlines()
        report = "imported/coco/val/check.json"
        assert lines[5:] == [
            "| COCO, train | training | – | – | – | – | – | not checked |",
            "| COCO, val | validation, evaluation | 5,000 | 6,352 | num keypoints 2 | crowd 227, no keypoints 4,424 |"
            f" duplicate 3 | [{report}](../my%20resources/{report}) |",
        ]
        page = (whole.folder / "comparison.html").read_text()
        assert f'<td><a href="../my%20resources/{report}">{report}</a></td></tr>' in page
        assert report in (whole.folder / "comparison.txt").read_text()
        assert "<a " not in (whole.folder / "verdicts.html").read_text()

    def test_a_row_is_the_mean_of_its_seeds(self, finished: tuple[Results, list[dict[str, str]]]) -> None:
        whole, rows = finished
        assert [(row["variant"], row["boxes"]) for row in rows] == [
            (variant, boxes) for boxes in ("annotated", "found") for variant in VARIANTS
        ]
        for row in rows:
            files = [read_json(whole.metrics(row["variant"], seed, row["boxes"])) for seed in (0, 1)]
            assert float(row["AP"]) == pytest.approx(100 * np.mean([file["metrics"]["AP"] for file in files]))
            assert float(row["AP_low"]) < float(row["AP"]) < float(row["AP_high"])
            assert (row["seeds"], row["images"], row["persons"]) == ("2", "5000", "6352")
            assert row["initialisation"] == "from scratch"
            assert row["APL"] == row["notes"] == ""
            assert float(row["params_m"]) == 5.2

    def test_the_published_number_of_boxes_makes_rows_comparable(
        self, finished: tuple[Results, list[dict[str, str]]]
    ) -> None:
        by_boxes = {(row["variant"], row["boxes"]): row for row in finished[1]}
        row = by_boxes["tp_r_a3", "found"]
        assert row["comparable"] == "True"
        assert float(row["difference"]) == pytest.approx(float(row["AP"]) - float(row["published_AP"]))

    def test_the_ablation_is_the_mean_of_paired_differences(self, finished: tuple[Results, Any]) -> None:
        whole, rows = finished
        with (whole.folder / "ablations.csv").open(newline="") as stream:
            outputs = list(csv.DictReader(stream))
        assert [answer["boxes"] for answer in outputs] == ["annotated", "found"]
        aps = {row["variant"]: float(row["AP"]) for row in rows if row["boxes"] == "annotated"}
        answer = outputs[0]
        assert float(answer["difference"]) == pytest.approx(aps["tp_r_a4"] - aps["tp_r_a3"])
        assert float(answer["low"]) <= float(answer["difference"]) <= float(answer["high"])
        assert (answer["seeds"], answer["images"], answer["answer"]) == ("2", "5000", "undecided")
        assert float(answer["images_needed"]) > 20

    def test_several_trainings_have_one_interval(self, finished: tuple[Results, list[dict[str, str]]]) -> None:
        whole, (row, *_) = finished
        tables = [matches(wrong=3 + seed) for seed in (0, 1)]
        joint = Resamples.joined([resample(table, samples=20, seed=0) for table in tables])
        low, high = joint.interval_of_fraction() or (0.0, 0.0)
        assert (float(row["AP_low"]), float(row["AP_high"])) == pytest.approx((100 * low, 100 * high))
        single = bootstrap_interval(tables[0], samples=20, seed=0)
        assert high - low > single[1] - single[0]
        reports = whole.files().reports(row["variant"], EvalSetting("coco", "val", row["boxes"]))
        first = dict([next(iter(reports.items()))])
        interval = whole.files().interval(first, EvalSetting("coco", "val", row["boxes"]))
        assert interval == next(iter(first.values())).interval

    def test_released_weights_are_one_training(self, finished: tuple[Results, Any]) -> None:
        files = finished[0].files()
        assert len(files.runs("tp_r_a3")) == 2
        recipe = files.recipes["tp_r_a3"]
        training = recipe.training.model_copy(update={"source": "official"})
        files.recipes["tp_r_a3"] = recipe.model_copy(update={"training": training})
        assert files.runs("tp_r_a3") == [RunId("tp_r_a3", 0)]
        difference = files.difference("tp_r_a4", "tp_r_a3", EvalSetting("coco", "val", "found"))
        assert difference is not None
        assert difference.trainings == 1


@pytest.mark.usefixtures("no_figures")
class TestRows:
    def test_another_number_of_boxes_is_not_compared(self, results: Results) -> None:
        results.write_metrics("tp_r_a3", 1, "found", box_count=99)
        row = next(row for row in results.write() if (row["variant"], row["boxes"]) == ("tp_r_a3", "found"))
        assert row["verdict"] == f"not comparable: not the published {BOXES} boxes"
        assert row["published_AP"] == ""

    def test_missing_results_are_rows_not_run(self, results: Results) -> None:
        for seed in (0, 1):
            results.metrics("tp_r_a4", seed, "found").unlink()
        results.metrics("tp_r_a4", 1, "annotated").unlink()
        seeds = {(row["variant"], row["boxes"]): (row["seeds"], row["status"]) for row in results.write()}
        assert seeds["tp_r_a4", "found"] == ("0", "not run")
        assert seeds["tp_r_a4", "annotated"] == ("1", "measured")
        with (results.folder / "ablations.csv").open(newline="") as stream:
            assert [row["seeds"] for row in csv.DictReader(stream)] == ["1", "0"]

    def test_changed_code_and_a_missing_second_opinion_are_noted(self, results: Results) -> None:
        path = results.folder / "train" / "tp_r_a3" / "seed0" / "run.json"
        write_json(path, read_json(path) | {"code": code_of("0" * 16)})
        opinion = {"evaluators": ["pycocotools"], "max_abs_difference": 0.0}
        results.write_metrics("tp_r_a4", 1, "annotated", reference_check=opinion)
        notes = {(row["variant"], row["boxes"]): row["notes"] for row in results.write()}
        assert (
            notes["tp_r_a3", "annotated"] == notes["tp_r_a3", "found"] == "the training code has changed since training"
        )
        assert notes["tp_r_a4", "annotated"] == "AP checked with pycocotools only"
        assert notes["tp_r_a4", "found"] == ""

    def test_predictions_that_xtcocotools_leaves_out_are_noted(self, results: Results) -> None:
        check = {
            "evaluators": ["pycocotools", "xtcocotools"],
            "max_abs_difference": 0.0,
            "left_out": {"xtcocotools": 3},
        }
        results.write_metrics("tp_r_a4", 1, "annotated", reference_check=check)
        notes = {(row["variant"], row["boxes"]): row["notes"] for row in results.write()}
        assert notes["tp_r_a4", "annotated"] == "xtcocotools leaves out 3 predictions without a keypoint score above 0"
        assert notes["tp_r_a4", "found"] == ""

    def test_without_labelled_persons_there_is_no_difference(self, results: Results) -> None:
        for variant in VARIANTS:
            for seed in (0, 1):
                unlabelled = {"metrics": {"AP": -1.0}, "interval": [-1.0, -1.0], "persons": 0}
                results.write_metrics(variant, seed, "found", **unlabelled)
                table = vars(matches(wrong=0)) | {"persons": np.zeros(20, dtype=np.int64)}
                write_npz(results.metrics(variant, seed, "found").with_suffix(".npz"), **table)
        assert [row["AP"] for row in results.write() if row["boxes"] == "found"] == ["", ""]
        with (results.folder / "ablations.csv").open(newline="") as stream:
            outputs = {row["boxes"]: (row["difference"], row["low"], row["answer"]) for row in csv.DictReader(stream)}
        assert outputs["found"] == ("", "", "no answer: no labelled person")
        assert outputs["annotated"][0] != ""

    def test_a_training_by_another_recipe_is_noted(self, results: Results) -> None:
        path = results.folder / "train" / "tp_r_a3" / "seed1" / "run.json"
        content = read_json(path)
        content["recipe"]["training"]["epochs"] = 3
        write_json(path, content)
        notes = {(row["variant"], row["boxes"]): row["notes"] for row in results.write()}
        assert (
            notes["tp_r_a3", "annotated"]
            == notes["tp_r_a3", "found"]
            == "trained with another recipe than the study's: recipe.training.epochs was 3, is 230"
        )
        assert notes["tp_r_a4", "annotated"] == notes["tp_r_a4", "found"] == ""

    def test_figures_of_other_weights_than_are_there_are_noted(self, results: Results) -> None:
        weights = results.folder / "train" / "tp_r_a3" / "seed0" / "weights.safetensors"
        weights.write_bytes(b"trained again")
        assert results.write()[0]["notes"] == "measured with other weights than the present file"
        for boxes in ("annotated", "found"):
            results.write_metrics("tp_r_a3", 0, boxes, weights_sha256=sha256_of_file(weights))
        assert {row["notes"] for row in results.write()} == {""}


class TestFaults:
    def test_results_on_other_boxes(self, results: Results) -> None:
        results.write_metrics("tp_r_a4", 1, "found", boxes_sha256="d" * 64)
        results.fails("tp_r_a4/seed1/coco/val/found.json: boxes_sha256: not the boxes of ")

    def test_results_on_other_annotations(self, results: Results) -> None:
        results.write_metrics("tp_r_a4", 1, "found", annotations_sha256="d" * 64)
        results.fails("tp_r_a4/seed1/coco/val/found.json: annotations_sha256: not the annotations of ")

    def test_results_by_another_protocol(self, results: Results) -> None:
        protocol = results.study.protocol.model_dump(mode="json") | {"flip_test": False}
        results.write_metrics("tp_r_a4", 0, "found", protocol=protocol)
        results.fails("metrics of tp_r_a4 on coco/val/found: tp_r_a4 seed 0 has another protocol than its row")

    @pytest.mark.parametrize("key", ["box_count", "weights_sha256", "metrics", "keypoints"])
    def test_a_metrics_file_without_a_field(self, results: Results, key: str) -> None:
        path = results.metrics("tp_r_a3", 0, "annotated")
        write_json(path, {name: value for name, value in read_json(path).items() if name != key})
        results.fails(f"annotated.json: {key}: Field required")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (json.dumps(HISTORY[0]) + '\n{"epoch": 1, "lo', "history.jsonl: line 2: not JSON: Unterminated string"),
            ('{"epoch": 0, "validation": null}\n', "history.jsonl: line 1: loss: missing"),
            ("[]\n", "history.jsonl: line 1: not a JSON object"),
        ],
    )
    def test_a_broken_line_of_a_history(self, results: Results, text: str, words: str) -> None:
        write_text(results.folder / "train" / "tp_r_a3" / "seed1" / "history.jsonl", text)
        results.fails(words)

    @pytest.mark.parametrize(
        "name", ["records/recipes/tp_r_a3.json", "records/datasets/coco.json", "train/tp_r_a3/seed0/run.json"]
    )
    def test_a_missing_record(self, results: Results, name: str) -> None:
        (results.folder / name).unlink()
        results.fails(f"{name}: no such file")

    def test_a_broken_check(self, results: Results) -> None:
        path = results.folder.parent / "my resources" / "imported" / "coco" / "val" / "check.json"
        write_json(path, {"images": 3})
        results.fails("check.json: persons: Field required")

    def test_a_missing_match_table(self, results: Results) -> None:
        path = results.metrics("tp_r_a4", 0, "annotated").with_suffix(".npz")
        path.unlink()
        results.fails(f"{path}: no such file")


def test_files_are_where_the_workflow_puts_them(results: Results) -> None:
    files, setting = results.files(), EvalSetting("coco", "val", "found")
    assert files.layout.metrics(RunId("tp_r_a3", 1), setting) == results.metrics("tp_r_a3", 1, "found")
    assert files.report(RunId("tp_r_a3", 9), setting) is None
    assert files.layout.train(RunId("tp_r_a3", 1)).record.is_file()
