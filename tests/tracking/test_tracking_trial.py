"""The parts of `python -m tools.tracking_server` that need no server."""

from pathlib import Path

import pytest

from tools.fault_injection.checkout import CLONE, Checkout
from tools.tracking_server import __main__ as command
from tools.tracking_server import server
from tools.tracking_server.__main__ import STUDY
from tools.tracking_server.machine import Machine, epochs_in
from tools.tracking_server.trial import EXPERIMENT, files_with_password, prepare_machines
from transpose.config.load import load_study
from transpose.errors import InputError


def machine_in(folder: Path) -> Machine:
    folder.mkdir()
    return Machine(Checkout(folder, "results", "resources"), "http://127.0.0.1:9")


def test_what_is_missing_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "_program", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        command.main(tmp_path / "new")
    assert (
        ended.value.code
        == "tracking server: MLflow server: PostgreSQL is not installed (Debian: apt install postgresql)"
    )
    assert (capsys.readouterr().out, (tmp_path / "new").exists()) == ("", False)


def test_both_machines_have_one_study_of_two_seeds(tmp_path: Path) -> None:
    here, there = prepare_machines(tmp_path, CLONE / STUDY, 7, "http://127.0.0.1:9")
    assert here.login == there.login
    assert here.login.startswith("http://trial:")
    assert files_with_password(tmp_path) == []
    for machine in (here, there):
        study = load_study(machine.checkout.folder / "config" / "config.yaml")
        assert (study.seeds, study.training.epochs, study.tracking.experiment) == (2, 7, EXPERIMENT)
        assert study.training.workers == load_study(CLONE / STUDY).training.workers


def test_a_written_password_is_found(tmp_path: Path) -> None:
    login = prepare_machines(tmp_path, CLONE / STUDY, 7, "http://127.0.0.1:9")[0].login
    (tmp_path / "here" / "job.log").write_text(f"connecting to {login}\n")
    assert files_with_password(tmp_path) == [f"{tmp_path}/here/job.log has the password"]


def test_the_first_training_is_one_with_an_epoch(tmp_path: Path) -> None:
    machine = machine_in(tmp_path / "here")
    logs = machine.results / "logs" / "train" / "tiny"
    logs.mkdir(parents=True)
    (logs / "seed0.log").write_text("starting\n")
    (logs / "seed1.log").write_text("epoch 1/7 done: loss 0.1\nepoch 2/7 done: loss 0.1\n")
    pipeline = machine.start("--version")
    assert machine.first_training(pipeline) == logs / "seed1.log"
    assert (epochs_in(logs / "seed0.log"), epochs_in(logs / "seed1.log")) == (0, 2)
    machine.finish(pipeline)
    assert [path.name for path in tmp_path.glob("*.log")] == ["here_1.log"]


def test_a_run_without_a_training_ends_in_one_line(tmp_path: Path) -> None:
    machine = machine_in(tmp_path / "here")
    pipeline = machine.start("--no-such-option")
    with pytest.raises(InputError, match=r"here_1\.log: Snakemake ended without a training"):
        machine.first_training(pipeline)
    with pytest.raises(InputError, match=r"here_2\.log: Snakemake failed twice"):
        machine.finish(pipeline)


def test_missing_values_of_all_trainings_are_summed(tmp_path: Path) -> None:
    machine = machine_in(tmp_path / "here")
    for seed in range(2):
        path = machine.results / "tracking" / "tiny" / f"seed{seed}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"added": 3}')
    assert machine.values_added() == 6
    assert machine.moved("moved").values_added() == 6
