"""Transfer to MPII at toy size: from the official file's structure to a table with PCKh."""

import json
from pathlib import Path

import pytest

from tests.data.made_up_mpii import all_keypoints, person, write_images, write_release
from tests.helpers.small_variants import small_variant
from tests.training.test_run import Watcher
from transpose.config.base import read_yaml
from transpose.config.load import load_dataset, load_variant, read_record
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol, EvalSetting
from transpose.config.training import Training
from transpose.data.boxes import ground_truth_boxes, write_boxes
from transpose.data.mpii import ValidationList, convert_mpii
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.pckh import read_hits
from transpose.evaluation.prediction_file import write_predictions
from transpose.evaluation.report import EvaluationReport, write_metrics
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.reporting.study import write_study
from transpose.reporting.study_files import StudyFiles
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RunId
from transpose.study.plan import Plan
from transpose.training.data import TrainingData
from transpose.training.run import train_variant

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[1] / "config"
DATASET = load_dataset("mpii", CONFIG / "datasets")
PROTOCOL = EvalProtocol(batch_size=4, blur_kernel=3)
STUDY = {
    "name": "toy_mpii",
    "variants": ["small"],
    "train": {"dataset": "mpii", "split": "train"},
    "validation": {"dataset": "mpii", "split": "val"},
    "evaluations": [{"dataset": "mpii", "split": "val", "boxes": ["ground_truth"]}],
    "protocol": {"batch_size": 4, "blur_kernel": 3},
    "bootstrap_samples": 20,
}


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    """MPII of six made-up images, two persons each of whom the second is framed far beyond its image."""
    names = [f"{number}.jpg" for number in range(6)]
    write_images(tmp_path / "images", dict.fromkeys(names, (96, 128)))
    persons = [
        person(all_keypoints(40, 30), head=(40, 20, 60, 50)),
        # Both predictions nearly coincide, and both must be judged.
        person(all_keypoints(42, 31), objpos=(61, 50), scale=0.4, head=(40, 20, 60, 50)),
    ]
    write_release(tmp_path / "release.mat", [(name, True, persons) for name in names])
    (tmp_path / "valid.txt").write_text("4.jpg\n5.jpg\n")
    convert_mpii(
        tmp_path / "release.mat", tmp_path / "images", ValidationList(tmp_path / "valid.txt"), tmp_path / "mpii"
    )
    return tmp_path / "mpii"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Fine-tuning at 64x64 from weights of 17 keypoints at 32x24."""
    coco = build_model(small_variant("resnet"), len(COCO_PERSON))
    initialise(coco, "kaiming", pretrained_backbone=False)
    save_weights(coco, tmp_path / "coco.safetensors", {"variant": "small", "seed": "0"})
    training = Training(
        epochs=2,
        batch_size=4,
        sigma=1.0,
        initial_weights=str(tmp_path / "coco.safetensors"),
        pretrained_rate_factor=0.1,
        device="cpu",
        workers=0,
    )
    return Recipe(name="small", variant=small_variant("resnet", {"input_size": (64, 64)}), training=training)


def test_from_the_official_file_to_a_table(converted: Path, recipe: Recipe, tmp_path: Path) -> None:
    results = tmp_path / "results"
    annotations = converted / "val" / "annotations.json"
    run = results / "train" / "small" / "seed0"
    data = TrainingData(converted / "train" / "annotations.json", annotations, DATASET.skeleton, DATASET.evaluation)
    record = train_variant(recipe, 0, data, PROTOCOL, run, Watcher())
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    best = max(line["validation"]["PCKh50"] for line in history)
    assert record.training is not None
    assert (record.training.metric, record.training.best_value) == ("PCKh50", best)
    assert history[record.training.best_epoch]["validation"]["PCKh50"] == best
    assert (record.evaluation, record.skeleton, record.protocol) == ("pckh", DATASET.skeleton, PROTOCOL)

    plan = Plan.of_config(STUDY | {"results": str(results)}, write_variant(tmp_path, recipe))
    plan.write_records(plan.layout)
    inputs = AnalysisInput(
        plan.layout,
        RunId("small", 0),
        EvalSetting("mpii", "val", "ground_truth"),
        annotations,
        "transpose.evaluation.report",
    )
    write_boxes(ground_truth_boxes(inputs.annotations), inputs.boxes_file)
    write_predictions(inputs)
    assert len(json.loads(inputs.predictions_file.read_text())) == 4
    write_metrics(inputs)
    metrics = plan.layout.metrics(inputs.run, inputs.setting)
    report = read_record(EvaluationReport, metrics)
    assert report.metric == "PCKh50"
    # The same weights, boxes and protocol as in validation.
    assert report.metrics["PCKh50"] == best
    assert report.metrics["PCKh10"] <= report.metrics["PCKh11"] <= report.metrics["PCKh50"]
    assert (report.persons, report.predictions, report.reference_check) == (4, 4, None)
    assert [keypoint.keypoint for keypoint in report.keypoints] == list(DATASET.skeleton.keypoints)
    assert read_hits(metrics.with_suffix(".npz")).keypoints.tolist() == [2 * 14, 2 * 14]

    write_study(StudyFiles.read(plan.layout), CONFIG / "tables" / "published.yaml")
    table = (results / "comparison.md").read_text()
    assert "| Model | PCKh50 | 95 % interval | Published | Difference | PCKh10 | PCKh11 | Published PCKh11 |" in table
    assert f"| small | {100 * best:.1f} |" in table
    assert (results / "figures" / "keypoints_mpii_val_ground_truth.png").is_file()


def write_variant(folder: Path, recipe: Recipe) -> Path:
    """A configuration folder with the recipe's variant and the MPII data set."""
    (folder / "config" / "variants").mkdir(parents=True)
    (folder / "config" / "datasets").mkdir()
    (folder / "config" / "variants" / "small.yaml").write_text(recipe.variant.model_dump_json())
    (folder / "config" / "datasets" / "mpii.yaml").write_bytes((CONFIG / "datasets" / "mpii.yaml").read_bytes())
    return folder / "config"


def test_the_study_is_the_published_recipe() -> None:
    plan = Plan.of_config(read_yaml(CONFIG / "studies" / "mpii.yaml"), CONFIG)
    rows = read_yaml(CONFIG / "tables" / "published.yaml")["rows"]
    published = {row["name"] for row in rows if row["benchmark"] == "mpii_val"}
    for name, recipe in plan.recipes.items():
        assert recipe.variant.input_size == (256, 256)
        assert recipe.variant.published == name
        assert name in published
        fine_tuned = name.endswith("_finetuned")
        assert recipe.training.epochs == (100 if fine_tuned else 230)
        assert recipe.training.pretrained_rate_factor == (0.1 if fine_tuned else 1.0)
        assert len(plan.training.initial_weights(name)) == fine_tuned
        assert len(plan.training.backbone_weights(name)) == (not fine_tuned)
        # Only the input size and the names differ from the variant that was trained on COCO.
        coco = load_variant(name.removesuffix("_finetuned").removesuffix("_mpii"), CONFIG / "variants").model_dump()
        here = recipe.variant.model_dump()
        assert {key for key in coco if coco[key] != here[key]} == {"title", "published", "released", "input_size"}
