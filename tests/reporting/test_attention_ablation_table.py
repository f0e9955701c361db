"""The table of attention changed at test time: variants of different structure side by side, no number made up."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sample_results import files_of, report_path, study_with, subject, write_with_resamples
from transpose.attention.records import AttentionAblationReport
from transpose.config.study import ATTENTION_ANALYSES, EvalProtocol, Study
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.reporting.attention_ablation import write_attention_ablation_table

LAYERS_AND_HEADS = {"r_sine": (1, 2), "h_none": (2, 1)}


def results(variant: str, seed: int) -> list[dict[str, Any]]:
    """What costs how much; the second seed's AP is 10 points higher and its differences are 2 points lower."""
    layers, heads = LAYERS_AND_HEADS[variant]
    changes: list[tuple[str, int | None, int | None, float]] = [("intact", None, None, 0.0)]
    for layer in range(layers):
        if heads > 1:
            changes += [("head_off", layer, head, -0.01 * (head + 1)) for head in range(heads)]
        changes += [("all_heads_off", layer, None, -0.1), ("layer_off", layer, None, -0.2)]
    changes += [("uniform_attention", None, None, -0.05)]
    changes += [("uniform_attention", 1, None, -0.04)] if layers > 1 else []
    changes += [("no_position", None, None, -0.03) if variant == "r_sine" else ("sine_added", None, None, 0.0)]
    return [result(*change, seed) for change in changes]


def result(kind: str, layer: int | None, head: int | None, cost: float, seed: int) -> dict[str, Any]:
    cost -= 0.02 * seed
    difference = {"value": cost, "low": cost - 0.01, "high": cost + 0.01, "count": 8, "images": 3}
    return {
        "change": {"kind": kind, "layer": layer, "head": head},
        "predictions": 7,
        "metrics": {"AP": 0.5 + 0.1 * seed, "AP50": 0.8, "AP75": -1.0, "AR": 0.6},
        "difference": None if kind == "intact" else difference,
    }


def report(variant: str, seed: int) -> dict[str, Any]:
    layers, heads = LAYERS_AND_HEADS[variant]
    return subject(variant, variant.replace("_", " "), seed) | {
        "protocol": EvalProtocol().model_dump(),
        "bootstrap": {"samples": 10, "seed": 0},
        "seed_of_shuffling": 0,
        "images": 4,
        "persons": 8,
        "layers": layers,
        "heads": heads,
        "results": results(variant, seed),
    }


def path_of(folder: Path, variant: str, seed: int) -> Path:
    return report_path(folder, "attention_ablation", variant, seed)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for variant in LAYERS_AND_HEADS:
        for seed in (0, 1):
            path = path_of(tmp_path, variant, seed)
            write_with_resamples(path, report(variant, seed), AttentionAblationReport)
    return study_with(tmp_path, "attention_analysis", list(LAYERS_AND_HEADS))


def test_replacements_stand_side_by_side_and_what_does_not_apply_is_a_dash(study: Study, tmp_path: Path):
    write_attention_ablation_table(files_of(study))
    text = (tmp_path / "attention_ablation.md").read_text()
    assert "| Change at test time | r sine | h none |" in text
    assert "| intact: AP | 55.0 | 55.0 |" in text
    # Two trainings that differ by two points: t(1) times one point, which the images widen little.
    assert r"| attention uniform, all layers | −6.0 \[−19.1, +7.1\] | −6.0 \[−19.1, +7.1\] |" in text
    text = re.sub(r" \\\[.*?\\\]", "", text)
    assert "| attention uniform, last layer only | – | −5.0 |" in text
    assert "| position embedding removed | −4.0 | – |" in text
    assert "| sine embedding added | – | −1.0 |" in text


def test_heads_stand_in_columns_and_layers_in_rows(study: Study, tmp_path: Path):
    write_attention_ablation_table(files_of(study))
    text = (tmp_path / "attention_ablation.md").read_text()
    assert "| Off | head 1 | head 2 | all heads | the layer |" in text
    text = re.sub(r" \\\[.*?\\\]", "", text)
    assert "| layer 1 | −2.0 | −3.0 | −11.0 | −21.0 |" in text
    assert "| Off | all heads | the layer |" in text
    assert "| layer 2 | −11.0" in text


def test_every_change_of_every_model_has_a_row(study: Study, tmp_path: Path):
    write_attention_ablation_table(files_of(study))
    rows = list(csv.DictReader((tmp_path / "attention_ablation.csv").read_text().splitlines()))
    assert len(rows) == sum(len(results(variant, 0)) for variant in LAYERS_AND_HEADS)
    intact, head = rows[:2]
    assert (intact["change"], intact["layer"], intact["difference"], intact["AP75"]) == ("intact", "", "", "")
    assert (head["layer"], head["head"], head["persons"]) == ("1", "1", "8")
    assert float(head["difference_low"]) == pytest.approx(-15.12, abs=0.01)


def test_the_study_promises_the_table():
    assert "attention_ablation" in ATTENTION_ANALYSES


def test_other_annotations_are_refused(study: Study, tmp_path: Path):
    path = path_of(tmp_path, "h_none", 1)
    write_json(path, read_json(path) | {"annotations_sha256": "d" * 64})
    with pytest.raises(InputError, match="h_none seed 1: annotations_sha256"):
        write_attention_ablation_table(files_of(study))
    assert not list(tmp_path.glob("attention_ablation.*"))
