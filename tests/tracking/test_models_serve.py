"""`mlflow models serve` answers a photograph with the model that the pipeline logged, and with the code in it."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tracked_results import DESTINATION, STUDY, VARIANT, write_training

import transpose
from transpose.data.photographs import photographs_folder
from transpose.serving.run import bound_socket
from transpose.study.destination import database_uri
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import track_run

pytestmark = pytest.mark.slow

PHOTOGRAPH = photographs_folder() / "images" / "000000214753.jpg"
BOX = [360.0, 115.0, 57.0, 135.0]
_PATIENCE = 120.0
"""Seconds until the server answers on a busy machine."""


@contextmanager
def models_served(model: str, results: Path) -> Iterator[str]:
    """Serve a model on a free port of the loopback interface; yields the URL."""
    with bound_socket("127.0.0.1", 0) as found:
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": database_uri(results), "MLFLOW_DISABLE_TELEMETRY": "true"}
    # The server's own commands are next to the interpreter; the package comes from the model.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("PYTHONPATH", None)
    with (results / "serve.log").open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            cwd=results,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def answer(url: str, value: Any) -> Any:
    """Send JSON as soon as the server listens."""
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Content-Type": "application/json"})
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
                return json.load(response)
        except urllib.error.HTTPError:
            raise
        except (ConnectionError, urllib.error.URLError):
            pass
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.5)


def test_a_photograph_is_answered(results: Path) -> None:
    write_training(results)
    track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
    image = base64.b64encode(PHOTOGRAPH.read_bytes()).decode()
    with models_served(f"models:/{STUDY}-{VARIANT}@best", results) as url:
        found = answer(f"{url}/invocations", {"inputs": [{"image": image, "boxes": [BOX]}, {"image": str(PHOTOGRAPH)}]})
    first, second = found["predictions"]
    expected = transpose.load(results / "train" / VARIANT / "seed0").predict(PHOTOGRAPH, [BOX])
    (person,) = first["persons"]
    points = [[point["x"], point["y"], point["score"]] for point in person["keypoints"].values()]
    assert list(person["keypoints"]) == list(expected.skeleton.keypoints)
    np.testing.assert_allclose(points, np.column_stack((expected.xy[0], expected.scores[0])), atol=1e-6)
    assert second["persons"][0]["box"][:2] == [0, 0]
