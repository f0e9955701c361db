"""A model is used without the packages of the extra `pipeline`, and a missing package is named with its extra."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from transpose.config.base import read_yaml
from transpose.data.photographs import photographs_folder
from transpose.errors import missing_extra
from transpose.study.layout import ResultsLayout
from transpose.study.plan import Plan

RUN_WITHOUT = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
sys.argv = ["transpose", *{arguments}]
from transpose.cli import main
main()
"""


def extra_packages() -> list[str]:
    """Return the names of the packages that only extras require."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project["optional-dependencies"].values()
    return [Requirement(text).name for group in groups for text in group]


def run_without(packages: list[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    code = RUN_WITHOUT.format(blocked=packages, arguments=list(map(str, arguments)))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_a_model_is_used_without_the_extras(tmp_path: Path, command: str) -> None:
    assert {"mlflow", "snakemake", "pandas"} <= set(extra_packages())
    image = min((photographs_folder() / "images").iterdir())
    done = run_without(extra_packages(), command, image, "--box", "20,20,100,200", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("*.png"))


def test_results_are_evaluated_and_compared_without_the_extras(tmp_path: Path) -> None:
    annotations, results = photographs_folder() / "annotations.json", tmp_path / "results.json"
    persons = json.loads(annotations.read_text())["annotations"]
    names = ("image_id", "category_id", "keypoints")
    results.write_text(json.dumps([{name: one[name] for name in names} | {"score": 1.0} for one in persons]))
    for arguments in (["evaluate", results], ["compare", results, results]):
        done = run_without(extra_packages(), *arguments, "--annotations", annotations)
        assert done.returncode == 0, done.stderr


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path) -> None:
    Plan.of_config(read_yaml(Path("config/config.yaml")), Path("config")).write_records(ResultsLayout(tmp_path))
    done = run_without(["mlflow"], "step", "track-database", "--results", tmp_path)
    expected = "transpose: this needs mlflow, which is not installed: pip install 'transpose-pipeline[pipeline]'\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_all_extras_with_a_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["onnx>=1; extra == 'other'", "runtime>=1; extra == 'detector'", 'runtime>=1; extra == "onnx"', "torch>=2"]
    monkeypatch.setattr("transpose.errors.requires", lambda _: listed)
    expected = (
        "this needs runtime, which is not installed: pip install 'transpose-pipeline[detector]' or"
        " pip install 'transpose-pipeline[onnx]'"
    )
    assert missing_extra(ModuleNotFoundError(name="runtime.capi")) == expected


def test_an_extra_is_found_for_each_of_its_packages() -> None:
    assert missing_extra(ModuleNotFoundError(name="onnxruntime")) is not None
    assert "[detector]" in str(missing_extra(ModuleNotFoundError(name="onnxruntime.capi")))
    assert missing_extra(ModuleNotFoundError(name="torch")) is None
    assert missing_extra(ModuleNotFoundError(name="transpose.nothing")) is None
