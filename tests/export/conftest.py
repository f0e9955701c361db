"""One small model in each format; an export takes seconds."""

from pathlib import Path

import pytest

from tests.helpers.exported import small_pose_model
from transpose.config.exported import SUFFIXES, ExportFormat, ExportReturns
from transpose.export.write import export_model
from transpose.pose_model import PoseModel


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> PoseModel:
    return small_pose_model(tmp_path_factory.mktemp("run"))


class Exported:
    """Files of the model, each written when it is first needed."""

    def __init__(self, model: PoseModel, folder: Path) -> None:
        self._model, self._folder = model, folder

    def file(self, file_format: ExportFormat, returns: ExportReturns = "heatmaps") -> Path:
        path = self._folder / f"{returns}{SUFFIXES[file_format]}"
        if not path.exists():
            export_model(self._model, file_format, returns, path, "1.2.3")
        return path


@pytest.fixture(scope="session")
def exported(model: PoseModel, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(model, tmp_path_factory.mktemp("exported"))
