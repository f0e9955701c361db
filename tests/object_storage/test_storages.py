"""Where Snakemake's storage plugins keep files; `python -m tools.object_storage` runs them."""

import importlib.util
from pathlib import Path

import pytest

from tools.object_storage.storages import BUCKET, folder_storage, s3_storage
from transpose.errors import InputError

HAS_MOTO = importlib.util.find_spec("moto") is not None


def test_a_local_copy_is_the_result_itself(tmp_path: Path) -> None:
    clone, storage = tmp_path / "clone", folder_storage(tmp_path / "stored")
    (clone / "results").mkdir(parents=True)
    storage.link_local_copies(clone)
    # The plugin keeps /a/b/results/x in .snakemake/storage/fs/a/b/results/x.
    copy = clone / ".snakemake/storage/fs" / str(tmp_path).lstrip("/") / "stored/results/x"
    copy.write_text("made by a rule")
    assert (clone / "results/x").read_text() == "made by a rule"


def test_stored_files_have_the_paths_of_results(tmp_path: Path) -> None:
    storage = folder_storage(tmp_path / "stored")
    assert storage.stored() == set()
    (tmp_path / "stored/results/metrics").mkdir(parents=True)
    (tmp_path / "stored/results/metrics/a.json").write_text("{}")
    assert storage.stored() == {"results/metrics/a.json"}
    assert storage.options[3] == str(tmp_path / "stored")


@pytest.mark.skipif(HAS_MOTO, reason="moto is installed")
def test_a_missing_server_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"moto\.log: moto's server does not answer"),
        s3_storage(tmp_path / "moto.log"),
    ):
        pass


@pytest.mark.slow
@pytest.mark.skipif(not HAS_MOTO, reason="needs moto[server], which comes with no extra")
def test_the_server_has_a_bucket_of_results(tmp_path: Path) -> None:
    import boto3  # pyright: ignore[reportMissingImports]

    with s3_storage(tmp_path / "moto.log") as storage:
        client = boto3.client("s3", endpoint_url=storage.options[-1], aws_access_key_id="a", aws_secret_access_key="b")
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="results/x", Body=b"made by a rule")
        assert storage.stored() == {"results/x"}
