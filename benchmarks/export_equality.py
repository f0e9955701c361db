"""Compare exported and served models with PyTorch in fp32: heatmaps, keypoints and AP.

python -m benchmarks.export_equality results/train/r_sine/seed0 results/train/h_sine/seed0

Persons are those of the packaged photographs and of rendered images, in their annotated boxes. AP is that of the
model's protocol.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

import transpose
from benchmarks.served_answers import Answer, answered_keypoints, http_answers, mlflow_answers
from transpose.codec.decode import decode_heatmaps
from transpose.config.dataset import SyntheticSource
from transpose.config.exported import SUFFIXES, ExportFormat, ExportReturns
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.photographs import photographs_folder
from transpose.evaluation.oks import evaluate_keypoints
from transpose.export.model import ExportedModel, load_exported
from transpose.export.write import export_model
from transpose.geometry import (
    PIXELS_PER_SCALE_UNIT,
    box_to_center_scale,
    crop_affines,
    rescale_points,
    transform_points,
)
from transpose.inference.predictions import PredictionCollector, Predictions, finish_predictions
from transpose.model_sources import PACKAGED
from transpose.pose_model import PoseModel
from transpose.synthetic.dataset import synthesise

MIN_SCORE = 0.2
"""Keypoints with a lower score in PyTorch are not compared: on a flat map the decoding amplifies rounding."""
MAX_DISTANCE = 0.05
"""Crop pixels."""

FILES: tuple[tuple[str, ExportFormat, ExportReturns], ...] = (
    ("torch.export", "torch.export", "heatmaps"),
    ("ONNX Runtime", "onnx", "heatmaps"),
    ("OpenVINO, f32", "openvino", "heatmaps"),
    ("torch.export, keypoints", "torch.export", "keypoints"),
    ("ONNX Runtime, keypoints", "onnx", "keypoints"),
    ("OpenVINO, f32, keypoints", "openvino", "keypoints"),
)


@dataclass(frozen=True)
class People:
    """Images with annotated persons."""

    name: str
    annotations: CocoAnnotations
    boxes: PersonBoxes

    @classmethod
    def read(cls, name: str, folder: Path, model: PoseModel) -> "People":
        """Read `annotations.json` and `images/` of a folder."""
        annotations = load_annotations(folder / "annotations.json", model.skeleton)
        return cls(name, annotations, ground_truth_boxes(annotations))

    def batches(self, model: PoseModel) -> Iterable[EvaluationBatch]:
        """Return the crops of all persons."""
        source = image_source_of(self.annotations.source)
        crops = EvaluationCrops(self.boxes, self.annotations, source, model.variant.input_size)
        return crops.batches(model.protocol.batch_size)


@dataclass(frozen=True)
class Outputs:
    """Predictions of N persons by one library or server."""

    heatmaps: np.ndarray | None
    """[N, K, h, w] float32, averaged as in the protocol; None where keypoints are returned."""
    points: np.ndarray
    """[N, K, 2] crop pixels."""
    scores: np.ndarray
    """[N, K]."""
    ap: float


@dataclass(frozen=True)
class Outlier:
    """A keypoint that differs by more than `MAX_DISTANCE`."""

    person: int
    """Position among the persons."""
    keypoint: str
    score: float
    distance: float
    """Crop pixels."""


@dataclass(frozen=True)
class Agreement:
    """How far an exported file or a server agrees with PyTorch."""

    heatmap_difference: float | None
    """Largest difference relative to the largest value of a heatmap in PyTorch; None without heatmaps."""
    compared: int
    """Keypoints with a score above `MIN_SCORE` in PyTorch."""
    outliers: tuple[Outlier, ...]
    ap: float

    @property
    def share(self) -> float:
        """Share of the compared keypoints within `MAX_DISTANCE`; 1 if there are none."""
        return 1 - len(self.outliers) / self.compared if self.compared else 1.0


def outputs_of(model: PoseModel, people: People, exported: ExportedModel | None) -> Outputs:
    """Predict all persons by the model's protocol, in PyTorch or with an exported file."""
    collector = PredictionCollector(model.skeleton, model.protocol)
    heatmaps, keypoints, index = [], [], []
    for batch in people.batches(model):
        maps, found = _predict_batch(model, batch, exported)
        points = rescale_points(found[..., :2], model.variant.input_size, model.variant.heatmap_size)
        collector.add_decoded(batch, points, found[..., 2], model.variant.heatmap_size)
        heatmaps.append(maps)
        keypoints.append(found)
        index.append(batch.index)
    order = np.argsort(np.concatenate(index))
    results = finish_predictions(collector.predictions(), people.boxes, model.protocol, model.skeleton)
    joined = np.concatenate(keypoints)[order]
    ap = evaluate_keypoints(people.annotations, results, model.skeleton).statistics["AP"]
    has_maps = heatmaps[0] is not None
    return Outputs(np.concatenate(heatmaps)[order] if has_maps else None, joined[..., :2], joined[..., 2], ap)


