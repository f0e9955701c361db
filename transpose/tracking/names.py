"""Names of MLflow metrics with keypoint names in them."""

import hashlib
import re

_TO_WRITE_AS_NUMBER = re.compile(r"[^\w.\- ]")
"""Characters that MLflow refuses in names, and the slash and the colon, which have a meaning here."""
_LONGEST = 250
"""MLflow refuses longer names."""
_DIGEST_LENGTH = 16


def keypoint_in_metric_name(keypoint: str) -> str:
    """Return a keypoint's name as one part of a metric's name; other keypoints have other parts.

    Letters, digits, blanks, `_`, `-` and `.` stay. Any other character is written as its hexadecimal code point between
    colons: `ear (left)` as `ear :28:left:29:`.
    """
    characters = r"\." if keypoint in (".", "..") else _TO_WRITE_AS_NUMBER
    return re.sub(characters, lambda match: f":{ord(match[0]):x}:", keypoint)


def shortened(name: str) -> str:
    """Return a metric's name; of one that is too long for MLflow, the beginning and 16 digits of its SHA-256."""
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: _LONGEST - _DIGEST_LENGTH - 1]}:{digest}"
