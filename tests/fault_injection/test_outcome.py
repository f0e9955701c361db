"""Which differences between two finished studies count."""

from pathlib import Path

import pytest

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.logged_runs import LoggedRun
from tools.fault_injection.outcome import RunOutcome
from transpose.files import write_json, write_text

HELD = LoggedRun(
    name="r_sine seed 0",
    status="FINISHED",
    superseded=False,
    params={"training.epochs": "2"},
    metrics={"loss": [(0, 0.5), (1, 0.25)], "system/cpu_utilization_percentage": [(0, 3.5)]},
    artifacts={},
    models=1,
)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[LoggedRun]:
    """Runs logged to MLflow, which tests may change."""
    runs = [HELD]
    monkeypatch.setattr("tools.fault_injection.outcome.logged_runs", lambda *_: runs)
    return runs


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A finished study of few files."""
    results = tmp_path / "results"
    write_text(tmp_path / "config/config.yaml", Path("config/studies/fault_injection.yaml").read_text())
    write_text(results / "comparison.csv", "variant,AP\nr_sine,0.5\n")
    write_json(results / "train/r_sine/seed0/run.json", {"seed": 0, "session": {"seconds": 3.5}})
    write_json(results / "cost/r_sine.json", {"parameters": 3, "timings": [0.1], "machine": {"load": 1}})
    write_json(results / "tracking/study.json", {"run_id": "a", "artifacts": 3})
    write_text(results / "logs/compare.log", "")
    write_text(results / "mlflow.db-wal", "")
    write_text(results / "train/r_sine/seed0/.lock", "process 3")
    write_text(tmp_path / "resources/toy/val/annotations.json", "{}")
    return Checkout(tmp_path, "results", "resources")


@pytest.mark.usefixtures("held")
def test_times_identifiers_logs_and_locks_make_no_difference(checkout: Checkout) -> None:
    before, results = RunOutcome.of(checkout), checkout.folder / "results"
    write_json(results / "train/r_sine/seed0/run.json", {"seed": 0, "session": {"seconds": 9.5}})
    write_json(results / "cost/r_sine.json", {"parameters": 3, "timings": [0.2], "machine": {"load": 2}})
    write_json(results / "tracking/study.json", {"run_id": "b", "artifacts": 3})
    write_text(results / "logs/compare.log", "hello")
    write_text(results / "train/r_sine/seed0/.lock", "process 4")
    after = RunOutcome.of(checkout)
    assert after.differences(before) == []
    assert after.digest() == before.digest()


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results/comparison.csv", "variant,AP\nr_sine,0.6\n"),
        ("results/train/r_sine/seed0/run.json", '{"seed": 1, "session": {"seconds": 3.5}}'),
        ("results/cost/r_sine.json", '{"parameters": 4}'),
        ("results/tracking/study.json", '{"run_id": "a", "artifacts": 4}'),
        ("resources/toy/val/annotations.json", "[]"),
        ("results/comparison.md", "new"),
    ],
)
def test_every_other_byte_does(checkout: Checkout, name: str, text: str) -> None:
    before = RunOutcome.of(checkout)
    write_text(checkout.folder / name, text)
    (line,) = RunOutcome.of(checkout).differences(before)
    assert line.startswith(name)


@pytest.mark.usefixtures("held")
def test_a_missing_file_does(checkout: Checkout) -> None:
    before = RunOutcome.of(checkout)
    (checkout.folder / "results/comparison.csv").unlink()
    assert RunOutcome.of(checkout).differences(before)[0].startswith("results/comparison.csv: missing here")


def changed(**fields: object) -> LoggedRun:
    return LoggedRun(**{**vars(HELD), **fields})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("runs", "fault"),
    [
        ([HELD, HELD], "MLflow: r_sine seed 0 exists 2 times"),
        ([changed(status="RUNNING")], "MLflow: r_sine seed 0 is RUNNING"),
        ([changed(superseded=True)], "MLflow: r_sine seed 0 is superseded"),
        ([changed(metrics={"loss": [(0, 0.5), (1, 0.2), (1, 0.2)]})], "MLflow: r_sine seed 0 repeats steps of loss"),
    ],
)
def test_mlflow_holds_each_run_once_finished_and_without_repeated_steps(
    checkout: Checkout, held: list[LoggedRun], runs: list[LoggedRun], fault: str
) -> None:
    assert RunOutcome.of(checkout).faults == ()
    held[:] = runs
    assert RunOutcome.of(checkout).faults == (fault,)


@pytest.mark.parametrize(
    ("run", "same"),
    [
        (
            changed(metrics={"loss": [(0, 0.5), (1, 0.25)], "system/cpu_utilization_percentage": [(0, 9.0), (0, 3.5)]}),
            True,
        ),
        (changed(metrics={"loss": [(0, 0.5), (1, 0.2)]}), False),
        (changed(models=2), False),
        (changed(params={}), False),
    ],
)
def test_what_mlflow_holds_is_compared(checkout: Checkout, held: list[LoggedRun], run: LoggedRun, same: bool) -> None:
    before = RunOutcome.of(checkout)
    held[:] = [run]
    assert (RunOutcome.of(checkout).differences(before) == []) == same
