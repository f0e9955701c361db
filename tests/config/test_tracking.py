"""The server and the experiment of MLflow, without a password in the configuration or in a message."""

from typing import Any

import pytest

from transpose.config.base import parse
from transpose.config.tracking import TrackingSettings
from transpose.errors import InputError


@pytest.mark.parametrize("uri", [None, "http://mlflow.lab:5000", "https://mlflow.lab/of/our/group"])
def test_a_server_is_an_address(uri: str | None) -> None:
    assert parse(TrackingSettings, {"uri": uri, "experiment": "poses 2"}, "study").uri == uri


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"uri": "mlflow.lab:5000"}, "must be the address of an MLflow server"),
        ({"uri": "sqlite:///shared.db"}, "must be the address of an MLflow server"),
        ({"uri": "http://me:secret@mlflow.lab"}, "must contain neither user name nor password"),
        ({"uri": "http://mlflow.lab?token=secret"}, "must contain neither user name nor password"),
        ({"experiment": "/Users/me"}, "String should match pattern"),
    ],
)
def test_anything_else_is_refused_without_its_password(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        parse(TrackingSettings, values, "study")
    assert "secret" not in str(caught.value)
