"""Log the trained model to MLflow as code, run record and weights, not as a pickle; see `served_model`."""

import base64
import re
import shutil
import tempfile
import warnings
from importlib.metadata import requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from transpose.data.photographs import photographs_folder
from transpose.provenance import PACKAGE, PackageCode
from transpose.study.layout import RunFolder
from transpose.tracking.descriptions import of_model
from transpose.tracking.experiment import NOTE, Experiment
from transpose.tracking.record import TrackedRun

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

DIGEST = "transpose.weights_sha256"
"""Tag of logged models and registered versions."""

_INPUT = "transpose.input"
"""Tag of logged models; those of version 0.1.0 take crops and lack it."""

_CODE = "transpose.tracking.model_code"
_NAME = re.compile(r"[\w.-]+")
_PHOTOGRAPH, _PERSON = "000000214753.jpg", (360, 115, 57, 135)
"""Example: a packaged photograph and a person in it (x, y, width, height)."""


def log_model(experiment: Experiment, run: "Run", record: TrackedRun) -> str:
    """Log the best weights once; return the model id for `models:/{id}`.

    The model takes images with boxes and returns named keypoints, see `served_model.ServedModel`.
    """
    assert record.weights is not None
    path, digest = record.weights
    tags = {DIGEST: digest, _INPUT: "images"}
    conditions = (f"tags.`{key}` = '{value}'" for key, value in tags.items())
    condition = " AND ".join((f"source_run_id = '{run.info.run_id}'", *conditions))
    for logged in experiment.client.search_logged_models([experiment.id], condition):
        if logged.status == "READY":
            return logged.model_id
        # The process that created it was killed: callers hold the lock of the run.
        _remove_artifacts(logged)
        experiment.client.delete_logged_model(logged.model_id)
    model = experiment.client.create_logged_model(
        experiment.id,
        record.variant,
        run.info.run_id,
        tags | {NOTE: of_model(record)},
        model_type="pose estimation",
    )
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow warns about internals.
            _save(record, path, model, Path(folder) / "model")
        try:
            experiment.client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
        except Exception:
            # MLflow deletes no files, so those of each failed try would stay, on a disk that may be full.
            _remove_artifacts(model)
            raise
    _publish(experiment, run, model)
    return model.model_id


def _save(record: TrackedRun, weights: Path, logged: "LoggedModel", folder: Path) -> None:
    from mlflow import pyfunc
    from mlflow.models import Model

    from transpose.tracking import model_code
    from transpose.tracking.served_model import RUN

    source = folder.with_name("source")
    _copy_code(source / "code")
    _copy_run(weights, source / "run")
    pyfunc.save_model(
        str(folder),
        mlflow_model=Model(
            artifact_path=logged.artifact_location, run_id=logged.source_run_id, model_id=logged.model_id
        ),
        python_model=str(model_code.__file__),
        artifacts={RUN: str(source / "run")},
        code_paths=[str(source / "code" / PACKAGE.name)],
        input_example=_example(),
        pip_requirements=_requirements(),
        metadata={"variant": record.variant, "description": of_model(record)},
    )


def _copy_code(folder: Path) -> None:
    """Copy the modules that the model needs, so that it loads where this package is missing or another version."""
    for file in PackageCode().source_files(_CODE):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE.parent / file, folder / file)


def _copy_run(weights: Path, folder: Path) -> None:
    """Copy the record and the weights of a run."""
    run = RunFolder(weights.parent)
    folder.mkdir(parents=True)
    for file in (run.record, run.weights):
        shutil.copyfile(file, folder / file.name)


def _example() -> "list[dict[str, Any]]":
    """Return an input: a person of a packaged photograph."""
    import cv2

    from transpose.data.images import read_image

    image = read_image(photographs_folder() / "images" / _PHOTOGRAPH)
    x, y, width, height = _PERSON
    person = cv2.cvtColor(image[y : y + height, x : x + width], cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", person)
    return [{"image": base64.b64encode(encoded.tobytes()).decode(), "boxes": [[0.0, 0.0, width, height]]}]


def _requirements() -> list[str]:
    """Return the exact versions of MLflow and of what this package requires without its extras."""
    ours = [requirement for requirement in requires("transpose-pipeline") or [] if "extra ==" not in requirement]
    names = [match[0] for match in map(_NAME.match, ours) if match is not None]
    return [f"{name}=={version(name).partition('+')[0]}" for name in sorted({*names, "mlflow"})]


def _remove_artifacts(model: "LoggedModel") -> None:
    """Remove the files of a model from a local artifact store; in a remote one they stay."""
    location = urlsplit(model.artifact_location)
    # The files are in `mlartifacts/models/MODEL_ID/artifacts`.
    folder = Path(url2pathname(location.path)).parent
    if location.scheme == "file" and folder.name == model.model_id:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(experiment: Experiment, run: "Run", model: "LoggedModel") -> None:
    from mlflow.entities import LoggedModelOutput

    experiment.client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=0)])
    # Last, since a model that is not ready counts as missing.
    experiment.client.finalize_logged_model(model.model_id, "READY")
