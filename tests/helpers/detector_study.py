"""A study of a data set that is not there yet, with a detector's boxes."""

import json
from pathlib import Path
from typing import Any

from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"


def with_detector(demo: dict[str, Any], path: Path, **forecast: object) -> Plan:
    """A plan with one folder data set, whose one box source is a detection file."""
    dataset = {
        "title": "own",
        "source": {"kind": "folder", "folders": {"val": str(path.parent)}},
        "boxes": {"detector": {"kind": "detections", "files": {"val": str(path)}}},
    }
    folder = path.parent / "config"
    (folder / "datasets").mkdir(parents=True)
    (folder / "datasets" / "own.yaml").write_text(json.dumps(dataset), encoding="utf-8")
    (folder / "variants").symlink_to(CONFIG / "variants")
    split = {"dataset": "own", "split": "val"}
    places = {"train": split, "validation": split, "evaluations": [{**split, "boxes": ["detector"]}]}
    places |= {"protocol_ablation": None, "resolutions": None, "dtypes": None, "attention_analysis": None}
    return Plan.of_config(demo | places | {"forecast": forecast}, folder)
