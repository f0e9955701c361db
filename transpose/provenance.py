"""Which code made a result."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent

_PICTURE_CODE = tuple(
    f"data/{name}.py" for name in ("coco", "boxes", "images", "pictures", "zip_pictures", "crops", "loader", "workers")
)

PREDICTION_CODE = (
    "compute.py",
    "geometry.py",
    *_PICTURE_CODE,
    "models",
    "inference",
    *(f"evaluation/{name}.py" for name in ("pipeline", "predict", "results")),
)
"""Parts of the package that decide predictions of trained weights."""

EVALUATION_CODE = (
    "data/coco.py",
    *(
        f"evaluation/{name}.py"
        for name in (
            "results",
            "oks",
            "joints",
            "matching",
            "matches",
            "bootstrap",
            "pckh",
            "joint_hits",
            "place",
            "report",
        )
    ),
)
"""Parts of the package that decide the figures of predictions."""

TRAINING_CODE = (
    *(f"data/{name}.py" for name in ("augment", "heatmaps", "picture_cache")),
    "training",
    # The validation's figure chooses the best weights.
    *PREDICTION_CODE,
    *(f"evaluation/{name}.py" for name in ("oks", "pckh")),
)
"""Parts of the package that decide trained weights."""


@cache
def code_fingerprint(*parts: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 over the package's source files under `parts` (all of it by default).

    Args:
        parts: files or folders relative to the package, for example `geometry.py` and `models`.

    Raises:
        ValueError: a part is no file or folder of the package, so that its changes would go unnoticed.
    """
    digest = hashlib.sha256()
    for path in sorted({file for part in parts or (".",) for file in _sources(PACKAGE / part)}):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def git_state() -> dict[str, str | bool | None]:
    """Commit of the checkout that holds the package and whether it has uncommitted changes; None outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"git": commit, "dirty": None if changes is None else bool(changes)}


def _sources(path: Path) -> list[Path]:
    if not path.exists():
        raise ValueError(f"no such part of the package: {path}")
    return [path] if path.is_file() else list(path.rglob("*.py"))


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