def _predict_batch(
    model: PoseModel, batch: EvaluationBatch, exported: ExportedModel | None
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return heatmaps [B, K, h, w] and keypoints [B, K, 3] in crop pixels, with scores."""
    if exported is not None and exported.description.returns == "keypoints":
        return None, exported.session.run(batch.crops.numpy())
    maps = (
        model.predict_heatmaps(batch.crops).numpy()
        if exported is None
        else exported.predict_heatmaps(batch.crops.numpy())
    )
    points, scores = decode_heatmaps(maps, model.protocol)
    in_crop = rescale_points(points, model.variant.heatmap_size, model.variant.input_size)
    return maps, np.concatenate((in_crop, scores[..., None]), axis=2)


def served_outputs(model: PoseModel, people: People, answer: Answer) -> Outputs:
    """Predict all persons by a server of the model."""
    found = answered_keypoints(answer, people.annotations, people.boxes, model.skeleton.keypoints)
    center, scale = box_to_center_scale(people.boxes.boxes_xywh, model.variant.input_size)
    affines = crop_affines(center, scale, np.zeros(len(found)), model.variant.input_size)
    predictions = Predictions(found[..., :2], found[..., 2], (scale * PIXELS_PER_SCALE_UNIT).prod(axis=1))
    results = finish_predictions(predictions, people.boxes, model.protocol, model.skeleton)
    ap = evaluate_keypoints(people.annotations, results, model.skeleton).statistics["AP"]
    return Outputs(None, transform_points(affines[:, None], found[..., :2]), found[..., 2], ap)


def agreement(expected: Outputs, found: Outputs, keypoints: Sequence[str]) -> Agreement:
    """Compare outputs with those of PyTorch."""
    difference = None
    if expected.heatmaps is not None and found.heatmaps is not None:
        difference = float(np.abs(found.heatmaps - expected.heatmaps).max() / expected.heatmaps.max())
    distances = np.linalg.norm(found.points - expected.points, axis=2)
    compared = expected.scores > MIN_SCORE
    places = np.argwhere(compared & (distances > MAX_DISTANCE)).tolist()
    outliers = tuple(
        Outlier(person, keypoints[index], float(expected.scores[person, index]), float(distances[person, index]))
        for person, index in places
    )
    return Agreement(difference, int(compared.sum()), outliers, found.ap)


def rows_of(name: str, run: Path, people: Sequence[People], folder: Path) -> Iterator[tuple[str, ...]]:
    """Export the model of a run folder in all formats, serve it, and yield the rows of the table; prints outliers."""
    plain = transpose.load(run).in_fp32()
    names, files = plain.skeleton.keypoints, {}
    for library, file_format, returns in FILES:
        path = folder / f"{returns}{SUFFIXES[file_format]}"
        export_model(plain, file_format, returns, path, transpose.__version__)
        files[library] = load_exported(path, threads=torch.get_num_threads())
    with http_answers(run) as served:
        servers = {"transpose serve": served, "MLflow model": mlflow_answers(run, folder / "mlflow")}
        for some in people:
            title = (name, f"{some.name}, {len(some.boxes)} persons")
            expected = outputs_of(plain, some, None)
            yield (*title, "PyTorch", "", "", f"{expected.ap:.4f}")
            for library, exported in files.items():
                yield _row(title, library, agreement(expected, outputs_of(plain, some, exported), names))
            for server, answer in servers.items():
                yield _row(title, server, agreement(expected, served_outputs(plain, some, answer), names))


def _row(title: Sequence[str], library: str, found: Agreement) -> tuple[str, ...]:
    _print_outliers(library, title, found)
    difference = "" if found.heatmap_difference is None else f"{found.heatmap_difference:.1e}"
    return (*title, library, difference, f"{100 * found.share:.3f}% of {found.compared}", f"{found.ap:.4f}")


def _print_outliers(library: str, title: Sequence[str], found: Agreement) -> None:
    for one in found.outliers:
        place = f"{', '.join(title)}: {library}: person {one.person} {one.keypoint}"
        print(f"{place}: {one.distance:.3f} crop pixels apart, score {one.score:.3f}")


def main() -> None:
    """Print the table for the packaged model and the given trainings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of trainings, next to the packaged model")
    parser.add_argument("--images", type=int, default=200, help="rendered images")
    parser.add_argument("--jobs", type=int, default=2, help="processes that render")
    arguments = parser.parse_args()
    header = ("model", "data", "library", "max. heatmap difference", f"keypoints within {MAX_DISTANCE} px", "AP")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        synthesise(SyntheticSource(images={"equality": arguments.images}), "equality", folder / "r", arguments.jobs)
        for number, run in enumerate([PACKAGED, *arguments.runs]):
            model = transpose.load(run)
            people = [
                People.read("photographs", photographs_folder(), model),
                People.read("rendered", folder / "r", model),
            ]
            rows += rows_of("packaged" if run == PACKAGED else str(run), run, people, folder / str(number))
    print(tabulate(rows, header, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
