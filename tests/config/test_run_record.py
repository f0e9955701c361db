"""The record of a run: read as written, and refused in one line where anything is missing, left over or at odds."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.run_records import SMALL, run_record, write_run
from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.errors import InputError
from transpose.files import read_json, write_json

RELEASED = {"sha256": "c" * 64, "converted_sha256": "d" * 64}
OFFICIAL = SMALL.model_copy(update={"training": SMALL.training.model_copy(update={"source": "official"})})


def test_a_record_reads_back_as_written(tmp_path: Path) -> None:
    assert read_record(RunRecord, write_run(tmp_path / "run.json")) == run_record()


def test_how_images_were_loaded_is_not_recorded(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.json", SMALL.with_loader_settings(workers=7, image_cache_gb=2.0))
    assert read_json(path)["recipe"] == SMALL.reproducibility_values()
    assert read_record(RunRecord, path).recipe == SMALL


def test_a_released_checkpoint_has_no_training(tmp_path: Path) -> None:
    released = {"training": None, "session": None, "released": RELEASED}
    record = read_record(RunRecord, write_run(tmp_path / "run.json", OFFICIAL, **released))
    assert (record.variant, record.title) == ("small", "small")
    assert record.training is None


@pytest.mark.parametrize("key", sorted(name for name, field in RunRecord.model_fields.items() if field.is_required()))
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    path = write_run(tmp_path / "run.json")
    write_json(path, {name: value for name, value in read_json(path).items() if name != key})
    with pytest.raises(InputError, match=rf"run\.json: {key}: Field required"):
        read_record(RunRecord, path)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"best_AP": 0.5}, r"best_AP: unknown key"),
        ({"training": None}, r"training does not match the recipe's source 'trained'"),
        ({"session": None}, r"session does not match the recipe's source 'trained'"),
        ({"released": RELEASED}, r"released does not match the recipe's source 'trained'"),
        ({"recipe": OFFICIAL.reproducibility_values()}, r"training does not match the recipe's source 'official'"),
    ],
)
def test_what_does_not_belong_is_refused(tmp_path: Path, changes: dict[str, Any], refusal: str) -> None:
    path = write_run(tmp_path / "run.json")
    write_json(path, read_json(path) | changes)
    with pytest.raises(InputError, match=rf"run\.json: {refusal}"):
        read_record(RunRecord, path)
