"""A checkpoint as a run: of this project's downloads or of another trainer."""

from pathlib import Path

import torch

from tests.helpers.run_records import SMALL
from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.models.variants import build_model
from transpose.models.weights import official_state_dict, read_checkpoint, read_metadata
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RunFolder
from transpose.training.import_checkpoint import import_checkpoint

OFFICIAL = SMALL.model_copy(update={"training": Training(source="official")})


def test_a_checkpoint_of_another_trainer_becomes_a_run(tmp_path: Path) -> None:
    state = official_state_dict(build_model(OFFICIAL.variant, len(COCO_PERSON)))
    torch.save({"state_dict": {f"model.{key}": tensor for key, tensor in state.items()}}, tmp_path / "last.ckpt")
    import_checkpoint(OFFICIAL, tmp_path / "last.ckpt", COCO_PERSON, "oks", EvalProtocol(), tmp_path / "run")
    files = RunFolder(tmp_path / "run")
    imported = read_checkpoint(files.weights)
    assert imported.keys() == state.keys()
    assert all(torch.equal(imported[key], tensor) for key, tensor in state.items())
    assert read_record(RunRecord, files.record).initialisation == "last.ckpt, not trained here"
    assert read_metadata(files.weights)["keypoints"] == ",".join(COCO_PERSON.keypoints)
