"""Others' checkpoints: downloaded, pinned by their digest, and kept as safetensors; nothing in them is executed."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from transpose.config.load import read_record
from transpose.config.weights import Pin, ReleasedWeights
from transpose.data.digests import digest_record, remembered_sha256
from transpose.data.download import Patience
from transpose.data.web_file import download_url
from transpose.errors import InputError
from transpose.files import write_json
from transpose.models.weights import read_checkpoint, save_tensors


def download_released(
    released: ReleasedWeights,
    checkpoint: Path,
    pin: Path,
    output: Path,
    patience: Patience | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Write released weights as safetensors, its tensors under their own names, with its title and digest.

    On first use the digest of the checkpoint is recorded in `pin`; from then on it must be the same. Whether the
    tensors fit is judged strictly by what loads them: `load_weights` a variant, `load_backbone` a backbone.

    Args:
        checkpoint: the `.pth` as its publisher gives it; one that is there already is respected.
        report: is told in a line of text what a waiting person would like to know.

    Raises:
        InputError: no mirror gives the file, it contradicts the pin or the published first digits of its digest, or it
            holds anything but named tensors.
    """
    known = read_record(Pin, pin) if pin.is_file() else None
    if known is None:
        # The pin alone remembers: what was refused before it was written must not bind anybody.
        digest_record(checkpoint).unlink(missing_ok=True)
    _fetch(released, checkpoint, known, patience, report)
    sha256 = remembered_sha256(checkpoint)
    if released.sha256_prefix and not sha256.startswith(released.sha256_prefix):
        problem = f"sha256 is {sha256}, but its publisher says {released.sha256_prefix}...: delete it"
        raise InputError(checkpoint, None, None, problem)
    tensors = _without(read_checkpoint(checkpoint), released, checkpoint)
    if known is None:
        write_json(pin, Pin(sha256=sha256).model_dump(mode="json"))
        report(f"{checkpoint}: first use; {pin} now says that its sha256 must be {sha256}")
    save_tensors(tensors, output, {"description": f"{released.title} ({sha256[:8]})", "sha256": sha256})


def _without(tensors: dict[str, Tensor], released: ReleasedWeights, checkpoint: Path) -> dict[str, Tensor]:
    for beginning in released.without:
        if not any(name.startswith(beginning) for name in tensors):
            raise InputError(checkpoint, None, beginning, "no such tensors to leave out")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(released.without)}


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
            # What is there and wrong stays wrong, whichever mirror is asked.
            if checkpoint.is_file():
                break
    raise InputError(checkpoint, None, None, "; ".join(problems))
