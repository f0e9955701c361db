"""What configuration says is never run by a shell."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.workflow.checkout import ROOT, copy_checkout, output_of, snakemake

ATTACK = 'it\'s; touch INJECTED; $(touch INJECTED) `touch INJECTED` "x"'


@pytest.mark.parametrize("path", sorted((ROOT / "workflow" / "rules").glob("*.smk")), ids=lambda path: path.stem)
def test_rules_quote_all_that_they_put_into_a_command(path: Path) -> None:
    commands = re.findall(r"^    shell:\n((?: {8}\".*\n?)+)", path.read_text(), flags=re.MULTILINE)
    assert len(commands) == path.read_text().count("shell:")
    places = {place for command in commands for place in re.findall(r"\{[^}]*\}", command)}
    assert {place for place in places if not place.endswith(":q}")} <= {"{threads}"}


def test_shell_code_in_configuration_is_a_name_like_any_other(tmp_path: Path) -> None:
    copy_checkout(tmp_path)
    folder = tmp_path / ATTACK
    folder.mkdir()
    shutil.copy(ROOT / "transpose" / "data" / "photographs" / "annotations.json", folder)
    dataset = {
        "title": ATTACK,
        "source": {"kind": "folder", "folders": {"val": ATTACK}},
        "boxes": {"simulated": {"kind": "simulated"}},
    }
    (tmp_path / "config" / "datasets" / "mine.yaml").write_text(yaml.safe_dump(dataset))
    study = {
        "name": "mine",
        "results": f"{ATTACK}/results",
        "variants": ["r_sine"],
        "train": {"dataset": "mine", "split": "val"},
        "validation": {"dataset": "mine", "split": "val"},
        "evaluations": [{"dataset": "mine", "split": "val", "boxes": ["simulated"]}],
    }
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(study))
    done = snakemake(tmp_path, f"{ATTACK}/results/box_ap/mine/val/simulated.json")
    assert done.returncode == 0, output_of(done)
    assert (folder / "results" / "box_ap" / "mine" / "val" / "simulated.json").is_file()
    assert not list(tmp_path.rglob("INJECTED*"))
