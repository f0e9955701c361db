"""The forecast as people read it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.detector_study import with_detector
from transpose.config.base import read_yaml
from transpose.forecast import measure
from transpose.forecast.cache import MeasurementCache
from transpose.forecast.jobs import Jobs
from transpose.forecast.network import Networks
from transpose.forecast.work import DeviceKind, Speed, Work
from transpose.reporting import plan_text
from transpose.reporting.plan_text import render_plan
from transpose.study.job_threads import JobThreads
from transpose.study.layout import RunId
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
DEMO = read_yaml(CONFIG / "config.yaml")
WORK = Work(parameters=17_160_785, macs=21_282_000_000, kept_bytes=3 << 30)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """All networks are alike, and a CPU computes as much in a second as one of their forward passes needs."""
    speed = Speed(training=2 * WORK.macs / 3, inference=2 * WORK.macs)
    monkeypatch.setattr(measure, "count_work", lambda *arguments: WORK)
    monkeypatch.setattr(measure, "time_network", lambda *arguments: speed)


def text_of(plan: Plan, folder: Path, device: DeviceKind = "GPU", jobs: Jobs | None = None) -> str:
    """The forecast, with a cache in a folder."""
    threads = JobThreads(plan, 8, are_shared=True, on_gpu=device == "GPU")
    networks = Networks(MeasurementCache(folder / "forecast", "code", "2.0"), 17, device, threads)
    downloads = CONFIG / "tables" / "downloads.yaml"
    text = render_plan(plan, jobs or Jobs.of_study(plan), networks, downloads, "a study")
    assert max(map(len, text.splitlines())) <= 120
    return text


def columns_of(text: str, first: str) -> list[str]:
    """Words of the line that begins with a word."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def test_the_papers_study_is_planned_with_all_of_coco_on_a_gpu(tmp_path: Path) -> None:
    text = text_of(Plan.of_config(read_yaml(CONFIG / "studies" / "paper.yaml"), CONFIG), tmp_path)
    row = columns_of(text, "tp_h_a6")
    assert row[1:4] == ["17.16", "21.282", "36.0"]
    # 3 x 2 x 21.282e9 x 149,813 x 240 / 1.8e12 / 3600
    assert row[4:6] == ["709", "h"]
    assert row[-4:] == ["14", "4.3", "11", "GB"]
    assert "149,813" in text
    assert all(f"download {name}" in text for name in ("train2017", "val2017", "test2017", "image_info_test2017"))
    assert "Forecast of a study: 25 trainings and 50 predictions\non one GPU of an assumed speed\n" in text
    assert "1.8 TFLOP/s sustained in training" in text
    assert "CPU" not in text


def test_a_cpu_is_measured_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_text, "cpu_name", lambda: "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz")
    plan = Plan.of_config(DEMO | {"forecast": {"persons": {"synthetic": {"train": 4, "val": 2}}}}, CONFIG)
    text = text_of(plan, tmp_path, "CPU")
    assert "on this machine's CPU (" in text
    assert "measured" in text.splitlines()[1]
    # 3 s and 12 epochs of 4 persons, 3 s each; 3 validations of 2 persons twice, 1 s each; 12 s and 88 boxes twice
    assert columns_of(text, "r_sine")[4:9] == ["2.5", "min", "12", "s", "3.1"]
    assert "TFLOP/s" not in text
    assert "card" not in text
    assert "--device cuda` forecasts a GPU" in text


def test_a_training_beyond_every_card_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = WORK.model_copy(update={"kept_bytes": 90 << 30})
    monkeypatch.setattr(measure, "count_work", lambda *arguments: huge)
    assert columns_of(text_of(Plan.of_config(DEMO, CONFIG), tmp_path), "r_sine")[-3:] == [">", "80", "GB"]


def test_predictions_alone_need_no_memory_for_training(tmp_path: Path) -> None:
    plan = Plan.of_config(DEMO, CONFIG)
    jobs = Jobs(frozenset(), frozenset([(RunId("r_sine", 0), plan.study.settings()[0])]), frozenset(), frozenset())
    text = text_of(plan, tmp_path, jobs=jobs)
    assert "Forecast of a study: 1 prediction" in text
    row = columns_of(text, "r_sine")
    assert row[3:6] == ["-", "-", "-"]
    assert row[-3:] == ["-", "-", "-"]
    assert "  training" not in text
    assert "checkpoints" not in text


def test_downloads_alone_need_no_network(tmp_path: Path) -> None:
    text = text_of(
        Plan.of_config(DEMO, CONFIG), tmp_path, jobs=Jobs(frozenset(), frozenset(), frozenset(["val2017"]), frozenset())
    )
    assert text.splitlines()[0] == "Forecast of a study: downloads"
    assert "download val2017" in text
    assert "params M" not in text


def test_what_is_unknown_stays_so_in_the_totals(tmp_path: Path) -> None:
    text = text_of(with_detector(DEMO, tmp_path / "detections.json"), tmp_path)
    assert columns_of(text, "all")[1:4] == ["?", "?", "?"]
    assert "unknown: no annotations yet" in text


def test_a_dry_run_need_not_wait_for_torch() -> None:
    code = "import sys, transpose.reporting.plan_text; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CONFIG.parent, check=False).returncode == 0
