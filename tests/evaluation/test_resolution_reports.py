"""Trained weights at other input sizes."""

from pathlib import Path

import pytest
import torch

from tests.helpers.pose_models import pose_model
from tests.helpers.results_folder import SETTING, write_inputs
from tests.helpers.small_variants import small_encoder, small_variant
from transpose.config.analyses import InputSizes
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.data.boxes import read_boxes
from transpose.data.coco import load_annotations
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation.analysis_records import ResolutionReport
from transpose.evaluation.resolutions import batch_size_at, write_resolutions
from transpose.evaluation.results import read_results
from transpose.files import read_json
from transpose.models.initialise import initialise
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind, ResultsLayout, RunId

PROTOCOL = EvalProtocol(batch_size=4, blur_kernel=3)
TRAINED, LARGER = (32, 24), (48, 40)
CPU = DeviceContext(torch.device("cpu"), "fp32", 1)


def recipe_with(embedding: str | None) -> Recipe:
    encoder = None if embedding is None else small_encoder(position_embedding=embedding)
    variant = small_variant("resnet", {"encoder": encoder})
    return Recipe(name="small", variant=variant, training=Training(device="cpu"))


def model_of(recipe: Recipe) -> TransPose:
    model = build_model(recipe.variant, len(COCO_PERSON))
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    return model.eval()


class Files:
    """What a study of sizes reads and writes."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.annotations, self.folder = data / "annotations.json", folder
        source = {"kind": "folder", "folders": {"val": str(data)}}
        boxes = {"ground_truth": {"kind": "ground_truth"}}
        self.dataset = Dataset.model_validate({"title": "tiny", "source": source, "boxes": boxes})
        self.output = ResultsLayout(folder).resolutions(RunId("small", 0), SETTING)
        self.boxes = ResultsLayout(folder).boxes(SETTING)

    def write(self, recipe: Recipe, *sizes: tuple[int, int]) -> set[str]:
        """Run the study; the names of its reports."""
        settings = {RecordKind.RESOLUTIONS: InputSizes(sizes=sizes)}
        inputs = write_inputs(self.folder, recipe, self.dataset, self.annotations, PROTOCOL, settings)
        save_weights(model_of(recipe), inputs.run_folder.weights, {})
        write_resolutions(inputs)
        return {path.stem for path in self.output.glob("*.json") if not path.stem.endswith(".predictions")}

    def predictions(self, name: str):
        return read_results(self.output / f"{name}.predictions.json", COCO_PERSON)

    def expected(self, model: TransPose, size: tuple[int, int]):
        """What a model in hand predicts at a size."""
        known = load_annotations(self.annotations, COCO_PERSON)
        protocol = PROTOCOL.model_copy(update={"batch_size": batch_size_at(PROTOCOL, TRAINED, size)})
        return pose_model(optimize_for_inference(model, CPU), protocol).predict_boxes(
            read_boxes(self.boxes), known, size
        )


@pytest.fixture
def files(tiny_dataset: Path, tmp_path: Path) -> Files:
    return Files(tiny_dataset, tmp_path)


@pytest.mark.parametrize(
    ("embedding", "names"),
    [
        ("sine", {"48x40_resampled", "48x40_recomputed"}),
        ("learnable", {"48x40_resampled"}),
        ("none", {"48x40_no_embedding"}),
        (None, {"48x40_no_embedding"}),
    ],
)
def test_only_ways_that_differ_are_taken(files: Files, embedding: str | None, names: set[str]) -> None:
    assert files.write(recipe_with(embedding), LARGER, TRAINED, LARGER) == names


def test_resampled_is_the_trained_network_at_larger_crops(files: Files) -> None:
    recipe = recipe_with("sine")
    files.write(recipe, LARGER)
    expected = files.expected(model_of(recipe), LARGER)
    assert (files.predictions("48x40_resampled").keypoints == expected.keypoints).all()


def test_recomputed_is_a_network_built_for_the_larger_grid(files: Files) -> None:
    recipe = recipe_with("sine")
    files.write(recipe, LARGER)
    built = build_model(recipe.variant.model_copy(update={"input_size": LARGER}), len(COCO_PERSON)).eval()
    weights = {name: value for name, value in model_of(recipe).state_dict().items() if name != "pos_embedding"}
    built.load_state_dict(weights, strict=False)
    assert (files.predictions("48x40_recomputed").keypoints == files.expected(built, LARGER).keypoints).all()
    assert (files.predictions("48x40_recomputed").keypoints != files.predictions("48x40_resampled").keypoints).any()


def test_a_report_names_size_and_way(files: Files) -> None:
    files.write(recipe_with("learnable"), LARGER)
    report = ResolutionReport.model_validate(read_json(files.output / "48x40_resampled.json"))
    assert (report.input_size, report.position, report.boxes_kind) == (LARGER, "resampled", "ground_truth")
    assert (report.protocol, report.runtime.name) == (PROTOCOL, "torch")


def test_a_size_that_the_stride_does_not_divide_leaves_nothing(files: Files) -> None:
    with pytest.raises(InputError, match=r"small: resolutions\.sizes: 50x40 is not divisible by 8"):
        files.write(recipe_with("sine"), LARGER, (50, 40))
    assert not files.output.exists()


def test_larger_crops_come_in_smaller_batches() -> None:
    protocol = EvalProtocol(batch_size=32)
    assert batch_size_at(protocol, (256, 192), (512, 384)) == 8
    assert batch_size_at(protocol, (256, 192), (128, 96)) == 32
    assert batch_size_at(protocol, (16, 16), (512, 384)) == 1
