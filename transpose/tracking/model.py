"""Log the trained network as an MLflow model: an exported graph with a signature, not a pickle."""

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from transpose.tracking.experiment import Experiment
from transpose.tracking.record import TrackedRun

if TYPE_CHECKING:
    import numpy as np
    from mlflow.entities import LoggedModel, Run
    from mlflow.models import ModelSignature

    from transpose.models.transpose import TransPose

_DIGEST = "transpose.weights_sha256"
_EXAMPLE_BATCH = 2
"""Batch size of the example; torch.export would treat a batch size of one as constant."""


def log_model(experiment: Experiment, run: "Run", record: TrackedRun) -> str:
    """Log the best weights once; return the model id for `models:/{id}`.

    The model takes normalised crops [B, 3, H, W] float32 and returns heatmaps [B, K, H / 4, W / 4].
    """
    assert record.weights is not None
    path, digest = record.weights
    condition = f"source_run_id = '{run.info.run_id}' AND tags.`{_DIGEST}` = '{digest}'"
    for logged in experiment.client.search_logged_models([experiment.id], condition):
        if logged.status == "READY":
            return logged.model_id
        # The process that created it was killed: callers hold the lock of the run.
        _remove_artifacts(logged)
        experiment.client.delete_logged_model(logged.model_id)
    model = experiment.client.create_logged_model(
        experiment.id, record.variant, run.info.run_id, {_DIGEST: digest}, model_type="pose estimation"
    )
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow and torch.export warn about internals.
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
    import torch
    from mlflow import __version__, pytorch
    from mlflow.models import Model

    network, example = _load_network(record, weights)
    with torch.inference_mode():
        heatmaps = network(torch.from_numpy(example))
    pytorch.save_model(
        network,
        str(folder),
        mlflow_model=Model(
            artifact_path=logged.artifact_location, run_id=logged.source_run_id, model_id=logged.model_id
        ),
        signature=_signature(example.shape, tuple(heatmaps.shape)),
        input_example=example,
        serialization_format="pt2",
        pip_requirements=[f"torch=={torch.__version__.split('+')[0]}", f"mlflow=={__version__}"],
    )


def _load_network(record: TrackedRun, weights: Path) -> "tuple[TransPose, np.ndarray]":
    """Return the network in evaluation mode and an example input."""
    import numpy as np

    from transpose.models.variants import build_model
    from transpose.models.weights import load_weights, read_checkpoint

    variant = record.recipe.variant
    network = build_model(variant, read_checkpoint(weights)["final_layer.weight"].shape[0])
    load_weights(network, weights)
    return network.eval(), np.zeros((_EXAMPLE_BATCH, 3, *variant.input_size), dtype=np.float32)


def _signature(images: tuple[int, ...], heatmaps: tuple[int, ...]) -> "ModelSignature":
    """Return a signature with variable batch size."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    inputs, outputs = (Schema([TensorSpec(np.dtype(np.float32), (-1, *shape[1:]))]) for shape in (images, heatmaps))
    return ModelSignature(inputs, outputs)


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
