"""`transpose compare`: text, JSON, and one line for what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

from tests.helpers.injected_errors import exact_scene
from transpose.skeleton import COCO_PERSON


def test_two_files_are_compared(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    (tmp_path / "gt.json").write_text(json.dumps(scene.annotations.to_coco()))
    (tmp_path / "a.json").write_text(json.dumps(scene.results.to_coco()))
    (tmp_path / "b.json").write_text(json.dumps(scene.missed(0, 3).missed(0, 4).results.to_coco()))

    def compare(*options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "transpose", "compare", *map(str, options), "--samples", "20"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    files = tmp_path / "a.json", tmp_path / "b.json", "--annotations", tmp_path / "gt.json"
    done = compare(*files, "--json", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"A = {files[0]}: 20 predictions\nB = {files[1]}: 20 predictions\n")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["metrics"]["AP"]["value"] > 0
    assert found["deciding_images"][0]["image_id"] == 1

    odd = compare(*files, "--also-a", tmp_path / "a.json")
    assert odd.stderr == "transpose: --also-a: must be as many as those of --also-b\n"

    wrong = compare(tmp_path / "a.json", tmp_path / "none.json", "--annotations", tmp_path / "gt.json")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert len(wrong.stderr.splitlines()) == 1
    assert "none.json" in wrong.stderr
