"""Download third-party checkpoints, pin them by digest, and convert them to safetensors without executing code."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from transpose.config.load import read_record
from transpose.config.weights import Pin, ReleasedWeights
from transpose.data.digests import digest_record, remembered_sha256
from transpose.data.download import Patience, download_url
from transpose.errors import InputError
from transpose.files import write_json
from transpose.models.weights import named_keypoints, read_checkpoint, save_tensors
from transpose.skeleton import COCO_PERSON


def download_released(
    released: ReleasedWeights,
    checkpoint: Path,
    pin: Path,
    output: Path,
    patience: Patience | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Download released weights and write them as safetensors, with the original tensor names, title and digest.

    On first use the digest of the checkpoint is recorded in `pin`; later downloads must have the same digest. Whether
    the tensors fit a model is checked by `load_weights` or `load_backbone`.

    Args:
        checkpoint: path of the downloaded `.pth`; an existing file is not downloaded again.
        report: called with lines of progress text.

    Raises:
        InputError: no mirror has the file, its digest differs from the pin or from the published prefix, or it contains
            anything other than plain values, or several state dicts that differ.
    """
    known = read_record(Pin, pin) if pin.is_file() else None
    if known is None:
        # Without a pin, the digest of a file that was refused earlier must not be reused.
        digest_record(checkpoint).unlink(missing_ok=True)
    _fetch(released, checkpoint, known, patience, report)
    sha256 = remembered_sha256(checkpoint)
    if released.sha256_prefix and not sha256.startswith(released.sha256_prefix):
        problem = f"sha256 is {sha256}, but the published one starts with {released.sha256_prefix}; delete the file"
        raise InputError(problem, file=checkpoint)
    tensors = _without(read_checkpoint(checkpoint), released, checkpoint)
    if known is None:
        write_json(pin, Pin(sha256=sha256).model_dump(mode="json"))
        report(f"{checkpoint}: first use; recorded sha256 {sha256} in {pin}")
    metadata = {"description": f"{released.title} ({sha256[:8]})", "sha256": sha256}
    save_tensors(tensors, output, metadata | _keypoints_of(tensors, released))


def _keypoints_of(tensors: dict[str, Tensor], released: ReleasedWeights) -> dict[str, str]:
    """Return the metadata that name the keypoints of a whole variant; the released ones predict COCO's."""
    is_whole = released.holds == "variant" and len(tensors.get("final_layer.bias", ())) == len(COCO_PERSON)
    return named_keypoints(COCO_PERSON.keypoints) if is_whole else {}


def _without(tensors: dict[str, Tensor], released: ReleasedWeights, checkpoint: Path) -> dict[str, Tensor]:
    for prefix in released.without:
        if not any(name.startswith(prefix) for name in tensors):
            raise InputError("no tensor name starts with this prefix (key `without`)", file=checkpoint, field=prefix)
    # Cloned, because safetensors files cannot contain tensors that share memory.
    return {name: tensor.clone() for name, tensor in tensors.items() if not name.startswith(released.without)}


def _fetch(
    released: ReleasedWeights,
    checkpoint: Path,
    known: Pin | None,
    patience: Patience | None,
    report: Callable[[str], None],
) -> None:
    problems = []
    for url in released.urls:
        try:
            download_url(url, checkpoint, known and known.sha256, patience, report)
            return
        except InputError as error:
            problems.append(str(error))
            report(problems[-1])
            # A wrong file on disk cannot be fixed by another mirror.
            if checkpoint.is_file():
                break
    raise InputError("; ".join(problems), file=checkpoint)
