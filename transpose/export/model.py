"""Predict poses with an exported file, without PyTorch."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from transpose.config.base import parse
from transpose.config.exported import SUFFIXES, ExportedDescription, is_exported
from transpose.config.study import EvalProtocol
from transpose.data.any_image import AnyImage, read_any_image
from transpose.data.crops import BoxCrops
from transpose.data.image_boxes import boxes_in_image, crop_boxes
from transpose.data.onnx_session import first_line
from transpose.errors import InputError
from transpose.export.sessions import Session, session_of
from transpose.geometry import rescale_points
from transpose.inference.poses import Poses
from transpose.inference.predictions import PredictionCollector, person_scores
from transpose.machine import given_threads
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class ExportedModel:
    """An exported pose model; it predicts as the `PoseModel` that it was exported from."""

    description: ExportedDescription
    path: Path
    session: Session

    @property
    def protocol(self) -> EvalProtocol:
        """The protocol that keypoints are predicted by."""
        return self.description.protocol

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints that the model predicts."""
        return self.description.skeleton

    def predict(self, image: AnyImage, boxes: ArrayLike | None = None) -> Poses:
        """Predict the poses of persons in boxes; see `PoseModel.predict`.

        Raises:
            InputError: the image or a box is wrong, a box is outside of the image, or the model fails.
        """
        pixels, name = read_any_image(image)
        given = boxes_in_image(boxes, pixels, name)
        collector = PredictionCollector(self.skeleton, self.protocol)
        for start in range(0, len(given), self.protocol.batch_size):
            part = np.arange(start, min(start + self.protocol.batch_size, len(given)))
            self._add(crop_boxes(pixels, given, self.description.input_size, part), collector)
        found = collector.predictions()
        scores = person_scores(found, np.ones(len(given)), self.protocol)
        return Poses(self.skeleton, found.keypoints_xy, found.keypoint_scores, scores, given)

    def predict_heatmaps(self, crops: np.ndarray) -> np.ndarray:
        """Predict heatmaps [B, K, h, w] float32 of crops [B, H, W, 3] uint8 RGB, by the protocol.

        Only for files that return heatmaps.

        Raises:
            InputError: the model fails, or its heatmaps are not finite.
        """
        heatmaps = self._run(crops)
        if not self.protocol.flip_test:
            return heatmaps
        mirrored = self._run(np.ascontiguousarray(crops[:, :, ::-1]))
        return mean_with_mirrored(heatmaps, mirrored, self.skeleton)

    def _add(self, crops: BoxCrops, collector: PredictionCollector) -> None:
        """Predict keypoints of a batch and collect them."""
        if self.description.returns == "heatmaps":
            collector.add(crops, self.predict_heatmaps(crops.crops))
            return
        keypoints = self._run(crops.crops)
        size = self.description.heatmap_size
        points = rescale_points(keypoints[..., :2], self.description.input_size, size)
        collector.add_decoded(crops, points, keypoints[..., 2], size)

    def _run(self, crops: np.ndarray) -> np.ndarray:
        try:
            output = self.session.run(crops)
        except Exception as error:  # the libraries' own errors share no base class
            raise InputError(f"the model failed: {first_line(error)}", file=self.path) from None
        if not np.isfinite(output).all():
            raise InputError("the model's outputs are not finite; training has diverged", file=self.path)
        return output


def load_exported(path: Path | str, threads: int | None = None) -> ExportedModel:
    """Load a file that `transpose export` wrote: .onnx (ONNX Runtime), .xml (OpenVINO) or .pt2 (PyTorch).

    Args:
        threads: CPU threads; by default those that the process is given (`OMP_NUM_THREADS`), or all cores that it may
            use.

    Raises:
        InputError: the file is missing, cannot be loaded, or was not written by `transpose export`.
        ModuleNotFoundError: the library of the format is not installed.
    """
    file = Path(path)
    if not is_exported(file):
        raise InputError(f"must end in {', '.join(SUFFIXES.values())}", file=file)
    session = session_of(file, threads or given_threads())
    if session.description is None:
        raise InputError("was not written by `transpose export`: it does not describe its keypoints", file=file)
    try:
        values = json.loads(session.description)
    except ValueError:
        raise InputError("its description is not JSON", file=file) from None
    return ExportedModel(parse(ExportedDescription, values, file), file, session)


def mean_with_mirrored(heatmaps: np.ndarray, mirrored: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Average heatmaps [B, K, h, w] with those of the mirrored crops; `inference.flip` does so with tensors."""
    return np.float32(0.5) * (heatmaps + mirrored[:, skeleton.flip_permutation, :, ::-1])
