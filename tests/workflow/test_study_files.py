"""Files of a study that cannot be read, and names with Snakemake's braces."""

from pathlib import Path

import pytest
import yaml

from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

STUDY = Path("config/config.yaml")


def test_a_default_study_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    copy_clone(tmp_path)
    (tmp_path / STUDY).write_text("name: demo\nvariants: [r_sine\ntrain: {dataset: toy\n")
    broken = output_of(snakemake(tmp_path, "-n"))
    assert f"{STUDY}: line 3 column 6: not YAML: expected ',' or ']', but got ':'" in broken
    (tmp_path / STUDY).unlink()
    missing = output_of(snakemake(tmp_path, "-n"))
    assert f"{STUDY}: no such file" in missing
    assert "Traceback" not in broken + missing


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": "people {rendered} by {variant}"}, "--description 'pretrained on people {rendered} by {variant}, "),
        (
            {"boxes": {"found": {"kind": "detections", "files": {"val": "a{b}.json"}}}},
            "boxes.found.detections.files.val: must not contain { or }, which are wildcards in Snakemake",
        ),
    ],
)
def test_braces_are_part_of_a_title_and_refused_in_a_path(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    copy_clone(tmp_path)
    path = tmp_path / "config" / "datasets" / "synthetic.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    printed = output_of(snakemake(tmp_path, "-n", "-p", "results/backbones/r_sine.safetensors"))
    assert words in printed
    assert "WildcardError" not in printed
