"""A training that an earlier version of this package finished does not run again with this one.

`recorded/` has the configuration and the run record of a study of toy size. When this test fails, a change of this
package would make users train again: give the new setting a default that keeps the old behaviour.
"""

import re
import shutil
from pathlib import Path

import pytest

from transpose.config.base import read_yaml
from transpose.study.content import InputContent
from transpose.study.layout import RunId
from transpose.study.plan import Plan
from transpose.study.training_keys import TrainingKeys

RUN = RunId("r_sine", 0)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    # Not `copytree`'s default, which keeps times.
    shutil.copytree(Path(__file__).parent / "recorded", folder, copy_function=shutil.copyfile)
    return folder


def keys_of(study: Path) -> TrainingKeys:
    places = {"results": str(study / "results"), "resources": str(study / "resources")}
    plan = Plan.of_config(read_yaml(study / "config" / "config.yaml") | places, study / "config")
    return TrainingKeys(plan, InputContent(study / "content.json"))


def test_it_is_not_planned(study: Path) -> None:
    keys = keys_of(study)
    assert keys.changes(RUN) == []
    record = keys.plan.layout.train(RUN).record.read_text()
    assert f'"identity_sha256": "{keys.key(RUN)}"' in record


def test_a_changed_value_is(study: Path) -> None:
    config = study / "config" / "config.yaml"
    config.write_text(re.sub("epochs: 1", "epochs: 2", config.read_text()))
    keys = keys_of(study)
    assert keys.changes(RUN) == ["recipe.training.epochs was 1, is 2"]
