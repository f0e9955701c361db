import base64
import json
import multiprocessing
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient, pyfunc
from mlflow.entities import Run
from mlflow.models import get_model_info
from tracked_results import (
    COMMIT,
    DESTINATION,
    HISTORY,
    RECIPE,
    STUDY,
    VARIANT,
    dump,
    history_lines,
    history_points,
    points,
    runs_of,
    write_everything,
    write_metrics,
    write_recipe,
    write_training,
)

import transpose
from transpose.cli.reporting import track_database
from transpose.config.base import read_yaml
from transpose.data.photographs import photographs_folder
from transpose.errors import InputError
from transpose.files import folder_lock, sha256_of_file, write_text
from transpose.study.destination import database_uri
from transpose.study.layout import ResultsLayout, RunId
from transpose.study.plan import Plan
from transpose.tracking import initialise_database, track_run, track_study

pytestmark = pytest.mark.slow

PHOTOGRAPH = photographs_folder() / "images" / "000000214753.jpg"
BOX = [360.0, 115.0, 57.0, 135.0]


def present_run(results: Path) -> Run:
    """The one run that is not superseded."""
    (run,) = (run for run in runs_of(results) if run.data.tags.get("superseded") != "true")
    return run


class TestFinishedRun:
    """One finished training, tracked once for all of these."""

    @pytest.fixture(scope="class")
    def results(self, tmp_path_factory: pytest.TempPathFactory, empty_results: Path) -> Path:
        results = Path(shutil.copytree(empty_results, tmp_path_factory.mktemp("finished") / "my results"))
        write_everything(results)
        track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        return results

    @pytest.fixture(scope="class")
    def run(self, results: Path) -> Run:
        return present_run(results)

    def test_params_are_the_recipe(self, run: Run):
        params = run.data.params
        assert params["name"] == VARIANT
        assert params["training.batch_size"] == "7"
        assert params["training.schedule.start"] == "0.0001"
        assert params["training.backbone_weights"] == "null"
        assert params["variant.input_size"] == "[32, 24]"
        assert params["variant.backbone.family"] == "resnet"

        def count(value: object) -> int:
            return sum(map(count, value.values())) if isinstance(value, dict) else 1

        assert len(params) == count(RECIPE.reproducibility_values())

    def test_epochs_are_the_history(self, results: Path, run: Run):
        for name in ("loss", "learning_rate"):
            assert points(results, run, f"training/{name}") == history_points(name)
        validated = [(line["epoch"], line["validation"]["AP"]) for line in HISTORY if line["validation"]]
        assert points(results, run, "training/validation_AP") == validated

    def test_metrics_are_few_and_those_of_the_files(self, run: Run):
        assert run.data.metrics.keys() - {"AP_dots_val_gt", "AP_dots_val_detector"} == {
            "training/loss",
            "training/learning_rate",
            "training/validation_AP",
        }
        assert run.data.metrics["AP_dots_val_gt"] == 0.1 + 0.7
        assert run.data.metrics["AP_dots_val_detector"] == 0.5

    def test_tables_have_the_other_numbers_of_the_files(self, results: Path, run: Run):
        folder = results / "mlartifacts" / run.info.run_id / "artifacts"
        assert json.loads((folder / "evaluations.json").read_text()) == {
            "columns": [
                *("dataset", "split", "boxes", "AP", "AP_low", "AP_high", "AP50", "APL"),
                *("images", "persons", "predictions", "runtime"),
            ],
            "data": [
                ["dots", "val", "detector", 0.5, 0.25, 1 / 7, 0.9, -1.0, 12, 31, 40, "openvino 2026.4"],
                ["dots", "val", "gt", 0.1 + 0.7, 0.25, 1 / 7, 0.9, -1.0, 12, 31, 40, "openvino 2026.4"],
            ],
        }
        keypoints = json.loads((folder / "keypoints.json").read_text())
        assert keypoints["columns"] == ["dataset", "split", "boxes", "keypoint", "ap", "labelled"]
        assert keypoints["data"][2:] == [
            ["dots", "val", "gt", "nose", 0.7, 9],
            ["dots", "val", "gt", "left_eye", None, 0],
        ]
        assert json.loads((folder / "crowding.json").read_text())["data"][0] == [
            "dots",
            "val",
            "detector",
            "hard",
            3,
            0.25,
        ]
        listed = json.loads(run.data.tags["mlflow.loggedArtifacts"])
        assert [one["path"] for one in listed] == ["evaluations.json", "keypoints.json", "crowding.json"]

    def test_the_run_is_described_and_under_the_run_of_the_study(self, results: Path, run: Run):
        (study,) = runs_of(results, "study")
        assert run.data.tags["mlflow.parentRunId"] == study.info.run_id
        assert (study.info.run_name, study.info.status) == (STUDY, "RUNNING")
        assert "of epoch 2, where the validation has 0.3333" in run.data.tags["mlflow.note.content"]
        assert "comparison.csv" in study.data.tags["mlflow.note.content"]
        experiment = MlflowClient(database_uri(results)).get_experiment(run.info.experiment_id)
        assert "evaluations.json" in experiment.tags["mlflow.note.content"]
        assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"

    def test_tags_say_where_the_run_comes_from(self, run: Run):
        tags = run.data.tags
        assert tags["mlflow.source.git.commit"] == tags["transpose.git"] == COMMIT
        assert tags["transpose.git_dirty"] == "true"
        assert tags["transpose.code_fingerprint"] == "f1f2"
        assert tags["transpose.initialisation"] == "from scratch"
        assert tags["transpose.cpu"] == "Abacus 2"
        assert tags["transpose.parameters"] == "1234"
        assert tags["transpose.threads"] == "2, then 1"
        assert len(tags["transpose.recipe_sha256"]) == 64

    def test_datasets_are_named_with_digest_context_and_boxes(self, run: Run):
        logged = {}
        assert run.inputs is not None
        for data in run.inputs.dataset_inputs:
            tags = {tag.key: tag.value for tag in data.tags}
            logged[data.dataset.name] = (tags["mlflow.data.context"], tags["sha256"], tags.get("boxes"))
            assert tags["sha256"].startswith(data.dataset.digest)
        assert logged == {
            "dots/train (train)": ("train", "a" * 64, None),
            "dots/val (validation)": ("validation", "b" * 64, None),
            "dots/val/gt": ("evaluation", "b" * 64, "ground_truth"),
            "dots/val/detector": ("evaluation", "b" * 64, "simulated"),
        }

    def test_artifacts_are_the_files(self, results: Path, run: Run):
        place = f"{VARIANT}/seed0"
        expected = {
            f"recipe/{VARIANT}.json": f"records/recipes/{VARIANT}.json",
            f"cost/{VARIANT}.json": f"cost/{VARIANT}.json",
            "training/run.json": f"train/{place}/run.json",
            "training/history.jsonl": f"train/{place}/history.jsonl",
            "metrics/dots/val/gt.json": f"metrics/{place}/dots/val/gt.json",
            "metrics/dots/val/detector.json": f"metrics/{place}/dots/val/detector.json",
            "attention/dots/val/persons.json": f"attention/{place}/dots/val/persons.json",
            "attention/dots/val/figures/0_dependency.png": f"attention/{place}/dots/val/figures/0_dependency.png",
        }
        folder = results / "mlartifacts" / run.info.run_id / "artifacts"
        held = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for table in ("evaluations.json", "keypoints.json", "crowding.json"):
            del held[table]
        assert {name: path.read_bytes() for name, path in held.items()} == {
            name: (results / path).read_bytes() for name, path in expected.items()
        }

    def test_status_and_times_are_the_training_s(self, results: Path, run: Run):
        assert run.info.status == "FINISHED"
        written = int((results / "train" / VARIANT / "seed0" / "run.json").stat().st_mtime * 1000)
        assert (run.info.start_time, run.info.end_time) == (written - 12500, written)

    def test_the_logged_model_predicts_as_the_trained_one(self, results: Path, run: Run, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", database_uri(results))
        assert run.outputs is not None
        (output,) = run.outputs.model_outputs
        logged = pyfunc.load_model(f"models:/{output.model_id}")
        expected = transpose.load(results / "train" / VARIANT / "seed0").predict(PHOTOGRAPH, [BOX])
        encoded = PHOTOGRAPH.read_bytes()
        for image in (encoded, base64.b64encode(encoded).decode(), str(PHOTOGRAPH)):
            ((pose,),) = [found.persons for found in logged.predict([{"image": image, "boxes": [BOX]}])]
            assert pose.score == expected.person_scores[0]
            assert list(pose.keypoints) == list(expected.skeleton.keypoints)
            points = [[point.x, point.y, point.score] for point in pose.keypoints.values()]
            assert points == np.column_stack((expected.xy[0], expected.scores[0])).tolist()
        whole, none = logged.predict([{"image": encoded}, {"image": encoded, "boxes": []}])
        assert (whole.persons[0].box[:2], none.persons) == ([0, 0], [])

    def test_the_logged_model_describes_itself(self, results: Path, run: Run, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", database_uri(results))
        assert run.outputs is not None
        info = get_model_info(f"models:/{run.outputs.model_outputs[0].model_id}")
        assert info.signature is not None
        assert info.signature.inputs.to_dict()[0]["properties"].keys() == {"image", "boxes"}
        assert info.signature.outputs.to_dict()[0]["properties"].keys() == {"persons"}
        assert info.saved_input_example_info is not None
        assert info.metadata is not None
        assert "keypoints by name" in info.metadata["description"]

    def test_the_model_is_registered_as_the_best_of_its_variant(self, results: Path, run: Run, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", database_uri(results))
        version = MlflowClient(database_uri(results)).get_model_version_by_alias(f"{STUDY}-{VARIANT}", "best")
        weights = results / "train" / VARIANT / "seed0" / "weights.safetensors"
        assert version.tags["transpose.weights_sha256"] == sha256_of_file(weights)
        assert (version.run_id, "with seed 0" in str(version.description)) == (run.info.run_id, True)
        (found,) = pyfunc.load_model(f"models:/{STUDY}-{VARIANT}@best").predict([{"image": PHOTOGRAPH.read_bytes()}])
        assert len(found.persons) == 1

    def test_evaluations_belong_to_the_model_and_their_data(self, results: Path, run: Run):
        assert run.outputs is not None
        model = MlflowClient(database_uri(results)).get_logged_model(run.outputs.model_outputs[0].model_id)
        assert model.metrics is not None
        (point,) = (metric for metric in model.metrics if metric.key == "AP_dots_val_detector")
        assert (point.value, point.dataset_name, point.dataset_digest) == (0.5, "dots/val/detector", "b" * 36)

    def test_a_second_call_adds_nothing(self, results: Path):
        before = dump(results)
        answer = track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        assert answer["added"] == 0
        assert dump(results) == before


@pytest.mark.usefixtures("without_model")
class TestChanges:
    def test_another_recipe_supersedes_the_run(self, results: Path):
        write_training(results)
        first = track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        longer = RECIPE.model_copy(update={"training": RECIPE.training.model_copy(update={"batch_size": 8})})
        write_training(results, recipe=longer)
        second = track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        assert second["run_id"] != first["run_id"]
        old = next(run for run in runs_of(results) if run.info.run_id == first["run_id"])
        assert old.data.tags["superseded"] == "true"
        assert old.data.params["training.batch_size"] == "7"
        assert present_run(results).data.params["training.batch_size"] == "8"

    def test_other_numbers_of_an_epoch_supersede_the_run(self, results: Path):
        write_training(results)
        track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        changed = [*HISTORY[:2], HISTORY[2] | {"loss": 0.5}]
        write_training(results, history=changed)
        track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        assert len(runs_of(results)) == 2
        assert points(results, present_run(results), "training/loss") == history_points("loss", changed)

    def test_a_description_that_someone_wrote_stays(self, results: Path):
        write_training(results)
        run_id = track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["run_id"]
        MlflowClient(database_uri(results)).set_tag(run_id, "mlflow.note.content", "the one for the paper")
        assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["added"] == 0
        assert present_run(results).data.tags["mlflow.note.content"] == "the one for the paper"

    def test_a_new_evaluation_is_the_latest_whatever_the_clock_says(self, results: Path, monkeypatch):
        write_training(results)
        write_metrics(results, AP=0.5)
        track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        monkeypatch.setattr(time, "time", lambda: 1e6)
        write_metrics(results, AP=0.4)
        assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["added"] == 1
        assert present_run(results).data.metrics["AP_dots_val_gt"] == 0.4

    def test_later_stages_join_the_same_run(self, results: Path):
        write_training(results)
        first = track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        write_metrics(results)
        assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["run_id"] == first["run_id"]
        assert present_run(results).data.metrics["AP_dots_val_gt"] == 0.1 + 0.7


@pytest.mark.usefixtures("without_model")
class TestUnfinishedTraining:
    @pytest.fixture
    def folder(self, results: Path) -> Path:
        write_recipe(results)
        folder = results / "train" / VARIANT / "seed0"
        folder.mkdir(parents=True)
        return folder

    def test_without_a_process_it_was_killed(self, results: Path, folder: Path):
        (folder / ".lock").touch()
        write_text(folder / "history.jsonl", history_lines(HISTORY[:1]))
        assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["status"] == "KILLED"
        run = present_run(results)
        assert run.info.status == "KILLED"
        assert points(results, run, "training/loss") == [(0, HISTORY[0]["loss"])]

    def test_with_a_process_it_runs(self, results: Path, folder: Path):
        with folder_lock(folder):
            assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["status"] == "RUNNING"
        assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["status"] == "KILLED"

    def test_a_failure_stays_one_until_training_finishes(self, results: Path, folder: Path):
        run_id = track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["run_id"]
        MlflowClient(database_uri(results)).set_terminated(run_id, "FAILED")
        assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["status"] == "FAILED"
        write_training(results)
        answer = track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        assert (answer["run_id"], answer["status"]) == (run_id, "FINISHED")


@pytest.mark.usefixtures("without_model")
def test_parallel_jobs_lose_nothing(results: Path):
    seeds = range(4)
    for seed in seeds:
        write_training(results, seed)
        write_metrics(results, seed=seed, AP=seed / 10)
    forked = multiprocessing.get_context("fork")
    jobs = [
        forked.Process(target=track_run, args=(ResultsLayout(results), DESTINATION, RunId(VARIANT, seed)))
        for seed in seeds
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * len(jobs)
    runs = {run.data.tags["transpose.seed"]: run for run in runs_of(results)}
    assert {seed: run.data.metrics["AP_dots_val_gt"] for seed, run in runs.items()} == {
        str(seed): seed / 10 for seed in seeds
    }
    assert all(points(results, run, "training/loss") == history_points("loss") for run in runs.values())


class TestErrors:
    def fails(self, results: Path, problem: str, store: str | None = None) -> None:
        with pytest.raises(InputError, match=problem):
            track_run(ResultsLayout(results), replace(DESTINATION, store=store), RunId(VARIANT, 0))

    def test_nothing_trained(self, results: Path):
        self.fails(results, "train/tiny_r/seed0: nothing has been trained here")

    def test_broken_history(self, results: Path):
        write_training(results)
        write_text(results / "train" / VARIANT / "seed0" / "history.jsonl", history_lines(HISTORY) + '{"epoch": ')
        self.fails(results, "history.jsonl: line 4: not JSON")

    @pytest.mark.parametrize("digest", ["0", None])
    def test_evaluation_of_other_or_unknown_weights(self, results: Path, digest: str | None):
        write_training(results)
        path = write_metrics(results)
        write_text(path, json.dumps(json.loads(path.read_text()) | {"weights_sha256": digest}))
        self.fails(results, "gt.json: weights_sha256: not an evaluation of")

    def test_unreachable_server(self, results: Path, monkeypatch):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")
        write_training(results)
        begin = time.monotonic()
        self.fails(results, r"^http://\.\.\.@127.0.0.1:9: tracking failed: ", "http://me:secret@127.0.0.1:9")
        assert time.monotonic() - begin < 10

    def test_file_that_is_no_database(self, results: Path):
        write_training(results)
        for file in results.glob("mlflow.db*"):
            file.unlink()
        (results / "mlflow.db").write_text("hello" * 1000)
        self.fails(results, "mlflow.db: tracking failed: file is not a database")
        with pytest.raises(InputError, match="file is not a database"):
            initialise_database(database_uri(results))

    def test_moved_results(self, results: Path, tmp_path: Path):
        write_training(results)
        results.joinpath("comparison.md").write_text("| table |\n")
        track_study(ResultsLayout(results), DESTINATION)
        moved = results.rename(tmp_path / "elsewhere")
        self.fails(moved, "the results were moved")


def test_a_server_that_is_away_stops_no_training(results: Path, monkeypatch, capsys):
    layout = ResultsLayout(results)
    Plan.of_config(read_yaml(Path("config/config.yaml")), Path("config")).write_records(layout)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    track_database(results)
    warning = capsys.readouterr().err
    assert "trainings start without it" in warning
    assert "secret" not in warning
    assert json.loads(layout.tracking_database().read_text()) == {"tracking_uri": "http://127.0.0.1:9"}


def test_initialising_twice_keeps_what_is_there(results: Path):
    uri = database_uri(results)
    MlflowClient(uri).create_experiment("kept")
    initialise_database(uri)
    assert MlflowClient(uri).get_experiment_by_name("kept") is not None


def test_study_is_one_run_with_its_tables_figures_viewers_and_report(results: Path):
    with pytest.raises(InputError, match="nothing has been compared yet"):
        track_study(ResultsLayout(results), DESTINATION)
    write_text(results / "comparison.csv", "variant,AP\n")
    write_text(results / "figures" / "curves.png", "not really an image")
    write_text(results / "viewer" / "dots_val.html", "<!DOCTYPE html>")
    write_text(results / "errors" / "dots_val.html", "<!DOCTYPE html>")
    write_text(results / "report" / "data" / "index.html", "<!DOCTYPE html>")
    first = track_study(ResultsLayout(results), DESTINATION)
    write_text(results / "comparison.csv", "variant,AP\ntiny_r,0.5\n")
    assert track_study(ResultsLayout(results), DESTINATION) == first
    (run,) = runs_of(results, "study")
    assert (run.info.run_name, run.info.status) == (STUDY, "FINISHED")
    folder = results / "mlartifacts" / run.info.run_id / "artifacts"
    assert folder.joinpath("comparison.csv").read_text() == "variant,AP\ntiny_r,0.5\n"
    for path in ("figures/curves.png", "viewer/dots_val.html", "errors/dots_val.html", "report/data/index.html"):
        assert folder.joinpath(path).read_bytes() == (results / path).read_bytes()


@pytest.mark.usefixtures("without_model")
def test_the_run_of_the_study_has_the_accuracy_of_the_best_variant(results: Path):
    write_text(results / "comparison.csv", "variant,AP\n")
    other = RECIPE.model_copy(update={"name": "tiny_x"})
    for seed, recipe, accuracy in ((0, RECIPE, 0.25), (1, RECIPE, 0.5), (0, other, 0.3125)):
        write_training(results, seed, recipe)
        write_metrics(results, seed=seed, variant=recipe.name, AP=accuracy)
        track_run(ResultsLayout(results), DESTINATION, RunId(recipe.name, seed))
    for _ in range(2):
        track_study(ResultsLayout(results), DESTINATION)
    (study,) = runs_of(results, "study")
    assert points(results, study, "AP_dots_val_gt") == [(0, 0.375)]
    colours = [(run.data.tags["transpose.variant"], run.data.tags["mlflow.runColor"]) for run in runs_of(results)]
    assert len(set(colours)) == len({colour for _, colour in colours}) == 2
    assert study.data.tags["mlflow.runColor"] not in {colour for _, colour in colours}
