"""Released weights: hashed on first use, pinned thereafter, converted, and never executed."""

import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Literal

import pytest
import torch

from tests.data.mirror_server import running, serve, status
from transpose.config.weights import ReleasedWeights
from transpose.data.download import Patience
from transpose.errors import InputError
from transpose.models.released import download_released
from transpose.models.weights import read_checkpoint, read_metadata
from transpose.skeleton import COCO_PERSON

PATIENCE = Patience(tries=2, sleep=lambda seconds: None)


def checkpoint(value: float = 1.0) -> bytes:
    buffer = io.BytesIO()
    torch.save({"conv1.weight": torch.full((2, 3), value), "bn1.num_batches_tracked": torch.tensor(5)}, buffer)
    return buffer.getvalue()


class Files:
    """Where one set of weights is kept."""

    def __init__(self, folder: Path) -> None:
        self.checkpoint = folder / "weights" / "net.pth"
        self.pin = folder / "pins" / "net.json"
        self.output = folder / "weights" / "net.safetensors"

    def download(
        self,
        *urls: str,
        prefix: str | None = None,
        without: tuple[str, ...] = (),
        holds: Literal["backbone", "variant"] = "backbone",
    ) -> None:
        released = ReleasedWeights(title="Net, ImageNet", holds=holds, sha256_prefix=prefix, without=without, urls=urls)
        download_released(released, self.checkpoint, self.pin, self.output, PATIENCE)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_the_first_use_pins_the_digest_and_keeps_every_tensor(files: Files) -> None:
    content = checkpoint()
    digest = hashlib.sha256(content).hexdigest()
    with running(content) as server:
        files.download(server.url("net.pth"), prefix=digest[:8])
    assert json.loads(files.pin.read_text()) == {"sha256": digest}
    assert read_metadata(files.output) == {"description": f"Net, ImageNet ({digest[:8]})", "sha256": digest}
    tensors = read_checkpoint(files.output)
    assert tensors["conv1.weight"].tolist() == [[1.0] * 3] * 2
    assert tensors["bn1.num_batches_tracked"].item() == 5


@pytest.mark.parametrize(("channels", "named"), [(17, COCO_PERSON.keypoints), (16, None)])
def test_a_released_variant_names_the_keypoints_of_coco(
    files: Files, channels: int, named: tuple[str, ...] | None
) -> None:
    content = io.BytesIO()
    torch.save({"final_layer.weight": torch.zeros(channels, 2), "final_layer.bias": torch.zeros(channels)}, content)
    with running(content.getvalue()) as server:
        files.download(server.url("net.pth"), holds="variant")
    assert read_metadata(files.output).get("keypoints") == (named and ",".join(named))


def test_other_bytes_than_pinned_are_refused_even_from_an_empty_folder(files: Files) -> None:
    with running(checkpoint()) as server:
        files.download(server.url("net.pth"))
        files.checkpoint.unlink()
        files.output.unlink()
        server.content = checkpoint(2.0)
        with pytest.raises(InputError, match="sha256"):
            files.download(server.url("net.pth"))
    assert not files.output.exists()


def test_other_first_digits_than_published_are_refused_and_not_pinned(files: Files) -> None:
    with running(checkpoint()) as server, pytest.raises(InputError, match="the published one starts with 00000000"):
        files.download(server.url("net.pth"), prefix="0" * 8)
    assert not files.pin.exists()
    assert not files.output.exists()


def test_after_wrong_bytes_are_deleted_the_right_ones_are_taken(files: Files) -> None:
    prefix = hashlib.sha256(checkpoint()).hexdigest()[:8]
    with running(checkpoint(2.0)) as server:
        with pytest.raises(InputError, match="delete the file"):
            files.download(server.url("net.pth"), prefix=prefix)
        files.checkpoint.unlink()
        server.content = checkpoint()
        files.download(server.url("net.pth"), prefix=prefix)
    assert files.output.is_file()


def test_the_next_mirror_is_asked_when_one_refuses(files: Files) -> None:
    with running(checkpoint()) as server:
        server.replies = [status(404)]
        files.download(server.url("gone.pth"), server.url("net.pth"))
    assert files.output.is_file()


def test_a_file_that_is_there_already_is_taken(files: Files) -> None:
    files.checkpoint.parent.mkdir()
    files.checkpoint.write_bytes(checkpoint())
    with running(b"") as server:
        files.download(server.url("net.pth"))
        assert server.requests == []
    assert files.output.is_file()


def test_a_part_can_be_left_out_but_not_one_that_is_not_there(files: Files) -> None:
    with running(checkpoint()) as server:
        with pytest.raises(InputError, match=r"layer9\.: no tensor name starts with this prefix"):
            files.download(server.url("net.pth"), without=("layer9.",))
        files.download(server.url("net.pth"), without=("bn1.",))
    assert list(read_checkpoint(files.output)) == ["conv1.weight"]


def test_a_training_s_checkpoint_is_unwrapped_and_keeps_its_names(files: Files) -> None:
    state = torch.load(io.BytesIO(checkpoint()), weights_only=True)
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()} | {"module.tied.weight": state["conv1.weight"]}
    buffer = io.BytesIO()
    torch.save({"epoch": 3, "state_dict": wrapped}, buffer)
    with running(buffer.getvalue()) as server:
        files.download(server.url("net.pth"))
    assert read_checkpoint(files.output).keys() == wrapped.keys()


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle was executed')",)


def test_a_pickle_with_code_is_refused_unexecuted_and_not_pinned(files: Files) -> None:
    with running(b"") as server:
        server.replies = [serve(pickle.dumps(Payload()))] * 2
        with pytest.raises(InputError, match="not a PyTorch checkpoint"):
            files.download(server.url("net.pth"))
    assert not files.pin.exists()
    assert not files.output.exists()
