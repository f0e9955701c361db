"""A packaged model is the run's, in half precision where this changes no number."""

from pathlib import Path

import pytest
import torch

from tests.helpers.run_records import write_run
from tools.package_model import package_model
from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.errors import InputError
from transpose.files import sha256_of_file
from transpose.models.weights import read_checkpoint, read_metadata, save_tensors
from transpose.study.layout import RunFolder

STATE = {
    "exact": torch.tensor([1.0, -0.5, 2.0**-14]),
    "rounded": torch.tensor([1.0, 0.1]),
    "large": torch.tensor([1e6]),
    "count": torch.tensor([3]),
}


def trained_run(folder: Path) -> RunFolder:
    run = RunFolder(folder)
    folder.mkdir()
    save_tensors(STATE, run.weights, {"made_by": "a test"})
    digests = {"best_sha256": sha256_of_file(run.weights), "last_sha256": "c" * 64}
    write_run(run.record, weights=digests)
    return run


def test_numbers_and_the_record_stay_as_they_were(tmp_path: Path) -> None:
    run, packaged = trained_run(tmp_path / "run"), RunFolder(tmp_path / "packaged")
    (tmp_path / "packaged").mkdir()
    package_model(tmp_path / "run", tmp_path / "packaged")
    state = read_checkpoint(packaged.weights)
    assert {name: tensor.dtype for name, tensor in state.items()} == {
        "exact": torch.float16,
        "rounded": torch.float32,
        "large": torch.float32,
        "count": torch.int64,
    }
    assert all(torch.equal(state[name].to(tensor.dtype), tensor) for name, tensor in STATE.items())
    assert read_metadata(packaged.weights) == read_metadata(run.weights)
    before, after = (read_record(RunRecord, one.record) for one in (run, packaged))
    assert after.weights is not None
    assert after.weights.best_sha256 == sha256_of_file(packaged.weights)
    assert after.weights.last_sha256 == "c" * 64
    assert after.model_copy(update={"weights": before.weights}) == before


def test_other_weights_than_those_of_the_record_are_refused(tmp_path: Path) -> None:
    run = trained_run(tmp_path / "run")
    save_tensors({"other": torch.ones(1)}, run.weights, {})
    with pytest.raises(InputError, match=r"not the weights of run\.json"):
        package_model(tmp_path / "run", tmp_path / "packaged")
    assert not (tmp_path / "packaged").exists()
