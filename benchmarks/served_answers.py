"""Poses of annotated persons as `transpose serve` and the logged MLflow model answer with them."""

import base64
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np

from benchmarks.serve_load import running_server
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations
from transpose.data.image_source import image_source_of
from transpose.data.images import ImageFiles
from transpose.inference.named_poses import NamedPose
from transpose.serving.answers import Prediction
from transpose.serving.limits import Limits

Answer = Callable[[bytes, np.ndarray], Sequence[NamedPose]]
"""From the bytes of an image file and boxes [n, 4] in it to n poses."""


@contextmanager
def http_answers(run: Path) -> Iterator[Answer]:
    """Serve the model of a run folder by `transpose serve`; yields a function that sends requests to it."""
    with running_server(["--model", str(run)]) as server:

        def answer(data: bytes, boxes: np.ndarray) -> Sequence[NamedPose]:
            query = urlencode([("box", ",".join(map(repr, box))) for box in boxes.tolist()])
            url = f"http://127.0.0.1:{server.port}/predict?{query}"
            with urlopen(Request(url, data, {"Content-Type": "image/jpeg"})) as response:
                return Prediction.model_validate_json(response.read()).persons

        yield answer


def mlflow_answers(run: Path, folder: Path) -> Answer:
    """Save the model of a run folder as an MLflow model and load it.

    Args:
        folder: of the MLflow model; must not exist.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns about internals.
        from mlflow import pyfunc

        from transpose.tracking import model_code
        from transpose.tracking.served_model import RUN

        pyfunc.save_model(
            str(folder), python_model=str(model_code.__file__), artifacts={RUN: str(run)}, pip_requirements=["mlflow"]
        )
        model = pyfunc.load_model(str(folder))

    def answer(data: bytes, boxes: np.ndarray) -> Sequence[NamedPose]:
        (found,) = model.predict([{"image": base64.b64encode(data).decode(), "boxes": boxes.tolist()}])
        return found.persons

    return answer


def answered_keypoints(
    answer: Answer, annotations: CocoAnnotations, boxes: PersonBoxes, names: Sequence[str]
) -> np.ndarray:
    """Return the keypoints [N, K, 3] of N boxes: x, y in image pixels, and score."""
    images = ImageFiles(image_source_of(annotations.source), annotations.images)
    positions = annotations.images.find(boxes.image_ids)
    keypoints = np.zeros((len(boxes), len(names), 3))
    for position in np.unique(positions).tolist():
        data, rows = images.read_bytes(position), np.flatnonzero(positions == position)
        for start in range(0, len(rows), Limits().boxes):
            part = rows[start : start + Limits().boxes]
            for row, pose in zip(part, answer(data, boxes.boxes_xywh[part]), strict=True):
                points = (pose.keypoints[name] for name in names)
                keypoints[row] = [(point.x, point.y, point.score) for point in points]
    return keypoints
