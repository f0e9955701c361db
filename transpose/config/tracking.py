"""Where a study is logged; it does not affect results."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from transpose.config.base import Settings


def _server_address(address: str) -> str:
    """Return the address of an MLflow server as it is.

    Raises:
        ValueError: it is no such address, or has a user name or password, which would be written into results.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be the address of an MLflow server, such as http://mlflow.lab:5000")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(
            "must contain neither user name nor password nor a query; the user's are read from the environment"
            " variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    return address


ServerAddress = Annotated[str, AfterValidator(_server_address)]
ExperimentName = Annotated[str, StringConstraints(pattern=r"^[\w.-][\w. -]*$", max_length=100)]
"""Part of the names of registered models, which have neither slashes nor colons."""


class TrackingSettings(Settings):
    """Server and experiment of MLflow."""

    uri: ServerAddress | None = Field(
        default=None,
        description="Address of an MLflow server; null: the database in the results folder. The environment variable"
        " MLFLOW_TRACKING_URI replaces it.",
    )
    experiment: ExperimentName | None = Field(
        default=None, description="MLflow experiment, and first part of the names of registered models; null: `name`."
    )
