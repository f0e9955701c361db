"""A study with three kills has the same results as an undisturbed one."""

from pathlib import Path

import pytest
import yaml

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.inject import inject_faults
from transpose.config.base import read_yaml
from transpose.errors import InputError


def write_study(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump(read_yaml(Path("config/studies/fault_injection.yaml")) | changes))
    return path


def test_three_kills_change_nothing(tmp_path: Path) -> None:
    # One variant without attention on one kind of boxes: fewer jobs.
    evaluations = [{"dataset": "toy", "split": "val", "boxes": ["ground_truth"]}]
    changes = {"variants": ["r_no_encoder"], "overrides": {}, "ablations": [], "evaluations": evaluations}
    lines: list[str] = []
    verdict = inject_faults(write_study(tmp_path / "study.yaml", **changes), 3, 5, tmp_path / "faults", lines.append)
    assert verdict.differences == (), "\n".join(lines)
    assert sum(line.startswith("kill ") for line in lines) == 3
    assert "results/comparison.csv" in verdict.undisturbed.digests
    assert "MLflow: r_no_encoder seed 0" in verdict.undisturbed.digests
    assert verdict.faulty[-1].digest() == verdict.undisturbed.digest()


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        Checkout.make(tmp_path, Path("config/studies/fault_injection.yaml"))


def test_a_study_that_writes_elsewhere_is_refused(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study.yaml", results="/elsewhere")
    with pytest.raises(InputError, match="results: must be a relative path"):
        Checkout.make(tmp_path / "new", study)
    assert not (tmp_path / "new").exists()
