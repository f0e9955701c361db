"""The wheel has all that an installed package reads, and nothing of a machine."""

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, since a build writes into its sources."""
    copy, output = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copyfile(ROOT / name, copy / name)
    for name in ("transpose", "snakemake_logger_plugin_transpose", "config"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(output)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: set[str]) -> Message:
    (name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(name))


def test_all_modules_and_files_of_the_package_are_inside(names: set[str]) -> None:
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "transpose").rglob("*")
        if path.is_file() and not {"__pycache__", "packaged_config", "README.md"} & set(path.parts)
    }
    assert tracked - names == set()
    assert "transpose/py.typed" in names


def test_variants_tables_and_data_sets_are_inside(names: set[str]) -> None:
    for folder in ("variants", "tables", "datasets"):
        files = {
            f"transpose/packaged_config/{folder}/{path.name}" for path in (ROOT / "config" / folder).glob("*.yaml")
        }
        assert files
        assert files <= names


@pytest.mark.parametrize(
    "name",
    [
        "models/pretrained/pose/weights.safetensors",
        "models/pretrained/pose/run.json",
        "reporting/templates/errors.js",
        "reporting/templates/viewer.js",
        "reporting/study_page/templates/page.js",
        "serving/templates/page.js",
        "synthetic/body.npz",
        "synthetic/scenery/panorama_forest.jpg",
        "data/photographs/annotations.json",
    ],
)
def test_what_commands_read_is_inside(names: set[str], name: str) -> None:
    assert f"transpose/{name}" in names


def test_nothing_else_is_inside(names: set[str]) -> None:
    others = {name for name in names if not name.startswith("transpose/") and ".dist-info/" not in name}
    assert others == {"snakemake_logger_plugin_transpose/__init__.py"}
    assert not {name for name in names if name.endswith((".pyc", ".partial")) or "/studies/" in name}


def test_the_project_describes_itself(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "# TransPose pipeline" in str(metadata.get_payload())
    links = {str(link).partition(",")[0] for link in metadata.get_all("Project-URL", [])}
    assert links == {"Paper", "Official code"}
    assert {"pipeline", "detector", "serve", "slurm"} <= set(metadata.get_all("Provides-Extra", []))


def test_an_unpacked_wheel_loads_its_model_variants_and_data_sets(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    code = (
        "import transpose; from transpose.model_sources import load, _variant_of, PACKAGED; print(transpose.__file__);"
        "load(); print(_variant_of('tp_r_a4').variant.title); from pathlib import Path;"
        "from transpose.config.load import find_dataset; print(find_dataset('photographs', Path('config'))[1].title)"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "empty",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    file, *titles = done.stdout.splitlines()
    assert Path(file).is_relative_to(tmp_path / "site")
    assert len(list(filter(None, titles))) == 2
