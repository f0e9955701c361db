"""The download rules against a server that cuts the line and one that lies."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.data.mirror_server import cut_after, running, status
from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

MANIFEST = "resources/unpacked/val2017.manifest.json"


@pytest.fixture(scope="module")
def archive() -> bytes:
    """A zip of a few images' worth of noise."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(10):
            file.writestr(f"val2017/{number}.jpg", np.random.default_rng(number).bytes(30_000))
    return buffer.getvalue()


def write_table(checkout: Path, url: str, content: bytes, sha256: str) -> None:
    row = {"version": "test", "bytes": len(content), "sha256": sha256, "urls": [url]}
    (checkout / "config" / "tables" / "downloads.yaml").write_text(json.dumps({"archives": {"val2017": row}}))


def test_a_cut_download_ends_unpacked_and_is_not_fetched_again(tmp_path: Path, archive: bytes) -> None:
    copy_clone(tmp_path)
    with running(archive) as server:
        write_table(tmp_path, server.url("val2017"), archive, hashlib.sha256(archive).hexdigest())
        server.replies = [cut_after(200_000), status(503)]
        done = snakemake(tmp_path, MANIFEST)
        assert done.returncode == 0, output_of(done)
        assert len(list((tmp_path / "resources/unpacked/val2017/val2017").iterdir())) == 10
        server.requests.clear()
        assert "Nothing to be done" in output_of(snakemake(tmp_path, MANIFEST))
        assert not server.requests


def test_a_wrong_byte_is_never_unpacked(tmp_path: Path, archive: bytes) -> None:
    copy_clone(tmp_path)
    with running(archive) as server:
        write_table(tmp_path, server.url("val2017"), archive, "0" * 64)
        done = snakemake(tmp_path, MANIFEST)
    assert done.returncode != 0
    assert "transpose: " in output_of(done)
    assert not (tmp_path / MANIFEST).exists()
