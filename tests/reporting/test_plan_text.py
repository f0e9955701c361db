"""The forecast as people read it."""

import subprocess
import sys
from pathlib import Path

from tests.helpers.detector_study import with_detector
from transpose.config.base import read_yaml
from transpose.reporting.plan_text import render_plan
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
DEMO = read_yaml(CONFIG / "config.yaml")


def columns_of(text: str, first: str) -> list[str]:
    """Words of the line that begins with a word."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [first])


def test_the_papers_study_is_planned_with_all_of_coco() -> None:
    plan = Plan.of_config(read_yaml(CONFIG / "studies" / "paper.yaml"), CONFIG)
    text = render_plan(plan, CONFIG / "tables" / "downloads.yaml")
    row = columns_of(text, "tp_h_a6")
    assert row[1:4] == ["17.16", "21.282", "36.0"]
    # 3 x 2 x 21.282e9 x 149,813 x 240 / 1.8e12 / 3600
    assert row[4] == "709"
    assert row[7] == "14"
    assert "149,813" in text
    assert all(f"download {name}" in text for name in ("train2017", "val2017", "test2017", "image_info_test2017"))
    assert "1.8 TFLOP/s sustained in training" in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_training_beyond_every_card_is_said(tmp_path: Path) -> None:
    values = DEMO | {"variants": ["tp_h_a6_384x288"], "ablations": [], "overrides": {}, "resources": str(tmp_path)}
    values |= {"protocol_ablation": None, "resolutions": None, "dtypes": None, "attention_analysis": None}
    plan = Plan.of_config(values | {"training": {"batch_size": 200}}, CONFIG)
    text = render_plan(plan, CONFIG / "tables" / "downloads.yaml")
    assert columns_of(text, "tp_h_a6_384x288")[-3:] == [">", "80", "GB"]


def test_what_is_unknown_stays_so_in_the_totals(tmp_path: Path) -> None:
    text = render_plan(with_detector(DEMO, tmp_path / "detections.json"), CONFIG / "tables" / "downloads.yaml")
    assert columns_of(text, "all")[1:4] == ["?", "?", "?"]
    assert "unknown: no annotations yet" in text


def test_a_dry_run_need_not_wait_for_torch() -> None:
    code = "import sys, transpose.reporting.plan_text; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CONFIG.parent, check=False).returncode == 0
